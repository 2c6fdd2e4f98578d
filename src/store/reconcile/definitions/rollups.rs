//! The rollups. What was reversed counts against the time of its reversal. A credit that was reversed after its order
//! had been cancelled is no longer among the credits of the order, which the cancellation left out: it counts as
//! cancelled at the time of the reversal, and not at that of the cancellation.

use super::{Definition, Dimension, StoredSums};
use crate::store::rollups::Rollup;

const DAY: i64 = 86_400;

pub(super) const SALES: Definition = Definition {
    spans: &[("sales_32_days", 32 * DAY), ("sales_day", DAY), ("sales_hour", 3_600), ("sales_quarter_hour", 900)],
    stored: StoredSums::Rollup(Rollup::Sales),
    dimension: Dimension::None,
    recomputed: "SELECT placed_at / 1000 AS position, currency, 0, 1, 0, total_amount, tax_amount, 0, 0, 0, 0, 0, 0
         FROM orders WHERE placed_at IS NOT NULL
       UNION ALL SELECT cancelled_at / 1000, currency, 0, 0, 1, 0, 0, 0, 0, total_amount - credited_amount,
           tax_amount - credited_tax_amount, 0, 0
         FROM orders WHERE placed_at IS NOT NULL AND cancelled_at IS NOT NULL
       UNION ALL SELECT t.occurred_at / 1000, o.currency, 0, 0, 0, 0, 0, t.credit_amount, t.credit_tax_amount, 0, 0,
           iif(t.kind = 'payment', t.amount, 0), iif(t.kind = 'refund', t.amount, 0)
         FROM transactions t CROSS JOIN orders o ON o.seq = t.order_seq
         WHERE t.status = 'succeeded' OR t.status = 'reversed'
       UNION ALL SELECT t.reversed_at / 1000, o.currency, 0, 0, 0, 0, 0, -t.credit_amount, -t.credit_tax_amount,
           iif(o.cancelled_at <= t.reversed_at, t.credit_amount, 0),
           iif(o.cancelled_at <= t.reversed_at, t.credit_tax_amount, 0),
           iif(t.kind = 'payment', -t.amount, 0), iif(t.kind = 'refund', -t.amount, 0)
         FROM transactions t CROSS JOIN orders o ON o.seq = t.order_seq WHERE t.status = 'reversed'
       UNION ALL SELECT o.cancelled_at / 1000, o.currency, 0, 0, 0, 0, 0, 0, 0, -t.credit_amount, -t.credit_tax_amount,
           0, 0
         FROM transactions t CROSS JOIN orders o ON o.seq = t.order_seq
         WHERE t.status = 'reversed' AND o.cancelled_at <= t.reversed_at",
    values: &[
        "orders_placed",
        "orders_cancelled",
        "booked_amount",
        "tax_amount",
        "credited_amount",
        "credited_tax_amount",
        "cancelled_amount",
        "cancelled_tax_amount",
        "paid_amount",
        "refunded_amount",
    ],
};

pub(super) const USERS: Definition = Definition {
    spans: &[
        ("user_sales_32_days", 32 * DAY),
        ("user_sales_day", DAY),
        ("user_sales_hour", 3_600),
        ("user_sales_quarter_hour", 900),
    ],
    stored: StoredSums::Rollup(Rollup::Users),
    dimension: Dimension::User,
    recomputed: "SELECT placed_at / 1000 AS position, currency, coalesce(u.seq, 0), 1, total_amount, 0, 0, 0, 0
         FROM orders o LEFT JOIN users u ON u.id = o.user_id WHERE placed_at IS NOT NULL
       UNION ALL SELECT cancelled_at / 1000, currency, coalesce(u.seq, 0), 0, 0, 0, total_amount - credited_amount, 0, 0
         FROM orders o LEFT JOIN users u ON u.id = o.user_id
         WHERE placed_at IS NOT NULL AND cancelled_at IS NOT NULL
       UNION ALL SELECT t.occurred_at / 1000, o.currency, coalesce(u.seq, 0), 0, 0, t.credit_amount, 0,
           iif(t.kind = 'payment', t.amount, 0), iif(t.kind = 'refund', t.amount, 0)
         FROM transactions t CROSS JOIN orders o ON o.seq = t.order_seq LEFT JOIN users u ON u.id = o.user_id
         WHERE t.status = 'succeeded' OR t.status = 'reversed'
       UNION ALL SELECT t.reversed_at / 1000, o.currency, coalesce(u.seq, 0), 0, 0, -t.credit_amount,
           iif(o.cancelled_at <= t.reversed_at, t.credit_amount, 0),
           iif(t.kind = 'payment', -t.amount, 0), iif(t.kind = 'refund', -t.amount, 0)
         FROM transactions t CROSS JOIN orders o ON o.seq = t.order_seq LEFT JOIN users u ON u.id = o.user_id
         WHERE t.status = 'reversed'
       UNION ALL SELECT o.cancelled_at / 1000, o.currency, coalesce(u.seq, 0), 0, 0, 0, -t.credit_amount, 0, 0
         FROM transactions t CROSS JOIN orders o ON o.seq = t.order_seq LEFT JOIN users u ON u.id = o.user_id
         WHERE t.status = 'reversed' AND o.cancelled_at <= t.reversed_at",
    values: &[
        "orders_placed",
        "booked_amount",
        "credited_amount",
        "cancelled_amount",
        "paid_amount",
        "refunded_amount",
    ],
};

