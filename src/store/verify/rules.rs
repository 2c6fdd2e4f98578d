//! Rules that every order and transaction must satisfy, as statements that find the first row which does not.

pub(super) struct Rule {
    /// The name of the check.
    pub(super) name: &'static str,
    /// What a fault calls the row.
    pub(super) row: &'static str,
    /// Selects the number of the first wrong row, what is stored in it, and what the other rows say.
    pub(super) sql: &'static str,
}

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "order_versions",
        row: "order row",
        sql: "SELECT o.seq, o.version, count(e.seq) FROM orders o LEFT JOIN events e ON e.order_seq = o.seq GROUP BY o.seq
         HAVING o.version <> count(e.seq) LIMIT 1",
    },
    Rule {
        name: "orders_of_users",
        row: "order row",
        sql: "SELECT o.seq, count(u.order_seq), (o.user_id IS NOT NULL) FROM orders o
         LEFT JOIN users ON users.id = o.user_id
         LEFT JOIN orders_of_users u
           ON u.block IN (0, (o.seq >> 11) + 1) AND u.user_seq = users.seq AND u.order_seq = o.seq
         GROUP BY o.seq HAVING count(u.order_seq) <> (o.user_id IS NOT NULL)
         UNION ALL
         SELECT u.order_seq, 1, 0 FROM orders_of_users u
         LEFT JOIN users ON users.seq = u.user_seq LEFT JOIN orders o ON o.seq = u.order_seq
         WHERE o.user_id IS NOT users.id LIMIT 1",
    },
    Rule {
        name: "order_numbers",
        row: "order row",
        sql: "SELECT seq, number, expected FROM (
           SELECT seq, number, lag(number, 1, 0) OVER (ORDER BY number) + 1 AS expected FROM orders
           WHERE number IS NOT NULL)
         WHERE number <> expected AND number NOT IN (SELECT number FROM order_number_jumps) LIMIT 1",
    },
    Rule {
        name: "order_number_jumps",
        row: "order number",
        sql: "SELECT number, number, 'an order with it' FROM order_number_jumps
         WHERE number NOT IN (SELECT number FROM orders WHERE number IS NOT NULL) LIMIT 1",
    },
    // Numbers that were given here ascend with the time at which they were given. Those of an import do not.
    Rule {
        name: "placed_in_order",
        row: "order number",
        sql: "SELECT number, placed_at, before FROM (
           SELECT number, placed_at, lag(placed_at) OVER (ORDER BY number) AS before FROM orders
           WHERE number IS NOT NULL AND placed_at >= created_at
             AND number NOT IN (SELECT number FROM order_number_jumps))
         WHERE placed_at < before LIMIT 1",
    },
    Rule {
        name: "order_statuses",
        row: "order row",
        sql: "SELECT seq, status || ' and ' || payment_status, expected_status || ' and ' || expected_payment_status FROM (
           SELECT seq, status, payment_status, confirmed_at, fulfilled_at, cancelled_at,
             CASE WHEN cancelled_at IS NOT NULL THEN 'cancelled' WHEN fulfilled_at IS NOT NULL THEN 'fulfilled'
               WHEN confirmed_at IS NOT NULL THEN 'confirmed' WHEN placed_at IS NOT NULL THEN 'pending'
               ELSE 'draft' END AS expected_status,
             CASE WHEN paid_amount > 0 AND held = 0 THEN 'refunded' WHEN held > owed THEN 'overpaid'
               WHEN held = owed AND refunded_amount > 0 AND credited_amount > 0 THEN 'partially_refunded'
               WHEN held = owed THEN 'paid' WHEN held > 0 THEN 'partially_paid'
               ELSE 'unpaid' END AS expected_payment_status
           FROM (SELECT *, paid_amount - refunded_amount AS held, total_amount - credited_amount AS owed FROM orders))
         WHERE status <> expected_status OR payment_status <> expected_payment_status LIMIT 1",
    },
    // An order that an import brought along was placed before it was created here.
    Rule {
        name: "order_times",
        row: "order row",
        sql: "SELECT seq, concat_ws(' ', created_at, placed_at, confirmed_at, fulfilled_at, cancelled_at, updated_at),
           'one after the other'
         FROM orders WHERE (number IS NULL) <> (placed_at IS NULL) OR (confirmed_at IS NOT NULL AND placed_at IS NULL)
           OR (fulfilled_at IS NOT NULL AND (confirmed_at IS NULL OR cancelled_at IS NOT NULL))
           OR confirmed_at < placed_at OR fulfilled_at < confirmed_at
           OR cancelled_at < coalesce(confirmed_at, placed_at) OR updated_at < created_at
           OR updated_at < coalesce(cancelled_at, fulfilled_at, confirmed_at, placed_at) LIMIT 1",
    },
    Rule {
        name: "refunds_of_orders",
        row: "order row",
        sql: "SELECT order_seq, refunds, payments FROM (
           SELECT order_seq, sum(amount) FILTER (WHERE kind = 'refund' AND status IN ('succeeded', 'pending')) AS refunds,
             coalesce(sum(amount) FILTER (WHERE kind = 'payment' AND status = 'succeeded'), 0) AS payments
           FROM transactions GROUP BY order_seq) WHERE refunds > payments LIMIT 1",
    },
    Rule {
        name: "credits_of_refunds",
        row: "transaction row",
        sql: "SELECT seq, credit_amount || ' and ' || credit_tax_amount, credit || ' and ' || tax FROM (
           SELECT seq, credit_amount, credit_tax_amount,
             (SELECT coalesce(sum((c.value ->> 1) + (c.value ->> 2)), 0) FROM json_each(credit_taxes) c) AS credit,
             (SELECT coalesce(sum(c.value ->> 2), 0) FROM json_each(credit_taxes) c) AS tax
           FROM transactions)
         WHERE credit_amount <> credit OR credit_tax_amount <> tax LIMIT 1",
    },
    Rule {
        name: "refunds_of_payments",
        row: "transaction row",
        sql: "SELECT seq, refunds, payment FROM (
           SELECT p.seq, iif(p.kind = 'payment' AND p.status = 'succeeded', p.amount, 0) AS payment,
             (SELECT sum(r.amount) FROM transactions r WHERE r.order_seq = p.order_seq AND r.payment_seq = p.seq
               AND r.status IN ('succeeded', 'pending')) AS refunds FROM transactions p)
         WHERE refunds > payment LIMIT 1",
    },
    Rule {
        name: "refunds_name_payments",
        row: "transaction row",
        sql: "SELECT r.seq, r.payment_seq, 'a payment of the same order' FROM transactions r
         LEFT JOIN transactions p ON p.seq = r.payment_seq
         WHERE r.payment_seq IS NOT NULL AND (p.order_seq, p.kind) IS NOT (r.order_seq, 'payment') LIMIT 1",
    },
    Rule {
        name: "transaction_rows",
        row: "transaction row",
        sql: "SELECT seq, seq, expected FROM (SELECT seq, row_number() OVER (ORDER BY seq) AS expected FROM transactions)
         WHERE seq <> expected LIMIT 1",
    },
];
