//! The comparisons of reconciliation: for each the stored sums, and the statement that recomputes them.
//!
//! A statement yields one row for each thing that counts: a position, a currency, a dimension, and the values. The
//! position is the time in seconds since the epoch for sums by bucket, and a row number for sums in rows of orders.

use crate::store::rollups::Rollup;

const DAY: i64 = 86_400;

/// Stored sums, and how to recompute them.
pub(super) struct Definition {
    /// The name of the check for each span. Positions are divided by the span.
    pub(super) spans: &'static [(&'static str, i64)],
    pub(super) stored: StoredSums,
    /// The statement that recomputes the sums.
    pub(super) recomputed: &'static str,
    /// The names of the values.
    pub(super) values: &'static [&'static str],
}

/// Where stored sums are.
#[derive(Clone, Copy)]
pub(super) enum StoredSums {
    /// In a rollup, by buckets of time.
    Rollup(Rollup),
    /// In rows, which this statement yields.
    Rows(&'static str),
}

pub(super) const COMPARISONS: &[Definition] = &[
    Definition {
        spans: &[("sales_32_days", 32 * DAY), ("sales_day", DAY), ("sales_hour", 3_600), ("sales_quarter_hour", 900)],
        stored: StoredSums::Rollup(Rollup::Sales),
        recomputed: "SELECT placed_at / 1000 AS position, currency, 0, 1, 0, total_amount, tax_amount, 0, 0, 0
             FROM orders WHERE placed_at IS NOT NULL
           UNION ALL SELECT cancelled_at / 1000, currency, 0, 0, 1, 0, 0, total_amount, 0, 0
             FROM orders WHERE placed_at IS NOT NULL AND cancelled_at IS NOT NULL
           UNION ALL SELECT t.occurred_at / 1000, o.currency, 0, 0, 0, 0, 0, 0, iif(t.kind = 'payment', t.amount, 0),
               iif(t.kind = 'refund', t.amount, 0)
             FROM transactions t CROSS JOIN orders o ON o.seq = t.order_seq WHERE t.status = 'succeeded'",
        values: &[
            "orders_placed",
            "orders_cancelled",
            "booked_amount",
            "tax_amount",
            "cancelled_amount",
            "paid_amount",
            "refunded_amount",
        ],
    },
    Definition {
        spans: &[
            ("user_sales_32_days", 32 * DAY),
            ("user_sales_day", DAY),
            ("user_sales_hour", 3_600),
            ("user_sales_quarter_hour", 900),
        ],
        stored: StoredSums::Rollup(Rollup::Users),
        recomputed: "SELECT placed_at / 1000 AS position, currency, coalesce(u.seq, 0), 1, total_amount, 0, 0, 0
             FROM orders o LEFT JOIN users u ON u.id = o.user_id WHERE placed_at IS NOT NULL
           UNION ALL SELECT cancelled_at / 1000, currency, coalesce(u.seq, 0), 0, 0, total_amount, 0, 0
             FROM orders o LEFT JOIN users u ON u.id = o.user_id
             WHERE placed_at IS NOT NULL AND cancelled_at IS NOT NULL
           UNION ALL SELECT t.occurred_at / 1000, o.currency, coalesce(u.seq, 0), 0, 0, 0,
               iif(t.kind = 'payment', t.amount, 0), iif(t.kind = 'refund', t.amount, 0)
             FROM transactions t CROSS JOIN orders o ON o.seq = t.order_seq LEFT JOIN users u ON u.id = o.user_id
             WHERE t.status = 'succeeded'",
        values: &["orders_placed", "booked_amount", "cancelled_amount", "paid_amount", "refunded_amount"],
    },
    Definition {
        spans: &[
            ("status_sales_32_days", 32 * DAY),
            ("status_sales_day", DAY),
            ("status_sales_hour", 3_600),
            ("status_sales_quarter_hour", 900),
        ],
        stored: StoredSums::Rollup(Rollup::Statuses),
        recomputed: "SELECT placed_at / 1000 AS position, currency,
               CASE status WHEN 'draft' THEN 0 WHEN 'pending' THEN 16 WHEN 'confirmed' THEN 32 WHEN 'fulfilled' THEN 48
                 WHEN 'cancelled' THEN 64 END
               + CASE payment_status WHEN 'unpaid' THEN 0 WHEN 'partially_paid' THEN 1 WHEN 'paid' THEN 2
                 WHEN 'overpaid' THEN 3 WHEN 'partially_refunded' THEN 4 WHEN 'refunded' THEN 5 END, 1, total_amount
             FROM orders WHERE placed_at IS NOT NULL",
        values: &["orders", "total_amount"],
    },
    Definition {
        spans: &[
            ("item_sales_32_days", 32 * DAY),
            ("item_sales_day", DAY),
            ("item_sales_hour", 3_600),
            ("item_sales_quarter_hour", 900),
        ],
        stored: StoredSums::Rollup(Rollup::Items),
        recomputed: "SELECT o.placed_at / 1000 AS position, o.currency, s.seq, i.quantity,
               NOT EXISTS (SELECT 1 FROM order_items e
                 WHERE e.order_seq = i.order_seq AND e.line < i.line AND e.sku = i.sku),
               i.total_amount
             FROM orders o CROSS JOIN order_items i ON i.order_seq = o.seq LEFT JOIN skus s ON s.sku = i.sku
             WHERE o.placed_at IS NOT NULL AND o.status <> 'cancelled'",
        values: &["quantity", "orders", "total_amount"],
    },
    Definition {
        spans: &[("order_totals", 1)],
        stored: StoredSums::Rows(
            "SELECT seq AS position, currency, 0, subtotal_amount, discount_amount - order_discount_amount,
             order_discount_amount, fee_amount, tax_amount, total_amount FROM orders",
        ),
        recomputed: "SELECT o.seq AS position, o.currency, 0, i.quantity * i.unit_amount, i.discount_amount,
               i.allocated_discount_amount, 0, i.tax_amount, i.total_amount
             FROM orders o CROSS JOIN order_items i ON i.order_seq = o.seq
           UNION ALL SELECT o.seq, o.currency, 0, 0, 0, 0, fee.value ->> 'amount', fee.value ->> 'tax_amount',
               fee.value ->> 'total_amount'
             FROM orders o, json_each(o.fees) fee WHERE o.fees <> '[]'",
        values: &[
            "subtotal_amount",
            "line_discount_amount",
            "order_discount_amount",
            "fee_amount",
            "tax_amount",
            "total_amount",
        ],
    },
    Definition {
        spans: &[("order_taxes", 1)],
        stored: StoredSums::Rows(
            "SELECT o.seq AS position, o.currency, t.tax_rate + 1, t.net_amount, t.tax_amount
             FROM order_taxes t CROSS JOIN orders o ON o.seq = t.order_seq",
        ),
        recomputed: "SELECT o.seq AS position, o.currency, coalesce(i.tax_rate, -1) + 1, i.total_amount - i.tax_amount,
               i.tax_amount FROM orders o CROSS JOIN order_items i ON i.order_seq = o.seq
             WHERE i.total_amount > 0
           UNION ALL SELECT o.seq, o.currency,
               coalesce(CAST(round((fee.value ->> 'tax_rate') * 10000) AS INTEGER), -1) + 1,
               (fee.value ->> 'total_amount') - (fee.value ->> 'tax_amount'), fee.value ->> 'tax_amount'
             FROM orders o, json_each(o.fees) fee WHERE o.fees <> '[]' AND fee.value ->> 'total_amount' > 0",
        values: &["net_amount", "tax_amount"],
    },
    Definition {
        spans: &[("order_payments", 1)],
        stored: StoredSums::Rows("SELECT seq AS position, currency, 0, paid_amount, refunded_amount FROM orders"),
        recomputed: "SELECT t.order_seq AS position, o.currency, 0, iif(t.kind = 'payment', t.amount, 0),
               iif(t.kind = 'refund', t.amount, 0)
             FROM transactions t CROSS JOIN orders o ON o.seq = t.order_seq WHERE t.status = 'succeeded'",
        values: &["paid_amount", "refunded_amount"],
    },
];
