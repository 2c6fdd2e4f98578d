//! `orderd serve`: runs the server.

use super::{Failure, flags::ServerFlags, print};
use crate::{
    api::server::{self, Certificate},
    app::{App, Surroundings},
    config::{Bootstrap, Config, Durability, Loaded},
    domain::{time::Clock, user::Email},
    error::problem,
    service::{
        demo::{self, DemoUser},
        housekeeping, sessions,
        users::NewUser,
    },
    store::users,
    telemetry::logs,
};
use std::sync::Arc;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

/// The arguments of `orderd serve`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: ServerFlags,
    /// Fill an empty database with users and orders to try things out on
    #[arg(long)]
    demo: bool,
}

impl Arguments {
    pub(super) fn run(self) -> Result<(), Failure> {
        let loaded = self.flags.load()?;
        logs::start(loaded.config.log.format, loaded.config.log.level, Clock::system());
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|e| Failure::failed(format!("the runtime cannot be started: {e}")))?;
        let outcome = runtime.block_on(serve(loaded, self.demo));
        // Work that nobody waits for any more must not keep the process.
        runtime.shutdown_background();
        outcome
    }
}

async fn serve(loaded: Loaded, demo: bool) -> Result<(), Failure> {
    let Loaded { config, bootstrap, .. } = loaded;
    refuse_unbuilt(&config)?;
    let listen = config.server.listen;
    let certificate = certificate(&config)?;
    let demo_users = if demo { fill(&config).await? } else { vec![] };
    let app = App::open(config, Surroundings::system()?)?;
    first_admin(&app, &bootstrap).await?;
    let listener = server::listen(listen).map_err(|e| Failure::failed(format!("cannot listen on {listen}: {e}")))?;
    let address = listener.local_addr().map_err(|e| Failure::failed(format!("cannot listen on {listen}: {e}")))?;
    // Whoever reads that it listens may send a signal at once.
    let told = reread_when_told(certificate.clone()).and_then(|()| told_to_stop());
    let told = told.map_err(|e| Failure::failed(format!("signals cannot be received: {e}")))?;
    let scheme = if certificate.is_some() { "https" } else { "http" };
    print(format_args!("listening on {scheme}://{address}\n"))?;
    if let Some(token) = sessions::offer_setup(&app)? {
        print(format_args!("setup token: {}\n", token.reveal()))?;
    }
    for user in demo_users {
        print(format_args!("demo user: {} {} {}\n", user.role, user.email, user.password.as_str()))?;
    }
    tracing::info!(
        server.address = %address,
        db.path = %app.store.path().display(),
        db.durability = app.config.db.durability.name(),
        version = env!("CARGO_PKG_VERSION"),
        "ready"
    );
    run(app, listener, certificate, told).await
}

/// Serves until it is told to stop or storage fails.
async fn run(
    app: App,
    listener: TcpListener,
    certificate: Option<Arc<Certificate>>,
    told: impl Future<Output = &'static str>,
) -> Result<(), Failure> {
    let (shared, storage_failed) = (app.clone(), Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let failed = Arc::clone(&storage_failed);
    let stop = async move {
        tokio::select! {
            name = told => tracing::info!(signal = name, "stopping"),
            () = shared.store.failed() => failed.store(true, std::sync::atomic::Ordering::Relaxed),
        }
    };
    let (stop_housekeeping, stopped) = oneshot::channel();
    let housekeeping = tokio::spawn(housekeeping::run(app.clone(), stopped));
    server::serve(app.clone(), listener, certificate, stop).await;
    drop(stop_housekeeping);
    housekeeping.await.map_err(|e| Failure::failed(format!("housekeeping failed: {e}")))?;
    app.store.close().await;
    if storage_failed.load(std::sync::atomic::Ordering::Relaxed) {
        return Err(Failure::failed(format!("{}: storage failed; start again to recover", app.store.path().display())));
    }
    tracing::info!("stopped");
    Ok(())
}

/// The certificate to show, where TLS is configured.
fn certificate(config: &Config) -> Result<Option<Arc<Certificate>>, Failure> {
    let (Some(chain), Some(key)) = (&config.server.tls_cert, &config.server.tls_key) else { return Ok(None) };
    let certificate = Certificate::read(chain, key).map_err(|e| Failure::usage(format!("TLS: {e}")))?;
    Ok(Some(Arc::new(certificate)))
}

/// Reads the certificate anew at each SIGHUP, from now on.
fn reread_when_told(certificate: Option<Arc<Certificate>>) -> std::io::Result<()> {
    let mut told = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while told.recv().await.is_some() {
            match certificate.as_ref().map(|certificate| certificate.reload()) {
                Some(Ok(())) => tracing::info!("the certificate was read anew"),
                Some(Err(e)) => tracing::error!(error.cause = e, "the certificate cannot be read; the old one stays"),
                None => tracing::info!("SIGHUP: there is no certificate to read anew"),
            }
        }
    });
    Ok(())
}

