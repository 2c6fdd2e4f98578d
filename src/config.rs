//! Configuration: the table of every key with its default, and the typed structs that come of it. Layers are put
//! together in [`load`]; nothing here opens a database, a socket or a certificate.

mod bootstrap;
mod layers;
mod load;
mod network;
mod reference;
mod value;

pub use bootstrap::{Bootstrap, Secret};
pub use load::{Flag, Loaded, Setting, Sources, environment, find_file, load};
pub use network::Network;
pub use reference::{Key, Section, reference};

use crate::domain::url::Url;
use figment::value::Value;
use jiff::tz::TimeZone;
use load::Reader;
use std::{net::SocketAddr, path::PathBuf, time::Duration};
use value::{database, duration, list, number, one_of, optional_path, or_off, switch, time_zone};

/// How far a write has got on its way to the disk before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Synced: it survives a power cut.
    Full,
    /// Handed to the operating system: it survives a crash of the process only.
    Normal,
}

impl Durability {
    /// As configuration writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Normal => "normal",
        }
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For the eyes of a person.
    Pretty,
}

/// The least severe lines that are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Faults of the service.
    Error,
    /// And what may become one.
    Warn,
    /// And a line a request.
    Info,
    /// And what led to each decision.
    Debug,
    /// And everything else.
    Trace,
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);
const YEAR: Duration = Duration::from_hours(365 * 24);
const NONE: &[&str] = &[];

/// Makes of the table below: a struct for each section, [`Config`] with all of them, [`KEYS`], [`defaults`] and
/// what people are told.
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
                    // All are read before the first `?`, so that every fault is found.
                    $(let $key = reader.get(concat!(stringify!($section), ".", stringify!($key)), $parse);)+
                    Some(Self { $($key: $key?),+ })
                }
            }
        )+

        /// Every setting, valid.
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

        /// Every key there is.
        const KEYS: &[&str] = &[$($(concat!(stringify!($section), ".", stringify!($key))),+),+];

        /// What each key is where nothing sets it, in the order of [`KEYS`].
        fn defaults() -> Vec<Value> {
            vec![$($(Value::from($default)),+),+]
        }

        /// Every key, described.
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

