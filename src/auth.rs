//! Who is calling, and what they may do: the machinery of authentication and authorisation.
//!
//! The story of a log-in: [`attempts`] says whether one may be tried now; [`password`] compares, at the same cost
//! whether the user exists or not; [`token`] signs a short-lived access token and [`secret`] makes the refresh token
//! that goes with it. The story of a request: its credentials are an access token ([`token`] checks the signature and
//! the times) or an API key ([`secret`] recognises and digests it); [`access`] knows, in memory, whether the session,
//! the user or the key is still good and what it may do now; the outcome is an [`actor::Actor`], which every use case
//! asks for permission. [`policy`] is the table of roles.
//!
//! It deliberately knows no HTTP and no SQL: headers are the business of `api`, rows that of `store`, and `service`
//! carries facts from one to the other. Time is an argument everywhere, and randomness comes from [`secret`] alone.

pub mod access;
pub mod actor;
pub mod allowance;
pub mod attempts;
mod cursor;
mod mac;
pub mod password;
pub mod policy;
mod recent;
pub mod secret;
pub mod token;

pub use actor::{Actor, Principal};
pub use cursor::{Cursor, Cursors};
pub use mac::Mac;
pub use recent::network;
