//! The orders of each user: the table `orders_of_users`.
//!
//! Customers order in no order, so in an index over all orders each entry lands on a page of its own. Here it lands
//! beside the other new ones, in a block of the newest orders. Each time there are some hundred orders more, the
//! entries of the next users in turn move to block 0 together, where those of the same users share pages. So a look-up
//! reads block 0 and a few others.

use super::blocks::USER_BLOCK_BITS;
use crate::{
    domain::{id::UserId, order::Order},
    error::{Error, Result},
    store::{ReadTx, WriteTx, sql::IdBlob, sql::sql_int},
};

/// The block of the entries that are sorted by user, whatever their order.
const SORTED: i64 = 0;
/// New orders from one move to the next.
const MOVE_EVERY: i64 = 512;
/// Nothing moves while there are only so many blocks beside [`SORTED`]: the more entries wait, the more of them share a
/// page when they move, and the more blocks has a look-up to read.
const LEFT: i64 = 4;
/// A move takes the entries of so many users, as far as each of them has one entry in a block.
const USERS_AT_ONCE: i64 = 192;
/// A move ends with the block in which it has moved so many entries.
const ENTRIES_AT_ONCE: usize = 1_024;

/// The condition that an entry `u` is of the user with the identifier `$id`, a placeholder, and is in one of the blocks
/// from the one that `$first` selects. Blocks without entries are left out.
macro_rules! in_blocks_from {
    ($first:literal, $id:literal) => {
        concat!(
            "u.block IN (
               WITH RECURSIVE blocks (block) AS (",
            $first,
            " UNION ALL SELECT (SELECT min(n.block) FROM orders_of_users n WHERE n.block > b.block)
                 FROM blocks b WHERE b.block IS NOT NULL)
               SELECT block FROM blocks)
             AND u.user_seq = (SELECT seq FROM users WHERE id = ",
            $id,
            ")"
        )
    };
}

/// The condition that an entry `u` is of a user.
macro_rules! of_user {
    ($id:literal) => {
        in_blocks_from!("SELECT 0", $id)
    };
}
/// The same, for the user in the next placeholder.
pub(in crate::store) const OF_USER: &str = of_user!("?");
/// The same, for the entries that are sorted by user.
pub(super) const SORTED_OF_USER: &str = "u.block = 0 AND u.user_seq = (SELECT seq FROM users WHERE id = ?)";
/// The same, for the other ones.
pub(super) const NEW_OF_USER: &str = in_blocks_from!("SELECT min(block) FROM orders_of_users WHERE block > 0", "?");
/// The same, for the user in placeholder 1.
pub(in crate::store) const OF_USER_1: &str = of_user!("?1");

/// Adds the order in row `order`, which was just inserted.
pub(super) fn add(tx: &WriteTx<'_>, user: Option<UserId>, order: i64) -> Result<()> {
    if let Some(user) = user {
        let user = seq(tx, user)?;
        let before = tx.with_counters(|counters| std::mem::replace(&mut counters.owner, user));
        // Orders of one user after another change the same page of the sorted entries anyway.
        let block = if user == before { SORTED } else { block_of(order) };
        insert(tx, block, user, order)?;
    }
    if order % MOVE_EVERY == 0 { sort_some(tx, block_of(order)) } else { Ok(()) }
}

/// Adds an order that belonged to nobody, if it has a user now.
pub(super) fn add_given(tx: &WriteTx<'_>, before: &Order, after: &Order) -> Result<()> {
    match (before.user_id, after.user_id) {
        (before, after) if before == after => Ok(()),
        // Its block may have been sorted long ago.
        (None, Some(user)) => insert(tx, SORTED, seq(tx, user)?, after.seq),
        _ => Err(Error::internal(format!("order row {} belongs to another user", after.seq))),
    }
}

fn seq(tx: &WriteTx<'_>, user: UserId) -> Result<i64> {
    tx.user_seq(user)?.ok_or_else(|| Error::internal(format!("{user} has no row")))
}

fn block_of(order: i64) -> i64 {
    (order >> USER_BLOCK_BITS) + 1
}

fn insert(tx: &WriteTx<'_>, block: i64, user: i64, order: i64) -> Result<()> {
    let sql = "INSERT INTO orders_of_users (block, user_seq, order_seq) VALUES (?1, ?2, ?3)";
    tx.execute(sql, (block, user, order)).map(drop)
}

/// Moves the entries of some users to the sorted ones, if there are enough. The oldest entry says which users: once all
/// of its block are sorted, it is that of the next block, and the round begins anew.
fn sort_some(tx: &WriteTx<'_>, newest: i64) -> Result<()> {
    let oldest = "SELECT block, user_seq FROM orders_of_users WHERE block > 0 ORDER BY block, user_seq LIMIT 1";
    let oldest = tx.row(oldest, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    let Some((mut block, from)) = oldest.filter(|(block, _)| newest - block >= LEFT) else { return Ok(()) };
    // The block before the newest is full, and shows how entries are spread over users.
    let until = "SELECT user_seq FROM orders_of_users WHERE block = ?1 AND user_seq > ?2
                 ORDER BY user_seq LIMIT 1 OFFSET ?3";
    let until = tx.row(until, (newest - 1, from, USERS_AT_ONCE - 1), |row| row.get(0))?.unwrap_or(i64::MAX);
    let mut moved = 0;
    while moved < ENTRIES_AT_ONCE {
        let sort = "UPDATE orders_of_users SET block = 0 WHERE block = ?1 AND user_seq BETWEEN ?2 AND ?3";
        moved += tx.execute(sort, (block, from, until))?;
        let next = "SELECT min(block) FROM orders_of_users WHERE block > ?1";
        match tx.row(next, [block], |row| row.get(0))?.flatten() {
            Some(next) => block = next,
            None => break,
        }
    }
    Ok(())
}

/// The first rows of the orders of a user after row `seq`.
pub fn rows_of_user(tx: &ReadTx<'_>, user: UserId, seq: i64, limit: usize) -> Result<Vec<i64>> {
    let sql = concat!(
        "SELECT u.order_seq FROM orders_of_users u WHERE ",
        of_user!("?1"),
        " AND u.order_seq > ?2 ORDER BY u.order_seq LIMIT ?3"
    );
    tx.rows(sql, (IdBlob(user), seq, sql_int(limit)), |row| row.get(0))
}

/// The number of orders of a user.
pub fn count_of_user(tx: &ReadTx<'_>, user: UserId) -> Result<i64> {
    let sql = concat!("SELECT count(*) FROM orders_of_users u WHERE ", of_user!("?1"));
    Ok(tx.row(sql, [IdBlob(user)], |row| row.get(0))?.unwrap_or_default())
}

#[cfg(test)]
mod tests;
