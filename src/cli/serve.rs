//! `orderd serve`: runs the server.

use super::{
    Failure, certificate,
    demo::{ORDERS_PER_ACCOUNT, print_users},
    flags::ServerFlags,
    no_signals, print, runtime, supervisor,
};
use crate::{
    accept::{self, Certificate, Listener},
    api,
    app::{App, Surroundings},
    auth::secret,
    config::{Bootstrap, Config, Listen, Loaded},
    domain::{time::Clock, trace::SpanIds, user::Email},
    error::problem,
    service::{
        demo::{self, DemoUser, Plan},
        sessions::{self, Source},
        users::NewUser,
    },
    store::journal::OlderSchema,
    telemetry::{
        logs,
        traces::{self, FinishedSpans},
    },
    worker,
};
use std::{
    io::{self, ErrorKind},
    sync::Arc,
};
use tokio::{
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
    let Loaded { config, proxies, bootstrap, passed_over, .. } = loaded;
    if !passed_over.is_empty() {
        let names = passed_over.join(", ");
        tracing::info!(
            config.variables = names,
            "ignored environment variables, since a setting is written ORDERD_SECTION__KEY with two underscores: {names}"
        );
    }
    // Before anything else, so that no signal kills the process during startup.
    let signals = stop_signal().and_then(|stop| Ok((stop, signal(SignalKind::hangup())?)));
    let (stop, reload) = signals.map_err(no_signals)?;
    let listen = config.server.listen.clone();
    let certificate = certificate(&config)?.map(Arc::new);
    tokio::spawn(reload_certificate(reload, certificate.clone()));
    let demo_users = match demo {
        Some(plan) => fill_with_demo(&config, &plan).await?,
        None => vec![],
    };
    let older_schema = OlderSchema::Upgraded;
    let app = App::open(config, Surroundings { proxies, older_schema, ..Surroundings::system()? })?;
    first_admin(&app, &bootstrap).await?;
    let listening = Listener::at(&listen).and_then(|listener| Ok((listener.place()?, listener)));
    let (place, listener) = listening.map_err(|e| cannot_listen(&listen, &e))?;
    let address = match &place {
        Listen::Address(address) if certificate.is_some() => format!("https://{address}"),
        Listen::Address(address) => format!("http://{address}"),
        Listen::Socket(_) => place.to_string(),
    };
    print(format_args!("listening on {address}\n"))?;
    if let Some(token) = sessions::offer_setup(&app).await? {
        print(format_args!("setup token: {}\n", token.reveal()))?;
    }
    print_users(&demo_users)?;
    if let Some(admin) = demo_users.iter().find(|user| user.role == "admin")
        && matches!(place, Listen::Address(_))
    {
        app.suggested_email.get_or_init(|| admin.email.clone());
        print(format_args!("console: {address}/console\n"))?;
    }
    tracing::info!(
        server.address = address,
        db.path = %app.store.path().display(),
        db.durability = app.config.db.durability.name(),
        version = env!("CARGO_PKG_VERSION"),
        "ready"
    );
    supervisor::ready(&address);
    run(app, Connections { listener, certificate }, spans, stop).await
}

/// Says what can be done about a place that cannot be listened on.
fn cannot_listen(place: &Listen, e: &io::Error) -> Failure {
    let advice = match e.kind() {
        ErrorKind::NotFound => "its folder does not exist; create it first",
        ErrorKind::PermissionDenied if matches!(place, Listen::Socket(_)) => {
            "this user may not write to its folder; choose another, such as RuntimeDirectory=orderd in a unit of systemd"
        }
        ErrorKind::AddrInUse => "another process listens there; stop it, or set `server.listen` to another place",
        ErrorKind::AddrNotAvailable => {
            "this machine has no such address; 0.0.0.0 and [::] stand for all of its addresses"
        }
        ErrorKind::PermissionDenied => {
            "ports below 1024 need a privilege; listen on a higher port behind a proxy, or run \
             `setcap cap_net_bind_service=+ep` on the binary, or set AmbientCapabilities=CAP_NET_BIND_SERVICE in its unit"
        }
        _ => return Failure::failed(format!("cannot listen on {place}: {e}")),
    };
    Failure::failed(format!("cannot listen on {place}: {advice} ({e})"))
}

/// Where connections come from, and the certificate for them if TLS is configured.
struct Connections {
    listener: Listener,
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
    if app.store.was_restored() {
        return Err(Failure::failed(
            "a backup was restored into the journal: start again, so that this process joins with it",
        ));
    }
    if app.store.has_diverged() {
        return Err(Failure::unfit_database(format!(
            "{}: the file and the journal do not fit any more; the log says why",
            app.store.path().display()
        )));
    }
    if app.store.has_failed() {
        return Err(Failure::failed(format!(
            "{}: storage failed; restart the server to recover",
            app.store.path().display()
        )));
    }
    tracing::info!("stopped");
    Ok(())
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

/// Resolves with the name of the signal that ends the process.
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = &'static str>> {
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
    Plan {
        orders: DEMO_ORDERS,
        days: DEMO_DAYS,
        until: Clock::system().now(),
        accounts: DEMO_ORDERS / ORDERS_PER_ACCOUNT,
        seed: 1,
    }
}

/// Fills an empty database with users and orders whose times are in the past.
async fn fill_with_demo(config: &Config, plan: &Plan) -> Result<Vec<DemoUser>, Failure> {
    if config.db.url.is_some() {
        return Err(Failure::usage("`--demo` fills a file and not a journal in PostgreSQL: give `--db FILE`"));
    }
    if has_content(config).await? {
        tracing::warn!("--demo is ignored: it fills only an empty database, and this one is not empty");
        return Ok(vec![]);
    }
    let app = demo::open(config, plan)?;
    let users = demo::fill(&app, plan, |_| {}).await?;
    app.store.close().await;
    Ok(users)
}

/// Whether there is a database with content. It is opened with the real clock: that of the demo would be behind its
/// records.
async fn has_content(config: &Config) -> Result<bool, Failure> {
    if !config.db.path.exists() {
        return Ok(false);
    }
    let app = App::open(config.clone(), Surroundings::system()?)?;
    let is_empty = demo::is_empty(&app).await?;
    app.store.close().await;
    Ok(!is_empty)
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
