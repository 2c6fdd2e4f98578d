//! `orderd openapi`: the API's description, without a server.

use super::{Failure, print};
use crate::api::openapi;

/// Prints what `/openapi.json` answers.
pub(super) fn run() -> Result<(), Failure> {
    print(format_args!("{}\n", openapi::json()))
}
