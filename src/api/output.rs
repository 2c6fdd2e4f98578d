//! What goes out: replies, lists, exports and problems, rendered for the client.

pub(crate) mod csv_rows;
pub(crate) mod export;
pub(crate) mod list;
pub mod problem;
pub(crate) mod reply;
pub(crate) mod revalidate;
