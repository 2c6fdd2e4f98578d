//! Configuration: the table of all keys with their defaults, and the typed structs that are generated from it. [`load`]
//! merges the sources. Nothing here opens a database, a socket or a certificate.

mod bootstrap;
mod layers;
mod load;
mod network;
mod postgres;
mod proxies;
mod reference;
mod value;

pub use bootstrap::{Bootstrap, Secret};
pub use load::{Flag, Loaded, Setting, Sources, environment, find_file, load};
pub use network::{Listen, Network};
pub use postgres::{
    PasswordFile, PostgresCredentials, PostgresEncryption, PostgresPlace, PostgresServer, PostgresSession,
};
pub use proxies::{Proxies, Proxy};
pub use reference::{Key, Section, reference};
pub use value::is_postgres_url;

use crate::domain::{order::MAX_ORDER_NUMBER, url::Url};
use figment::value::Value;
use jiff::tz::TimeZone;
use load::Reader;
use std::{path::PathBuf, time::Duration};
use value::{
    database, duration, list, number, one_of, optional_path, optional_role, or_off, postgres_url, retry, role, secret,
    switch, text, time_zone,
};

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: the write is synced to disk.
    Full,
    /// A crash of the process: the write has been handed to the operating system.
    Normal,
}

impl Durability {
    /// The value in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Normal => "normal",
        }
    }
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Text for people.
    Pretty,
}

/// The lowest severity that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Faults of the service.
    Error,
    /// Also warnings.
    Warn,
    /// Also one line for each request.
    Info,
    /// Also the reasons for decisions.
    Debug,
    /// Everything.
    Trace,
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);
const YEAR: Duration = Duration::from_hours(365 * 24);
const NONE: &[&str] = &[];
const RETRIES: &[&str] = &["5s", "5m", "30m", "2h", "5h", "10h", "14h", "20h", "24h"];

