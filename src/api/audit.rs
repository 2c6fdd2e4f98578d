//! The audit trail over HTTP.

use super::{
    input::extract::Parameters,
    output::{
        export::{self, Format},
        list::{self, Place},
        reply,
    },
};
use crate::{app::App, auth::Actor, domain::audit::Filter, domain::time::Timestamp, error::Result, service::audit};
use axum::{extract::State, http::Uri, response::Response};
use schemars::JsonSchema;
use serde::Deserialize;

/// Which entries to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListAudit {
    /// Who acted: `usr_…`, `key_…`, `system` or `anonymous`.
    #[schemars(length(min = 1, max = 64))]
    actor_id: Option<String>,
    /// What was done: an `operationId`.
    #[schemars(length(min = 1, max = 64))]
    action: Option<String>,
    /// Recorded then or later.
    #[schemars(extend("format" = "date-time"))]
    from: Option<String>,
    /// Recorded before that.
    #[schemars(extend("format" = "date-time"))]
    to: Option<String>,
    /// Entries of a page; more than 200 are lowered to 200.
    #[schemars(range(min = 1))]
    limit: Option<u64>,
    /// The `page.next` of the page before.
    #[schemars(length(min = 1, max = 512))]
    cursor: Option<String>,
    /// Whether to count the whole list: `page.total`.
    count: Option<bool>,
}

impl ListAudit {
    fn filter(&self) -> Filter {
        // The schema has held both to the form of a date-time.
        let instant = |text: &Option<String>| text.as_deref().and_then(Timestamp::parse);
        Filter {
            actor: self.actor_id.clone(),
            action: self.action.clone(),
            from: instant(&self.from),
            to: instant(&self.to),
        }
    }
}

/// A page of the trail, newest first.
pub(super) async fn list(
    State(app): State<App>,
    actor: Actor,
    Parameters(asked): Parameters<ListAudit>,
    format: Format,
    uri: Uri,
) -> Result<Response> {
    let filter = asked.filter();
    if format != Format::Page {
        export::refuse_paging(&[("limit", asked.limit.is_some()), ("cursor", asked.cursor.is_some())])?;
        return list::all(format, move |wanted| {
            let (app, actor, filter) = (app.clone(), actor.clone(), filter.clone());
            async move { audit::list(&app, &actor, filter, wanted).await }
        })
        .await;
    }
    let place = Place::of(&app, format!("audit.list {filter:?}"), asked.limit, asked.cursor.as_deref())?;
    let place = place.counted(asked.count);
    let found = audit::list(&app, &actor, filter, place.wanted(list::row)).await?;
    Ok(reply::page(&place.found(&app, found, list::of_row), &uri))
}
