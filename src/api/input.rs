//! What a request carries: its headers, path, query and body, parsed and checked before a handler runs. No rule that
//! relates one field to another is checked here; those are in `domain` and `service`.

pub mod entity_tag;
pub mod extract;
pub(crate) mod fault;
pub(crate) mod file;
pub mod idempotency_key;
pub mod integer;
pub mod json;
pub mod lines;
pub mod list;
pub mod parsed;
pub mod query;
pub mod schema;
