//! The architecture rules, checked against the source of `src/`: which room may name which, where each outside crate is
//! used, and how files look. `src/lib.rs` gives the reasons.

mod source;
mod words;

use crate::support::document::DOCUMENT;
use orderd::api::routes;
use source::{Source, from_the_root, functions, paths, root, sources};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
};

const ARROWS: &str = "arrows go one way: error <- domain <- {auth, store, outbound} <- app <- service <- {api, worker} <- \
    accept <- cli, main; config and telemetry sit beside domain; api never names store; auth and store never see each other";

/// The rooms of `src/`, and what each may name.
const ROOMS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("domain", &["error"]),
    ("config", &["error", "domain"]),
    ("telemetry", &["error", "domain", "config"]),
    ("auth", &["error", "domain", "config", "telemetry"]),
    ("store", &["error", "domain", "config", "telemetry"]),
    ("outbound", &["error", "domain", "config", "telemetry"]),
    ("app", &["error", "domain", "config", "telemetry", "auth", "store", "outbound"]),
    ("service", &["error", "domain", "config", "telemetry", "auth", "store", "outbound", "app"]),
    ("api", &["error", "domain", "config", "telemetry", "auth", "app", "service"]),
    ("worker", &["error", "domain", "config", "telemetry", "auth", "store", "outbound", "app", "service"]),
    ("accept", &["error", "domain", "config", "telemetry", "auth", "app", "service", "api", "worker"]),
    ("cli", ALL_BUT_MAIN),
    ("main", &["cli"]),
    ("lib", &[]),
];
const ALL_BUT_MAIN: &[&str] = &[
    "error",
    "domain",
    "config",
    "telemetry",
    "auth",
    "store",
    "outbound",
    "app",
    "service",
    "api",
    "worker",
    "accept",
];

/// The rooms that use each outside crate.
const HOMES: &[(&str, &[&str])] = &[
    ("argon2", &["auth"]),
    ("axum", &["accept", "api"]),
    ("base64", &["api", "auth", "outbound"]),
    ("caseless", &["domain"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("csv", &["api"]),
    ("email_address", &["domain"]),
    ("fastrand", &["domain", "service"]),
    ("figment", &["config"]),
    ("flate2", &["api"]),
    ("futures_util", &["api", "service", "store", "worker"]),
    ("getrandom", &["auth"]),
    ("hmac", &["auth"]),
    ("http_body_util", &["accept", "api", "outbound"]),
    ("httparse", &["accept"]),
    ("hyper", &["accept", "outbound"]),
    ("hyper_util", &["accept", "outbound"]),
    ("indicatif", &["cli"]),
    ("iso_currency", &["domain"]),
    ("jiff", &["domain", "config"]),
    ("jsonwebtoken", &["auth"]),
    ("maud", &["api"]),
    ("mimalloc", &["main"]),
    ("percent_encoding", &["api", "auth", "config"]),
    ("pulldown_cmark", &["api"]),
    ("r2d2", &["store"]),
    ("r2d2_sqlite", &["store"]),
    ("regex_lite", &["api"]),
    ("ring", &["accept", "auth", "outbound"]),
    ("rusqlite", &["store"]),
    ("rust_embed", &["api"]),
    ("rustix", &["accept", "auth", "store", "cli"]),
    ("rustls_native_certs", &["outbound"]),
    ("scheduled_thread_pool", &["store"]),
    ("schemars", &["api", "service"]),
    ("sd_notify", &["cli"]),
    ("serde", ALL_BUT_DOMAIN),
    ("serde_json", ALL_BUT_DOMAIN),
    ("sha2", &["auth", "domain"]),
    ("signature", &["auth"]),
    ("strsim", &["config"]),
    ("subtle", &["auth"]),
    ("tokio", ALL_BUT_DOMAIN),
    ("tokio_postgres", &["outbound", "store"]),
    ("tokio_rustls", &["accept", "outbound"]),
    ("tower", &["accept", "api"]),
    ("tracing", ALL_BUT_DOMAIN),
    ("tracing_subscriber", &["telemetry"]),
    ("unicode_normalization", &["auth", "domain"]),
    ("webpki_roots", &["outbound"]),
    ("zeroize", &["auth", "service", "cli"]),
];
const ALL_BUT_DOMAIN: &[&str] =
    &["error", "config", "telemetry", "auth", "store", "outbound", "app", "service", "api", "worker", "accept", "cli"];

/// The most lines of a file of `src/`, unit tests included. Longer is only what is one table.
const LONGEST_FILE: usize = 400;
const LONG_TABLES: &[&str] = &["src/api/routes.rs"];
/// The most lines of a function, without blanks and comments. Clippy's `too_many_lines` has the same limit.
const LONGEST_FUNCTION: usize = 80;

/// Fails with the rule and every place that breaks it.
#[track_caller]
fn holds(rule: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{rule}\n{}", broken.join("\n"));
}

fn in_rooms(rooms: &[&str]) -> Vec<&'static Source> {
    sources().iter().filter(|source| rooms.contains(&source.room.as_str())).collect()
}

/// The places in these files where a line contains one of `texts`, as `path:line: text`.
fn lines_with(sources: &[&Source], texts: &[&str]) -> Vec<String> {
    let mut places = vec![];
    for source in sources {
        for (number, line) in source.shipped.lines().enumerate() {
            let found = texts.iter().find(|text| line.contains(**text));
            places.extend(found.map(|text| format!("{}:{}: {text}", source.path, number + 1)));
        }
    }
    places
}

fn is_room(name: &str) -> bool {
    ROOMS.iter().any(|(room, _)| *room == name)
}

#[test]
fn arrows_go_one_way() {
    let allowed: BTreeMap<_, _> = ROOMS.iter().copied().collect();
    let mut broken = vec![];
    for source in sources() {
        let Some(allowed) = allowed.get(source.room.as_str()) else {
            panic!("{}: add a row to ROOMS that says what this room may name", source.path)
        };
        for path in paths(&source.code).iter().filter_map(|path| from_the_root(path, &source.module)) {
            match path.first().map(String::as_str) {
                Some("*" | "self") => broken.push(format!("{}: name a module, not the whole crate", source.path)),
                Some(room) if room != source.room && is_room(room) && !allowed.contains(&room) => {
                    broken.push(format!("{}: `{}` must not name `{}`", source.path, source.room, path.join("::")));
                }
                _ => {}
            }
        }
    }
    holds(ARROWS, broken);
}

/// The crates under `[dependencies]`, as code names them.
fn dependencies() -> Vec<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let section = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap().to_owned();
    let names = section.lines().filter_map(|line| line.split_once(" = ")).filter(|(name, _)| !name.starts_with('#'));
    names.map(|(name, _)| name.replace('-', "_")).collect()
}

