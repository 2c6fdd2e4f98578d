//! Delivers events to webhook endpoints: a sender for each active endpoint, so that a slow or failing one delays no
//! other.

mod sender;
mod window;

use super::{report, supervisor::Stop};
use crate::{
    app::App,
    domain::{id::WebhookId, webhook::WebhookStatus},
    error::Result,
    outbound::{Addresses, Client},
    service::webhooks::delivery,
};
use sender::Sender;
use std::{collections::BTreeSet, panic::resume_unwind, sync::Arc, time::Duration};
use tokio::{
    sync::Semaphore,
    task::{JoinError, JoinSet},
    time::sleep,
};

pub(super) const NAME: &str = "webhooks.deliver";
/// Attempts at the same time. Where they are used up, each endpoint may still make one.
const SHARED_ATTEMPTS: usize = 48;
/// How often the metrics are brought up to date, and a failure is tried again, at the latest.
const PERIOD: Duration = Duration::from_secs(10);

/// What the senders of all endpoints share.
#[derive(Clone)]
struct Shared {
    app: App,
    client: Arc<Client>,
    attempts: Arc<Semaphore>,
}

pub(super) async fn run(app: App, mut stop: Stop) {
    let addresses = if app.config.webhooks.allow_private { Addresses::Any } else { Addresses::Public };
    let client = Arc::new(app.outbound_client(addresses));
    let shared = Shared { app, client, attempts: Arc::new(Semaphore::new(SHARED_ATTEMPTS)) };
    let mut changes = shared.app.webhook_changes.subscribe();
    let mut senders = Senders::default();
    loop {
        changes.borrow_and_update();
        if shared.app.store.has_lease() {
            report(NAME, senders.start_missing(&shared, &stop).await);
        }
        report(NAME, delivery::measure(&shared.app).await);
        tokio::select! {
            () = stop.requested() => break,
            _ = changes.changed() => {}
            Some(ended) = senders.tasks.join_next() => senders.ended(ended),
            () = sleep(PERIOD) => {}
        }
    }
    while let Some(ended) = senders.tasks.join_next().await {
        senders.ended(ended);
    }
}

/// The senders that are running.
#[derive(Default)]
struct Senders {
    tasks: JoinSet<WebhookId>,
    running: BTreeSet<WebhookId>,
}

impl Senders {
    /// Starts a sender for each active endpoint that has none.
    async fn start_missing(&mut self, shared: &Shared, stop: &Stop) -> Result<()> {
        for webhook in delivery::endpoints(&shared.app).await? {
            if webhook.status == WebhookStatus::Active && self.running.insert(webhook.id) {
                self.tasks.spawn(Sender::new(shared.clone(), webhook, stop.clone()).run());
            }
        }
        Ok(())
    }

    /// A sender that panicked makes the whole task start again; what it had not recorded is sent again.
    fn ended(&mut self, ended: Result<WebhookId, JoinError>) {
        match ended {
            Ok(id) => drop(self.running.remove(&id)),
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }
}