pub(super) const STATUSES: Definition = Definition {
    spans: &[
        ("status_sales_32_days", 32 * DAY),
        ("status_sales_day", DAY),
        ("status_sales_hour", 3_600),
        ("status_sales_quarter_hour", 900),
    ],
    stored: StoredSums::Rollup(Rollup::Statuses),
    dimension: Dimension::Statuses,
    recomputed: "SELECT placed_at / 1000 AS position, currency,
           CASE status WHEN 'draft' THEN 0 WHEN 'pending' THEN 16 WHEN 'confirmed' THEN 32 WHEN 'fulfilled' THEN 48
             WHEN 'cancelled' THEN 64 END
           + CASE payment_status WHEN 'unpaid' THEN 0 WHEN 'partially_paid' THEN 1 WHEN 'paid' THEN 2
             WHEN 'overpaid' THEN 3 WHEN 'partially_refunded' THEN 4 WHEN 'refunded' THEN 5 END, 1, total_amount
         FROM orders WHERE placed_at IS NOT NULL",
    values: &["orders", "total_amount"],
};

pub(super) const ITEMS: Definition = Definition {
    spans: &[
        ("item_sales_32_days", 32 * DAY),
        ("item_sales_day", DAY),
        ("item_sales_hour", 3_600),
        ("item_sales_quarter_hour", 900),
    ],
    stored: StoredSums::Rollup(Rollup::Items),
    dimension: Dimension::Sku,
    // The share of the goods that came back is total * returned / quantity. The product may have more than 64 bits, so
    // it is made up of whole and remaining parts of the quotient total / quantity.
    recomputed: "SELECT o.placed_at / 1000 AS position, o.currency, s.seq, i.quantity - i.returned_quantity,
           NOT EXISTS (SELECT 1 FROM order_items e
             WHERE e.order_seq = i.order_seq AND e.line < i.line AND e.sku = i.sku AND e.returned_quantity < e.quantity),
           i.total_amount - i.total_amount / i.quantity * i.returned_quantity
             - (2 * (i.total_amount % i.quantity) * i.returned_quantity + i.quantity) / (2 * i.quantity)
         FROM orders o CROSS JOIN order_items i ON i.order_seq = o.seq LEFT JOIN skus s ON s.sku = i.sku
         WHERE o.placed_at IS NOT NULL AND o.status <> 'cancelled' AND i.returned_quantity < i.quantity",
    values: &["quantity", "orders", "total_amount"],
};

pub(super) const TAXES: Definition = Definition {
    spans: &[
        ("tax_sales_32_days", 32 * DAY),
        ("tax_sales_day", DAY),
        ("tax_sales_hour", 3_600),
        ("tax_sales_quarter_hour", 900),
    ],
    stored: StoredSums::Rollup(Rollup::Taxes),
    dimension: Dimension::TaxRate,
    // What an order comes to at each rate counts when it is placed, and is taken back when it is cancelled, less what
    // was credited until then. A reversed credit adds what it took away. If the order was cancelled before, this is
    // cancelled again at once, and what is left is that the cancellation took away less.
    recomputed: "SELECT iif(sign = 1, o.placed_at, o.cancelled_at) / 1000 AS position, o.currency,
           coalesce(i.tax_rate, -1) + 1, sign * (i.total_amount - i.tax_amount), sign * i.tax_amount
         FROM orders o CROSS JOIN order_items i ON i.order_seq = o.seq
           CROSS JOIN (SELECT 1 AS sign UNION ALL SELECT -1)
         WHERE o.placed_at IS NOT NULL AND (sign = 1 OR o.cancelled_at IS NOT NULL)
       UNION ALL SELECT iif(sign = 1, o.placed_at, o.cancelled_at) / 1000, o.currency,
           coalesce(CAST(round((fee.value ->> 'tax_rate') * 10000) AS INTEGER), -1) + 1,
           sign * ((fee.value ->> 'total_amount') - (fee.value ->> 'tax_amount')), sign * (fee.value ->> 'tax_amount')
         FROM orders o CROSS JOIN json_each(o.fees) fee CROSS JOIN (SELECT 1 AS sign UNION ALL SELECT -1)
         WHERE o.fees <> '[]' AND o.placed_at IS NOT NULL AND (sign = 1 OR o.cancelled_at IS NOT NULL)
       UNION ALL SELECT o.cancelled_at / 1000, o.currency, x.tax_rate + 1, x.credited_net_amount, x.credited_tax_amount
         FROM order_credits x CROSS JOIN orders o ON o.seq = x.order_seq
         WHERE o.placed_at IS NOT NULL AND o.cancelled_at IS NOT NULL
       UNION ALL SELECT t.occurred_at / 1000, o.currency, coalesce(c.value ->> 0, -1) + 1, -(c.value ->> 1),
           -(c.value ->> 2)
         FROM transactions t CROSS JOIN orders o ON o.seq = t.order_seq CROSS JOIN json_each(t.credit_taxes) c
         WHERE t.credit_taxes <> '[]' AND (t.status = 'succeeded' OR t.status = 'reversed')
       UNION ALL SELECT iif(o.cancelled_at <= t.reversed_at, o.cancelled_at, t.reversed_at) / 1000, o.currency,
           coalesce(c.value ->> 0, -1) + 1, c.value ->> 1, c.value ->> 2
         FROM transactions t CROSS JOIN orders o ON o.seq = t.order_seq CROSS JOIN json_each(t.credit_taxes) c
         WHERE t.credit_taxes <> '[]' AND t.status = 'reversed'",
    values: &["net_amount", "tax_amount"],
};
