//! What a mirror has: its tables with their columns, in the words of the API, and where each comes from. This is the
//! one place to add a column; the definitions in PostgreSQL, the comments there and the statements that fill it follow.

use crate::domain::id::{EventId, Identifier, ItemId, OrderId, TransactionId, UserId};
use std::fmt::Display;

/// A table of the mirror.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) comment: &'static str,
    /// The columns of its primary key.
    pub(super) key: &'static [&'static str],
    pub(super) columns: &'static [Column],
    /// Its foreign keys and unique columns.
    pub(super) constraints: &'static [&'static str],
    /// The columns of its indexes.
    pub(super) indexes: &'static [&'static str],
    /// Whether its rows are parts of an order, which can become fewer.
    pub(super) belongs_to: Belongs,
    /// The statement that reads its rows from the file, for a JSON array of rows of orders.
    pub(super) select: &'static str,
    /// What the view in units of currencies shows beside the columns; none if there is no such view.
    pub(super) view: Option<View>,
}

/// Whether rows are replaced as a whole with their order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Belongs {
    ToItself,
    ToItsOrder,
}

/// The view of a table that shows amounts as decimals of their currency.
#[derive(Clone, Copy)]
pub(super) struct View {
    /// Columns of the order that it shows too.
    pub(super) of_order: &'static [&'static str],
}

/// A column of a table.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) presence: Presence,
    pub(super) comment: &'static str,
}

/// Whether a column has a value in every row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Always,
    Sometimes,
}

/// What a column holds.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// An identifier, with the function that writes its bytes as text.
    Id(fn([u8; 16]) -> String),
    Text,
    Integer,
    /// Minor units of the currency.
    Amount,
    /// Ten-thousandths of a percent.
    Percent,
    /// Milliseconds since 1970.
    Time,
    /// 0 or 1.
    Flag,
    Json,
}

impl Column {
    const fn new(name: &'static str, kind: Kind, comment: &'static str) -> Self {
        Self { name, kind, presence: Presence::Always, comment }
    }

    const fn id<I: Identifier + Display>(name: &'static str, comment: &'static str) -> Self {
        Self::new(name, Kind::Id(|bytes| I::from_bytes(bytes).to_string()), comment)
    }

    const fn or_null(self) -> Self {
        Self { presence: Presence::Sometimes, ..self }
    }
}

const fn text(name: &'static str, comment: &'static str) -> Column {
    Column::new(name, Kind::Text, comment)
}

const fn integer(name: &'static str, comment: &'static str) -> Column {
    Column::new(name, Kind::Integer, comment)
}

const fn amount(name: &'static str, comment: &'static str) -> Column {
    Column::new(name, Kind::Amount, comment)
}

const fn time(name: &'static str, comment: &'static str) -> Column {
    Column::new(name, Kind::Time, comment)
}

/// All tables, in the order in which they refer to each other.
pub(super) const TABLES: [&Table; 7] =
    [&CURRENCIES, &CUSTOMERS, &ORDERS, &ORDER_ITEMS, &ORDER_FEES, &TRANSACTIONS, &EVENTS];

const RATE: &str = "Tax rate in percent; null where the tax was given as an amount";

pub(super) static CURRENCIES: Table = Table {
    name: "currencies",
    comment: "The currencies of the orders. Divide an amount by 10 to the power of minor_digits for units",
    key: &["code"],
    columns: &[
        text("code", "ISO 4217"),
        integer("minor_digits", "Digits after the decimal point: EUR 2, JPY 0, KWD 3"),
    ],
    constraints: &[],
    indexes: &[],
    belongs_to: Belongs::ToItself,
    select: "SELECT DISTINCT o.currency, CASE o.unit WHEN 1.0 THEN 0 WHEN 1000.0 THEN 3 WHEN 10000.0 THEN 4 ELSE 2 END
         FROM json_each(?1) t CROSS JOIN orders_with_unit o ON o.seq = t.value",
    view: None,
};

