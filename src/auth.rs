//! Authentication and authorisation: the mechanisms that establish the caller of a request and what it may do.
//!
//! At a log-in [`rate_limit`] says whether it may be tried now, [`password`] verifies the password at the same cost
//! whether the user exists or not, [`second_factor`] a code where the user has one, and the client receives a
//! short-lived access token ([`token`]) and a refresh token ([`secret`]). Each later request carries the access token,
//! whose signature and times [`token`] verifies, or an API key, which [`secret`] parses and digests. [`access`] holds
//! in memory whether the session, the user and the key are still valid and what they may do now. The result is an
//! [`actor::Actor`], the argument of every use case. [`policy`] is the table of built-in roles. [`Sealer`] encrypts the
//! secrets that are stored and read again, among them those of webhooks ([`WebhookSecret`]).
//!
//! This module knows no HTTP and no SQL: `api` reads headers, `store` reads rows, and `service` connects them. Time is
//! always an argument, and randomness comes from [`secret`] only.

pub mod access;
pub mod actor;
mod cursor;
mod mac;
pub mod oidc;
pub mod password;
pub mod policy;
pub mod rate_limit;
mod sealed;
pub mod second_factor;
pub mod secret;
pub mod token;
mod webhook_secret;
#[cfg(test)]
mod wycheproof;

pub use actor::{Actor, Principal};
pub use cursor::{Cursor, Cursors};
pub use mac::Mac;
pub use sealed::Sealer;
pub use webhook_secret::WebhookSecret;
