//! Orders: creating, reading, listing, changing and moving them, and their events.

mod change;
mod create;
mod export;
mod filters;
mod history;
mod import;
mod list;
mod placing;
mod prices;
mod read;
mod transition;
