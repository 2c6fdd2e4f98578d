//! Erasing from the command line and over sockets: what is left in the bytes of the files, after a kill and after a
//! restore.

use crate::{
    oracle::{say, soak},
    server::{ADMIN, Client, Server},
    strace::injecting,
    support::{TestDir, bare},
};
use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use std::{
    fs,
    io::Read,
    process::{Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

const NAME: &str = "Rosalind Planted";
const NOTE: &str = "ring at the planted door";

/// Places an order with personal data, and changes it.
fn place(client: &Client, key: &str) -> String {
    let item = json!({"sku": "tea", "name": "Tea", "quantity": 2, "unit_amount": 1250});
    let customer = json!({"name": NAME, "email": "rosalind@planted.example"});
    let order = json!({"currency": "EUR", "items": [item], "customer": customer, "note": NOTE});
    let placed = client.send("POST /v1/orders", &[("Idempotency-Key", key)], &order).unwrap();
    assert_eq!(placed.status, 201, "{}", placed.body);
    let id = placed.body["id"].as_str().unwrap().to_owned();
    client.send(&format!("PATCH /v1/orders/{id}"), &[], &json!({"note": format!("{NOTE}, twice")})).unwrap();
    id
}

/// The status of a request whose answer has no body.
fn status(client: &Client, request: &str) -> String {
    let mut answer = String::new();
    client.open(request, &[], "").unwrap().read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

/// How often the planted texts are in the database, its log, or another file.
fn planted(dir: &TestDir, file: &str) -> usize {
    let read = |suffix: &str| fs::read(dir.path().join(format!("{file}{suffix}"))).unwrap_or_default();
    let bytes = [read(""), read("-wal")].concat();
    let count = |text: &str| bytes.windows(text.len()).filter(|part| *part == text.as_bytes()).count();
    count(NAME) + count(NOTE)
}

/// Pieces of personal data of orders in the database that are there, and that are erased.
fn pieces(dir: &TestDir) -> (i64, i64) {
    let path = dir.path().join("orders.db");
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let sql = "SELECT count(*) FILTER (WHERE content GLOB '{*'), count(*) FILTER (WHERE trim(content) = '')
               FROM personal WHERE user_seq IS NULL";
    connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

#[test]
fn an_erased_order_is_in_no_byte_of_file_log_and_later_backups_and_stays_erased_after_a_restore() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    let admin = server.admin();
    let (order, other) = (place(&admin, "one"), place(&admin, "two"));
    assert_eq!(dir.run("backup --db orders.db --out before.db").code, 0);
    let refused = dir.run(&format!("erase order --db orders.db {order}"));
    assert_eq!(refused.code, 3);
    assert!(refused.err.starts_with("orderd: orders.db: in use by another orderd, process "), "{}", refused.err);
    for order in [&order, &other] {
        assert_eq!(status(&admin, &format!("POST /v1/orders/{order}/erase")), "204");
    }
    assert_eq!(planted(&dir, "orders.db"), 0);
    assert_eq!(dir.run("backup --db orders.db --out after.db").code, 0);
    assert_eq!((planted(&dir, "after.db"), planted(&dir, "before.db") > 0), (0, true));
    server.stop();
    assert_eq!(dir.run("verify --db orders.db").code, 0);

    let restored = dir.run("restore --db orders.db before.db");
    assert_eq!((restored.code, restored.out.contains("erased again: 2")), (0, true), "{restored:?}");
    assert_eq!(planted(&dir, "orders.db"), 0);
    assert_eq!(dir.run("verify --db orders.db").code, 0);
    let again = Server::start(&dir, &[], "");
    let seen = again.admin().get(&format!("/v1/orders/{order}")).body;
    assert_eq!((&seen["customer"], &seen["total_amount"]), (&json!(null), &json!(2500)));
}

#[test]
fn orders_and_users_are_erased_without_a_server() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    place(&server.admin(), "one");
    server.stop();
    let create = "user create --db orders.db --email grace@planted.example --name Grace --role staff --password-stdin";
    assert_eq!(dir.run_fed(create, "a long and private phrase\n").code, 0);
    assert_eq!(dir.run("erase order --db orders.db 1").code, 0);
    assert_eq!(dir.run("erase user --db orders.db grace@planted.example").code, 0);
    let absent = dir.run("erase order --db orders.db 7");
    assert_eq!(absent.code, 1, "{absent:?}");
    assert_eq!(dir.run("erase user --db orders.db grace@planted.example").code, 1, "nobody has this address now");
    assert_eq!(planted(&dir, "orders.db"), 0);
    assert!(
        !fs::read(dir.path().join("orders.db")).unwrap().windows(22).any(|part| part == b"grace@planted.example\"")
    );
    assert_eq!(dir.run("verify --db orders.db").code, 0);
}

#[test]
fn a_restore_erases_the_only_administrator_of_an_older_backup_again() {
    let dir = TestDir::new();
    Server::start(&dir, &ADMIN, "").stop();
    let erase = format!("erase user --db orders.db {}", ADMIN[0].1);
    let create = "user create --db orders.db --email grace@example.com --name Grace --role admin --password-stdin";
    let create_grace = || dir.run_fed(create, "a long and private phrase\n").code;
    let users = || dir.run("user list --db orders.db").out;
    assert_eq!(dir.run("backup --db orders.db --out before.db").code, 0);
    let alone = dir.run(&erase);
    assert_eq!(alone.code, 1, "nobody could log in afterwards: {alone:?}");
    assert!(users().contains(ADMIN[0].1), "nothing was erased: {}", users());
    assert_eq!(create_grace(), 0);
    assert_eq!(dir.run(&erase).code, 0);
    let restored = dir.run("restore --db orders.db before.db");
    assert_eq!(restored.code, 0, "{restored:?}");
    let left = users();
    assert_eq!(left.lines().count(), 1, "the backup is older than Grace: {left}");
    assert!(left.contains("disabled") && !left.contains(ADMIN[0].1), "{left}");
    assert_eq!(dir.run("verify --db orders.db").code, 0);
    assert_eq!(create_grace(), 0, "the way back in that the manual names");
}

#[test]
fn a_kill_at_any_write_of_an_erasure_leaves_all_or_nothing() {
    let mut points = 0;
    for (call, some) in [("pwrite64", [1, 2, 4, 7]), ("fdatasync", [1, 2, 3, 4]), ("ftruncate", [1, 2, 3, 4])] {
        let tried: Box<dyn Iterator<Item = usize>> =
            if soak().is_some() { Box::new(1..) } else { Box::new(some.into_iter()) };
        for nth in tried {
            let Some(killed) = is_killed_at(call, nth) else { return };
            if !killed {
                break;
            }
            points += 1;
        }
    }
    assert!(points > 3, "{points}");
    say(format_args!("kills during an erasure: {points}"));
}

/// Erases an order, with a kill at the `nth` system call of this kind. `Some(false)` if the command ran to its end,
/// `None` if there is no strace.
fn is_killed_at(call: &str, nth: usize) -> Option<bool> {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    place(&server.admin(), "one");
    server.stop();
    let before = pieces(&dir);
    assert_eq!(before.1, 0);
    let ended = run_with_kill(&dir, call, nth, "erase order --db orders.db 1")?;
    let after = pieces(&dir);
    assert!(after == before || after == (0, before.0), "{call} {nth}: {before:?}, {after:?}");
    assert_eq!(dir.run("verify --db orders.db").code, 0, "{call} {nth}");
    assert_eq!(dir.run("erase order --db orders.db 1").code, 0);
    assert_eq!((planted(&dir, "orders.db"), pieces(&dir)), (0, (0, before.0)), "{call} {nth}");
    Some(ended.code().is_none())
}

/// Runs a command with a kill at the `nth` system call of this kind. `None` if there is no strace.
fn run_with_kill(dir: &TestDir, call: &str, nth: usize, arguments: &str) -> Option<ExitStatus> {
    let wrapper = injecting(dir, &format!("{call}:signal=SIGKILL:when={nth}"))?;
    let words: Vec<_> = wrapper.split_whitespace().chain([env!("CARGO_BIN_EXE_orderd")]).collect();
    let mut command = Command::new(words[0]);
    bare(&mut command).args(&words[1..]).args(arguments.split(' ')).current_dir(dir.path());
    Some(command.output().unwrap().status)
}

#[test]
fn an_erasure_of_many_orders_that_was_cut_off_is_finished_by_the_server() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    let admin = server.admin();
    let account = json!({
        "email": "grace@planted.example", "name": "Grace", "role": "customer", "password": "a long and private phrase"
    });
    let user = admin.send("POST /v1/users", &[], &account).unwrap().body["id"].as_str().unwrap().to_owned();
    let item = json!({"sku": "tea", "name": "Tea", "quantity": 2, "unit_amount": 1250});
    let order = json!({"currency": "EUR", "items": [item], "user_id": user, "note": NOTE});
    for number in 0..120 {
        let placed = admin.send("POST /v1/orders", &[("Idempotency-Key", &format!("k{number}"))], &order).unwrap();
        assert_eq!(placed.status, 201, "{}", placed.body);
    }
    server.stop();
    let mut cut_off = 0;
    for nth in 1..=8 {
        let copy = TestDir::new();
        for file in ["orders.db", "orders.db.key"] {
            fs::copy(dir.path().join(file), copy.path().join(file)).unwrap();
        }
        if run_with_kill(&copy, "fdatasync", nth, &format!("erase user --db orders.db {user}")).is_none() {
            return;
        }
        let (left, erased) = pieces(&copy);
        if erased == 0 {
            continue;
        }
        cut_off += usize::from(left > 0);
        let server = Server::start(&copy, &[], "");
        let begun = Instant::now();
        while planted(&copy, "orders.db") > 0 {
            assert!(begun.elapsed() < Duration::from_secs(30), "{nth}: {:?}", pieces(&copy));
            thread::sleep(Duration::from_millis(50));
        }
        let seen = server.admin().get(&format!("/v1/users/{user}")).body;
        assert_eq!((&seen["email"], &seen["status"]), (&json!(null), &json!("disabled")));
        server.stop();
        assert_eq!(pieces(&copy).0, 0, "{nth}");
        assert_eq!(copy.run("verify --db orders.db").code, 0, "{nth}");
    }
    assert!(cut_off > 0, "no kill came between two transactions");
}
