//! `orderd serve`: runs the server.

use super::{Failure, demo::print_users, flags::ServerFlags, no_signals, print, runtime, supervisor};
use crate::{
    accept::{self, Certificate},
    api,
    app::{App, Surroundings},
    auth::secret,
    config::{Bootstrap, Config, Loaded},
    domain::{time::Clock, trace::SpanIds, user::Email},
    error::problem,
    service::{
        demo::{self, DemoUser, Plan},
        sessions::{self, Source},
        users::NewUser,
    },
    telemetry::{
        logs,
        traces::{self, FinishedSpans},
    },
    worker,
};
use std::sync::Arc;
use tokio::{
    net::TcpListener,
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: ServerFlags,
    /// Fill an empty database with example users and orders
    #[arg(long)]
    demo: bool,
}

impl Arguments {
    pub(super) fn run(self) -> Result<(), Failure> {
        let loaded = self.flags.load()?;
        let spans = start_telemetry(&loaded.config)?;
        let runtime = runtime(Builder::new_multi_thread())?;
        let outcome = runtime.block_on(serve(loaded, self.demo.then(demo_plan), spans));
        // Does not wait for blocking tasks whose callers are gone.
        runtime.shutdown_background();
        outcome
    }
}

/// Starts the log and, if a collector is configured, the recording of traces. Returns the queue of finished spans.
fn start_telemetry(config: &Config) -> Result<Option<FinishedSpans>, Failure> {
    let ids = SpanIds::seeded(secret::random_seed()?);
    let is_recording = config.traces.otlp_endpoint.is_some();
    let (recorder, spans) = is_recording.then(|| traces::recorder(Clock::system(), ids)).unzip();
    logs::start(config.log.format, config.log.level, Clock::system(), recorder);
    Ok(spans)
}

async fn serve(loaded: Loaded, demo: Option<Plan>, spans: Option<FinishedSpans>) -> Result<(), Failure> {
    let Loaded { config, bootstrap, .. } = loaded;
    // Before anything else, so that no signal kills the process during startup.
    let signals = stop_signal().and_then(|stop| Ok((stop, signal(SignalKind::hangup())?)));
    let (stop, reload) = signals.map_err(no_signals)?;
    let listen = config.server.listen;
    let certificate = certificate(&config)?;
    tokio::spawn(reload_certificate(reload, certificate.clone()));
    let demo_users = match demo {
        Some(plan) => fill_with_demo(&config, &plan).await?,
        None => vec![],
    };
    let app = App::open(config, Surroundings::system()?)?;
    first_admin(&app, &bootstrap).await?;
    let listening = accept::listen(listen).and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (address, listener) = listening.map_err(|e| Failure::failed(format!("cannot listen on {listen}: {e}")))?;
    let scheme = if certificate.is_some() { "https" } else { "http" };
    print(format_args!("listening on {scheme}://{address}\n"))?;
    if let Some(token) = sessions::offer_setup(&app).await? {
        print(format_args!("setup token: {}\n", token.reveal()))?;
    }
    print_users(&demo_users)?;
    tracing::info!(
        server.address = %address,
        db.path = %app.store.path().display(),
        db.durability = app.config.db.durability.name(),
        version = env!("CARGO_PKG_VERSION"),
        "ready"
    );
    supervisor::ready(&format!("{scheme}://{address}"));
    run(app, Connections { listener, certificate }, spans, stop).await
}

/// Where connections come from, and the certificate for them if TLS is configured.
struct Connections {
    listener: TcpListener,
    certificate: Option<Arc<Certificate>>,
}

/// Serves until a signal arrives or storage fails.
async fn run(
    app: App,
    connections: Connections,
    spans: Option<FinishedSpans>,
    stop_signal: impl Future<Output = &'static str>,
) -> Result<(), Failure> {
    let store = app.store.clone();
    let stop = async move {
        tokio::select! {
            name = stop_signal => tracing::info!(signal = name, "stopping"),
            () = store.failed() => {}
            never = supervisor::feed_watchdog() => match never {},
        }
        supervisor::stopping();
    };
    let (worker, trace_export) = (worker::start(&app), worker::start_trace_export(&app, spans));
    let Connections { listener, certificate } = connections;
    accept::serve(app.clone(), api::router(app.clone()), listener, certificate, stop).await;
    // After the last request, so that its audit entries are written too.
    worker.stop().await;
    app.store.close().await;
    // After the last write, so that its span is sent too.
    trace_export.stop().await;
    if app.store.has_failed() {
        return Err(Failure::failed(format!(
            "{}: storage failed; restart the server to recover",
            app.store.path().display()
        )));
    }
    tracing::info!("stopped");
    Ok(())
}

