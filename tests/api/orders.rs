//! Orders: making, reading, listing, changing and moving them, and their history.

mod change;
mod create;
mod history;
mod list;
mod read;
mod transition;