pub(super) static CUSTOMERS: Table = Table {
    name: "customers",
    comment: "Users who own orders. Customers without an account are in the columns customer_… of their orders",
    key: &["id"],
    columns: &[
        Column::id::<UserId>("id", "usr_…"),
        text("email", "E-mail address in lower case; null once it is erased").or_null(),
        text("name", "Full name; null once it is erased").or_null(),
        text("status", "active or disabled"),
        time("created_at", "When the account was made"),
        time("updated_at", "When it was last changed"),
    ],
    constraints: &[],
    indexes: &["email"],
    belongs_to: Belongs::ToItself,
    select: "SELECT u.id, iif(p.content GLOB '{*', p.content, NULL) ->> '$.email',
           iif(p.content GLOB '{*', p.content, NULL) ->> '$.name', u.status, u.created_at, u.updated_at
         FROM (SELECT DISTINCT o.user_id AS id FROM json_each(?1) t CROSS JOIN orders o ON o.seq = t.value) owner
         CROSS JOIN users u ON u.id = owner.id JOIN personal p ON p.seq = u.personal_seq",
    view: None,
};

/// One row of [`CUSTOMERS`], by the bytes of its identifier.
pub(super) const CUSTOMER: &str = "SELECT u.id, iif(p.content GLOB '{*', p.content, NULL) ->> '$.email',
       iif(p.content GLOB '{*', p.content, NULL) ->> '$.name', u.status, u.created_at, u.updated_at
     FROM users u JOIN personal p ON p.seq = u.personal_seq WHERE u.id = ?1";

pub(super) static ORDERS: Table = Table {
    name: "orders",
    comment: "Orders, drafts included. Amounts are minor units of the currency; v_orders has them in units",
    key: &["id"],
    columns: &[
        Column::id::<OrderId>("id", "ord_…; identifiers sort by time of creation"),
        integer("number", "Number given when the order was placed; drafts have none").or_null(),
        text("status", "draft, pending, confirmed, fulfilled or cancelled"),
        text("payment_status", "unpaid, partially_paid, paid, overpaid, partially_refunded or refunded"),
        text("currency", "Currency of every amount of the order"),
        Column::id::<UserId>("user_id", "The account that owns the order").or_null(),
        text("external_ref", "The caller's own identifier, unique among all orders").or_null(),
        text("customer_name", "Null once it is erased").or_null(),
        text("customer_email", "Null once it is erased").or_null(),
        text("customer_phone", "Null once it is erased").or_null(),
        text("customer_address", "Null once it is erased").or_null(),
        text("note", "Free text; null once it is erased").or_null(),
        text("cancel_reason", "Free text; null once it is erased").or_null(),
        Column::new("prices_include_tax", Kind::Flag, "Whether unit amounts and fees include tax"),
        amount("subtotal_amount", "Sum of quantity × unit amount of the items"),
        amount("order_discount_amount", "Discount on the whole order, shared among the items before tax"),
        amount("discount_amount", "All discounts: of items and of the order"),
        amount("fee_amount", "Sum of the fees"),
        amount("tax_amount", "Sum of all taxes"),
        amount("total_amount", "What the order comes to"),
        amount("paid_amount", "Sum of succeeded payments"),
        amount("refunded_amount", "Sum of succeeded refunds"),
        amount("credited_amount", "How much less the order owes because of succeeded refunds"),
        amount("credited_tax_amount", "Tax in that"),
        amount("balance_amount", "Still to be paid; negative if money is held that is not owed"),
        Column::new("metadata", Kind::Json, "The caller's own data: an object of texts"),
        integer("version", "Number of the order's events"),
        text("created_by", "usr_…, key_… or system"),
        time("created_at", "When it was made"),
        time("updated_at", "When it was last changed"),
        time("placed_at", "When it was placed: reports count it at this time").or_null(),
        time("confirmed_at", "When it was confirmed").or_null(),
        time("fulfilled_at", "When it was delivered").or_null(),
        time("cancelled_at", "When it was cancelled").or_null(),
    ],
    constraints: &[
        "UNIQUE (number)",
        "FOREIGN KEY (currency) REFERENCES {schema}.currencies (code)",
        "FOREIGN KEY (user_id) REFERENCES {schema}.customers (id)",
    ],
    indexes: &["external_ref", "user_id", "placed_at", "updated_at", "status, payment_status"],
    belongs_to: Belongs::ToItself,
    select: "SELECT id, number, status, payment_status, currency, user_id, external_ref, person ->> '$.customer.name',
           person ->> '$.customer.email', person ->> '$.customer.phone', person ->> '$.customer.address',
           person ->> '$.note', person ->> '$.cancel_reason', prices_include_tax, subtotal_amount, order_discount_amount,
           discount_amount, fee_amount, tax_amount, total_amount, paid_amount, refunded_amount, credited_amount,
           credited_tax_amount,
           iif(status = 'cancelled', 0, total_amount - credited_amount) - paid_amount + refunded_amount, metadata,
           version, created_by, created_at, updated_at, placed_at, confirmed_at, fulfilled_at, cancelled_at
         FROM (SELECT o.*, iif(p.content GLOB '{*', p.content, NULL) AS person
           FROM json_each(?1) t CROSS JOIN orders o ON o.seq = t.value LEFT JOIN personal p ON p.seq = o.personal_seq)",
    view: Some(View { of_order: &[] }),
};

