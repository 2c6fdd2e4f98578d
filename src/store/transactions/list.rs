//! The list of all payments and refunds, newest first. It is read from ranges of one index, each in the order of rows,
//! and only the rows that the index yields are tested against the rest of the filter.

use super::{FIELDS, read_from};
use crate::{
    domain::{
        id::{Identifier, UserId},
        time::Timestamp,
        transaction::{Transaction, TransactionFilter, TransactionStatus},
    },
    error::Result,
    store::{
        ReadTx,
        conditions::Conditions,
        orders::OF_USER,
        sql::{Columns, sql_int},
    },
};
use rusqlite::{params_from_iter, types::Value};

/// Whether a page may have to read many rows before it is full. Such a list belongs into
/// [`Store::scan`](crate::store::Store::scan).
pub fn is_scan(filter: &TransactionFilter) -> bool {
    match Source::of(filter) {
        Source::NoOne | Source::Order | Source::Reference(_) => false,
        Source::User(_) => true,
        source @ (Source::RareStatuses | Source::Everything) => !source.residual(filter).is_empty(),
    }
}

/// At most `limit` transactions before row `before`, newest first, each with its row number.
pub fn page(
    tx: &ReadTx<'_>,
    filter: &TransactionFilter,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<(i64, Transaction)>> {
    let mut found = vec![];
    for (from, mut conditions) in ranges(filter) {
        conditions.and("t.seq < ?", [Value::Integer(before.unwrap_or(i64::MAX))]);
        let sql = format!("SELECT t.seq, {FIELDS} {from} WHERE {} ORDER BY t.seq DESC LIMIT ?", conditions.text());
        conditions.values.push(Value::Integer(sql_int(limit)));
        found.extend(tx.rows(&sql, params_from_iter(conditions.values), |row| {
            let mut columns = Columns::of(row);
            Ok((columns.take()?, read_from(row, &mut columns)?))
        })?);
    }
    found.sort_unstable_by_key(|(seq, _): &(i64, _)| std::cmp::Reverse(*seq));
    found.truncate(limit);
    Ok(found)
}

/// The number of transactions that match.
pub fn count(tx: &ReadTx<'_>, filter: &TransactionFilter) -> Result<i64> {
    let mut total = 0;
    for (from, conditions) in ranges(filter) {
        let sql = format!("SELECT count(*) {from} WHERE {}", conditions.text());
        total += tx.row(&sql, params_from_iter(conditions.values), |row| row.get::<_, i64>(0))?.unwrap_or(0);
    }
    Ok(total)
}

/// The tables of each range, beginning with the index, and all conditions on its rows.
fn ranges(filter: &TransactionFilter) -> Vec<(&'static str, Conditions)> {
    let source = Source::of(filter);
    let residual = source.residual(filter);
    let with_residual = |(from, mut conditions): (_, Conditions)| {
        conditions.join(&residual);
        (from, conditions)
    };
    source.ranges(filter).into_iter().map(with_residual).collect()
}

/// What a list is read from.
#[derive(Clone, Copy)]
enum Source<'f> {
    /// Nothing: the caller is no user.
    NoOne,
    /// `transactions_by_order`.
    Order,
    /// `transactions_by_provider_ref` for rows that hold their reference, `transactions_by_other_ref` for all others.
    Reference(&'f str),
    /// The orders of one user, and the transactions of each. They are few, and SQLite sorts them.
    User(UserId),
    /// `transactions_by_rare_status`: a range for each status.
    RareStatuses,
    /// The table.
    Everything,
}

impl<'f> Source<'f> {
    fn of(filter: &'f TransactionFilter) -> Self {
        let rare = !filter.statuses.is_empty() && !filter.statuses.contains(&TransactionStatus::Succeeded);
        match filter {
            TransactionFilter { visible_to: Some(None), .. } => Self::NoOne,
            TransactionFilter { order_id: Some(_), .. } => Self::Order,
            TransactionFilter { provider_ref: Some(reference), .. } => Self::Reference(reference),
            TransactionFilter { visible_to: Some(Some(user)), .. } => Self::User(*user),
            _ if rare => Self::RareStatuses,
            _ => Self::Everything,
        }
    }

    fn ranges(self, filter: &TransactionFilter) -> Vec<(&'static str, Conditions)> {
        match self {
            Self::NoOne => vec![],
            Self::Order => {
                let order = filter.order_id.map_or(Value::Null, |id| Value::Blob(id.bytes().to_vec()));
                vec![(
                    "FROM transactions t INDEXED BY transactions_by_order CROSS JOIN orders o ON o.seq = t.order_seq",
                    Conditions::of("t.order_seq = (SELECT seq FROM orders WHERE id = ?)", [order]),
                )]
            }
            Self::Reference(reference) => {
                let reference = || [Value::Text(reference.to_owned())];
                vec![
                    (
                        "FROM transactions t INDEXED BY transactions_by_provider_ref
                         CROSS JOIN orders o ON o.seq = t.order_seq",
                        Conditions::of(
                            "t.provider_ref = ? AND t.provider IS NOT NULL
                             AND (t.status = 'pending' OR t.status = 'succeeded')",
                            reference(),
                        ),
                    ),
                    (
                        "FROM transactions t INDEXED BY transactions_by_other_ref
                         CROSS JOIN orders o ON o.seq = t.order_seq",
                        Conditions::of(
                            "t.provider_ref = ? AND (t.provider IS NULL OR t.status = 'failed' OR t.status = 'voided'
                             OR t.status = 'reversed')",
                            reference(),
                        ),
                    ),
                ]
            }
            Self::User(user) => vec![(
                "FROM orders_of_users u CROSS JOIN transactions t INDEXED BY transactions_by_order ON t.order_seq = u.order_seq
                 CROSS JOIN orders o ON o.seq = t.order_seq",
                Conditions::of(OF_USER, [Value::Blob(user.bytes().to_vec())]),
            )],
            Self::RareStatuses => filter.statuses.iter().map(|status| Self::rare(*status)).collect(),
            Self::Everything => {
                let from = "FROM transactions t NOT INDEXED CROSS JOIN orders o ON o.seq = t.order_seq";
                vec![(from, Conditions::default())]
            }
        }
    }

    fn rare(status: TransactionStatus) -> (&'static str, Conditions) {
        (
            "FROM transactions t INDEXED BY transactions_by_rare_status CROSS JOIN orders o ON o.seq = t.order_seq",
            Conditions::of("t.status = ? AND t.status <> 'succeeded'", [Value::Text(status.name().to_owned())]),
        )
    }

    /// The conditions that the index does not answer.
    fn residual(self, filter: &TransactionFilter) -> Conditions {
        let mut residual = Conditions::default();
        if let (Some(Some(user)), Self::Order | Self::Reference(_)) = (filter.visible_to, self) {
            residual.and("o.user_id = ?", [Value::Blob(user.bytes().to_vec())]);
        }
        if let (Some(reference), false) = (&filter.provider_ref, matches!(self, Self::Reference(_))) {
            residual.and("t.provider_ref = ?", [Value::Text(reference.clone())]);
        }
        if !filter.statuses.is_empty() && !matches!(self, Self::RareStatuses) {
            // These words come from an enumeration, never from a client.
            let names: Vec<_> = filter.statuses.iter().map(|status| format!("'{status}'")).collect();
            residual.and(format!("t.status IN ({})", names.join(", ")), []);
        }
        let words = [
            ("t.kind = ?", filter.kind.map(|kind| kind.name().to_owned())),
            ("t.provider = ?", filter.provider.clone()),
            ("o.currency = ?", filter.currency.map(|currency| currency.code().to_owned())),
        ];
        for (condition, word) in words {
            if let Some(word) = word {
                residual.and(condition, [Value::Text(word)]);
            }
        }
        let bounds = [
            ("t.amount >= ?", filter.amount_min),
            ("t.amount <= ?", filter.amount_max),
            ("t.occurred_at >= ?", filter.occurred_from.map(Timestamp::millis)),
            ("t.occurred_at < ?", filter.occurred_to.map(Timestamp::millis)),
        ];
        for (condition, bound) in bounds {
            if let Some(bound) = bound {
                residual.and(condition, [Value::Integer(bound)]);
            }
        }
        residual
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema::SCHEMA;
    use rusqlite::Connection;

    /// The steps of SQLite's plan for the ranges of a list.
    fn plan(filter: &TransactionFilter) -> Vec<String> {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let mut steps = vec![];
        for (from, mut conditions) in ranges(filter) {
            conditions.and("t.seq < ?", [Value::Integer(9)]);
            let text = conditions.text();
            let sql = format!("EXPLAIN QUERY PLAN SELECT t.seq {from} WHERE {text} ORDER BY t.seq DESC");
            let mut statement = connection.prepare(&sql).unwrap();
            let found = statement.query_map(params_from_iter(conditions.values), |row| row.get(3)).unwrap();
            steps.extend(found.map(Result::<String, _>::unwrap));
        }
        steps
    }

    #[test]
    fn each_list_is_read_from_the_index_that_is_meant_for_it() {
        use crate::domain::id::OrderId;
        let reference = TransactionFilter { provider_ref: Some("ch_1".to_owned()), ..TransactionFilter::default() };
        let of_order =
            TransactionFilter { order_id: Some(OrderId::from_bytes([1; 16])), ..TransactionFilter::default() };
        let statuses = vec![TransactionStatus::Pending, TransactionStatus::Failed];
        let pending = TransactionFilter { statuses, ..TransactionFilter::default() };
        let mine =
            TransactionFilter { visible_to: Some(Some(UserId::from_bytes([1; 16]))), ..TransactionFilter::default() };
        for (filter, indexes, sorts) in [
            (TransactionFilter::default(), &["USING INTEGER PRIMARY KEY (rowid<?)"][..], false),
            (of_order, &["transactions_by_order (order_seq=? AND seq<?)"], false),
            (
                reference,
                &["transactions_by_provider_ref (provider_ref=?", "transactions_by_other_ref (provider_ref=?"],
                true,
            ),
            (pending, &["transactions_by_rare_status (status=? AND seq<?)"], false),
            (mine, &["PRIMARY KEY (block=? AND user_seq=?)", "transactions_by_order (order_seq=? AND seq<?)"], true),
        ] {
            let steps = plan(&filter);
            for index in indexes {
                assert!(steps.iter().any(|step| step.contains(index)), "{filter:?}: {steps:?}");
            }
            assert_eq!(steps.iter().any(|step| step.contains("TEMP B-TREE")), sorts, "{filter:?}: {steps:?}");
        }
    }
}
