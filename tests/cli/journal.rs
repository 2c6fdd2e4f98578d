//! Commands on a journal in PostgreSQL, which `ORDERD_TEST_JOURNAL=postgres://user:password@host/database` names:
//! `.ci/postgres.sh` starts one. Without it these tests say that they are skipped.

mod cut;
mod database;
mod lost;

use crate::{
    backup::{place_order, references},
    oracle::say,
    server::{ADMIN, Server},
    support::{TestDir, bare},
};
use database::Database;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Read,
    process::{Command, Stdio},
};
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

const PASSWORD: &str = "a phrase that is long enough";

/// The flags with which all commands and servers of a folder are on the journal. The PostgreSQL of a test may be one
/// that does not sync.
fn flags(database: &Database) -> String {
    flags_at(&database.url)
}

fn flags_at(url: &str) -> String {
    format!("--db {url} --set db.copy=copy.db --set db.durability=normal")
}

/// A server on the journal, with an administrator.
fn serve(dir: &TestDir, database: &Database) -> Server {
    let started = Server::try_start(dir, "", &ADMIN, &flags(database));
    started.unwrap_or_else(|(code, log)| panic!("the server exited with {code:?}: {log}"))
}

fn names(dir: &TestDir) -> BTreeSet<String> {
    fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn set_of(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn succeed(dir: &TestDir, arguments: &str) -> String {
    let outcome = dir.run(arguments);
    assert_eq!(outcome.code, 0, "{arguments}: {}", outcome.err);
    outcome.out
}

#[test]
fn commands_that_read_work_beside_servers_and_on_other_machines_and_leave_nothing_behind() {
    let Some(database) = Database::new() else { return };
    let (dir, elsewhere) = (TestDir::new(), TestDir::new());
    let empty = elsewhere.run(&format!("verify {}", flags(&database)));
    assert_eq!((empty.code, empty.err.as_str()), (1, "orderd: the journal in PostgreSQL is empty\n"));
    assert_eq!(database.number("SELECT count(*) FROM pg_namespace WHERE nspname = 'orderd'"), 0, "nothing was made");

    let server = serve(&dir, &database);
    let admin = server.admin();
    for reference in ["one", "two"] {
        assert!(place_order(&admin, reference));
    }
    for here in [&dir, &elsewhere] {
        let before = names(here);
        let flags = flags(&database);
        let verified = succeed(here, &format!("verify {flags}"));
        let lines =
            ["ok journal_snapshot", "ok journal_entries", "ok journal_texts", "ok journal_ends", "ok event_chain"];
        for line in lines {
            assert!(verified.lines().any(|found| found == line), "{line}: {verified}");
        }
        assert_eq!(succeed(here, &format!("export {flags}")).lines().count(), 2);
        assert!(succeed(here, &format!("user list {flags}")).contains(ADMIN[0].1));
        assert_eq!(succeed(here, &format!("api-key list {flags}")), "");
        assert_eq!(names(here), before);
        succeed(here, &format!("backup {flags} --out backup.db"));
        assert_eq!(references(&here.path().join("backup.db")), set_of(&["one", "two"]));
        succeed(here, "verify --db backup.db");
    }
    let mirrored =
        succeed(&elsewhere, &format!("mirror {} --to {} --schema shop --once", flags(&database), database.url));
    assert_eq!(mirrored, "the mirror is up to date with event 2\n");
    assert_eq!(database.number("SELECT count(*) FROM shop.orders"), 2);
    let refused = elsewhere.run(&format!("verify --rebuild {}", flags(&database)));
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(place_order(&admin, "three"), "the server goes on");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn commands_that_change_do_it_by_entries_beside_servers_with_the_same_keys() {
    let Some(database) = Database::new() else { return };
    let (dir, elsewhere) = (TestDir::new(), TestDir::new());
    let server = serve(&dir, &database);
    let create = |role: &str| {
        format!("user create {} --email {role}@example.com --name X --role {role} --password-stdin", flags(&database))
    };
    let before = names(&dir);
    let created = dir.run_fed(&create("staff"), PASSWORD);
    assert_eq!(created.code, 0, "{}", created.err);
    let staff = server.log_in("staff@example.com", PASSWORD).expect("the server knows the user at once");
    assert!(place_order(&staff, "one"));
    let key = succeed(
        &dir,
        &format!("api-key create {} --user staff@example.com --name till --permission orders:read", flags(&database)),
    );
    let (id, secret) = key.trim().split_once(' ').unwrap();
    let mut till = server.client();
    till.token = Some(secret.to_owned());
    assert_eq!(till.get("/v1/orders/ref/one").status, 200);
    succeed(&dir, &format!("api-key revoke {} {id}", flags(&database)));
    assert_eq!(till.get("/v1/orders/ref/one").status, 401);
    succeed(&dir, &format!("user disable {} --email staff@example.com", flags(&database)));
    assert_eq!(staff.get("/v1/orders/ref/one").status, 401);
    assert_eq!(names(&dir), before);

    let without = elsewhere.run_fed(&create("manager"), PASSWORD);
    assert_eq!(without.code, 1, "{}", without.err);
    assert!(without.err.contains("copy.db.key: there is no such file, and the servers"), "{}", without.err);
    let others = elsewhere.run_fed(&format!("{} --create", create("manager")), PASSWORD);
    assert_eq!(others.code, 1, "{}", others.err);
    assert!(others.err.contains("another process on the journal has the signing keys"), "{}", others.err);
    succeed(&dir, &format!("verify {}", flags(&database)));
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn damage_of_a_journal_is_named() {
    let Some(database) = Database::new() else { return };
    let dir = TestDir::new();
    let server = serve(&dir, &database);
    let admin = server.admin();
    for reference in ["one", "two", "three"] {
        assert!(place_order(&admin, reference));
    }
    assert_eq!(server.stop().0, Some(0));
    let newest = database.number("SELECT max(seq) FROM orderd.journal");
    for (damage, name, fault, repair) in [
        (
            format!("UPDATE orderd.journal SET body = set_byte(body, 60, get_byte(body, 60) # 1) WHERE seq = {newest}"),
            "journal_entries",
            format!("entry {newest} is not as it was written"),
            format!("UPDATE orderd.journal SET body = set_byte(body, 60, get_byte(body, 60) # 1) WHERE seq = {newest}"),
        ),
        (
            format!(
                "CREATE TABLE kept AS SELECT * FROM orderd.journal WHERE seq = {newest} - 1; \
                 DELETE FROM orderd.journal WHERE seq = {newest} - 1"
            ),
            "journal_entries",
            format!("entry {newest} does not follow entry {}", newest - 2),
            "INSERT INTO orderd.journal SELECT * FROM kept".to_owned(),
        ),
        (
            "UPDATE orderd.text SET sql = sql || ' '".to_owned(),
            "journal_texts",
            "is not as it was written".to_owned(),
            "UPDATE orderd.text SET sql = left(sql, -1)".to_owned(),
        ),
        (
            "UPDATE orderd.snapshot SET body = set_byte(body, 5000, get_byte(body, 5000) # 1)".to_owned(),
            "journal_snapshot",
            "the snapshot at entry 0 is not as it was written".to_owned(),
            "UPDATE orderd.snapshot SET body = set_byte(body, 5000, get_byte(body, 5000) # 1)".to_owned(),
        ),
    ] {
        database.run(&damage);
        let outcome = dir.run(&format!("verify --json {}", flags(&database)));
        assert_eq!(outcome.code, 3, "{outcome:?}");
        let document: Value = serde_json::from_str(&outcome.out).unwrap();
        let check = document["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap();
        assert!(check["fault"].as_str().is_some_and(|found| found.contains(&fault)), "{document}");
        assert!(outcome.err.contains("the journal in PostgreSQL: "), "{}", outcome.err);
        database.run(&repair);
    }
    succeed(&dir, &format!("verify {}", flags(&database)));
}

#[test]
fn a_command_that_is_interrupted_leaves_nothing_behind() {
    let Some(database) = Database::new() else { return };
    let dir = TestDir::new();
    succeed(&dir, "demo --db orders.db --orders 500");
    succeed(&dir, &format!("move --from orders.db --to {}", database.url));
    let before = names(&dir);
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orderd"));
        bare(&mut command).current_dir(dir.path()).arg("export").args(flags(&database).split(' '));
        let mut export = command.stdout(Stdio::piped()).spawn().unwrap();
        // It has begun, and cannot end before somebody reads the rest.
        export.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        assert!(names(&dir).iter().any(|name| name.starts_with("copy.db.command-")));
        kill_process(Pid::from_child(&export), signal).unwrap();
        assert_eq!(export.wait().unwrap().code(), Some(code));
        assert_eq!(names(&dir), before);
    }
}

/// The checks that `doctor` makes on the journal: their names, each with its state and detail.
fn diagnose(dir: &TestDir, flags: &str) -> BTreeMap<String, (String, String)> {
    let outcome = dir.run(&format!("doctor --json {flags}"));
    let document: Value = serde_json::from_str(&outcome.out).unwrap_or_else(|e| panic!("{e}: {outcome:?}"));
    let text = |check: &Value, name: &str| check[name].as_str().unwrap().to_owned();
    let checks = document["checks"].as_array().unwrap();
    checks.iter().map(|check| (text(check, "name"), (text(check, "state"), text(check, "detail")))).collect()
}

#[test]
fn doctor_examines_postgresql_and_the_journal() {
    let Some(database) = Database::new() else { return };
    let dir = TestDir::new();
    let checks = diagnose(&dir, &flags(&database));
    assert_eq!(checks["journal"].0, "warn", "{checks:?}");
    let server = serve(&dir, &database);
    assert!(place_order(&server.admin(), "one"));
    let newest = || database.number("SELECT max(seq) FROM orderd.journal");
    let before = newest();
    let checks = diagnose(&dir, &flags(&database));
    // The server may write entries of its own.
    let mut ends = (before..=newest()).map(|newest| format!("ends at entry {newest}, "));
    for name in ["postgresql", "postgresql_clock", "round_trip", "journal", "processes"] {
        assert_eq!(checks[name].0, "ok", "{name}: {checks:?}");
    }
    assert!(checks["standbys"].1.contains("connected"), "{checks:?}");
    assert!(ends.any(|end| checks["journal"].1.starts_with(&end)), "{checks:?}");
    assert!(checks["processes"].1.starts_with("1: "), "{checks:?}");
    assert_eq!(server.stop().0, Some(0));
    assert_eq!(diagnose(&dir, &flags(&database))["processes"].1, "none is running");
    let nowhere = diagnose(&dir, "--db postgres://nobody:secret@127.0.0.1:1/x --set db.copy=copy.db");
    assert_eq!(nowhere["postgresql"].0, "fail", "{nowhere:?}");
    assert!(!format!("{nowhere:?}").contains("secret"), "{nowhere:?}");
}

#[test]
fn a_server_does_not_start_where_postgresql_may_lose_what_it_has_answered() {
    let Some(database) = Database::new() else { return };
    if database.run("SHOW fsync") != [Some("on".to_owned())] {
        return say(format_args!("skipped: the PostgreSQL of the test has fsync = off itself"));
    }
    let dir = TestDir::new();
    let full = format!("{} --set db.durability=full", flags(&database));
    database.set("synchronous_commit = off");
    let Err((code, log)) = Server::try_start(&dir, "", &ADMIN, &full) else { panic!("it started") };
    assert_eq!(code, Some(1));
    let reason = "PostgreSQL has synchronous_commit = off: a crash of the server loses what was answered last";
    assert!(log.contains(reason), "{log}");
    assert_eq!(diagnose(&dir, &full)["commits"].0, "fail");
    assert_eq!(diagnose(&dir, &flags(&database))["commits"].0, "warn");
    assert_eq!(serve(&dir, &database).stop().0, Some(0));
    database.set("synchronous_commit = on");
    let server = Server::try_start(&dir, "", &ADMIN, &full).unwrap_or_else(|(_, log)| panic!("{log}"));
    assert!(server.log().contains("PostgreSQL waits for no standby"), "{}", server.log());
    assert_eq!(diagnose(&dir, &full)["commits"].0, "ok");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_server_whose_clock_is_far_from_that_of_postgresql_is_not_ready() {
    let Some(database) = Database::new() else { return };
    let dir = TestDir::new();
    // Who asks for the time finds this function first.
    database.run(
        "CREATE SCHEMA ahead;
         CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql
           AS $$SELECT pg_catalog.clock_timestamp() + interval '3 s'$$",
    );
    database.set("search_path = ahead, pg_catalog");
    let server = serve(&dir, &database);
    let ready = || server.client().get("/readyz");
    let answer = ready();
    assert_eq!((answer.status, &answer.body["code"]), (503, &"not_ready".into()), "{}", answer.body);
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(
        detail.contains("clock: the clock of this machine and that of PostgreSQL are more than 2 s apart"),
        "{detail}"
    );
    assert_eq!(diagnose(&dir, &flags(&database))["postgresql_clock"].0, "fail");
    assert!(place_order(&server.admin(), "one"), "it works all the same");
    database.run("DROP FUNCTION ahead.clock_timestamp()");
    let deadline = Instant::now() + Duration::from_secs(20);
    while ready().status != 200 {
        assert!(Instant::now() < deadline, "{}", ready().body);
        sleep(Duration::from_millis(100));
    }
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_restore_replaces_everything_at_once_and_no_process_goes_on_with_what_it_had() {
    let Some(database) = Database::new() else { return };
    let (one, two, three) = (TestDir::new(), TestDir::new(), TestDir::new());
    let mut first = serve(&one, &database);
    let admin = first.admin();
    for dir in [&two, &three] {
        fs::copy(one.path().join("copy.db.key"), dir.path().join("copy.db.key")).unwrap();
    }
    let mut second = serve(&two, &database);
    // This one does not run while all is replaced.
    assert_eq!(serve(&three, &database).stop().0, Some(0));
    let customer = json!({"name": "Rosalind Planted", "email": "rosalind@planted.example"});
    let item = json!({"sku": "tea", "name": "Tea", "quantity": 2, "unit_amount": 1250});
    let order = json!({"currency": "EUR", "items": [item], "external_ref": "erased", "customer": customer});
    let erased = admin.send("POST /v1/orders", &[("Idempotency-Key", "erased")], &order).unwrap().body;
    assert!(place_order(&admin, "old"));
    succeed(&one, &format!("backup {} --out backup.db", flags(&database)));
    assert!(place_order(&admin, "new"));
    let erase = format!("POST /v1/orders/{}/erase", erased["id"].as_str().unwrap());
    let mut answer = String::new();
    admin.open(&erase, &[], "").unwrap().read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");

    one.write("damaged.db", "no database");
    let refused = one.run(&format!("restore {} damaged.db", flags(&database)));
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(place_order(&admin, "newer"), "the servers go on");

    let restored = succeed(&one, &format!("restore {} backup.db", flags(&database)));
    let summary = "restored the journal in PostgreSQL from backup.db; sessions ended: ";
    assert!(restored.lines().any(|line| line.starts_with(summary) && line.ends_with("erased again: 1")), "{restored}");
    let kept = restored.lines().find_map(|line| line.strip_prefix("kept the former database as ")).unwrap();
    assert_eq!(references(&one.path().join(kept)), set_of(&["erased", "new", "newer", "old"]));
    succeed(&one, &format!("verify --db {kept}"));
    succeed(&three, &format!("verify {}", flags(&database)));

    for server in [&mut first, &mut second] {
        assert_eq!(server.wait(), Some(1), "a supervisor starts it again");
        assert!(server.log().contains("a backup was restored into the journal: start again"), "{}", server.log());
    }
    for (number, dir) in [&one, &two, &three].into_iter().enumerate() {
        let server = serve(dir, &database);
        let mut former = server.client();
        former.token.clone_from(&admin.token);
        assert_eq!(former.get("/v1/auth/me").status, 401, "the session has ended");
        let admin = server.admin();
        assert_eq!(admin.get("/v1/orders/ref/old").status, 200);
        assert_eq!(admin.get("/v1/orders/ref/new").status, 404);
        let erased = admin.get("/v1/orders/ref/erased").body;
        assert!(!erased.to_string().contains("Planted"), "{erased}");
        assert!(place_order(&admin, &format!("after-{number}")), "{}", server.log());
        assert_eq!(server.stop().0, Some(0));
        assert!(!references(&dir.path().join("copy.db")).contains("new"));
    }
    let aside = names(&three).into_iter().filter(|name| name.contains("aside")).count();
    assert_eq!(aside, 0, "what the file held is in the former database");
    succeed(&one, &format!("verify {}", flags(&database)));
}