// key: type = default, what reads it;
sections! {
    /// The HTTP server.
    server: Server {
        /// Where it listens. Port 0 takes a free one, which is printed. Host names are refused, since what they mean depends
        /// on the machine.
        listen: SocketAddr = "127.0.0.1:8080", network::address;
        /// How long a request may take; a change may wait half of it to begin. 0 for no limit.
        request_timeout: Duration = "10s", or_off(duration(Duration::from_millis(1)..=DAY));
        /// The proxies whose word about the address of a client is believed.
        trusted_proxies: Vec<Network> = NONE, list(Network::parse);
        /// The origins whose pages may call the API.
        cors_origins: Vec<String> = NONE, list(network::web_origin);
        /// PEM file with the certificate chain; goes with `tls_key`.
        tls_cert: Option<PathBuf> = "", optional_path;
        /// PEM file with the private key, which not everybody may read; goes with `tls_cert`.
        tls_key: Option<PathBuf> = "", optional_path;
        /// Whether plain HTTP may be spoken on an address that other machines reach, with neither TLS nor a trusted proxy.
        /// Without it the server refuses to start there.
        allow_plain_http: bool = false, switch;
    }
    /// The database.
    db: Db {
        /// The one file that holds everything but the signing keys. It and its side files are made if they are not there.
        path: PathBuf = "./orderd.db", database;
        /// What an acknowledged write survives: `full`, a power cut; `normal`, a crash of the process only. `/readyz` and the
        /// first log line say which it is.
        durability: Durability = "full", one_of(&[("full", Durability::Full), ("normal", Durability::Normal)]);
    }
    /// Sessions and passwords.
    auth: Auth {
        /// How long an access token is valid.
        access_ttl: Duration = "15m", duration(SECOND..=30 * DAY);
        /// How long a session lasts without being refreshed.
        refresh_ttl: Duration = "30d", duration(SECOND..=YEAR);
        /// The fewest characters that a password may have.
        password_min_length: usize = 15, number(8..=256);
        /// The file of the keys that sign access tokens; empty for `<db.path>.key`. It is made, readable by its owner alone,
        /// if it is not there.
        signing_key_file: Option<PathBuf> = "", optional_path;
    }
    /// Limits; 0 turns one off.
    limits: Limits {
        /// Requests that one user or API key may make in a minute; an address without good credentials may make half
        /// as many.
        requests_per_minute: u32 = 600, number(0..=1_000_000);
        /// Failed log-ins that an address may make in a minute. The growing delay for each account stays, also with 0.
        login_per_minute: u32 = 30, number(0..=1_000_000);
        /// Bytes that a request's body may have.
        body_bytes: usize = 1_048_576, number(0..=1_073_741_824);
        /// Connections that are served at once; more of them wait, and the one that has been idle for longest is closed for
        /// them. Never more than there are file descriptors: a log line says so when that is less than configured.
        connections: usize = 10_000, number(0..=1_000_000);
        /// Connections that come from one address, or from one network of 64 bits where addresses have 128; more are closed at
        /// once. Those from trusted proxies, `127.0.0.1` and `::1` are not counted.
        connections_per_address: usize = 2_500, number(0..=1_000_000);
    }
    /// Safe retries and versions.
    idempotency: Idempotency {
        /// How long an idempotency key is remembered.
        retention: Duration = "30d", duration(DAY..=10 * YEAR);
        /// Whether a change to an order must say which version it means.
        require_if_match: bool = false, switch;
    }
    /// Analytics.
    reporting: Reporting {
        /// The time zone of a day where a question names none.
        timezone: TimeZone = "UTC", time_zone;
    }
    /// Scheduled backups.
    backup: Backup {
        /// The folder they are put in; empty for `<db.path>.backups`. Give each database a folder of its own.
        dir: Option<PathBuf> = "", optional_path;
        /// The time from one to the next; zero for none.
        every: Duration = "1h", or_off(duration(SECOND..=YEAR));
        /// Of how many hours, days and weeks one is kept; zero for all.
        keep: usize = 7, number(0..=10_000);
    }
    /// Metrics.
    metrics: Metrics {
        /// Whether anybody may read them.
        public: bool = false, switch;
    }
    /// Traces.
    traces: Traces {
        /// The collector that spans are sent to, by OTLP over HTTP with JSON; without one, none are.
        otlp_endpoint: Option<Url> = "", network::optional_url;
    }
    /// Logs.
    log: Log {
        /// How lines are written: `json`, one object a line, or `pretty`, for the eyes of a person.
        format: LogFormat = "json", one_of(&[("json", LogFormat::Json), ("pretty", LogFormat::Pretty)]);
        /// The least severe lines that are written; `info` is a line a request.
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
    /// The file of the keys that sign access tokens: the configured one, or `<database>.key` beside the database.
    pub fn signing_key_file(&self) -> PathBuf {
        self.auth.signing_key_file.clone().unwrap_or_else(|| self.beside_database(".key"))
    }

    /// The folder of scheduled backups: the configured one, or `<database>.backups` beside the database.
    pub fn backup_folder(&self) -> PathBuf {
        self.backup.dir.clone().unwrap_or_else(|| self.beside_database(".backups"))
    }

    fn beside_database(&self, end: &str) -> PathBuf {
        let mut beside = self.db.path.clone().into_os_string();
        beside.push(end);
        beside.into()
    }

    /// Passwords and tokens must not cross a network in the open because nobody thought of it.
    fn exposed(&self) -> Option<String> {
        let server = &self.server;
        let guarded = server.tls_cert.is_some() || !server.trusted_proxies.is_empty() || server.allow_plain_http;
        let reachable = !server.listen.ip().to_canonical().is_loopback();
        (reachable && !guarded).then(|| {
            format!(
                "`server.listen` = {} would speak plain HTTP to other machines: set `server.tls_cert` and \
                 `server.tls_key`, name the proxy in front of it in `server.trusted_proxies`, or allow it with \
                 --allow-plain-http (`server.allow_plain_http`)",
                server.listen
            )
        })
    }

    /// Settings that are valid alone but not together.
    fn contradictions(&self) -> Vec<String> {
        let half = self.server.tls_cert.is_some() != self.server.tls_key.is_some();
        let half = half.then(|| "`server.tls_cert` and `server.tls_key` go together: set both or neither".to_owned());
        half.into_iter().chain(self.exposed()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(settings: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let flags = settings.iter().map(|(key, value)| Flag::new("--set", key, value)).collect();
        load(Sources { file: None, environment: vec![], flags }).map(|loaded| loaded.config)
    }

    #[test]
    fn defaults_are_valid_and_safe() {
        let config = with(&[]).unwrap();
        assert_eq!(config.server.listen, "127.0.0.1:8080".parse().unwrap());
        assert_eq!(config.server.request_timeout, 10 * SECOND);
        assert!(config.server.trusted_proxies.is_empty() && config.server.cors_origins.is_empty());
        assert_eq!(config.db.path, PathBuf::from("./orderd.db"));
        assert_eq!(config.db.durability, Durability::Full);
        assert_eq!((config.auth.access_ttl, config.auth.refresh_ttl), (900 * SECOND, 30 * DAY));
        assert_eq!(config.auth.password_min_length, 15);
        assert_eq!((config.limits.requests_per_minute, config.limits.login_per_minute), (600, 30));
        assert_eq!((config.limits.body_bytes, config.limits.connections), (1 << 20, 10_000));
        assert_eq!(config.limits.connections_per_address, 2_500);
        assert_eq!((config.idempotency.retention, config.idempotency.require_if_match), (30 * DAY, false));
        assert_eq!(config.reporting.timezone, TimeZone::UTC);
        assert_eq!((config.backup.dir, config.backup.every, config.backup.keep), (None, Duration::from_hours(1), 7));
        assert!(!config.metrics.public && config.traces.otlp_endpoint.is_none());
        assert_eq!((config.log.format, config.log.level), (LogFormat::Json, LogLevel::Info));
    }

    #[test]
    fn every_bad_value_of_every_key_is_found_at_once() {
        let bad = [
            ("server.listen", "localhost"),
            ("server.request_timeout", "10"),
            ("server.trusted_proxies", "10.0.0.0/33"),
            ("server.cors_origins", "*"),
            ("server.allow_plain_http", "perhaps"),
            ("db.path", ""),
            ("db.durability", "fast"),
            ("auth.access_ttl", "0"),
            ("auth.refresh_ttl", "400d"),
            ("auth.password_min_length", "7"),
            ("limits.requests_per_minute", "-1"),
            ("limits.login_per_minute", "many"),
            ("limits.body_bytes", "1MiB"),
            ("limits.connections", "1e4"),
            ("limits.connections_per_address", "-1"),
            ("idempotency.retention", "23h"),
            ("idempotency.require_if_match", "yes"),
            ("reporting.timezone", "Europe/Atlantis"),
            ("backup.every", "daily"),
            ("backup.keep", "-1"),
            ("metrics.public", "1"),
            ("traces.otlp_endpoint", "127.0.0.1:4318"),
            ("log.format", "xml"),
            ("log.level", "loud"),
        ];
        let faults = with(&bad).unwrap_err();
        assert_eq!(faults.len(), bad.len(), "{faults:#?}");
        for ((key, value), fault) in bad.iter().zip(faults) {
            let start = format!("bad value {value:?} for `{key}` (--set): must be ");
            assert!(fault.starts_with(&start), "{fault}");
        }
    }

    #[test]
    fn zero_turns_limits_off() {
        let keys =
            ["server.request_timeout", "limits.requests_per_minute", "limits.login_per_minute"].into_iter().chain([
                "limits.body_bytes",
                "limits.connections",
                "limits.connections_per_address",
                "backup.every",
                "backup.keep",
            ]);
        let config = with(&keys.map(|key| (key, "0")).collect::<Vec<_>>()).unwrap();
        assert_eq!(config.server.request_timeout, Duration::ZERO);
        assert_eq!(config.limits.body_bytes, 0);
    }

    #[test]
    fn a_certificate_needs_its_key() {
        let faults = with(&[("server.tls_cert", "cert.pem")]).unwrap_err();
        assert_eq!(faults, ["`server.tls_cert` and `server.tls_key` go together: set both or neither"]);
        assert!(with(&[("server.tls_cert", "cert.pem"), ("server.tls_key", "key.pem")]).is_ok());
    }

    #[test]
    fn plain_http_stays_on_this_machine_unless_somebody_says_otherwise() {
        for address in ["127.0.0.1:80", "127.8.8.8:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
            assert!(with(&[("server.listen", address)]).is_ok(), "{address}");
        }
        for address in ["0.0.0.0:80", "[::]:80", "192.0.2.1:80", "10.0.0.1:80", "[2001:db8::1]:80"] {
            let faults = with(&[("server.listen", address)]).unwrap_err();
            assert!(faults.len() == 1 && faults[0].contains("plain HTTP") && faults[0].contains(address), "{faults:?}");
            for (key, value) in [("server.trusted_proxies", "10.0.0.0/8"), ("server.allow_plain_http", "true")] {
                assert!(with(&[("server.listen", address), (key, value)]).is_ok(), "{address} {key}");
            }
            let tls = [("server.listen", address), ("server.tls_cert", "cert.pem"), ("server.tls_key", "key.pem")];
            assert!(with(&tls).is_ok(), "{address}");
        }
    }

    #[test]
    fn the_signing_key_lies_beside_the_database_unless_put_elsewhere() {
        let config = with(&[("db.path", "/data/shop.db")]).unwrap();
        assert_eq!(config.signing_key_file(), PathBuf::from("/data/shop.db.key"));
        let config = with(&[("auth.signing_key_file", "/run/keys")]).unwrap();
        assert_eq!(config.signing_key_file(), PathBuf::from("/run/keys"));
    }

    #[test]
    fn backups_go_into_a_folder_beside_the_database_unless_put_elsewhere() {
        let config = with(&[("db.path", "/data/shop.db")]).unwrap();
        assert_eq!(config.backup_folder(), PathBuf::from("/data/shop.db.backups"));
        let config = with(&[("backup.dir", "/mnt/backups")]).unwrap();
        assert_eq!(config.backup_folder(), PathBuf::from("/mnt/backups"));
    }
}