pub(super) static ORDER_ITEMS: Table = Table {
    name: "order_items",
    comment: "Lines of orders. Amounts are minor units of the order's currency; v_order_items has them in units",
    key: &["id"],
    columns: &[
        Column::id::<ItemId>("id", "itm_…"),
        Column::id::<OrderId>("order_id", "The order"),
        integer("line", "Place in the order, from 1"),
        text("sku", "The caller's identifier of the goods"),
        text("name", "What the goods are called"),
        integer("quantity", "How many were ordered"),
        integer("returned_quantity", "How many came back with succeeded refunds"),
        amount("unit_amount", "Price of one"),
        amount("discount_amount", "Discount on the line"),
        amount("allocated_discount_amount", "Share of the discount on the whole order"),
        Column::new("tax_rate", Kind::Percent, RATE).or_null(),
        amount("tax_amount", "Tax of the line"),
        amount("total_amount", "What the line comes to, with its tax"),
        amount("credited_amount", "Credited for goods that came back, by refunds that succeeded or are pending"),
        amount("credited_tax_amount", "Tax in that"),
    ],
    constraints: &["FOREIGN KEY (order_id) REFERENCES {schema}.orders (id)"],
    indexes: &["order_id, line", "sku"],
    belongs_to: Belongs::ToItsOrder,
    select: "SELECT i.id, o.id, i.line + 1, i.sku, i.name, i.quantity, i.returned_quantity, i.unit_amount,
           i.discount_amount, i.allocated_discount_amount, i.tax_rate, i.tax_amount, i.total_amount, i.credited_amount,
           i.credited_tax_amount
         FROM json_each(?1) t CROSS JOIN orders o ON o.seq = t.value CROSS JOIN order_items i ON i.order_seq = o.seq",
    view: Some(View { of_order: &["number", "status", "placed_at", "currency"] }),
};

pub(super) static ORDER_FEES: Table = Table {
    name: "order_fees",
    comment: "Charges besides the items, such as shipping. Amounts are minor units; v_order_fees has them in units",
    key: &["order_id", "line"],
    columns: &[
        Column::id::<OrderId>("order_id", "The order"),
        integer("line", "Place among the fees of the order, from 1"),
        text("name", "What the fee is for"),
        amount("amount", "As it was given: with tax if the prices of the order include it"),
        Column::new("tax_rate", Kind::Percent, RATE).or_null(),
        amount("tax_amount", "Tax of the fee"),
        amount("total_amount", "What the fee comes to, with its tax"),
    ],
    constraints: &["FOREIGN KEY (order_id) REFERENCES {schema}.orders (id)"],
    indexes: &[],
    belongs_to: Belongs::ToItsOrder,
    select: "SELECT o.id, fee.key + 1, fee.value ->> '$.name', fee.value ->> '$.amount',
           CAST(round((fee.value ->> '$.tax_rate') * 10000) AS INTEGER), fee.value ->> '$.tax_amount',
           fee.value ->> '$.total_amount'
         FROM json_each(?1) t CROSS JOIN orders o ON o.seq = t.value CROSS JOIN json_each(o.fees) fee",
    view: Some(View { of_order: &["number", "status", "placed_at", "currency"] }),
};

