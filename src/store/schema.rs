//! The current schema, and the migrations that lead to it from earlier ones. `migrate.rs` runs them.

/// The current schema. A new file is created from it.
pub(super) const SCHEMA: &str = include_str!("../../schema.sql");
/// `PRAGMA user_version` of the current schema.
pub(super) const SCHEMA_VERSION: i64 = latest_version(MIGRATIONS);

/// A migration to the next version of the schema.
pub(super) struct Migration {
    /// The version after the migration.
    pub(super) to: i64,
    /// The statements: a file of `migrations/`.
    pub(super) sql: &'static str,
    /// SHA-256 of the statements, in hex: a released migration is never edited.
    pub(super) sha256: &'static str,
}

/// Every migration since the first release, in order. The statements of the migration to version 2 are in
/// `migrations/0002_<what>.sql`, and so on. `schema.sql` is always the schema after all of them.
pub(super) const MIGRATIONS: &[Migration] = &[];

/// The version after all of `migrations`.
pub(super) const fn latest_version(migrations: &[Migration]) -> i64 {
    match migrations {
        [.., last] => last.to,
        [] => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{calendar::SPANS, event::EventType, money::MAX_AMOUNT},
        store::rollups::{Rollup, bucket_key},
    };
    use rusqlite::Connection;

    #[test]
    fn the_schema_has_the_largest_amount() {
        assert!(SCHEMA.contains(&format!("total_amount BETWEEN 0 AND {MAX_AMOUNT}")));
    }

    #[test]
    fn the_schema_decodes_the_types_of_events() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        for kind in EventType::ALL {
            let insert = "INSERT INTO events
                (seq, id, kind, order_seq, version, actor, request_id, occurred_at, data, hash)
              VALUES (?1 + 1, zeroblob(16), ?1, 1, ?1, '', '', 0, '', x'') RETURNING type";
            let name: String = connection.query_row(insert, [*kind as i64], |row| row.get(0)).unwrap();
            assert_eq!(name, kind.name());
        }
    }

    #[test]
    fn the_schema_decodes_the_keys_of_rollups() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        for rollup in Rollup::ALL {
            for span in SPANS {
                for bucket in [i64::from(i32::MIN), -1, 0, 1, i64::from(i32::MAX)] {
                    let insert = "INSERT INTO rollups (key, sums) VALUES (?1, x'') RETURNING rollup, span, bucket";
                    let key = bucket_key(rollup, span, bucket);
                    let decoded: (String, i64, i64) =
                        connection.query_row(insert, [key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
                    assert_eq!(decoded, (rollup.name().to_owned(), span, bucket));
                }
            }
        }
    }
}
