//! The statements of one batch. Its jobs mostly run the same few, and rusqlite's cache takes a statement out and puts
//! it back for each use, which hashes its text twice: some percent of the time of an order.

use super::record::{Bound, Recorder};
use rusqlite::{CachedStatement, Connection, Params, Statement};
use std::cell::RefCell;

/// The statements that the jobs of a batch have executed so far. They return to the connection's cache when this is
/// dropped.
pub(super) struct BatchStatements<'c> {
    connection: &'c Connection,
    used: RefCell<Vec<(Box<str>, CachedStatement<'c>)>>,
}

impl<'c> BatchStatements<'c> {
    pub(super) fn of(connection: &'c Connection) -> Self {
        Self { connection, used: RefCell::default() }
    }
}

type Run<'r> = &'r mut dyn FnMut(&mut Statement<'_>) -> rusqlite::Result<usize>;

/// The only implementation is [`BatchStatements`]; the trait hides the lifetime of its connection, which a transaction
/// could not name.
pub(super) trait Statements {
    /// Runs the statement with this text by `run`.
    fn run(&self, sql: &str, run: Run<'_>) -> rusqlite::Result<usize>;
}

impl Statements for BatchStatements<'_> {
    fn run(&self, sql: &str, run: Run<'_>) -> rusqlite::Result<usize> {
        let mut used = self.used.borrow_mut();
        if let Some((_, statement)) = used.iter_mut().find(|(text, _)| **text == *sql) {
            return run(statement);
        }
        let mut statement = self.connection.prepare_cached(sql)?;
        let outcome = run(&mut statement);
        used.push((sql.into(), statement));
        outcome
    }
}

impl dyn Statements + '_ {
    /// Executes a statement that returns no rows.
    pub(super) fn execute(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        let mut params = Some(params);
        // `run` calls this once.
        self.run(sql, &mut |statement| params.take().map_or(Ok(0), |params| statement.execute(params)))
    }

    /// [`Self::execute`], recorded for the journal.
    pub(super) fn execute_recorded(
        &self,
        sql: &str,
        params: impl Bound,
        recorder: &Recorder,
    ) -> rusqlite::Result<usize> {
        let mut params = Some(params);
        let mut execute = |statement: &mut Statement<'_>| {
            params.take().map_or(Ok(0), |params| recorder.execute(sql, statement, params))
        };
        self.run(sql, &mut execute)
    }
}
