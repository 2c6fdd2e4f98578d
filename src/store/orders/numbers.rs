//! Order numbers. They ascend one by one, except where an import or the configuration sets another number: that is kept
//! in `order_number_jumps`, so that every other gap is a fault.

use crate::{
    error::Result,
    store::{ReadTx, WriteTx},
};

/// The next order number: the one after the highest, or the first of the configuration if that is more. If this
/// transaction fails, the number is given again.
pub fn next_number(tx: &WriteTx<'_>) -> Result<i64> {
    let next = tx.with_counters(|counters| counters.number + 1).max(tx.first_number());
    take_number(tx, next)?;
    Ok(next)
}

/// Gives an order this number, which no other order has.
pub fn take_number(tx: &WriteTx<'_>, number: i64) -> Result<()> {
    let highest = tx.with_counters(|counters| {
        let highest = counters.number;
        counters.number = highest.max(number);
        highest
    });
    if number != highest + 1 {
        tx.execute("INSERT INTO order_number_jumps (number) VALUES (?1)", [number])?;
    }
    Ok(())
}

/// The row of the last order that was placed before it was created here, since an import brought it along; 0 without
/// one.
pub(in crate::store) fn last_brought_along(tx: &ReadTx<'_>) -> Result<i64> {
    let sql = "SELECT seq FROM orders INDEXED BY orders_brought_along WHERE placed_at < created_at
               ORDER BY seq DESC LIMIT 1";
    Ok(tx.row(sql, [], |row| row.get(0))?.unwrap_or(0))
}
