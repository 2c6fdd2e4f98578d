//! Passwords: the rules for new ones ([`rules`]) and the slow hash that is stored ([`hasher`]).
//!
//! This module does not know whose password it verifies: an unknown user takes the same time as a known one.

mod guessable;
mod hasher;
mod pool;
mod rules;

pub use hasher::{HashCost, PasswordHasher, Verdict};
pub use pool::HashingLoad;
pub use rules::{AcceptedPassword, MAX_LENGTH, Owner, PasswordRules};
