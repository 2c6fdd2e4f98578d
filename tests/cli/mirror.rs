//! `orderd mirror` against a real PostgreSQL, which `ORDERD_TEST_POSTGRES=postgres://user:password@host/database`
//! names: `.ci/postgres.sh` starts one. Without it these tests say that they are skipped.

mod postgres;

use crate::{
    oracle::{Oracle, say, soak},
    server::{ADMIN, Server},
    support::{TestDir, bare},
};
use postgres::{Postgres, assert_equal, texts_with};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    fs,
    process::{Child, Command},
    thread::sleep,
    time::{Duration, Instant},
};

const NAME: &str = "Rosalind Planted";

/// Runs `mirror --once` and returns the number of its last event.
fn catch_up(dir: &TestDir, postgres: &Postgres) -> i64 {
    let outcome = dir.run(&format!("mirror --db orders.db {} --once", postgres.target()));
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    let seq = outcome.out.strip_prefix("the mirror is up to date with event ").unwrap();
    seq.trim().parse().unwrap()
}

/// A mirror that follows until it is dropped.
struct Follower(Child);

impl Follower {
    fn start(dir: &TestDir, postgres: &Postgres) -> Self {
        let log = fs::File::options().create(true).append(true).open(dir.path().join("mirror.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_orderd"));
        bare(&mut command).current_dir(dir.path()).args(["mirror", "--db", "orders.db"]);
        Self(command.args(postgres.target().split(' ')).stderr(log).spawn().unwrap())
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Sends SIGTERM and returns the exit code.
    fn stop(mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
        self.0.wait().unwrap().code()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until `is_so` holds.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(40);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not within 40 s");
        sleep(Duration::from_millis(100));
    }
}

const LOGIN: (&str, &str) = ("load@example.com", "a phrase that is long enough");

/// A server on a database that is there already, with an administrator who can log in as [`LOGIN`].
fn served(dir: &TestDir) -> Server {
    let create = format!("user create --db orders.db --email {} --name Load --role admin --password-stdin", LOGIN.0);
    let created = dir.run_fed(&create, LOGIN.1);
    assert_eq!(created.code, 0, "{}", created.err);
    Server::start(dir, &[], "")
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap()
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort_unstable();
    texts
}

fn place(client: &crate::server::Client, key: &str) -> String {
    let item = json!({"sku": "tea", "name": "Tea", "quantity": 2, "unit_amount": 1250, "tax_rate": "8.875"});
    let customer = json!({"name": NAME, "email": "rosalind@planted.example", "address": "1 Planted Street"});
    let order = json!({
        "currency": "EUR", "items": [item], "customer": customer, "note": "it's \"planted\" \\ ü 🫖",
        "fees": [{"name": "shipping", "amount": 490, "tax_rate": "19"}], "metadata": {"a b": "ä\t'\"{}"},
    });
    let placed = client.send("POST /v1/orders", &[("Idempotency-Key", key)], &order).unwrap();
    assert_eq!(placed.status, 201, "{}", placed.body);
    placed.body["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_mirror_is_equal_to_the_database_row_by_row_and_its_sums_to_the_reports() {
    let Some(postgres) = Postgres::new() else { return };
    let dir = TestDir::new();
    assert_eq!(dir.run("demo --db orders.db --orders 1500 --days 60 --until 2026-06-30T23:00:00Z").code, 0);
    let seq = catch_up(&dir, &postgres);
    assert_equal(&dir, &postgres);
    assert_eq!(postgres.number("SELECT count(*) FROM {s}.events"), seq);
    assert_eq!(catch_up(&dir, &postgres), seq, "there was no more");

    // What the report of each day says, and what PostgreSQL adds up.
    let server = served(&dir);
    let client = server.log_in(LOGIN.0, LOGIN.1).unwrap();
    let daily = |basis: &str| {
        let report = client.get(&format!("/v1/analytics/daily?from=2026-05-01&to=2026-06-30&basis={basis}"));
        assert_eq!(report.status, 200, "{}", report.body);
        report.body["data"].as_array().unwrap().clone()
    };
    let (mut booked, mut cash) = (vec![], vec![]);
    for row in daily("booked").iter().filter(|row| row["orders_placed"] != 0) {
        booked.push(format!(
            "{} {} {} {}",
            text(row, "date"),
            text(row, "currency"),
            row["orders_placed"],
            row["gross_amount"]
        ));
    }
    for row in daily("cash").iter().filter(|row| row["gross_amount"] != 0 || row["refunded_amount"] != 0) {
        cash.push(format!(
            "{} {} {} {}",
            text(row, "date"),
            text(row, "currency"),
            row["gross_amount"],
            row["refunded_amount"]
        ));
    }
    server.stop();
    assert!(booked.len() > 50 && cash.len() > 50, "{booked:?} {cash:?}");
    let by_day =
        "SELECT (placed_at AT TIME ZONE 'UTC')::date || ' ' || currency || ' ' || count(*) || ' ' || sum(total_amount)
         FROM {s}.orders WHERE placed_at IS NOT NULL GROUP BY (placed_at AT TIME ZONE 'UTC')::date, currency";
    assert_eq!(sorted(postgres.column(by_day)), sorted(booked));
    let by_day = "SELECT (at AT TIME ZONE 'UTC')::date || ' ' || currency || ' '
           || coalesce(sum(amount) FILTER (WHERE kind = 'payment'), 0) || ' '
           || coalesce(sum(amount) FILTER (WHERE kind = 'refund'), 0)
         FROM (SELECT kind, currency, amount, occurred_at AS at FROM {s}.transactions WHERE status IN ('succeeded', 'reversed')
           UNION ALL SELECT kind, currency, -amount, reversed_at FROM {s}.transactions WHERE status = 'reversed') x
         GROUP BY (at AT TIME ZONE 'UTC')::date, currency";
    assert_eq!(sorted(postgres.column(by_day)), sorted(cash));

    let decimals = "SELECT count(*) FROM {s}.v_orders v JOIN {s}.orders o USING (id)
         WHERE v.total_amount <> o.total_amount / CASE o.currency WHEN 'JPY' THEN 1 ELSE 100 END::numeric";
    assert_eq!(postgres.number(decimals), 0);
    let comments =
        "SELECT count(*) FROM information_schema.columns c WHERE table_schema = '{s}' AND table_name NOT LIKE 'v\\_%'
           AND table_name <> 'mirror'
           AND col_description(format('%I.%I', table_schema, table_name)::regclass, ordinal_position) IS NULL";
    assert_eq!(postgres.number(comments), 0, "every column has a comment");
}

#[test]
fn it_follows_and_ends_at_sigterm_and_goes_on_where_it_was() {
    let Some(postgres) = Postgres::new() else { return };
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    let admin = server.admin();
    let order = place(&admin, "one");
    let follower = Follower::start(&dir, &postgres);
    wait_until("the first order", || postgres.seq() == Some(1));
    let paid = json!({"amount": 1000, "provider": "card", "provider_ref": "p 1"});
    let path = format!("POST /v1/orders/{order}/payments");
    assert_eq!(admin.send(&path, &[("Idempotency-Key", "two")], &paid).unwrap().status, 201);
    wait_until("the payment", || postgres.seq() == Some(2));
    assert_eq!(postgres.number("SELECT paid_amount FROM {s}.orders"), 1000);

    // A second one waits until the first one lets go.
    let second = Follower::start(&dir, &postgres);
    let refused = dir.run(&format!("mirror --db orders.db {} --once", postgres.target()));
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(refused.err.contains("another process is writing this mirror"), "{}", refused.err);
    assert_eq!(follower.stop(), Some(0));
    let items = json!({"items": [{"sku": "cup", "name": "Cup", "quantity": 1, "unit_amount": 900}], "fees": []});
    let changed = admin.send(&format!("PATCH /v1/orders/{order}"), &[], &items).unwrap();
    assert_eq!(changed.status, 200, "{}", changed.body);
    wait_until("the change", || postgres.seq() == Some(3));
    assert_eq!(postgres.text("SELECT string_agg(sku, ',') FROM {s}.order_items"), "cup");
    assert_eq!(postgres.number("SELECT count(*) FROM {s}.order_fees"), 0);

    // PostgreSQL ends the session; the mirror connects again.
    postgres.end_sessions();
    place(&admin, "three");
    wait_until("the order after the session", || postgres.seq() == Some(4));
    assert_equal(&dir, &postgres);
    assert_eq!(second.stop(), Some(0));
    server.stop();
}

#[test]
fn killed_at_any_moment_while_orders_flow_it_has_every_row_once() {
    let Some(postgres) = Postgres::new() else { return };
    let cycles = soak().unwrap_or(8);
    let dir = TestDir::new();
    assert_eq!(dir.run("demo --db orders.db --orders 600").code, 0);
    let server = served(&dir);
    let client = server.log_in(LOGIN.0, LOGIN.1).unwrap();
    let oracle = Oracle::new(&dir);
    let load = oracle.load(&client, 2);
    let (mut before, mut restarts) = (0, 0);
    for cycle in 0..cycles {
        let follower = Follower::start(&dir, &postgres);
        sleep(Duration::from_millis(u64::try_from(cycle).unwrap() * 137 % 900 + 60));
        match cycle % 4 {
            1 => postgres.end_sessions(),
            2 => restarts += usize::from(Postgres::restart()),
            _ => {}
        }
        sleep(Duration::from_millis(200));
        follower.kill();
        if let Some(seq) = postgres.seq() {
            assert!(seq >= before, "it went back from {before} to {seq}");
            assert_eq!(postgres.number("SELECT coalesce(max(seq), 0) FROM {s}.events"), seq);
            assert_eq!(postgres.number("SELECT count(*) FROM {s}.events"), seq);
            before = seq;
        }
    }
    load.stop();
    assert_eq!(server.stop().0, Some(0));
    let seq = catch_up(&dir, &postgres);
    assert_equal(&dir, &postgres);
    say(format_args!("mirror: {cycles} times killed, {restarts} restarts of PostgreSQL, equal at event {seq}"));
}

#[test]
fn what_is_erased_is_in_no_table() {
    let Some(postgres) = Postgres::new() else { return };
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    let admin = server.admin();
    let user =
        json!({"email": "ros@planted.example", "name": NAME, "role": "customer", "password": "a canary of a phrase"});
    let user = admin.send("POST /v1/users", &[], &user).unwrap().body;
    let user = user["id"].as_str().unwrap().to_owned();
    let customer = server.log_in("ros@planted.example", "a canary of a phrase").unwrap();
    let (order, _owned) = (place(&admin, "one"), place(&customer, "two"));
    let reason = json!({"amount": 10, "reason": format!("for {NAME}")});
    let path = format!("POST /v1/orders/{order}/payments");
    assert_eq!(admin.send(&path, &[("Idempotency-Key", "three")], &reason).unwrap().status, 201);
    catch_up(&dir, &postgres);
    let tables = ["customers", "events", "orders", "transactions"].map(str::to_owned).to_vec();
    assert_eq!(texts_with(&postgres, NAME), tables);

    // A new name comes with the audit trail, without an order of the user.
    let renamed = admin.send(&format!("PATCH /v1/users/{user}"), &[], &json!({"name": "Rosalind Renamed"})).unwrap();
    assert_eq!(renamed.status, 200, "{}", renamed.body);
    catch_up(&dir, &postgres);
    assert_eq!(postgres.text("SELECT name FROM {s}.customers WHERE email LIKE 'ros%'"), "Rosalind Renamed");

    for path in [format!("POST /v1/orders/{order}/erase"), format!("POST /v1/users/{user}/erase")] {
        assert!(admin.open(&path, &[], "").is_some());
        sleep(Duration::from_millis(300));
    }
    server.stop();
    catch_up(&dir, &postgres);
    for text in [NAME, "planted", "Renamed"] {
        assert_eq!(texts_with(&postgres, text), Vec::<String>::new(), "{text}");
    }
    assert_eq!(postgres.number("SELECT count(*) FROM {s}.orders WHERE total_amount > 0"), 2, "the orders stay");
    assert_equal(&dir, &postgres);
}

#[test]
fn the_mirror_of_another_database_or_history_or_version_is_refused_and_can_be_filled_anew() {
    let Some(postgres) = Postgres::new() else { return };
    let (dir, other) = (TestDir::new(), TestDir::new());
    assert_eq!(dir.run("demo --db orders.db --orders 20").code, 0);
    assert_eq!(other.run("demo --db orders.db --orders 30").code, 0);
    assert_eq!(dir.run("backup --db orders.db --out before.db").code, 0);
    catch_up(&dir, &postgres);
    let arguments = format!("mirror --db orders.db {} --once", postgres.target());

    let refused = other.run(&arguments);
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(refused.err.contains("the mirror of another database; choose another --schema"), "{}", refused.err);
    assert_equal(&dir, &postgres);

    dir.write(
        "new.ndjson",
        r#"{"external_ref":"n","currency":"EUR","items":[{"sku":"T","name":"T","quantity":1,"unit_amount":1}]}"#,
    );
    assert_eq!(dir.run("import --db orders.db new.ndjson").code, 0);
    catch_up(&dir, &postgres);
    assert_eq!(dir.run("restore --db orders.db before.db").code, 0);
    let refused = dir.run(&arguments);
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(refused.err.contains("replaced by an older copy; fill the mirror anew with --rebuild"), "{}", refused.err);
    assert_eq!(dir.run(&format!("{arguments} --rebuild")).code, 0);
    assert_equal(&dir, &postgres);

    postgres.number("WITH x AS (UPDATE {s}.mirror SET format = 2 RETURNING 1) SELECT count(*) FROM x");
    for arguments in [arguments.clone(), format!("{arguments} --rebuild")] {
        let refused = dir.run(&arguments);
        assert_eq!(refused.code, 3, "{}", refused.err);
        assert!(refused.err.contains("made by another version of orderd"), "{}", refused.err);
    }
}

#[test]
fn faults_say_what_to_do_and_show_no_password() {
    let Some(postgres) = Postgres::new() else { return };
    let dir = TestDir::new();
    assert_eq!(dir.run("demo --db orders.db --orders 5").code, 0);
    let of = |target: &str| dir.run(&format!("mirror --db orders.db --once --to {target}"));
    let wrong = of(&postgres.url_with_password("quite-wrong"));
    assert_eq!(wrong.code, 1, "{}", wrong.err);
    assert!(wrong.err.contains("password authentication failed"), "{}", wrong.err);
    let nobody = of("postgres://ada:quite-wrong@127.0.0.1:1/shop");
    assert_eq!(nobody.code, 1, "{}", nobody.err);
    assert!(nobody.err.contains("127.0.0.1:1: "), "{}", nobody.err);
    let usage = of("postgres://ada:quite-wrong@127.0.0.1:1/shop?sslmode=maybe");
    assert_eq!(usage.code, 2, "{}", usage.err);
    for outcome in [wrong, nobody, usage] {
        assert!(!outcome.err.contains("quite-wrong"), "{}", outcome.err);
    }
    let schema = dir.run(&format!("mirror --db orders.db --once --to {} --schema A-b", postgres.url));
    assert_eq!((schema.code, schema.err.starts_with("orderd: --schema: must be")), (2, true), "{}", schema.err);

    // The password of a file or of the environment does as well; that of the URL takes precedence.
    let (bare, password) = postgres.url_without_password();
    dir.write("password", &format!("{password}\n"));
    let target = format!("mirror --db orders.db --once --to {bare} --schema {}", postgres.schema);
    assert_eq!(dir.run(&format!("{target} --password-file password")).code, 0);
    assert_eq!(dir.run_with(&[("PGPASSWORD", &password)], &target).code, 0);
    assert_eq!(dir.run_with(&[("PGPASSWORD", "quite-wrong")], &target).code, 1);
}

#[test]
fn tls_is_as_strict_as_the_url_says() {
    let Some(postgres) = Postgres::new() else { return };
    if postgres.text("SHOW ssl") != "on" {
        say(format_args!("skipped: the server has no TLS"));
        return;
    }
    let dir = TestDir::new();
    assert_eq!(dir.run("demo --db orders.db --orders 5").code, 0);
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/certificates/first.crt");
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/certificates/second.crt");
    let of = |host: &str, parameters: &str| {
        let url = postgres.url_at(host);
        dir.run(&format!("mirror --db orders.db --once --to {url}?{parameters} --schema {}", postgres.schema))
    };
    for (host, parameters) in [
        ("localhost", "sslmode=require".to_owned()),
        ("localhost", "sslmode=disable".to_owned()),
        ("localhost", format!("sslmode=verify-full&sslrootcert={root}")),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={root}")),
    ] {
        let outcome = of(host, &parameters);
        assert_eq!(outcome.code, 0, "{host} {parameters}: {}", outcome.err);
    }
    for (host, parameters) in [
        ("localhost", "sslmode=verify-full".to_owned()),
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={root}")),
        ("localhost", format!("sslmode=verify-ca&sslrootcert={other}")),
        ("localhost", "sslmode=verify-full&sslrootcert=missing.pem".to_owned()),
    ] {
        let outcome = of(host, &parameters);
        assert_eq!(outcome.code, 1, "{host} {parameters}: {} {}", outcome.out, outcome.err);
    }
}
