//! Pages of orders, newest first. A filter by status or payment status is served by one run of an index for each wanted
//! pair; the runs are merged here, so that no page needs a sort or a scan.

use super::{Order, ReadTx, Result, by_seq};
use crate::{
    domain::{id::UserId, order::OrderStatus, transaction::PaymentStatus},
    error::Error,
    store::sql::{Key, rows},
};

/// Which orders are wanted; an empty list of statuses means any.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// One of these.
    pub statuses: Vec<OrderStatus>,
    /// One of these.
    pub payment_statuses: Vec<PaymentStatus>,
    /// Whose.
    pub user_id: Option<UserId>,
    /// The caller who may see orders of their own only; a caller who is no user has none.
    pub visible_to: Option<Option<UserId>>,
}

/// At most `limit` orders before row `before`, newest first.
pub fn page(tx: &ReadTx<'_>, filter: &Filter, before: i64, limit: usize) -> Result<Vec<Order>> {
    let whose = match (filter.visible_to, filter.user_id) {
        (None, whose) => whose,
        (Some(None), _) => return Ok(vec![]),
        (Some(Some(caller)), whose) if whose.is_none_or(|user| user == caller) => Some(caller),
        (Some(Some(_)), _) => return Ok(vec![]),
    };
    let mut found = if let Some(user) = whose {
        of_user(tx, filter, user, before, limit)?
    } else if filter.statuses.is_empty() && filter.payment_statuses.is_empty() {
        tx.rows("SELECT seq FROM orders WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2", (before, rows(limit)), first)?
    } else {
        by_status(tx, filter, before, limit)?
    };
    found.truncate(limit);
    found.into_iter().map(|seq| by_seq(tx, seq)?.ok_or_else(|| vanished(seq))).collect()
}

fn by_status(tx: &ReadTx<'_>, filter: &Filter, before: i64, limit: usize) -> Result<Vec<i64>> {
    let mut found = vec![];
    for status in wanted(&filter.statuses, OrderStatus::ALL) {
        for payment_status in wanted(&filter.payment_statuses, PaymentStatus::ALL) {
            found.extend(tx.rows(
                "SELECT seq FROM orders WHERE status = ?1 AND payment_status = ?2 AND seq < ?3
                 ORDER BY seq DESC LIMIT ?4",
                (status.name(), payment_status.name(), before, rows(limit)),
                first,
            )?);
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found)
}

/// A user's orders are few enough to be looked through.
fn of_user(tx: &ReadTx<'_>, filter: &Filter, user: UserId, before: i64, limit: usize) -> Result<Vec<i64>> {
    let (statuses, payment_statuses) = (&filter.statuses, &filter.payment_statuses);
    let sql = format!(
        "SELECT seq FROM orders WHERE user_id = ?1 AND seq < ?2 AND status IN ({}) AND payment_status IN ({})
         ORDER BY seq DESC LIMIT ?3",
        names(wanted(statuses, OrderStatus::ALL).iter().map(|s| s.name())),
        names(wanted(payment_statuses, PaymentStatus::ALL).iter().map(|s| s.name())),
    );
    tx.rows(&sql, (Key(user), before, rows(limit)), first)
}

/// Names of statuses as SQL literals; they come from enumerations, never from a client.
fn names(names: impl Iterator<Item = &'static str>) -> String {
    names.map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

fn wanted<'f, T>(chosen: &'f [T], all: &'f [T]) -> &'f [T] {
    if chosen.is_empty() { all } else { chosen }
}

fn first(row: &rusqlite::Row<'_>) -> rusqlite::Result<i64> {
    row.get(0)
}

fn vanished(seq: i64) -> Error {
    Error::internal(format!("order row {seq} vanished within a snapshot"))
}
