//! What a response carries: documents, lists, exports and problems. What they say is decided in `service` and `error`.

pub(crate) mod compression;
pub(crate) mod csv_rows;
pub(crate) mod event_stream;
pub(crate) mod export;
pub(crate) mod item_rows;
pub(crate) mod list;
pub(crate) mod page_tag;
pub mod problem;
pub(crate) mod reply;
pub(crate) mod revalidate;