pub(super) static TRANSACTIONS: Table = Table {
    name: "transactions",
    comment: "Payments and refunds. Amounts are minor units of the currency; v_transactions has them in units",
    key: &["id"],
    columns: &[
        Column::id::<TransactionId>("id", "txn_…"),
        Column::id::<OrderId>("order_id", "The order"),
        text("kind", "payment or refund"),
        text("status", "pending, succeeded, failed, voided or reversed; only succeeded ones count"),
        amount("amount", "Money that moves"),
        amount("credit_amount", "For a refund: how much less the order owes"),
        amount("credit_tax_amount", "Tax in that"),
        text("currency", "The order's currency"),
        text("provider", "The company that moves the money").or_null(),
        text("provider_ref", "The provider's identifier").or_null(),
        Column::id::<TransactionId>("payment_id", "For a refund: the payment that it refunds").or_null(),
        text("reason", "Free text; null once it is erased").or_null(),
        time("occurred_at", "When the money moved"),
        time("recorded_at", "When it was recorded"),
        time("reversed_at", "When it was reversed").or_null(),
    ],
    constraints: &[
        "FOREIGN KEY (order_id) REFERENCES {schema}.orders (id)",
        "FOREIGN KEY (payment_id) REFERENCES {schema}.transactions (id)",
        "FOREIGN KEY (currency) REFERENCES {schema}.currencies (code)",
    ],
    indexes: &["order_id", "payment_id", "provider_ref", "occurred_at"],
    belongs_to: Belongs::ToItself,
    select:
        "SELECT t.id, o.id, t.kind, t.status, t.amount, t.credit_amount, t.credit_tax_amount, o.currency, t.provider,
           t.provider_ref, (SELECT p.id FROM transactions p WHERE p.seq = t.payment_seq),
           (SELECT iif(content GLOB '{*', content, NULL) ->> '$.reason' FROM personal WHERE seq = t.personal_seq),
           t.occurred_at, t.recorded_at, t.reversed_at
         FROM json_each(?1) j CROSS JOIN orders o ON o.seq = j.value CROSS JOIN transactions t ON t.order_seq = o.seq",
    view: Some(View { of_order: &["number"] }),
};

pub(super) static EVENTS: Table = Table {
    name: "events",
    comment: "The history of all orders, in one sequence without gaps",
    key: &["seq"],
    columns: &[
        integer("seq", "Number in the history, from 1"),
        Column::id::<EventId>("id", "evt_…"),
        text("type", "Such as order.created or payment.recorded"),
        Column::id::<OrderId>("order_id", "The order"),
        integer("version", "The order's version after the event"),
        text("actor", "usr_…, key_… or system"),
        text("request_id", "The request that made it"),
        time("occurred_at", "When it happened"),
        Column::new("data", Kind::Json, "What was answered then, without what was erased since"),
    ],
    constraints: &[
        "UNIQUE (id)",
        "UNIQUE (order_id, version)",
        "FOREIGN KEY (order_id) REFERENCES {schema}.orders (id)",
    ],
    indexes: &["occurred_at"],
    belongs_to: Belongs::ToItself,
    // Events are read as the feed reads them, with their personal data put back.
    select: "",
    view: None,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema::SCHEMA;
    use rusqlite::Connection;

    #[test]
    fn every_statement_selects_as_many_columns_as_its_table_has() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        for table in TABLES.iter().filter(|table| !table.select.is_empty()) {
            let statement = connection.prepare(table.select).unwrap();
            assert_eq!(statement.column_count(), table.columns.len(), "{}", table.name);
        }
        assert_eq!(connection.prepare(CUSTOMER).unwrap().column_count(), CUSTOMERS.columns.len());
    }

    #[test]
    fn keys_are_columns() {
        for table in TABLES {
            for key in table.key {
                assert!(table.columns.iter().any(|column| column.name == *key), "{}.{key}", table.name);
            }
        }
    }
}