/// Resolves with the name of the signal that tells the server to stop.
fn told_to_stop() -> std::io::Result<impl Future<Output = &'static str>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

/// Orders that `--demo` makes.
const DEMO_ORDERS: usize = 10_000;

/// Fills an empty database with users and orders, at times of the past.
async fn fill(config: &Config) -> Result<Vec<DemoUser>, Failure> {
    let system = Surroundings::system()?;
    let now = system.clock.now();
    let (hand, clock) = demo::Hand::new(now.minus(demo::SPAN));
    // Nobody is promised anything yet, so commits need no sync of their own; closing syncs the whole.
    let mut config = config.clone();
    config.db.durability = Durability::Normal;
    let app = App::open(config, Surroundings { clock, ..system })?;
    let made = if app.store.read("demo.empty", users::any)? {
        tracing::warn!("--demo fills an empty database only; this one is left as it is");
        vec![]
    } else {
        demo::fill(&app, &hand, now, DEMO_ORDERS).await?
    };
    app.store.close().await;
    Ok(made)
}

/// A setting that this version cannot follow must not be passed over in silence.
fn refuse_unbuilt(config: &Config) -> Result<(), Failure> {
    if config.backup.dir.is_some() {
        return Err(Failure::usage("`backup.dir`: this version makes no scheduled backups"));
    }
    Ok(())
}

/// Makes the first administrator whom the environment names.
async fn first_admin(app: &App, bootstrap: &Bootstrap) -> Result<(), Failure> {
    let (Some(address), Some(password)) = (&bootstrap.email, &bootstrap.password) else {
        if bootstrap.email.is_some() || bootstrap.password.is_some() {
            tracing::warn!("ORDERD_ADMIN_EMAIL and ORDERD_ADMIN_PASSWORD go together; one alone is ignored");
        }
        return Ok(());
    };
    if Email::parse(address).is_none() {
        return Err(Failure::usage(format!("ORDERD_ADMIN_EMAIL: {address} is no e-mail address")));
    }
    let new = NewUser {
        email: address.clone(),
        name: "Administrator".to_owned(),
        role: "admin".to_owned(),
        password: password.expose().into(),
    };
    match sessions::first_admin(app, "bootstrap".into(), None, new).await {
        Ok(user) => tracing::info!(user.id = %user.id.0, "made the first administrator"),
        Err(e) if e.is(&problem::ALREADY_SET_UP) => {
            tracing::info!("ORDERD_ADMIN_EMAIL and ORDERD_ADMIN_PASSWORD are ignored: there are users already");
        }
        Err(e) if e.is(&problem::VALIDATION_FAILED) => {
            let reasons: Vec<_> = e.faults().iter().map(|fault| fault.detail.as_str()).collect();
            return Err(Failure::usage(format!("ORDERD_ADMIN_PASSWORD: {}", reasons.join("; "))));
        }
        Err(e) => return Err(e.into()),
    }
    Ok(())
}
