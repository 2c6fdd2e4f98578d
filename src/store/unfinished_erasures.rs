//! Erased users whose orders are not all erased yet.

use super::{
    ReadTx, WriteTx,
    sql::{Columns, IdBlob},
};
use crate::{domain::id::UserId, error::Result};

/// The row of the last order of `user` that is erased; none if nothing of them is left to erase.
pub fn of_user(tx: &ReadTx<'_>, user: UserId) -> Result<Option<i64>> {
    tx.row("SELECT order_seq FROM unfinished_erasures WHERE user_id = ?1", [IdBlob(user)], |row| row.get(0))
}

/// All these users.
pub fn users(tx: &ReadTx<'_>) -> Result<Vec<UserId>> {
    tx.rows("SELECT user_id FROM unfinished_erasures", [], |row| Columns::of(row).id())
}

/// Stores that the orders of `user` up to this row are erased, and others are not.
pub fn put(tx: &WriteTx<'_>, user: UserId, order_seq: i64) -> Result<()> {
    tx.execute(
        "INSERT INTO unfinished_erasures (user_id, order_seq) VALUES (?1, ?2)
         ON CONFLICT (user_id) DO UPDATE SET order_seq = excluded.order_seq",
        (IdBlob(user), order_seq),
    )
    .map(drop)
}

/// Stores that all orders of `user` are erased.
pub fn end(tx: &WriteTx<'_>, user: UserId) -> Result<()> {
    tx.execute("DELETE FROM unfinished_erasures WHERE user_id = ?1", [IdBlob(user)]).map(drop)
}
