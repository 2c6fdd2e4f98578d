//! The history over HTTP: an order's, and that of everything, which can be waited for.

use super::{
    input::extract::{Parameters, PathId},
    output::{
        export::{self, Format},
        list::{self, Asked},
        reply,
    },
};
use crate::{
    app::App,
    auth::Actor,
    domain::id::OrderId,
    error::Result,
    service::{
        events,
        page::Wanted,
        views::{Page, PageInfo},
    },
};
use axum::{extract::State, http::Uri, response::Response};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// The longest that a request may wait for an event.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(30);

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
    /// Whole seconds to wait for an event if there is none yet.
    #[schemars(range(min = 0, max = 30))]
    wait: Option<u64>,
    /// Whether to count the whole list: `page.total`.
    count: Option<bool>,
}

/// Everything that happened, in one order without gaps.
pub(super) async fn feed(
    State(app): State<App>,
    actor: Actor,
    Parameters(asked): Parameters<ListEvents>,
    format: Format,
    uri: Uri,
) -> Result<Response> {
    let after = asked.after.unwrap_or(0);
    if format != Format::Page {
        export::refuse_paging(&[("limit", asked.limit.is_some()), ("wait", asked.wait.is_some())])?;
        return list::all(format, move |wanted| {
            let (app, actor) = (app.clone(), actor.clone());
            let wanted = Wanted { after: wanted.after.or(Some(after)), ..wanted };
            async move { events::export(&app, &actor, wanted).await }
        })
        .await;
    }
    let limit = list::page_size(asked.limit);
    let wait = Duration::from_secs(asked.wait.unwrap_or(0));
    let wanted = Wanted { after: Some(after), limit, count: asked.count == Some(true) };
    let found = events::list(&app, &actor, wanted, wait).await?;
    let next = found.entries.last().map_or(after, |event| event.seq).to_string();
    let has_more = found.next.is_some();
    let link = has_more.then(|| ("after", next.clone()));
    let page = PageInfo { limit, has_more, next: Some(next), total: found.total };
    Ok(reply::linked(&Page { data: found.entries, page }, &uri, link))
}

/// An order's history, oldest first.
pub(super) async fn of_order(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<OrderId>,
    asked: Asked,
) -> Result<Response> {
    let shared = app.clone();
    let find = move |wanted: Wanted<i64>| {
        let (app, actor) = (shared.clone(), actor.clone());
        async move { events::of_order(&app, &actor, id, &wanted).await }
    };
    asked.answer(&app, format!("orders.events {id}"), list::row, list::of_row, find).await
}
