//! How commands fail: with an exit code and one line for each fault that names the path and the reason. They print
//! nothing on standard output and create nothing.

use crate::{
    server::{ADMIN, Server},
    support::TestDir,
};
use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt, process::Command};

/// Runs a command and returns its exit code and standard error without the lines of the log.
fn failure(dir: &TestDir, arguments: &str) -> (i32, String) {
    let outcome = dir.run_with(&[("ORDERD_SERVER__LISTEN", "127.0.0.1:0")], arguments);
    assert_eq!(outcome.out, "", "{arguments}");
    let lines = outcome.err.lines().filter(|line| !line.starts_with('{'));
    (outcome.code, lines.collect::<Vec<_>>().join("\n"))
}

/// A folder with a good database and several bad ones.
fn databases() -> TestDir {
    let dir = TestDir::new();
    Server::start(&dir, &ADMIN, "").stop();
    dir.write("notes.db", &"these are notes and no database\n".repeat(500));
    dir.write("short.db", "short");
    dir.write("empty.db", "");
    fs::create_dir(dir.path().join("folder")).unwrap();
    for version in ["newer.db", "foreign.db"] {
        fs::copy(dir.path().join("orders.db"), dir.path().join(version)).unwrap();
        let connection = rusqlite::Connection::open(dir.path().join(version)).unwrap();
        let pragma = if version == "newer.db" { "user_version" } else { "application_id" };
        connection.pragma_update(None, pragma, 999).unwrap();
    }
    dir
}

#[test]
fn a_bad_database_file_is_named_with_the_reason() {
    let dir = databases();
    let newer = "newer.db: schema 999 is newer than this program's";
    let cases = [
        ("notes.db", 3, "notes.db: damaged: file is not a database"),
        ("short.db", 3, "short.db: damaged: file is not a database"),
        ("newer.db", 3, newer),
        ("foreign.db", 3, "foreign.db: not a database of orderd"),
        ("none/none.db", 1, "none/none.db: "),
    ];
    let reading = ["verify", "export", "user list"];
    let changing = ["import /dev/null", "api-key revoke key_00000000000000000000000000"];
    for command in [&reading[..], &changing[..], &["serve"]].concat() {
        for (file, code, start) in cases {
            let before = fs::read(dir.path().join(file)).ok();
            let (found, text) = failure(&dir, &format!("{command} --db {file}"));
            assert_eq!((found, text.lines().count()), (code, 1), "{command} {file}: {text}");
            assert!(text.starts_with(&format!("orderd: {start}")), "{command} {file}: {text}");
            assert!(fs::read(dir.path().join(file)).ok() == before, "{command} {file}: it was changed");
        }
    }
    for command in reading {
        assert_eq!(failure(&dir, &format!("{command} --db folder")), (1, "orderd: folder: is a folder".into()));
        assert_eq!(failure(&dir, &format!("{command} --db empty.db")).0, 3);
    }
    for command in [&reading[..], &changing[..]].concat() {
        let expected = (1, "orderd: none.db: there is no such file".to_owned());
        assert_eq!(failure(&dir, &format!("{command} --db none.db")), expected, "{command}");
        assert!(!dir.path().join("none.db").exists() && !dir.path().join("none.db.lock").exists());
    }
}

#[test]
fn the_reason_for_a_failed_start_is_named() {
    let dir = databases();
    dir.write("garbage.key", "garbage");
    fs::set_permissions(dir.path().join("garbage.key"), fs::Permissions::from_mode(0o600)).unwrap();
    dir.write("open.key", "garbage");
    fs::set_permissions(dir.path().join("open.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let cases = [
        ("--db folder".to_owned(), 1, "folder: "),
        ("--db none/orders.db".into(), 1, "none/orders.db: the folder none does not exist; create it first"),
        ("--db orders.db --set auth.signing_key_file=garbage.key".into(), 1, "signing key file garbage.key: "),
        ("--db orders.db --set auth.signing_key_file=open.key".into(), 1, "signing key file open.key: others than"),
        ("--db orders.db --set auth.signing_key_file=folder".into(), 1, "signing key file folder: it is not a file"),
        ("--db orders.db --set auth.signing_key_file=none/a.key".into(), 1, "signing key file none/a.key: "),
        (format!("--db orders.db --listen {address}"), 1, &format!("cannot listen on {address}: another process")),
        ("--config none.toml".into(), 2, "cannot read none.toml: "),
        ("--config folder".into(), 2, "cannot read folder: "),
        ("--config notes.db".into(), 2, "notes.db, line 1: "),
        ("--listen localhost:80".into(), 2, "invalid value \"localhost:80\" for `server.listen` (--listen): must be "),
        ("--set server.lisen=1".into(), 2, "unknown key `server.lisen` in --set; did you mean `server.listen`?"),
    ];
    for (flags, code, start) in cases {
        let (found, text) = failure(&dir, &format!("serve {flags}"));
        assert_eq!((found, text.lines().count()), (code, 1), "{flags}: {text}");
        assert!(text.starts_with(&format!("orderd: {start}")), "{flags}: {text}");
    }
}

#[test]
fn things_that_do_not_exist_are_named() {
    let dir = databases();
    let unknown = "api-key revoke --db orders.db key_00000000000000000000000000";
    for (command, code, text) in [
        (unknown, 1, "There is no API key key_00000000000000000000000000."),
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
        ("healthcheck", 2, "`server.listen` uses any free port: name the server with --url"),
    ] {
        assert_eq!(failure(&dir, command), (code, format!("orderd: {text}")), "{command}");
    }
}

#[test]
fn unknown_commands_and_flags_are_bad_usage() {
    let dir = TestDir::new();
    for command in [
        "serv",
        "serve extra",
        "serve --demo=yes",
        "verify --jsn",
        "export --format xml",
        "export --force",
        "export --filter status",
        "import one two",
        "api-key revoke",
        "api-key revoke usr_00000000000000000000000000",
        "api-key create --user a@example.com --name x --permission fly",
        "keys rotate",
        "sbom",
        "keys rotate",
        "sbom",
        "completions",
        "completions tcl",
        "config shw",
        "healthcheck --db",
        "openapi --json",
    ] {
        let (code, text) = failure(&dir, command);
        assert_eq!(code, 2, "{command}: {text}");
        assert!(text.starts_with("error: ") || text.contains("Usage: orderd"), "{command}: {text}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was created");
}

#[test]
fn beyond_the_limit_on_file_sizes_a_command_fails_and_is_not_killed() {
    let dir = databases();
    for command in ["backup --db orders.db --out copy.db", "restore --db new.db orders.db", "demo --db demo.db"] {
        let limited = format!("ulimit -f 64; exec \"$0\" {command}");
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", &limited, env!("CARGO_BIN_EXE_orderd")]).current_dir(dir.path());
        let output = shell.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{command}: {output:?}");
    }
}
