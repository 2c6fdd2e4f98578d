//! What became of an idempotency key, as clients see it.

use super::AsText;
use crate::{domain::time::Timestamp, store::idempotency::StoredResponse};
use schemars::JsonSchema;
use serde::Serialize;

/// A request that took effect under a key.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "IdempotencyKey")]
pub struct IdempotencyKeyView {
    /// The key.
    pub key: String,
    /// The request's HTTP method.
    pub method: String,
    /// The request's path.
    pub path: String,
    /// The status that it was answered with.
    #[schemars(range(min = 200, max = 299))]
    pub status: u16,
    /// When it took effect.
    pub created_at: AsText<Timestamp>,
    /// Where what it made can be read, if it made something.
    pub resource: Option<String>,
}

impl IdempotencyKeyView {
    /// What became of `key`.
    pub fn new(key: String, settled: StoredResponse) -> Self {
        let StoredResponse { method, path, status, created_at, location: resource, .. } = settled;
        Self { key, method, path, status, created_at: AsText(created_at), resource }
    }
}
