//! Checks defaults, bounds and combinations of settings.

use super::*;

fn with(settings: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let flags = settings.iter().map(|(key, value)| Flag::new("--set", key, value)).collect();
    load(Sources { file: None, environment: vec![], flags }).map(|loaded| loaded.config)
}

#[test]
fn defaults_are_valid_and_safe() {
    let config = with(&[]).unwrap();
    assert_eq!(config.server.listen, Listen::Address("127.0.0.1:8080".parse().unwrap()));
    assert_eq!(config.server.public_url, None);
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
    assert!(!config.webhooks.allow_private);
    assert_eq!(config.webhooks.retries.iter().map(Duration::as_secs).sum::<u64>(), 272_105);
    assert_eq!(config.webhooks.give_up_after, 5 * DAY);
    assert!(!config.metrics.public && config.traces.otlp_endpoint.is_none());
    assert_eq!((config.log.format, config.log.level), (LogFormat::Json, LogLevel::Info));
}

#[test]
fn all_bad_values_are_reported_at_once() {
    let bad = [
        ("server.listen", "localhost"),
        ("server.request_timeout", "10"),
        ("server.trusted_proxies", "10.0.0.0/33"),
        ("server.public_url", "shop.example"),
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
        ("webhooks.allow_private", "1"),
        ("webhooks.retries", "5s,soon"),
        ("webhooks.give_up_after", "never"),
        ("outbound.proxy_from_environment", "on"),
        ("metrics.public", "1"),
        ("traces.otlp_endpoint", "127.0.0.1:4318"),
        ("log.format", "xml"),
        ("log.level", "loud"),
    ];
    let faults = with(&bad).unwrap_err();
    assert_eq!(faults.len(), bad.len(), "{faults:#?}");
    for ((key, value), fault) in bad.iter().zip(faults) {
        let start = format!("invalid value {value:?} for `{key}` (--set): must be ");
        assert!(fault.starts_with(&start), "{fault}");
    }
}

#[test]
fn zero_turns_limits_off() {
    let keys = ["server.request_timeout", "limits.requests_per_minute", "limits.login_per_minute"].into_iter().chain([
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
    assert_eq!(faults, ["`server.tls_cert` and `server.tls_key` must be set together: set both or neither"]);
    assert!(with(&[("server.tls_cert", "cert.pem"), ("server.tls_key", "key.pem")]).is_ok());
}

#[test]
fn a_unix_socket_has_no_tls() {
    let socket = ("server.listen", "unix:/run/orderd.sock");
    assert!(with(&[socket]).is_ok());
    let faults = with(&[socket, ("server.tls_cert", "cert.pem"), ("server.tls_key", "key.pem")]).unwrap_err();
    assert!(faults.len() == 1 && faults[0].contains("no use on a Unix socket"), "{faults:?}");
}

#[test]
fn plain_http_is_refused_on_addresses_that_other_machines_reach() {
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
fn the_signing_key_is_beside_the_database_by_default() {
    let config = with(&[("db.path", "/data/shop.db")]).unwrap();
    assert_eq!(config.signing_key_file(), PathBuf::from("/data/shop.db.key"));
    let config = with(&[("auth.signing_key_file", "/run/keys")]).unwrap();
    assert_eq!(config.signing_key_file(), PathBuf::from("/run/keys"));
}

#[test]
fn backups_are_in_a_folder_beside_the_database_by_default() {
    let config = with(&[("db.path", "/data/shop.db")]).unwrap();
    assert_eq!(config.backup_folder(), PathBuf::from("/data/shop.db.backups"));
    let config = with(&[("backup.dir", "/mnt/backups")]).unwrap();
    assert_eq!(config.backup_folder(), PathBuf::from("/mnt/backups"));
}
