//! Collects every SQL statement that any test has run so far, from the events that the store logs at the level `trace`.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    sync::{LazyLock, Mutex, Once},
};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Registry,
    layer::{Context, Layer, SubscriberExt},
};

static SEEN: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);

/// Starts collecting, once for the whole process.
pub(super) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Registry::default().with(Listener)).unwrap());
}

/// The statements collected so far, with white space normalized.
pub fn seen() -> BTreeSet<String> {
    SEEN.lock().unwrap().clone()
}

struct Listener;

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut Statement);
    }
}

struct Statement;

impl Visit for Statement {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "db.statement" {
            let words: Vec<_> = format!("{value:?}").split_whitespace().map(str::to_owned).collect();
            SEEN.lock().unwrap().insert(words.join(" "));
        }
    }
}
