//! What was recorded gives the same rows in another file, and nothing that does not fit is applied.

use super::{
    super::{
        WriteTx,
        statements::BatchStatements,
        told::Told,
        tx::{Batch, Counters},
    },
    *,
};
use crate::{
    domain::{
        access::Fact,
        id::Ids,
        permission::{Permission, PermissionSet},
        time::Clock,
    },
    store::{
        Commits, Options,
        audit::{self, NewEntry},
        journal::{
            entry::Entry,
            follow::{NotApplied, apply},
        },
        roles::{self, Role},
        rollups::RollupLog,
        schema::SCHEMA,
    },
};
use rusqlite::{Connection, types::Value};
use std::{sync::Arc, time::Duration};

/// Two files that are equal.
fn files() -> (Connection, Connection) {
    let (here, there) = (Connection::open_in_memory().unwrap(), Connection::open_in_memory().unwrap());
    here.execute_batch(SCHEMA).unwrap();
    there.execute_batch(SCHEMA).unwrap();
    let key: Vec<u8> = here.query_row("SELECT key FROM email_digest_key", [], |row| row.get(0)).unwrap();
    there.execute("UPDATE email_digest_key SET key = ?1", [key]).unwrap();
    (here, there)
}

fn batch(connection: &Connection) -> Batch {
    let options = Options {
        path: "unused".into(),
        commits: Commits::Written,
        request_timeout: Duration::from_secs(1),
        query_budget: Duration::from_secs(1),
        threads: 1,
        first_number: 1,
        clock: Clock::system(),
        ids: Arc::new(Ids::seeded(1)),
        journal: None,
    };
    let counters = Counters::load(connection).unwrap();
    Batch::new(&options, &counters, Arc::<Told>::default(), Some(Recorder::default()))
}

fn note(tx: &WriteTx<'_>, action: &str) {
    let address = Some("192.0.2.1 ' \\ ü".to_owned());
    audit::append(tx, NewEntry { address, ..NewEntry::of("ada", action) }).unwrap();
}

fn role(name: &str) -> Role {
    Role { name: name.to_owned(), permissions: PermissionSet::of(&[Permission::OrdersRead]) }
}

/// Two roles, of which one is deleted, and some entries of the audit trail; and a failed and an idle statement.
fn write(connection: &Connection, batch: &Batch) -> Entry {
    let statements = BatchStatements::of(connection);
    let tx = WriteTx::new(connection, &statements, batch);
    roles::put(&tx, &role("night-shift")).unwrap();
    roles::put(&tx, &role("gone")).unwrap();
    note(&tx, "first");
    roles::delete(&tx, "gone").unwrap();
    roles::delete(&tx, "never there").unwrap();
    let failed = tx.try_execute("INSERT INTO email_digest_key (key) VALUES (?1)", ["too short"]);
    assert!(failed.is_err());
    note(&tx, "second");
    tx.tell(Fact::RoleDeleted("gone".to_owned()));
    batch.entry(1, [7; 16], [0; 32], None).unwrap()
}

fn texts(batch: &Batch, entry: &Entry) -> HashMap<Digest, String> {
    batch.recorder().unwrap().texts(&entry.texts).into_iter().collect()
}

fn rows(connection: &Connection, table: &str) -> Vec<Vec<Value>> {
    let mut select = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
    let columns = select.column_count();
    let found = select.query_map([], |row| (0..columns).map(|column| row.get(column)).collect()).unwrap();
    found.map(Result::unwrap).collect()
}

fn refusal(outcome: Result<(), NotApplied>) -> String {
    match outcome {
        Err(NotApplied::Diverged(why)) => why,
        Err(NotApplied::Restored) => "a backup has taken the place of the file".to_owned(),
        Err(NotApplied::Storage(e)) => panic!("{e}"),
        Ok(()) => panic!("it was applied"),
    }
}

#[test]
fn what_was_recorded_gives_the_same_rows_in_another_file() {
    let (here, there) = files();
    let batch = batch(&here);
    let entry = write(&here, &batch);
    assert_eq!(entry.statements.count, 7, "two roles, two entries with their personal data, and one deletion");
    let read = Entry::decode(&entry.encode()).unwrap();
    assert!(apply(&there, &read, &texts(&batch, &entry), &mut RollupLog::default()).is_ok());
    for table in ["roles", "audit", "personal", "users"] {
        assert_eq!(rows(&here, table), rows(&there, table), "{table}");
    }
    assert_eq!(read.facts, [Fact::RoleDeleted("gone".to_owned())]);
    assert!(batch.entry(2, [7; 16], [0; 32], None).is_some_and(|next| next.statements.count == 0));
}

#[test]
fn an_entry_that_does_not_fit_the_file_is_refused() {
    let (here, there) = files();
    let batch = batch(&here);
    let entry = write(&here, &batch);
    let texts = texts(&batch, &entry);
    let mut log = RollupLog::default();
    let why = refusal(apply(&there, &entry, &HashMap::new(), &mut log));
    assert!(why.contains("the text of a statement is missing"), "{why}");
    let later = Entry { schema: entry.schema + 1, ..entry.clone() };
    assert!(refusal(apply(&there, &later, &texts, &mut log)).contains("it is for schema"));

    let restored = Entry { facts: vec![Fact::Restored], ..entry.clone() };
    assert_eq!(refusal(apply(&there, &restored, &texts, &mut log)), "a backup has taken the place of the file");

    there.execute_batch("BEGIN").unwrap();
    let mut other = entry.clone();
    other.heads.audit_hash[0] ^= 1;
    let why = refusal(apply(&there, &other, &texts, &mut log));
    assert!(why.contains("other heads of the history"), "{why}");
    there.execute_batch("ROLLBACK").unwrap();

    assert!(apply(&there, &entry, &texts, &mut log).is_ok());
    let twice = refusal(apply(&there, &entry, &texts, &mut log));
    assert!(twice.starts_with("entry 1 of the journal does not fit this file: "), "{twice}");
}