#[test]
fn every_outside_crate_has_its_home() {
    let homes: BTreeMap<_, _> = HOMES.iter().copied().collect();
    let (dependencies, mut used, mut broken) = (dependencies(), BTreeSet::new(), vec![]);
    for source in sources() {
        let first = |path: &Vec<String>| (path.len() > 1).then(|| path[0].clone());
        let named: BTreeSet<_> = paths(&source.code).iter().filter_map(first).collect();
        for name in named.into_iter().filter(|name| dependencies.contains(name)) {
            let home = homes.get(name.as_str()).unwrap_or_else(|| panic!("{name}: add a row to HOMES"));
            if !home.contains(&source.room.as_str()) {
                broken.push(format!("{}: `{name}` is used in {} only", source.path, home.join(", ")));
            }
            used.insert(name);
        }
    }
    let unused = dependencies.iter().filter(|name| !used.contains(*name));
    broken.extend(unused.map(|name| format!("{name}: nothing uses it; remove it from Cargo.toml")));
    holds("an outside crate is used in its home only", broken);
}

#[test]
fn a_room_offers_only_what_is_its_own() {
    let mut broken = vec![];
    for source in sources().iter().filter(|source| source.room != "lib") {
        let code = source.code.replace("pub(crate) use ", "pub use ").replace("pub(super) use ", "pub use ");
        let reexports = code.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next());
        for path in reexports.flat_map(|reexport| paths(&format!("use {reexport};"))) {
            let rooted = from_the_root(&path, &source.module).and_then(|path| path.first().cloned());
            if rooted.is_some_and(|room| room != source.room && is_room(&room)) {
                broken.push(format!("{}: pub use {}", source.path, path.join("::")));
            }
        }
    }
    holds("a room does not re-export another: what the arrows forbid would pass under another name", broken);
}

#[test]
fn the_api_does_not_reach_into_the_store() {
    holds(
        "`api` asks `service`; only `service` and `worker` use `app.store`",
        lines_with(&in_rooms(&["api"]), &[".store."]),
    );
}

#[test]
fn domain_is_pure_and_synchronous() {
    let texts = ["async ", ".await", "Serialize", "Deserialize", "std::fs", "std::net", "std::thread", "std::env"];
    holds("`domain` is pure and synchronous: no async, no serde, no I/O", lines_with(&in_rooms(&["domain"]), &texts));
}

/// Types and texts of HTTP. The catalogue of `error` may name headers, because its texts tell clients what to send.
const HTTP_TYPES: &[&str] = &["\"#/", "StatusCode", "HeaderName", "HeaderMap", "header::"];
const HTTP_TEXTS: &[&str] =
    &["\"/v1/", "ETag", "If-Match", "If-None-Match", "\"Location", "Retry-After", "Content-Type", "Authorization"];

#[test]
fn only_the_api_knows_http() {
    let rule = "a rule answers with the field, a use case with what happened; `api` says it in HTTP";
    let mut broken = lines_with(&in_rooms(&["error", "domain", "service", "store"]), HTTP_TYPES);
    broken.extend(lines_with(&in_rooms(&["domain", "service", "store"]), HTTP_TEXTS));
    holds(rule, broken);
}

