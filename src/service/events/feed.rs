//! The feed for those who follow it: streams and webhooks. Each event is read and written as JSON once for all of them.

use super::EventView;
use crate::{
    app::{
        App,
        recent_events::{After, FeedEvent},
    },
    error::{Error, Result},
    service::views::{TYPICAL_DOCUMENT_BYTES, to_json},
    store::events::{self, Event},
};
use std::sync::Arc;

/// The most events that are handed out at once, and about how many bytes they may have.
const MOST_EVENTS: usize = 100;
const MOST_BYTES: usize = 256 * 1024;

/// The next events after number `seq`, if there are any.
pub async fn after(app: &App, seq: i64) -> Result<Vec<Arc<FeedEvent>>> {
    let recent = &app.recent_events;
    match recent.after(seq, MOST_EVENTS, MOST_BYTES) {
        After::Events(events) => Ok(events),
        After::TooOld => read(app, seq).await,
        After::NotYet => {
            let _only_one_reads = recent.reading.lock().await;
            if let After::Events(events) = recent.after(seq, MOST_EVENTS, MOST_BYTES) {
                return Ok(events);
            }
            let events = read(app, seq).await?;
            recent.keep(&events);
            Ok(events)
        }
    }
}

/// `event` without what was erased since it was read.
pub async fn current(app: &App, event: &Arc<FeedEvent>) -> Result<Arc<FeedEvent>> {
    if event.erasures == app.recent_events.erasures() {
        return Ok(Arc::clone(event));
    }
    one(app, event.seq).await?.ok_or_else(|| Error::internal("an event is missing"))
}

/// The event with this number, if there is one.
pub async fn one(app: &App, seq: i64) -> Result<Option<Arc<FeedEvent>>> {
    if let After::Events(events) = app.recent_events.after(seq - 1, 1, 0) {
        return Ok(events.into_iter().next());
    }
    let erasures = app.recent_events.erasures();
    let found = app.store.read("events.follow", |tx| events::after_within(tx, seq - 1, 1, 0)).await?;
    let found = found.into_iter().next().filter(|event| event.seq == seq);
    found.map(|event| shown(event, erasures).map(Arc::new)).transpose()
}

async fn read(app: &App, seq: i64) -> Result<Vec<Arc<FeedEvent>>> {
    let erasures = app.recent_events.erasures();
    let found = app.store.read("events.follow", |tx| events::after_within(tx, seq, MOST_EVENTS, MOST_BYTES)).await?;
    found.into_iter().map(|event| shown(event, erasures).map(Arc::new)).collect()
}

/// An event as the feed shows it.
fn shown(event: Event, erasures: u64) -> Result<FeedEvent> {
    let (seq, id, kind, occurred_at) = (event.seq, event.id, event.kind, event.occurred_at);
    let document =
        String::from_utf8(to_json(&EventView::from(event), TYPICAL_DOCUMENT_BYTES)?).map_err(Error::internal)?;
    Ok(FeedEvent { seq, id, kind, occurred_at, document, erasures })
}
