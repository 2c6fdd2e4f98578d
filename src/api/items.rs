//! What was sold before, over HTTP.

use super::input::extract::Parameters;
use crate::{
    app::App,
    auth::Actor,
    error::Result,
    service::{items, views::SoldItems},
};
use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Deserialize;

/// Which items to suggest.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FindItems {
    /// Items with this text in the SKU or the name. Case does not matter.
    #[schemars(length(min = 1, max = 255))]
    q: Option<String>,
}

/// Suggests items that were sold before.
pub(super) async fn list(
    State(app): State<App>,
    actor: Actor,
    Parameters(FindItems { q }): Parameters<FindItems>,
) -> Result<Json<SoldItems>> {
    items::find(&app, &actor, q.as_deref().unwrap_or_default()).await.map(Json)
}
