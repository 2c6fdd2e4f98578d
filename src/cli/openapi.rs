//! `orderd openapi`: prints the OpenAPI document without a server.

use super::{Failure, print};
use crate::api::routes;

/// Prints the same document as `GET /openapi.json`.
pub(super) fn run() -> Result<(), Failure> {
    print(format_args!("{}\n", routes::document().json()))
}
