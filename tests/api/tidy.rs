//! The rules of the house, read off the source itself: which room may look into which, and where each outside crate
//! lives. `src/lib.rs` says why.

use orderd::api::routes;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Arrows go one way: what each room of `src/` may name.
const ROOMS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("domain", &["error"]),
    ("config", &["error", "domain"]),
    ("telemetry", &["error", "domain", "config"]),
    ("auth", &["error", "domain"]),
    ("store", &["error", "domain", "telemetry"]),
    ("app", &["error", "domain", "config", "telemetry", "auth", "store"]),
    ("service", &["error", "domain", "config", "telemetry", "auth", "store", "app"]),
    ("api", &["error", "domain", "config", "telemetry", "auth", "app", "service"]),
    ("accept", &["error", "domain", "config", "telemetry", "auth", "app", "service", "api"]),
    ("cli", &["error", "domain", "config", "telemetry", "auth", "store", "app", "service", "api", "accept"]),
    ("main", &["cli"]),
    ("lib", &[]),
];

/// Where each outside crate lives. `serde`, `serde_json`, `tokio` and `tracing` roam.
const HOMES: &[(&str, &[&str])] = &[
    ("argon2", &["auth"]),
    ("axum", &["accept", "api"]),
    ("base64", &["api", "auth"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("csv", &["api"]),
    ("email_address", &["domain"]),
    ("fastrand", &["domain", "service"]),
    ("figment", &["config"]),
    ("futures_util", &["api", "service"]),
    ("getrandom", &["auth"]),
    ("hmac", &["auth"]),
    ("http_body_util", &["accept", "api", "telemetry"]),
    ("httparse", &["accept"]),
    ("hyper", &["accept", "telemetry"]),
    ("hyper_util", &["accept", "telemetry"]),
    ("indicatif", &["cli"]),
    ("iso_currency", &["domain"]),
    ("jiff", &["domain", "config"]),
    ("jsonwebtoken", &["auth"]),
    ("maud", &["api"]),
    ("mimalloc", &["main"]),
    ("percent_encoding", &["api"]),
    ("pulldown_cmark", &["api"]),
    ("r2d2", &["store"]),
    ("r2d2_sqlite", &["store"]),
    ("regex_lite", &["api"]),
    ("rusqlite", &["store"]),
    ("rust_embed", &["api"]),
    ("rustix", &["accept", "auth", "store", "cli"]),
    ("scheduled_thread_pool", &["store"]),
    ("schemars", &["api", "service"]),
    ("sd_notify", &["cli"]),
    ("serde", ANYWHERE),
    ("serde_json", ANYWHERE),
    ("sha2", &["auth", "domain"]),
    ("signature", &["auth"]),
    ("strsim", &["config"]),
    ("subtle", &["auth"]),
    ("tokio", ANYWHERE),
    ("tokio_rustls", &["accept", "cli"]),
    ("toml", &["cli"]),
    ("tower", &["accept", "api"]),
    ("tracing", ANYWHERE),
    ("tracing_subscriber", &["telemetry"]),
    ("unicode_normalization", &["auth", "domain"]),
    ("zeroize", &["auth", "service", "cli"]),
];
const ANYWHERE: &[&str] = &["*"];

/// A file of `src/`, without comments and unit tests.
struct Source {
    path: PathBuf,
    room: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let (mut folders, mut sources) = (vec![root().join("src")], vec![]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let inside = path.strip_prefix(root().join("src")).unwrap();
                let room = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
                sources.push(Source { text: code(&fs::read_to_string(&path).unwrap()), room, path });
            }
        }
    }
    sources
}

fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap();
    code.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// The rooms that `code` names: what follows `crate::`, alone or in the outermost braces.
