//! The functions of this program that statements call: those of searches, and the one that decodes documents of events.

use super::events::document::{DOCUMENT_COLUMNS, document_of};
use crate::domain::text::{contains_digits, contains_folded, equals_folded};
use rusqlite::{Connection, functions::FunctionFlags};

/// The SQL function that tells whether a text contains another one, which is folded already.
pub(super) const CONTAINS_FOLDED: &str = "contains_folded";

/// The SQL function that decodes the document of an event in the columns that it is given.
const EVENT_DOCUMENT: &str = "event_document";

/// The SQL function that tells whether the digits of a text contain these digits.
pub(super) const CONTAINS_DIGITS: &str = "contains_digits";

/// The SQL function that tells whether a text equals another one, which is folded already.
pub(super) const EQUALS_FOLDED: &str = "equals_folded";

/// Whether a text matches what is sought.
type Matches = fn(&str, &str) -> bool;

/// Registers all functions. Those of searches are false for NULL. SQLite's `LIKE` ignores the case of ASCII letters
/// only.
pub(super) fn add_functions(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    let functions: [(_, Matches); 3] =
        [(CONTAINS_FOLDED, contains_folded), (CONTAINS_DIGITS, contains_digits), (EQUALS_FOLDED, equals_folded)];
    for (name, contains) in functions {
        connection.create_scalar_function(name, 2, flags, move |call| {
            let sought = call.get_raw(1).as_str()?;
            Ok(call.get_raw(0).as_str_or_null()?.is_some_and(|text| contains(text, sought)))
        })?;
    }
    let columns = i32::try_from(DOCUMENT_COLUMNS).unwrap_or(-1);
    connection
        .create_scalar_function(EVENT_DOCUMENT, columns, flags, |call| document_of(|column| Ok(call.get_raw(column))))
}
