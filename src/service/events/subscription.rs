//! Subscriptions to the feed: new events as they come, for as long as the caller may read them.

use super::feed;
use crate::{
    app::{App, recent_events::FeedEvent},
    auth::Actor,
    domain::permission::Permission,
    error::{Error, Result, problem},
    service::access,
    store,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};

/// The time between two signs of life.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

/// What a subscriber is told next.
pub enum Signal {
    /// These events come next: one at least.
    Events(Vec<Arc<FeedEvent>>),
    /// The subscription is still open.
    Alive,
}

/// An open subscription.
pub struct Subscription {
    app: App,
    actor: Actor,
    after: i64,
    alive: Interval,
    _permit: OwnedSemaphorePermit,
}

/// Subscribes to the events after number `after`; if it is `None`, to those that are recorded from now on.
///
/// # Errors
/// `FORBIDDEN` without `orders:read`; `OVERLOADED` if too many subscriptions are open.
pub async fn subscribe(app: &App, actor: Actor, after: Option<i64>) -> Result<Subscription> {
    actor.require(Permission::OrdersRead)?;
    let permit = Arc::clone(&app.event_streams).try_acquire_owned().map_err(|_| {
        Error::new(&problem::OVERLOADED)
            .detail("Too many event streams are open. Close some of them, or wait for events by long polling.")
    })?;
    let after = match after {
        Some(after) => after,
        None => app.store.read("events.subscribe", store::events::last).await?,
    };
    let mut alive = interval_at(Instant::now() + ALIVE_EVERY, ALIVE_EVERY);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Ok(Subscription { app: app.clone(), actor, after, alive, _permit: permit })
}

impl Subscription {
    /// What comes next; `None` once the server stops, the caller may not read events any more, or they cannot be read.
    pub async fn next(&mut self) -> Option<Signal> {
        let has_events = tokio::select! {
            biased;
            () = self.app.drained() => return None,
            _ = self.alive.tick() => false,
            () = self.app.store.event_after(self.after) => true,
        };
        if let Err(error) = self.check() {
            tracing::info!(error.code = error.problem().code, "event stream ended: its caller may not read on");
            return None;
        }
        if !has_events {
            return Some(Signal::Alive);
        }
        match feed::after(&self.app, self.after).await {
            Ok(events) => {
                self.after = events.last()?.seq;
                Some(Signal::Events(events))
            }
            Err(error) => {
                tracing::warn!(error.code = error.problem().code, "event stream ended: events cannot be read");
                None
            }
        }
    }

    fn check(&self) -> Result<()> {
        let has_ended = self.actor.valid_until.is_some_and(|end| self.app.clock.now() >= end);
        if has_ended {
            return Err(Error::new(&problem::UNAUTHENTICATED).detail("The access token has expired."));
        }
        access::recheck(&self.app, &self.actor)?.require(Permission::OrdersRead)
    }
}
