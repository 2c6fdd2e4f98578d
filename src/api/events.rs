//! The history of everything over HTTP.

use super::extract::Parameters;
use crate::{
    app::App,
    auth::Actor,
    error::Result,
    service::{
        events,
        views::{EventView, Page, PageInfo},
    },
};
use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Deserialize;

/// The largest page of events.
const MAX_LIMIT: u64 = 200;

/// Which events to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListEvents {
    /// The `seq` after which to begin; 0 if left out.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    after: Option<i64>,
    /// Entries of a page; more than 200 are lowered to 200.
    #[schemars(range(min = 1))]
    limit: Option<u64>,
}

/// Everything that happened, in one order without gaps.
pub(super) async fn list(
    State(app): State<App>,
    actor: Actor,
    Parameters(asked): Parameters<ListEvents>,
) -> Result<Json<Page<EventView>>> {
    let after = asked.after.unwrap_or(0);
    let limit = usize::try_from(asked.limit.unwrap_or(50).min(MAX_LIMIT)).unwrap_or(1);
    let mut data = events::after(&app, &actor, after, limit + 1)?;
    let has_more = data.len() > limit;
    data.truncate(limit);
    let next = data.last().map_or(after, |event| event.seq).to_string();
    Ok(Json(Page { data, page: PageInfo { limit, has_more, next: Some(next), total: None } }))
}
