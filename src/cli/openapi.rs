//! `orderd openapi`: the API's description, without a server.

use super::{Failure, print};
use crate::api::routes;

/// Prints what `/openapi.json` answers.
pub(super) fn run() -> Result<(), Failure> {
    print(format_args!("{}\n", routes::document()))
}