/// Generates from the table below: a struct for each section, [`Config`] with all sections, [`KEYS`], [`defaults`] and
/// [`described`], from which the reference in the manual is made.
macro_rules! sections {
    ($(
        $(#[doc = $section_doc:literal])+
        $section:ident: $Section:ident {
            $($(#[doc = $key_doc:literal])+ $key:ident: $Type:ty = $default:expr, $parse:expr;)+
        }
    )+) => {
        $(
            $(#[doc = $section_doc])+
            #[derive(Clone, Debug)]
            pub struct $Section {
                $($(#[doc = $key_doc])+ pub $key: $Type,)+
            }

            impl $Section {
                fn read(reader: &mut Reader) -> Option<Self> {
                    // All keys are read before the first `?`, so that every fault is reported.
                    $(let $key = reader.get(concat!(stringify!($section), ".", stringify!($key)), $parse);)+
                    Some(Self { $($key: $key?),+ })
                }
            }
        )+

        /// All settings, validated.
        #[derive(Clone, Debug)]
        pub struct Config {
            $($(#[doc = $section_doc])+ pub $section: $Section,)+
        }

        impl Config {
            fn read(reader: &mut Reader) -> Option<Self> {
                $(let $section = $Section::read(reader);)+
                Some(Self { $($section: $section?),+ })
            }
        }

        /// All keys.
        const KEYS: &[&str] = &[$($(concat!(stringify!($section), ".", stringify!($key))),+),+];

        /// The default of each key, in the order of [`KEYS`].
        fn defaults() -> Vec<Value> {
            vec![$($(Value::from($default)),+),+]
        }

        /// The description of each key.
        fn described() -> Vec<Section> {
            vec![$(Section::new(
                stringify!($section),
                concat!($($section_doc),+),
                vec![$(Key::new(
                    concat!(stringify!($section), ".", stringify!($key)),
                    stringify!($Type),
                    $default.into(),
                    $parse,
                    concat!($($key_doc),+),
                )),+],
            )),+]
        }
    };
}

// key: type = default, parser;
sections! {
    /// The HTTP server.
    server: Server {
        /// The address and port to listen on. With port 0 the system chooses a free port, and the server prints it.
        /// Host names are refused, because they mean different addresses on different machines. `unix:` and a path is a
        /// Unix socket, which the owner and the group of the server can use. Its clients count as `127.0.0.1`.
        listen: Listen = "127.0.0.1:8080", network::listen;
        /// How long a request may take. A change may wait half of this time before it starts. 0 for no limit.
        request_timeout: Duration = "10s", or_off(duration(Duration::from_millis(1)..=DAY));
        /// The proxies whose `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Prefix` headers are trusted.
        trusted_proxies: Vec<Network> = NONE, list(Network::parse);
        /// The address at which clients reach the server, if a proxy publishes it under another host or below a path.
        /// `Location`, `Link`, pages, the types of problems and `/openapi.json` then refer to it. The proxy has to
        /// strip the path. Empty for the address that clients use. A trusted proxy may name the path in
        /// `X-Forwarded-Prefix` instead.
        public_url: Option<Url> = "", network::public_url;
        /// The web origins whose pages may call the API from a browser.
        cors_origins: Vec<String> = NONE, list(network::web_origin);
        /// PEM file with the certificate chain. Requires `tls_key`.
        tls_cert: Option<PathBuf> = "", optional_path;
        /// PEM file with the private key. Requires `tls_cert`. The file must not be readable by everyone.
        tls_key: Option<PathBuf> = "", optional_path;
        /// Allows plain HTTP on an address that other machines can reach, with neither TLS nor a trusted proxy.
        /// Otherwise the server refuses to start with such an address.
        allow_plain_http: bool = false, switch;
    }
    /// The database.
    db: Db {
        /// The file that holds all data except the signing keys. It is created if it does not exist. A symbolic link is
        /// followed: lock, log and the other files lie beside the file that it leads to.
        path: PathBuf = "./orderd.db", database;
        /// A journal in PostgreSQL, such as `postgres://orderd@db.example/orderd`, that any number of processes share
        /// in place of the file `db.path`.
        url: Option<Secret> = "", postgres_url;
        /// The file in which this process keeps its copy of what the journal contains. It may be deleted while the
        /// process does not run.
        copy: PathBuf = "./orderd-copy.db", database;
        /// The password for PostgreSQL, if the URL has none.
        password: Option<Secret> = "", secret;
        /// A file with that password.
        password_file: Option<PathBuf> = "", optional_path;
        /// What an acknowledged write survives: `full` means a power cut, `normal` only a crash of the process.
        /// `/readyz` and the first log line show the value.
        durability: Durability = "full", one_of(&[("full", Durability::Full), ("normal", Durability::Normal)]);
    }
    /// Sessions and passwords.
    auth: Auth {
        /// How long an access token is valid.
        access_ttl: Duration = "15m", duration(SECOND..=30 * DAY);
        /// How long a session lasts if it is not refreshed.
        refresh_ttl: Duration = "30d", duration(SECOND..=YEAR);
        /// How long a browser stays signed in while it sends no request.
        session_idle: Duration = "12h", duration(SECOND..=YEAR);
        /// How long a browser stays signed in at most.
        session_max: Duration = "30d", duration(SECOND..=YEAR);
        /// The minimum length of a password, in characters.
        password_min_length: usize = 15, number(8..=256);
        /// The roles whose users must have a second factor. Until they have set it up, they and their API keys can do
        /// nothing else.
        require_second_factor: Vec<String> = NONE, list(role);
        /// The file with the keys that sign access tokens. Empty for `<db.path>.key`. If it does not exist, it is
        /// created and only its owner can read it.
        signing_key_file: Option<PathBuf> = "", optional_path;
    }
    /// Signing in by OpenID Connect. Requires `server.public_url`.
    oidc: Oidc {
        /// The issuer of the provider, exactly as its metadata states it. If it is empty, this sign-in is off.
        issuer: Option<String> = "", network::issuer;
        /// The name of this server at the provider.
        client_id: String = "", text;
        /// The secret of this server at the provider.
        client_secret: Option<Secret> = "", secret;
        /// A file with that secret.
        client_secret_file: Option<PathBuf> = "", optional_path;
        /// The text of the button on the log-in page.
        button: String = "Single sign-on", text;
        /// The role of people whom the provider knows and this server does not. Empty to refuse them.
        create_role: Option<String> = "", optional_role;
    }
    /// Limits. 0 turns a limit off.
    limits: Limits {
        /// Requests per minute for each user and API key. An address without valid credentials may make half as many.
        requests_per_minute: u32 = 600, number(0..=1_000_000);
        /// Failed log-ins per minute for each address. The growing delay for each account applies even with 0.
        login_per_minute: u32 = 30, number(0..=1_000_000);
        /// The maximum size of a request body, in bytes.
        body_bytes: usize = 1_048_576, number(0..=1_073_741_824);
        /// The maximum number of open connections. Further connections wait, and the connection that has been idle for
        /// the longest time is closed to make room. The limit cannot exceed the number of file descriptors; a log line
        /// reports when it does.
        connections: usize = 10_000, number(0..=1_000_000);
        /// The maximum number of connections from one IPv4 address or one IPv6 /64 network. Further connections are
        /// closed at once. Connections from trusted proxies, `127.0.0.1` and `::1` do not count.
        connections_per_address: usize = 2_500, number(0..=1_000_000);
    }
    /// Orders.
    orders: Orders {
        /// The number of the first order, to go on after those of an earlier system. Later orders are numbered one by
        /// one after the highest number; a higher value than that begins a new series.
        first_number: i64 = 1, number(1..=MAX_ORDER_NUMBER);
    }
    /// Safe retries and versions.
    idempotency: Idempotency {
        /// How long an idempotency key is remembered.
        retention: Duration = "30d", duration(DAY..=10 * YEAR);
        /// Refuses a change to an order without `If-Match`.
        require_if_match: bool = false, switch;
    }
    /// Analytics.
    reporting: Reporting {
        /// The time zone of reports if a request does not name one.
        timezone: TimeZone = "UTC", time_zone;
    }
    /// Scheduled backups.
    backup: Backup {
        /// The folder for backups. Empty for `<db.path>.backups`. Each database needs a folder of its own.
        dir: Option<PathBuf> = "", optional_path;
        /// The time between two backups. 0 for no backups.
        every: Duration = "1h", or_off(duration(SECOND..=YEAR));
        /// One backup is kept for each of the last `keep` hours, days and weeks. 0 keeps all.
        keep: usize = 7, number(0..=10_000);
    }
    /// Webhooks.
    webhooks: Webhooks {
        /// Allows endpoints at private and loopback addresses and at `http` URLs. Whoever may manage webhooks can then
        /// make the server send requests into its own network.
        allow_private: bool = false, switch;
        /// The time before each further attempt of a delivery that failed. Empty for one attempt alone.
        retries: Vec<Duration> = RETRIES, list(retry);
        /// An endpoint is disabled when every attempt has failed for this long. 0 for never.
        give_up_after: Duration = "5d", or_off(duration(SECOND..=YEAR));
    }
    /// Personal data.
    privacy: Privacy {
        /// Erases customer, note and reasons of an order this long after it was fulfilled or cancelled, such as
        /// `3650d`. 0 for never.
        erase_after: Duration = "0", or_off(duration(DAY..=100 * YEAR));
    }
    /// Requests that the server sends: webhooks and traces.
    outbound: Outbound {
        /// Sends them through the proxies that the environment names, as other programs do: `HTTPS_PROXY`, `HTTP_PROXY`
        /// and `ALL_PROXY`, except to the hosts in `NO_PROXY` and to this machine.
        proxy_from_environment: bool = false, switch;
    }
    /// Metrics.
    metrics: Metrics {
        /// Allows anyone to read metrics, without credentials.
        public: bool = false, switch;
    }
    /// Traces.
    traces: Traces {
        /// The collector that spans are sent to, by OTLP over HTTP with JSON; without one, none are.
        otlp_endpoint: Option<Url> = "", network::optional_url;
    }
    /// Logs.
    log: Log {
        /// The format of log lines: `json` for one object per line, `pretty` for text for people.
        format: LogFormat = "json", one_of(&[("json", LogFormat::Json), ("pretty", LogFormat::Pretty)]);
        /// The lowest severity that is logged. `info` includes one line for each request.
        level: LogLevel = "info", one_of(&[
            ("error", LogLevel::Error),
            ("warn", LogLevel::Warn),
            ("info", LogLevel::Info),
            ("debug", LogLevel::Debug),
            ("trace", LogLevel::Trace),
        ]);
    }
}

impl Config {
    /// The file with the keys that sign access tokens: the configured file, or `<database>.key` beside the database.
    pub fn signing_key_file(&self) -> PathBuf {
        self.auth.signing_key_file.clone().unwrap_or_else(|| self.beside_database(".key"))
    }

    /// The folder of scheduled backups: the configured folder, or `<database>.backups` beside the database.
    pub fn backup_folder(&self) -> PathBuf {
        self.backup.dir.clone().unwrap_or_else(|| self.beside_database(".backups"))
    }

    fn beside_database(&self, suffix: &str) -> PathBuf {
        let mut beside = self.db.path.clone().into_os_string();
        beside.push(suffix);
        beside.into()
    }

    /// Refuses an address that would send passwords and tokens over a network without encryption.
    fn plain_http_fault(&self) -> Option<String> {
        let server = &self.server;
        let guarded = server.tls_cert.is_some() || !server.trusted_proxies.is_empty() || server.allow_plain_http;
        let reachable = matches!(server.listen, Listen::Address(address) if !address.ip().to_canonical().is_loopback());
        (reachable && !guarded).then(|| {
            format!(
                "`server.listen` = {} would serve plain HTTP to other machines: set `server.tls_cert` and \
                 `server.tls_key`, or name the proxy in front of the server in `server.trusted_proxies`, or allow it \
                 with --allow-plain-http (`server.allow_plain_http`)",
                server.listen
            )
        })
    }

    /// What signing in by OpenID Connect lacks.
    fn oidc_faults(&self) -> Vec<String> {
        let Oidc { issuer, client_id, client_secret, client_secret_file, .. } = &self.oidc;
        if issuer.is_none() {
            return vec![];
        }
        let secrets = usize::from(client_secret.is_some()) + usize::from(client_secret_file.is_some());
        [
            (
                self.server.public_url.is_none(),
                "`oidc.issuer` needs `server.public_url`, to which the provider sends back",
            ),
            (client_id.is_empty(), "`oidc.issuer` needs `oidc.client_id`"),
            (secrets != 1, "`oidc.issuer` needs one of `oidc.client_secret` and `oidc.client_secret_file`"),
        ]
        .into_iter()
        .filter(|&(lacks, _fault)| lacks)
        .map(|(_lacks, fault)| fault.to_owned())
        .collect()
    }

    /// The faults of settings that are valid alone but not together.
    fn contradictions(&self) -> Vec<String> {
        let half = self.server.tls_cert.is_some() != self.server.tls_key.is_some();
        let half =
            half.then(|| "`server.tls_cert` and `server.tls_key` must be set together: set both or neither".to_owned());
        let socket = self.server.tls_cert.is_some() && matches!(self.server.listen, Listen::Socket(_));
        let socket = socket.then(|| {
            "`server.tls_cert` has no use on a Unix socket: leave it out, or set `server.listen` to an address"
                .to_owned()
        });
        let twice = self.db.password.is_some() && self.db.password_file.is_some();
        let twice = twice.then(|| "only one of `db.password` and `db.password_file` may be set".to_owned());
        half.into_iter().chain(socket).chain(twice).chain(self.plain_http_fault()).chain(self.oidc_faults()).collect()
    }
}

#[cfg(test)]
mod tests;