/// The certificate, if TLS is configured.
fn certificate(config: &Config) -> Result<Option<Arc<Certificate>>, Failure> {
    let (Some(chain), Some(key)) = (&config.server.tls_cert, &config.server.tls_key) else { return Ok(None) };
    let certificate = Certificate::read(chain, key).map_err(|e| Failure::usage(format!("TLS: {e}")))?;
    Ok(Some(Arc::new(certificate)))
}

/// Reloads the certificate at each signal.
async fn reload_certificate(mut signal: Signal, certificate: Option<Arc<Certificate>>) {
    while signal.recv().await.is_some() {
        match certificate.as_ref().map(|certificate| certificate.reload()) {
            Some(Ok(())) => tracing::info!("reloaded the TLS certificate"),
            Some(Err(e)) => tracing::error!(
                error.cause = e,
                "the TLS certificate cannot be reloaded; the previous one stays in use"
            ),
            None => tracing::info!("SIGHUP ignored: TLS is not configured"),
        }
    }
}

/// Resolves with the name of the signal that stops the server.
fn stop_signal() -> std::io::Result<impl Future<Output = &'static str>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

/// What `--demo` creates.
const DEMO_ORDERS: usize = 10_000;
const DEMO_DAYS: u32 = 180;

fn demo_plan() -> Plan {
    Plan { orders: DEMO_ORDERS, days: DEMO_DAYS, until: Clock::system().now(), accounts: 0, seed: 1 }
}

/// Fills an empty database with users and orders whose times are in the past.
async fn fill_with_demo(config: &Config, plan: &Plan) -> Result<Vec<DemoUser>, Failure> {
    let app = demo::open(config, plan)?;
    let users = if demo::is_empty(&app).await? {
        demo::fill(&app, plan, |_| {}).await?
    } else {
        tracing::warn!("--demo is ignored: it fills only an empty database, and this one is not empty");
        vec![]
    };
    app.store.close().await;
    Ok(users)
}

/// Creates the first administrator from the environment variables.
async fn first_admin(app: &App, bootstrap: &Bootstrap) -> Result<(), Failure> {
    let (Some(address), Some(password)) = (&bootstrap.email, &bootstrap.password) else {
        if bootstrap.email.is_some() || bootstrap.password.is_some() {
            tracing::warn!("ORDERD_ADMIN_EMAIL and ORDERD_ADMIN_PASSWORD must be set together; one alone is ignored");
        }
        return Ok(());
    };
    if Email::parse(address).is_none() {
        return Err(Failure::usage(format!("ORDERD_ADMIN_EMAIL: {address} is not an e-mail address")));
    }
    let new = NewUser {
        email: address.clone(),
        name: "Administrator".to_owned(),
        role: "admin".to_owned(),
        password: Some(password.expose().into()),
    };
    let source = Source { request_id: "bootstrap".into(), trace: None, address: None, user_agent: None };
    match sessions::first_admin(app, &source, new).await {
        Ok(user) => tracing::info!(user.id = %user.id.0, "created the first administrator"),
        Err(e) if e.is(&problem::ALREADY_SET_UP) => {
            tracing::info!("ORDERD_ADMIN_EMAIL and ORDERD_ADMIN_PASSWORD are ignored: the database has users already");
        }
        Err(e) if e.is(&problem::VALIDATION_FAILED) => {
            let reasons: Vec<_> = e.faults().iter().map(|fault| fault.detail.as_str()).collect();
            return Err(Failure::usage(format!("ORDERD_ADMIN_PASSWORD: {}", reasons.join("; "))));
        }
        Err(e) => return Err(e.into()),
    }
    Ok(())
}
