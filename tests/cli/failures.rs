//! How commands end that cannot do their work: the exit code, and one line for each fault that names the thing and the
//! reason. Nothing on standard output, nothing made.

use crate::{
    server::{ADMIN, Server},
    support::Workplace,
};
use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt, process::Command};

/// Runs a command and gives its exit code and what it says, without the lines of the log.
fn said(place: &Workplace, arguments: &str) -> (i32, String) {
    let outcome = place.run_with(&[("ORDERD_SERVER__LISTEN", "127.0.0.1:0")], arguments);
    assert_eq!(outcome.out, "", "{arguments}");
    let lines = outcome.err.lines().filter(|line| !line.starts_with('{'));
    (outcome.code, lines.collect::<Vec<_>>().join("\n"))
}

/// A folder with a good database and what is none.
fn place() -> Workplace {
    let place = Workplace::new();
    Server::start(&place, &ADMIN, "").stop();
    place.write("notes.db", &"these are notes and no database\n".repeat(500));
    place.write("short.db", "short");
    place.write("empty.db", "");
    fs::create_dir(place.path().join("folder")).unwrap();
    for version in ["newer.db", "foreign.db"] {
        fs::copy(place.path().join("orders.db"), place.path().join(version)).unwrap();
        let connection = rusqlite::Connection::open(place.path().join(version)).unwrap();
        let pragma = if version == "newer.db" { "user_version" } else { "application_id" };
        connection.pragma_update(None, pragma, 999).unwrap();
    }
    place
}

#[test]
fn a_file_that_is_no_good_is_named_with_the_reason() {
    let place = place();
    let newer = "newer.db: schema 999 is newer than this program's";
    let cases = [
        ("notes.db", 3, "notes.db: damaged: file is not a database"),
        ("short.db", 3, "short.db: damaged: file is not a database"),
        ("newer.db", 3, newer),
        ("foreign.db", 3, "foreign.db: not a database of orderd"),
        ("none/none.db", 1, "none/none.db: "),
    ];
    let reading = ["verify", "export", "user list"];
    let changing = ["import /dev/null", "key revoke key_00000000000000000000000000"];
    for command in [&reading[..], &changing[..], &["serve"]].concat() {
        for (file, code, start) in cases {
            let before = fs::read(place.path().join(file)).ok();
            let (found, text) = said(&place, &format!("{command} --db {file}"));
            assert_eq!((found, text.lines().count()), (code, 1), "{command} {file}: {text}");
            assert!(text.starts_with(&format!("orderd: {start}")), "{command} {file}: {text}");
            assert!(fs::read(place.path().join(file)).ok() == before, "{command} {file}: it was changed");
        }
    }
    for command in reading {
        assert_eq!(said(&place, &format!("{command} --db folder")), (1, "orderd: folder: is a folder".into()));
        assert_eq!(said(&place, &format!("{command} --db empty.db")).0, 3);
    }
    for command in [&reading[..], &changing[..]].concat() {
        let expected = (1, "orderd: none.db: there is no such file".to_owned());
        assert_eq!(said(&place, &format!("{command} --db none.db")), expected, "{command}");
        assert!(!place.path().join("none.db").exists() && !place.path().join("none.db.lock").exists());
    }
}

#[test]
fn what_a_server_cannot_start_with_is_named() {
    let place = place();
    place.write("garbage.key", "garbage");
    fs::set_permissions(place.path().join("garbage.key"), fs::Permissions::from_mode(0o600)).unwrap();
    place.write("open.key", "garbage");
    fs::set_permissions(place.path().join("open.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let cases = [
        ("--db folder".to_owned(), 1, "folder: "),
        ("--db orders.db --set auth.signing_key_file=garbage.key".into(), 1, "signing key file garbage.key: "),
        ("--db orders.db --set auth.signing_key_file=open.key".into(), 1, "signing key file open.key: others than"),
        ("--db orders.db --set auth.signing_key_file=folder".into(), 1, "signing key file folder: it is not a file"),
        ("--db orders.db --set auth.signing_key_file=none/a.key".into(), 1, "signing key file none/a.key: "),
        (format!("--db orders.db --listen {address}"), 1, &format!("cannot listen on {address}: ")),
        ("--config none.toml".into(), 2, "cannot read none.toml: "),
        ("--config folder".into(), 2, "cannot read folder: "),
        ("--config notes.db".into(), 2, "notes.db, line 1: "),
        ("--listen localhost:80".into(), 2, "invalid value \"localhost:80\" for `server.listen` (--listen): must be "),
        ("--set server.lisen=1".into(), 2, "unknown key `server.lisen` in --set; did you mean `server.listen`?"),
    ];
    for (flags, code, start) in cases {
        let (found, text) = said(&place, &format!("serve {flags}"));
        assert_eq!((found, text.lines().count()), (code, 1), "{flags}: {text}");
        assert!(text.starts_with(&format!("orderd: {start}")), "{flags}: {text}");
    }
}

#[test]
fn what_is_not_there_is_named() {
    let place = place();
    let unknown = "key revoke --db orders.db key_00000000000000000000000000";
    for (command, code, text) in [
        (unknown, 1, "No API key is key_00000000000000000000000000."),
        ("user disable --db orders.db --email eve@example.com", 1, "No user has this address."),
        ("import --db orders.db none", 1, "none: No such file or directory (os error 2)"),
        ("export --db orders.db --out none/out", 1, "none/out: No such file or directory (os error 2)"),
        (
            "export --db orders.db --filter status=gone",
            2,
            "status must be one of draft, pending, confirmed, fulfilled, cancelled",
        ),
        ("man --out notes.db", 1, "notes.db: File exists (os error 17)"),
        ("healthcheck --url localhost", 2, "--url localhost: must begin with http://"),
        ("healthcheck", 2, "`server.listen` takes any free port: say with --url which it is"),
    ] {
        assert_eq!(said(&place, command), (code, format!("orderd: {text}")), "{command}");
    }
}

#[test]
fn a_command_that_is_none_is_bad_usage() {
    let place = Workplace::new();
    for command in [
        "serv",
        "serve extra",
        "serve --demo=yes",
        "verify --jsn",
        "export --format xml",
        "export --force",
        "export --filter status",
        "import one two",
        "key revoke",
        "key revoke usr_00000000000000000000000000",
        "key create --user a@example.com --name x --permission fly",
        "user create --email a@example.com --name A --role admin",
        "completions",
        "completions tcl",
        "config shw",
        "healthcheck --db",
        "openapi --json",
    ] {
        let (code, text) = said(&place, command);
        assert_eq!(code, 2, "{command}: {text}");
        assert!(text.starts_with("error: ") || text.contains("Usage: orderd"), "{command}: {text}");
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn past_the_limit_on_the_size_of_files_a_command_fails_and_is_not_killed() {
    let place = place();
    for command in ["backup --db orders.db --out copy.db", "restore --db new.db orders.db", "demo --db demo.db"] {
        let limited = format!("ulimit -f 64; exec \"$0\" {command}");
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", &limited, env!("CARGO_BIN_EXE_orderd")]).current_dir(place.path());
        let output = shell.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{command}: {output:?}");
    }
}
