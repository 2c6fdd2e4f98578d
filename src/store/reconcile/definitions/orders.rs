//! The sums that are stored with orders.

use super::{Definition, Dimension, StoredSums};

pub(super) const TOTALS: Definition = Definition {
    spans: &[("order_totals", 1)],
    stored: StoredSums::Rows(
        "SELECT seq AS position, currency, 0, subtotal_amount, discount_amount - order_discount_amount,
         order_discount_amount, fee_amount, tax_amount, total_amount FROM orders",
    ),
    dimension: Dimension::None,
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
};

pub(super) const CREDITS: Definition = Definition {
    spans: &[("order_credits", 1)],
    stored: StoredSums::Rows(
        "SELECT o.seq AS position, o.currency, t.tax_rate + 1, t.net_amount, t.tax_amount, t.credited_net_amount,
           t.credited_tax_amount, t.reserved_net_amount, t.reserved_tax_amount
         FROM order_credits t CROSS JOIN orders o ON o.seq = t.order_seq",
    ),
    dimension: Dimension::TaxRate,
    recomputed:
        "SELECT o.seq AS position, o.currency, c.tax_rate + 1, i.total_amount - i.tax_amount, i.tax_amount, 0, 0, 0, 0
         FROM order_credits c CROSS JOIN orders o ON o.seq = c.order_seq
           CROSS JOIN order_items i ON i.order_seq = c.order_seq AND coalesce(i.tax_rate, -1) = c.tax_rate
       UNION ALL SELECT o.seq, o.currency, c.tax_rate + 1,
           (fee.value ->> 'total_amount') - (fee.value ->> 'tax_amount'), fee.value ->> 'tax_amount', 0, 0, 0, 0
         FROM order_credits c CROSS JOIN orders o ON o.seq = c.order_seq CROSS JOIN json_each(o.fees) fee
         WHERE coalesce(CAST(round((fee.value ->> 'tax_rate') * 10000) AS INTEGER), -1) = c.tax_rate
       UNION ALL SELECT t.order_seq, o.currency, coalesce(c.value ->> 0, -1) + 1, 0, 0,
           iif(t.status = 'succeeded', c.value ->> 1, 0), iif(t.status = 'succeeded', c.value ->> 2, 0),
           iif(t.status = 'pending', c.value ->> 1, 0), iif(t.status = 'pending', c.value ->> 2, 0)
         FROM transactions t CROSS JOIN orders o ON o.seq = t.order_seq CROSS JOIN json_each(t.credit_taxes) c
         WHERE t.credit_taxes <> '[]' AND (t.status = 'succeeded' OR t.status = 'pending')",
    values: &[
        "net_amount",
        "tax_amount",
        "credited_net_amount",
        "credited_tax_amount",
        "reserved_net_amount",
        "reserved_tax_amount",
    ],
};

pub(super) const PAYMENTS: Definition = Definition {
    spans: &[("order_payments", 1)],
    stored: StoredSums::Rows(
        "SELECT seq AS position, currency, 0, paid_amount, refunded_amount, credited_amount, credited_tax_amount
         FROM orders",
    ),
    dimension: Dimension::None,
    recomputed: "SELECT t.order_seq AS position, o.currency, 0, iif(t.kind = 'payment', t.amount, 0),
           iif(t.kind = 'refund', t.amount, 0), t.credit_amount, t.credit_tax_amount
         FROM transactions t CROSS JOIN orders o ON o.seq = t.order_seq WHERE t.status = 'succeeded'",
    values: &["paid_amount", "refunded_amount", "credited_amount", "credited_tax_amount"],
};

pub(super) const RETURNS: Definition = Definition {
    spans: &[("order_returns", 1)],
    stored: StoredSums::Rows(
        "SELECT i.order_seq AS position, o.currency, i.line, i.returned_quantity, i.reserved_quantity,
           i.credited_amount, i.credited_tax_amount
         FROM order_items i CROSS JOIN orders o ON o.seq = i.order_seq
         WHERE i.returned_quantity <> 0 OR i.reserved_quantity <> 0 OR i.credited_amount <> 0
           OR i.credited_tax_amount <> 0",
    ),
    dimension: Dimension::Line,
    recomputed: "SELECT t.order_seq AS position, o.currency, i.line, iif(t.status = 'succeeded', r.value ->> 1, 0),
           iif(t.status = 'pending', r.value ->> 1, 0), r.value ->> 2, r.value ->> 3
         FROM transactions t CROSS JOIN orders o ON o.seq = t.order_seq CROSS JOIN json_each(t.items) r
           LEFT JOIN order_items i ON i.order_seq = t.order_seq AND i.id = unhex(r.value ->> 0)
         WHERE t.items IS NOT NULL AND (t.status = 'succeeded' OR t.status = 'pending')",
    values: &["returned_quantity", "reserved_quantity", "credited_amount", "credited_tax_amount"],
};
