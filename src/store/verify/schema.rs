//! Whether the file's tables, indexes and triggers are those of `schema.sql`. Others beside them, such as those of a
//! program that replicates the file, are left alone.

use crate::{
    error::Result,
    store::{ReadTx, schema::SCHEMA, sql::failed},
};
use rusqlite::Connection;
use std::collections::BTreeMap;

/// The first table, index or trigger that is missing or has another definition.
pub(super) fn difference(tx: &ReadTx<'_>) -> Result<Option<String>> {
    let fresh = Connection::open_in_memory().map_err(failed)?;
    fresh.execute_batch(SCHEMA).map_err(failed)?;
    let (wanted, found) = (definitions(&fresh)?, definitions(tx.connection)?);
    let wrong = wanted.into_iter().find(|(name, definition)| found.get(name) != Some(definition));
    Ok(wrong.map(|(name, definition)| {
        let stored = found.get(&name).map_or("nothing", String::as_str);
        format!("{name}, stored {stored}, recomputed {definition}")
    }))
}

/// The name and the statement of everything in a file that was made by one.
fn definitions(connection: &Connection) -> Result<BTreeMap<String, String>> {
    let sql = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL";
    let mut statement = connection.prepare(sql).map_err(failed)?;
    let pairs = statement.query_map([], |row| Ok((row.get(0)?, plain(row.get_ref(1)?.as_str()?)))).map_err(failed)?;
    pairs.collect::<rusqlite::Result<_>>().map_err(failed)
}

/// A statement without its comments and line breaks, and without the quotes that renaming a table puts around its name.
pub(super) fn plain(sql: &str) -> String {
    let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
    let text = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ").replace('"', "");
    text.replace("( ", "(").replace(" )", ")").replace(" ,", ",")
}
