//! The check that the file has the tables, indexes and triggers of `schema.sql`. Additional ones, such as those of a
//! replication program, are allowed.

use crate::{
    error::Result,
    store::{ReadTx, schema::SCHEMA, sql::store_error},
};
use rusqlite::Connection;
use std::collections::BTreeMap;

/// The first table, index or trigger that is missing or has another definition.
pub(super) fn difference(tx: &ReadTx<'_>) -> Result<Option<String>> {
    let fresh = Connection::open_in_memory().map_err(store_error)?;
    fresh.execute_batch(SCHEMA).map_err(store_error)?;
    let (expected, found) = (definitions(&fresh)?, definitions(tx.connection)?);
    let wrong = expected.into_iter().find(|(name, definition)| found.get(name) != Some(definition));
    Ok(wrong.map(|(name, definition)| {
        let stored = found.get(&name).map_or("nothing", String::as_str);
        format!("{name}, stored {stored}, recomputed {definition}")
    }))
}

/// The name of each table, index and trigger, and the statement that created it.
fn definitions(connection: &Connection) -> Result<BTreeMap<String, String>> {
    let sql = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL";
    let mut statement = connection.prepare(sql).map_err(store_error)?;
    let pairs =
        statement.query_map([], |row| Ok((row.get(0)?, normalised(row.get_ref(1)?.as_str()?)))).map_err(store_error)?;
    pairs.collect::<rusqlite::Result<_>>().map_err(store_error)
}

/// A statement without comments, line breaks, and the quotes that SQLite adds to the name of a renamed table.
fn normalised(sql: &str) -> String {
    let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
    let text = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ").replace('"', "");
    text.replace("( ", "(").replace(" )", ")").replace(" ,", ",")
}