#[test]
fn all_sql_is_in_the_store() {
    let others: Vec<_> = sources().iter().filter(|source| source.room != "store").collect();
    let words = ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "PRAGMA "];
    holds("SQL belongs in `store`", lines_with(&others, &words));
}

#[test]
fn every_module_says_what_it_is() {
    let silent = sources().iter().filter(|source| !source.text.starts_with("//! "));
    holds(
        "a file begins with `//!`: what it is, and what it is not",
        silent.map(|source| source.path.clone()).collect(),
    );
}

#[test]
fn a_file_that_names_its_interpreter_is_executable() {
    let files = ["benches", ".ci"].into_iter().flat_map(|folder| fs::read_dir(root().join(folder)).unwrap());
    let files = files.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let scripts: Vec<_> = files.filter(|path| fs::read(path).unwrap().starts_with(b"#!")).collect();
    assert!(scripts.len() > 20);
    let cannot_run = scripts.iter().filter(|path| fs::metadata(path).unwrap().permissions().mode() & 0o111 == 0);
    holds("scripts are executable", cannot_run.map(|path| path.display().to_string()).collect());
}

#[test]
fn modules_have_one_style_and_a_telling_name() {
    let (sources, empty) = (sources(), ["utils", "util", "helpers", "helper", "misc", "common", "manager", "shared"]);
    let named = |source: &Source, names: &[&str]| {
        names
            .iter()
            .any(|name| source.path.ends_with(&format!("/{name}.rs")) || source.path.contains(&format!("/{name}/")))
    };
    let paths = |names: &[&str]| sources.iter().filter(|s| named(s, names)).map(|s| s.path.clone()).collect::<Vec<_>>();
    holds("a module is foo.rs with a folder foo/, never foo/mod.rs", paths(&["mod"]));
    holds("a file is named after what it holds", paths(&empty));
}

#[test]
fn files_and_functions_are_short() {
    let mut broken = vec![];
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > LONGEST_FILE && !LONG_TABLES.contains(&source.path.as_str()) {
            broken.push(format!("{}: {lines} lines", source.path));
        }
        let long = functions(&source.code).into_iter().filter(|(_, lines)| *lines > LONGEST_FUNCTION);
        broken.extend(long.map(|(name, lines)| format!("{}: {name}: {lines} lines", source.path)));
    }
    holds("a file has at most 400 lines and a function at most 80", broken);
}

/// Transactions that belong to no operation of the API, or to a part of one.
const OTHER_TRANSACTIONS: &[&str] = &[
    "access.load",
    "api_keys.find",
    "api_keys.keep_last_use",
    "audit.export",
    "audit.write_refusals",
    "auth.share_failures",
    "backup.watermark",
    "demo.accounts",
    "demo.empty",
    "demo.orders",
    "events.export",
    "events.follow",
    "events.subscribe",
    "orders.export",
    "sessions.keep_last_use",
    "setup.offer",
    "system.restore",
    "transactions.export",
    "users.by_email",
    "webhooks.load",
    "webhooks.measure",
    "webhooks.pending",
    "webhooks.record",
];

#[test]
fn a_transaction_has_the_name_of_its_operation() {
    let operations: BTreeSet<_> = routes::operations().iter().map(|operation| operation.id).collect();
    let mut others = BTreeSet::new();
    let rooms = ["app", "service", "worker"];
    for source in sources().iter().filter(|source| rooms.contains(&source.room.as_str())) {
        for call in [".write(", ".read(", ".read_blocking(", ".scan(", ".scan_ranking("] {
            let arguments = source.shipped.split(call).skip(1).filter_map(|text| text.trim_start().strip_prefix('"'));
            let names = arguments.filter_map(|text| text.split('"').next());
            others.extend(names.filter(|name| !operations.contains(name)).map(str::to_owned));
        }
    }
    let reviewed: BTreeSet<_> = OTHER_TRANSACTIONS.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(others, reviewed, "a transaction has the name of its operation, so that one search finds both");
}

/// Long queries of the worker, which no request runs.
const OF_THE_WORKER: &[&str] = &["orders.erase", "webhooks.measure"];

#[test]
fn long_queries_and_nothing_else_are_documented_as_possibly_too_expensive() {
    let mut queries = BTreeSet::new();
    for source in in_rooms(&["service"]) {
        for call in [".scan(", ".scan_daily(", ".scan_ranking(", ".scan_sold_items("] {
            queries.extend(source.shipped.split(call).skip(1).filter_map(|arguments| arguments.split('"').nth(1)));
        }
    }
    let of_requests = queries.iter().filter(|name| !OF_THE_WORKER.contains(name));
    let expected: BTreeSet<_> = of_requests.map(|name| name.replace(".export", ".list")).collect();
    let mut documented = BTreeSet::new();
    for operation in routes::operations() {
        let method = operation.method.as_str().to_lowercase();
        let unavailable = &DOCUMENT["paths"][operation.path.replace("{*", "{")][method]["responses"]["503"];
        if unavailable.to_string().contains("query_too_expensive") {
            documented.insert(operation.id_without_ending().to_owned());
        }
    }
    assert_eq!(documented, expected);
}
