//! The columns of `orders`: one table from which INSERT, UPDATE and SELECT are made. A new column is one line here.

use super::row;
use crate::{
    domain::{
        order::{Order, OrderStatus},
        pricing::Totals,
        time::Timestamp,
        transaction::PaymentStatus,
    },
    store::{
        WriteTx, personal,
        sql::{Columns, IdBlob},
    },
};
use rusqlite::{Row, params};

/// Makes `insert`, `update`, `read` and `select!` from the columns of `orders`. Personal data is not among them: a row
/// refers to it, and `select!` joins it. Each line is a field of [`Order`],
/// which is also the name of the column, then its value when written, then its value when read.
macro_rules! columns {
    (
        |$order:ident, $columns:ident|
        seq { $seq_write:expr => $seq_read:expr; }
        fixed { $($fixed:ident: $fixed_write:expr => $fixed_read:expr;)* }
        changing { $($changing:ident: $changing_write:expr => $changing_read:expr;)* }
        totals { $($total:ident ($total_column:ident): $total_write:expr => $total_read:expr;)* }
    ) => {
        /// Inserts a row, without the items and credits.
        pub(super) fn insert(tx: &WriteTx<'_>, $order: &Order) -> rusqlite::Result<usize> {
            const SQL: &str = concat!(
                "INSERT INTO orders (personal_seq, seq",
                $(", ", stringify!($fixed),)* $(", ", stringify!($changing),)* $(", ", stringify!($total_column),)*
                ") VALUES (?, ?",
                $(columns!(@placeholder $fixed),)* $(columns!(@placeholder $changing),)*
                $(columns!(@placeholder $total),)*
                ")"
            );
            let personal_seq = $order.personal.map(|row| row.seq);
            tx.try_execute(SQL, params![personal_seq, $seq_write, $($fixed_write,)* $($changing_write,)* $($total_write,)*])
        }

        /// Updates the changing columns of the row, without the items and credits.
        pub(super) fn update(tx: &WriteTx<'_>, $order: &Order) -> rusqlite::Result<usize> {
            const SQL: &str = concat!(
                "UPDATE orders SET personal_seq = ?, ",
                $(stringify!($changing), " = ?, ",)*
                columns!(@assignments $($total_column)*),
                " WHERE seq = ?"
            );
            let personal_seq = $order.personal.map(|row| row.seq);
            tx.try_execute(SQL, params![personal_seq, $($changing_write,)* $($total_write,)* $seq_write])
        }

        /// Reads a row that was selected by `select!`. The order has no items and taxes yet.
        pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Order> {
            let mut $columns = Columns::of(row);
            let mut $order = Order {
                seq: $seq_read,
                $($fixed: $fixed_read,)*
                $($changing: $changing_read,)*
                totals: Totals { $($total: $total_read,)* },
                items: vec![],
                taxes: vec![],
                customer: None,
                note: None,
                cancel_reason: None,
                personal: None,
            };
            personal::read_into_order(&mut $order, row, $columns.position())?;
            Ok($order)
        }

        /// Selects the columns that [`read`] reads.
        macro_rules! select {
            () => {
                concat!(
                    "SELECT o.seq",
                    $(", o.", stringify!($fixed),)* $(", o.", stringify!($changing),)*
                    $(", o.", stringify!($total_column),)*
                    ", o.personal_seq, p.digest, p.content FROM orders o LEFT JOIN personal p ON p.seq = o.personal_seq"
                )
            };
        }
    };
    (@placeholder $field:ident) => { ", ?" };
    (@assignments $first:ident $($rest:ident)*) => {
        concat!(stringify!($first), " = ?", $(", ", stringify!($rest), " = ?",)*)
    };
}

columns! {
    |order, columns|
    seq { order.seq => columns.take()?; }
    // Written once, when the order is created.
    fixed {
        id: IdBlob(order.id) => columns.id()?;
        currency: order.currency.code() => columns.currency()?;
        created_by: order.created_by => columns.take()?;
        created_at: order.created_at.millis() => columns.instant()?;
    }
    // Written again with every change of the order.
    changing {
        number: order.number => columns.take()?;
        status: order.status.name() => columns.parsed(OrderStatus::parse)?;
        payment_status: order.payment_status.name() => columns.parsed(PaymentStatus::parse)?;
        user_id: order.user_id.map(IdBlob) => columns.id_or_none()?;
        external_ref: order.external_ref => columns.take()?;
        prices_include_tax: order.prices_include_tax => columns.take()?;
        fees: row::fees(&order.fees) => columns.parsed(row::parse_fees)?;
        order_discount_amount: order.order_discount_amount => columns.take()?;
        paid_amount: order.paid_amount => columns.take()?;
        refunded_amount: order.refunded_amount => columns.take()?;
        credited_amount: order.credited_amount => columns.take()?;
        credited_tax_amount: order.credited_tax_amount => columns.take()?;
        metadata: row::metadata(&order.metadata) => columns.parsed(row::parse_metadata)?;
        version: order.version => columns.take()?;
        updated_at: order.updated_at.millis() => columns.instant()?;
        placed_at: order.placed_at.map(Timestamp::millis) => columns.instant_or_none()?;
        confirmed_at: order.confirmed_at.map(Timestamp::millis) => columns.instant_or_none()?;
        fulfilled_at: order.fulfilled_at.map(Timestamp::millis) => columns.instant_or_none()?;
        cancelled_at: order.cancelled_at.map(Timestamp::millis) => columns.instant_or_none()?;
    }
    // Written again with every change of the order, too. The fields of `Order::totals` have shorter names than the
    // columns.
    totals {
        subtotal (subtotal_amount): order.totals.subtotal => columns.take()?;
        discount (discount_amount): order.totals.discount => columns.take()?;
        fee (fee_amount): order.totals.fee => columns.take()?;
        tax (tax_amount): order.totals.tax => columns.take()?;
        total (total_amount): order.totals.total => columns.take()?;
    }
}
pub(super) use select;

#[cfg(test)]
mod tests {
    use crate::store::schema::SCHEMA;
    use rusqlite::Connection;
    use std::collections::BTreeSet;

    #[test]
    fn every_column_of_the_schema_is_in_the_table() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let columns = |sql: &str| -> BTreeSet<String> {
            connection.prepare(sql).unwrap().column_names().into_iter().map(str::to_owned).collect()
        };
        let personal = ["digest", "content"].map(str::to_owned).into();
        assert_eq!(&columns(select!()) - &personal, columns("SELECT * FROM orders"));
    }
}
