//! Personal data, kept apart from the rows and the history that it belongs to. Each piece is a JSON object. It is read
//! together with its row, and can be erased while the row stays.

use super::{
    Bound, ReadTx, WriteTx,
    sql::{invalid_column, store_error},
};
use crate::{
    domain::{
        digest::sha256,
        order::{Customer, Order},
        personal::{Apart, DIGEST_BYTES, PersonalRow, SplitDocument},
        text,
        transaction::Transaction,
    },
    error::{Error, Result},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap};

const NULL: &str = "null";

/// What identifies a person in an order. Its fields are those of the order's document, in the same form.
#[derive(Default, Serialize, Deserialize)]
struct OrderContent<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    customer: Option<CustomerContent<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    note: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    cancel_reason: Option<Cow<'a, str>>,
}

/// The customer, as the document shows it.
#[derive(Serialize, Deserialize)]
struct CustomerContent<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    email: Option<Cow<'a, str>>,
    #[serde(borrow)]
    phone: Option<Cow<'a, str>>,
    #[serde(borrow)]
    address: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
struct TransactionContent<'a> {
    #[serde(borrow)]
    reason: Cow<'a, str>,
}

/// A row with its content.
pub(super) struct Stored<'r> {
    pub(super) row: PersonalRow,
    /// The JSON object; none once it is erased.
    pub(super) content: Option<&'r str>,
}

/// Keeps what identifies a person in `order`, unless `before` has the same.
pub(super) fn keep_of_order(tx: &WriteTx<'_>, order: &mut Order, before: Option<&Order>) -> Result<()> {
    if let Some(before) = before
        && fields(before) == fields(order)
    {
        order.personal = before.personal;
        return Ok(());
    }
    order.personal = None;
    if fields(order) != (None, None, None) {
        order.personal = Some(insert(tx, None, &OrderContent::of(order))?);
    }
    Ok(())
}

fn fields(order: &Order) -> (Option<&Customer>, Option<&str>, Option<&str>) {
    (order.customer.as_ref(), order.note.as_deref(), order.cancel_reason.as_deref())
}

impl<'a> OrderContent<'a> {
    fn of(order: &'a Order) -> Self {
        let customer = order.customer.as_ref().map(|customer| CustomerContent {
            name: customer.name.as_deref().map(Cow::Borrowed),
            email: customer.email.as_deref().map(Cow::Borrowed),
            phone: customer.phone.as_deref().map(Cow::Borrowed),
            address: customer.address.as_deref().map(Cow::Borrowed),
        });
        let (note, cancel_reason) = (order.note.as_deref(), order.cancel_reason.as_deref());
        Self { customer, note: note.map(Cow::Borrowed), cancel_reason: cancel_reason.map(Cow::Borrowed) }
    }
}

/// Keeps the reason of `transaction`, unless `before` has the same.
pub(super) fn keep_of_transaction(
    tx: &WriteTx<'_>,
    transaction: &mut Transaction,
    before: Option<&Transaction>,
) -> Result<()> {
    if let Some(before) = before
        && before.reason == transaction.reason
    {
        transaction.personal = before.personal;
        return Ok(());
    }
    transaction.personal = match &transaction.reason {
        Some(reason) => Some(insert(tx, None, &TransactionContent { reason: reason.into() })?),
        None => None,
    };
    Ok(())
}

/// Adds personal data of a user, or of an order, which is found by its events.
pub(super) fn insert(tx: &WriteTx<'_>, user_seq: Option<i64>, content: &impl Serialize) -> Result<PersonalRow> {
    let content = serde_json::to_string(content).map_err(Error::internal)?;
    let salt: [u8; 16] = tx
        .connection
        .prepare_cached("SELECT randomblob(16)")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(store_error)?;
    let seq = tx.with_counters(|counters| {
        counters.personal += 1;
        counters.personal
    });
    let row = PersonalRow { seq, digest: digest(&salt, &content) };
    tx.execute(
        "INSERT INTO personal (seq, user_seq, salt, digest, content) VALUES (?1, ?2, ?3, ?4, ?5)",
        (seq, user_seq, salt, row.digest, content),
    )?;
    Ok(row)
}

pub(super) fn digest(salt: &[u8; 16], content: &str) -> [u8; DIGEST_BYTES] {
    let whole = sha256(&[salt, content.as_bytes()]);
    std::array::from_fn(|index| whole[index])
}

/// The content of a row; none once it is erased.
pub(super) fn live(content: &str) -> Option<&str> {
    content.starts_with('{').then_some(content)
}

impl<'r> Stored<'r> {
    /// Reads the columns `seq`, `digest` and `content` of a row that may be absent, from column `first` on.
    pub(super) fn read(row: &'r rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Option<Self>> {
        let Some(seq) = row.get(first)? else { return Ok(None) };
        let content = row.get_ref(first + 2)?.as_str()?;
        Ok(Some(Self { row: PersonalRow { seq, digest: row.get(first + 1)? }, content: live(content) }))
    }
}