fn rooms_named(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    for (place, found) in code.match_indices("crate::") {
        let Some(list) = code[place + found.len()..].strip_prefix('{') else {
            rooms.insert(name(&code[place + found.len()..]));
            continue;
        };
        let (mut depth, mut start) = (0, 0);
        for (i, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' | ',' if depth == 0 => {
                    rooms.insert(name(list[start..i].trim()));
                    start = i + 1;
                    if c == '}' {
                        break;
                    }
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    rooms.remove("");
    rooms
}

#[test]
fn arrows_go_one_way() {
    let allowed: BTreeMap<_, _> = ROOMS.iter().copied().collect();
    let mut broken = vec![];
    for source in sources() {
        let Some(allowed) = allowed.get(source.room.as_str()) else {
            panic!("{}: say in ROOMS what this room may name", source.path.display())
        };
        for named in rooms_named(&source.text).into_iter().filter(|named| *named != source.room) {
            if is_room(&named) && !allowed.contains(&named.as_str()) {
                broken.push(format!("{}: `{}` must not name `{named}`", source.path.display(), source.room));
            }
        }
    }
    let rule = "arrows go one way: error <- domain <- {auth, store} <- app <- service <- api <- cli, main; config and \
        telemetry sit beside domain; api never names store; auth and store never see each other";
    assert!(broken.is_empty(), "{rule}\n{}", broken.join("\n"));
}

fn is_room(name: &str) -> bool {
    ROOMS.iter().any(|(room, _)| *room == name)
}

/// The crates under `[dependencies]`, as code names them.
fn dependencies() -> Vec<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let section = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap().to_owned();
    let names = section.lines().filter_map(|line| line.split_once(" = ")).filter(|(name, _)| !name.starts_with('#'));
    names.map(|(name, _)| name.replace('-', "_")).collect()
}

/// Whether `code` names this crate.
fn names(code: &str, name: &str) -> bool {
    let path = format!("{name}::");
    let inside = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    code.match_indices(&path).any(|(place, _)| !code[..place].ends_with(inside))
}

#[test]
fn every_outside_crate_has_its_home() {
    let homes: BTreeMap<_, _> = HOMES.iter().copied().collect();
    let (sources, mut broken) = (sources(), vec![]);
    for name in dependencies() {
        let Some(homes) = homes.get(name.as_str()) else { panic!("{name}: say in HOMES where it lives") };
        let users: Vec<_> = sources.iter().filter(|source| names(&source.text, &name)).collect();
        if users.is_empty() {
            broken.push(format!("{name}: nothing names it; take it out of Cargo.toml"));
        }
        for user in users.iter().filter(|user| **homes != *ANYWHERE && !homes.contains(&user.room.as_str())) {
            broken.push(format!("{}: `{name}` lives in {}", user.path.display(), homes.join(" and ")));
        }
    }
    assert!(broken.is_empty(), "an outside crate is named in its home alone\n{}", broken.join("\n"));
}

#[test]
fn every_module_says_what_it_is() {
    for entry in sources() {
        let text = fs::read_to_string(&entry.path).unwrap();
        assert!(text.starts_with("//! "), "{}: begin with `//!`: what it is, and what it is not", entry.path.display());
    }
}

#[test]
fn names_say_something() {
    for source in sources() {
        let name = source.path.file_stem().unwrap().to_str().unwrap().to_owned();
        let empty = ["utils", "util", "helpers", "helper", "misc", "common", "manager", "shared", "lib2"];
        assert!(!empty.contains(&name.as_str()), "{}: name it after what it holds", source.path.display());
    }
}

#[test]
fn all_sql_is_in_the_store() {
    let words = ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "PRAGMA "];
    for source in sources().iter().filter(|source| source.room != "store") {
        let found = source.text.lines().find(|line| words.iter().any(|word| line.contains(word)));
        assert!(found.is_none(), "{}: SQL belongs in store/: {}", source.path.display(), found.unwrap_or_default());
    }
}

/// Transactions that belong to no operation of the API, or to a part of one.
const OTHER_TRANSACTIONS: &[&str] = &[
    "access.facts",
    "api_keys.find",
    "api_keys.keep_last_use",
    "audit.write_notes",
    "backup.watermark",
    "demo.accounts",
    "demo.empty",
    "demo.orders",
    "events.export",
    "orders.export",
    "setup.offer",
    "system.restore",
    "users.by_email",
];

#[test]
fn a_transaction_has_the_name_of_its_operation() {
    let operations: BTreeSet<_> = routes::operations().iter().map(|operation| operation.id).collect();
    let mut others = BTreeSet::new();
    for source in sources().iter().filter(|source| ["app", "service"].contains(&source.room.as_str())) {
        for call in [".write(", ".read(", ".read_blocking(", ".scan(", ".scan_ranking("] {
            let arguments = source.text.split(call).skip(1).filter_map(|text| text.trim_start().strip_prefix('"'));
            let names = arguments.filter_map(|text| text.split('"').next());
            others.extend(names.filter(|name| !operations.contains(name)).map(str::to_owned));
        }
    }
    let reviewed: BTreeSet<_> = OTHER_TRANSACTIONS.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(others, reviewed, "call a transaction as its operation is called, so that one search finds both");
}

#[test]
fn names_are_found_wherever_they_stand() {
    let code = "use crate::{\n app::App,\n auth::{Actor, access::Facts},\n error,\n};\nfn a() { crate::store::b() }";
    let expected = ["app", "auth", "error", "store"].map(str::to_owned);
    assert_eq!(rooms_named(code), BTreeSet::from(expected));
}