/// Gives `order` the personal data in columns of its row, from column `first` on.
pub(super) fn read_into_order(order: &mut Order, row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<()> {
    let Some(stored) = Stored::read(row, first)? else { return Ok(()) };
    let Some(content) = stored.content else { return Ok(()) };
    let OrderContent { customer, note, cancel_reason } = parsed(content, first + 2)?;
    let text = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
    order.personal = Some(stored.row);
    order.customer = customer.map(|customer| Customer {
        name: text(customer.name),
        email: text(customer.email),
        phone: text(customer.phone),
        address: text(customer.address),
    });
    order.note = text(note);
    order.cancel_reason = text(cancel_reason);
    Ok(())
}

/// Gives `transaction` the personal data in columns of its row, from column `first` on.
pub(super) fn read_into_transaction(
    transaction: &mut Transaction,
    row: &rusqlite::Row<'_>,
    first: usize,
) -> rusqlite::Result<()> {
    let Some(stored) = Stored::read(row, first)? else { return Ok(()) };
    let Some(content) = stored.content else { return Ok(()) };
    let TransactionContent { reason } = parsed(content, first + 2)?;
    transaction.personal = Some(stored.row);
    transaction.reason = Some(reason.into_owned());
    Ok(())
}

/// Parses a content that this program wrote. Other text is damage.
pub(super) fn parsed<'c, T: Deserialize<'c>>(content: &'c str, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(content).map_err(|_| invalid_column(column, "personal data of another form"))
}

/// Parses the column of a content that may be absent or erased.
pub(super) fn content<'r, T: Deserialize<'r>>(
    row: &'r rusqlite::Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    let content = row.get_ref(column)?.as_str_or_null()?.and_then(live);
    content.map(|content| parsed(content, column)).transpose()
}

/// Erases what belongs to an order, which its events refer to. Returns how many rows were not erased before.
pub fn erase_of_order(tx: &WriteTx<'_>, order_seq: i64) -> Result<usize> {
    erase(tx, "SELECT personal_seq FROM events WHERE order_seq = ?1", [order_seq])
}

/// Overwrites the rows that `selection` selects with blanks. Returns how many were not erased before.
pub(super) fn erase(tx: &WriteTx<'_>, selection: &str, params: impl Bound) -> Result<usize> {
    let sql = format!(
        "UPDATE personal SET salt = zeroblob(16), content = printf('%*s', length(CAST(content AS BLOB)), '')
         WHERE seq IN ({selection}) AND content GLOB '{{*'"
    );
    tx.execute(&sql, params)
}

/// `document` with the personal data put back: each field of `content` replaces the `null` of the member of that name.
/// The document has each such member once. A text in it cannot look like one, since quotes in texts are escaped.
pub(super) fn merge(document: &str, content: &str) -> rusqlite::Result<String> {
    let damage = || invalid_column(0, "a document and its personal data do not fit");
    let fields: BTreeMap<&str, &RawValue> = serde_json::from_str(content).map_err(|_| damage())?;
    let mut places = vec![];
    for (name, value) in fields {
        let member = format!("\"{name}\":{NULL}");
        let start = text::position(document, &member).ok_or_else(damage)?;
        places.push((start + member.len() - NULL.len(), value.get()));
    }
    places.sort_unstable();
    let (mut whole, mut end) = (String::with_capacity(document.len() + content.len()), 0);
    for (start, value) in places {
        whole.push_str(&document[end..start]);
        whole.push_str(value);
        end = start + NULL.len();
    }
    whole.push_str(&document[end..]);
    Ok(whole)
}

/// `document`, which has `null` for the personal data in `row`, in both its forms.
pub fn split_document(tx: &ReadTx<'_>, document: String, row: Option<PersonalRow>) -> Result<SplitDocument> {
    let Some(row) = row else { return Ok(SplitDocument::impersonal(document)) };
    let whole = merged_with(tx, &document, row.seq)?;
    Ok(SplitDocument { whole, apart: Some(Apart { rest: document, row }) })
}

/// `document` with the personal data of row `seq`, as far as it is not erased.
pub fn merged_with(tx: &ReadTx<'_>, document: &str, seq: i64) -> Result<String> {
    let merged = tx.row("SELECT content FROM personal WHERE seq = ?1", [seq], |row| {
        let content = row.get_ref(0)?.as_str()?;
        live(content).map_or_else(|| Ok(document.to_owned()), |content| merge(document, content))
    })?;
    merged.ok_or_else(|| Error::internal("personal data is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_data_is_put_back_where_it_was() {
        let rest = r#"{"id":1,"customer":null,"note":null,"metadata":{"note":"\"note\":null"},"cancel_reason":null}"#;
        let content = r#"{"customer":{"name":"Ada"},"cancel_reason":"late"}"#;
        let whole = merge(rest, content).unwrap();
        let expected = r#"{"id":1,"customer":{"name":"Ada"},"note":null,"metadata":{"note":"\"note\":null"},"cancel_reason":"late"}"#;
        assert_eq!(whole, expected);
        assert!(merge("{}", content).is_err());
    }

    #[test]
    fn blanks_are_no_content() {
        assert_eq!(live("{}"), Some("{}"));
        assert_eq!(live("   "), None);
    }
}
