-- The current schema of an orderd database. New files are created from this text. src/store/schema.rs lists the
-- migrations from earlier versions, and a test proves that they lead to the same schema.
--
-- Conventions:
--   * Times are milliseconds since 1970-01-01T00:00:00Z. Amounts are minor units of the order's currency.
--   * Identifiers are the 16 bytes of a UUIDv7, and trace ids the 16 bytes of a W3C trace id: half the size of their
--     text.
--   * `seq` is the rowid. Other tables refer to it: it has a quarter of the size of an identifier, and is in the order
--     of creation.
--   * Every table is STRICT. Constraints on words compare with OR: for IN, SQLite fills a temporary table at every
--     insert.
--   * Each index is preceded by the queries that it serves.

PRAGMA application_id = 0x6f726464;  -- "ordd"
PRAGMA user_version = 1;

-- ── The mark of the last commit ──────────────────────────────────────────────────────────────────────────────────────

-- Ties the file to its write-ahead log, so that a log beside another copy of the file is recognised:
-- `src/store/mark.rs`. One row, changed by every commit. The table comes first, so that its page keeps its number when
-- the file is vacuumed.
CREATE TABLE log_mark (
  one      INTEGER PRIMARY KEY CONSTRAINT there_is_one_row CHECK (one = 1),
  mark     BLOB NOT NULL CONSTRAINT mark_has_16_bytes CHECK (length(mark) = 16),          -- random
  previous BLOB NOT NULL CONSTRAINT previous_has_16_bytes CHECK (length(previous) = 16)   -- of the commit before
) STRICT;
INSERT INTO log_mark (one, mark, previous) VALUES (1, randomblob(16), zeroblob(16));

-- ── Personal data ────────────────────────────────────────────────────────────────────────────────────────────────────

-- What identifies a person, apart from the rows that it belongs to, so that it can be erased where these have to stay:
-- customers, notes and reasons of orders, names and addresses of users, and where they logged in from. Rows and events
-- refer to a row here, and the hash chains cover its digest and not its content.
--
-- A row never moves: it is added at the end, and erasing overwrites it in place with blanks of the same length, a salt
-- of zeros too, so that the digest tells nothing. So no page keeps an older copy of it.
CREATE TABLE personal (
  seq      INTEGER PRIMARY KEY,
  user_seq INTEGER REFERENCES users (seq) DEFERRABLE INITIALLY DEFERRED,  -- whose; NULL for what belongs to an order
  salt     BLOB NOT NULL CONSTRAINT salt_has_16_bytes CHECK (length(salt) = 16),
  digest   BLOB NOT NULL CONSTRAINT digest_has_16_bytes CHECK (length(digest) = 16),  -- of salt and content
  content  TEXT NOT NULL                                              -- JSON object; blanks once it is erased
) STRICT;
-- Erasing what belongs to a user. What belongs to an order is found by its events.
CREATE INDEX personal_by_user ON personal (user_seq) WHERE user_seq IS NOT NULL;
CREATE TRIGGER personal_data_is_only_erased BEFORE UPDATE ON personal
WHEN new.seq <> old.seq OR new.user_seq IS NOT old.user_seq OR new.digest <> old.digest OR new.salt <> zeroblob(16)
  OR trim(new.content) <> '' OR length(CAST(new.content AS BLOB)) <> length(CAST(old.content AS BLOB))
BEGIN SELECT raise(ABORT, 'personal data does not change; it can only be erased'); END;
CREATE TRIGGER personal_data_is_not_deleted BEFORE DELETE ON personal
BEGIN SELECT raise(ABORT, 'personal data is erased in place'); END;

-- The key of the digests of e-mail addresses in `users`: one row, made with the file.
CREATE TABLE email_digest_key (key BLOB NOT NULL CONSTRAINT key_has_32_bytes CHECK (length(key) = 32)) STRICT;
INSERT INTO email_digest_key (key) VALUES (randomblob(32));

-- ── Users and access ───────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE users (
  seq           INTEGER PRIMARY KEY,                                  -- the dimension of the user in the rollups
  id            BLOB NOT NULL CONSTRAINT user_id_is_unique UNIQUE
                CONSTRAINT user_id_is_a_uuid CHECK (length(id) = 16),
  email_digest  BLOB CONSTRAINT email_is_unique UNIQUE,               -- keyed, for log-in; NULL once erased
  personal_seq  INTEGER NOT NULL REFERENCES personal (seq),           -- {email, name}; the address in lower case, NFC
  role          TEXT NOT NULL,                                        -- a built-in role, or one of `roles`
  status        TEXT NOT NULL CONSTRAINT user_status_is_known CHECK (status = 'active' OR status = 'disabled'),
  password_hash TEXT,                                                 -- argon2id in PHC format; NULL before the first one
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL,
  last_login_at INTEGER
) STRICT;
-- Whether a role is in use; whether another active administrator remains.
CREATE INDEX users_by_role ON users (role, status);

-- Erased users whose orders are not all erased yet. The orders of an account are erased in several transactions if they
-- are many, so that others can write in between. The row is there from the first to the last, so that a server goes on
-- after a crash.
CREATE TABLE unfinished_erasures (
  user_id   BLOB NOT NULL PRIMARY KEY REFERENCES users (id),
  order_seq INTEGER NOT NULL                                          -- the orders up to this one are erased
) STRICT, WITHOUT ROWID;

-- Reset tokens, with which users set a password without knowing the old one; the newest of each user. Only the SHA-256
-- is stored.
CREATE TABLE password_resets (
  user_id    BLOB NOT NULL PRIMARY KEY REFERENCES users (id),
  digest     BLOB NOT NULL CONSTRAINT reset_digest_is_unique UNIQUE,  -- finds the user
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Second factors (RFC 6238). The secret is encrypted with a key that is in the key file and not here.
CREATE TABLE second_factors (
  user_id       BLOB NOT NULL PRIMARY KEY REFERENCES users (id),
  sealed_secret BLOB NOT NULL,
  confirmed_at  INTEGER,                                              -- when the first code came; in force from then on
  last_step     INTEGER NOT NULL                                      -- of the latest code; earlier codes are used up
) STRICT, WITHOUT ROWID;

-- Recovery codes that are not used yet, as SHA-256.
CREATE TABLE recovery_codes (
  user_id BLOB NOT NULL REFERENCES second_factors (user_id) ON DELETE CASCADE,
  digest  BLOB NOT NULL,
  PRIMARY KEY (user_id, digest)
) STRICT, WITHOUT ROWID;

-- Sign-ins by OpenID Connect that are under way. A journey to the provider is used once; the claim that it leads to
-- gives the browser that has the cookie the other half of its session, once.
CREATE TABLE oidc_sign_ins (
  journey          BLOB NOT NULL PRIMARY KEY,
  forget_at        INTEGER NOT NULL,                                  -- when neither can be used any more
  claim_digest     BLOB CONSTRAINT claim_digest_is_unique UNIQUE,     -- finds the row; NULL before and after its use
  cookie_digest    BLOB,
  user_id          BLOB REFERENCES users (id),
  claim_expires_at INTEGER
) STRICT, WITHOUT ROWID;
-- Deleting journeys that are over.
CREATE INDEX oidc_sign_ins_by_end ON oidc_sign_ins (forget_at);

-- Custom roles. Built-in roles are part of the program and cannot be changed.
CREATE TABLE roles (
  name        TEXT NOT NULL PRIMARY KEY,
  permissions TEXT NOT NULL,                                          -- names, separated by spaces
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A session is a log-in: of a program, with its chain of refresh tokens, or of a browser, with a cookie and a console
-- key that never change. Only the SHA-256 of each secret is stored.
CREATE TABLE sessions (
  id                 BLOB NOT NULL PRIMARY KEY CONSTRAINT session_id_is_a_uuid CHECK (length(id) = 16),
  user_id            BLOB NOT NULL REFERENCES users (id),
  refresh_digest     BLOB CONSTRAINT refresh_digest_is_unique UNIQUE, -- the valid token; finds the session
  previous_digest    BLOB,                                            -- the token before it; using it again is reuse
  rotated_at         INTEGER,                                         -- when the previous token was used
  cookie_digest      BLOB,
  console_key_digest BLOB,
  by_provider        INTEGER NOT NULL CHECK (by_provider IN (0, 1)),  -- by OpenID Connect: needs no second factor
  created_at         INTEGER NOT NULL,
  last_used_at       INTEGER NOT NULL,
  expires_at         INTEGER NOT NULL,
  personal_seq       INTEGER REFERENCES personal (seq),               -- {ip, user_agent}; erased with the session
  CONSTRAINT a_session_belongs_to_a_program_or_a_browser CHECK (
    (refresh_digest IS NULL) = (cookie_digest IS NOT NULL) AND (cookie_digest IS NULL) = (console_key_digest IS NULL))
) STRICT, WITHOUT ROWID;
-- A user's sessions, newest first; ending them with the user or after a new password.
CREATE INDEX sessions_by_user ON sessions (user_id, id);
-- Deleting expired sessions.
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Refresh tokens that were replaced. Using one of them again is recognised as reuse and ends its session.
CREATE TABLE used_refresh_tokens (
  digest     BLOB NOT NULL PRIMARY KEY,
  session_id BLOB NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  used_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Deleting a session's used tokens, with the session or when they would have expired.
CREATE INDEX used_refresh_tokens_by_session ON used_refresh_tokens (session_id, used_at);

CREATE TABLE api_keys (
  id           BLOB NOT NULL PRIMARY KEY CONSTRAINT key_id_is_a_uuid CHECK (length(id) = 16),
  name         TEXT NOT NULL,
  digest       BLOB NOT NULL CONSTRAINT key_digest_is_unique UNIQUE,  -- SHA-256 of the secret
  prefix       TEXT NOT NULL,                                         -- the first characters of the secret
  permissions  TEXT NOT NULL,                                         -- names, separated by spaces
  created_by   BLOB NOT NULL REFERENCES users (id),
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER,
  last_used_at INTEGER
) STRICT, WITHOUT ROWID;

-- ── Orders ─────────────────────────────────────────────────────────────────────────────────────────────────────────

-- src/store/orders/columns.rs has a line for each column.
CREATE TABLE orders (
  seq                   INTEGER PRIMARY KEY,                          -- the default list, newest first
  id                    BLOB NOT NULL CONSTRAINT order_id_is_unique UNIQUE
                        CONSTRAINT order_id_is_a_uuid CHECK (length(id) = 16),
  number                INTEGER,                                      -- drafts have none; see order_number_jumps
  status                TEXT NOT NULL CONSTRAINT order_status_is_known
                        CHECK (status = 'draft' OR status = 'pending' OR status = 'confirmed' OR status = 'fulfilled'
                               OR status = 'cancelled'),
  payment_status        TEXT NOT NULL CONSTRAINT payment_status_is_known
                        CHECK (payment_status = 'unpaid' OR payment_status = 'partially_paid' OR payment_status = 'paid'
                               OR payment_status = 'overpaid' OR payment_status = 'partially_refunded'
                               OR payment_status = 'refunded'),
  currency              TEXT NOT NULL CONSTRAINT currency_has_three_letters CHECK (length(currency) = 3),
  user_id               BLOB REFERENCES users (id),
  external_ref          TEXT,
  prices_include_tax    INTEGER NOT NULL CONSTRAINT prices_include_tax_is_a_flag
                        CHECK (prices_include_tax IN (0, 1)),
  fees                  TEXT NOT NULL,                                -- JSON array; src/store/orders/row.rs has the form
  subtotal_amount       INTEGER NOT NULL CONSTRAINT subtotal_is_not_negative CHECK (subtotal_amount >= 0),
  order_discount_amount INTEGER NOT NULL,
  discount_amount       INTEGER NOT NULL CONSTRAINT discount_includes_the_order_discount
                        CHECK (discount_amount >= order_discount_amount AND order_discount_amount >= 0),
  fee_amount            INTEGER NOT NULL CONSTRAINT fee_is_not_negative CHECK (fee_amount >= 0),
  tax_amount            INTEGER NOT NULL CONSTRAINT tax_is_not_negative CHECK (tax_amount >= 0),
  total_amount          INTEGER NOT NULL CONSTRAINT total_is_an_exact_json_number
                        CHECK (total_amount BETWEEN 0 AND 9007199254740991),
  paid_amount           INTEGER NOT NULL,
  refunded_amount       INTEGER NOT NULL CONSTRAINT refunds_never_exceed_payments
                        CHECK (refunded_amount BETWEEN 0 AND paid_amount),
  credited_amount       INTEGER NOT NULL CONSTRAINT credits_never_exceed_the_total  -- by succeeded refunds
                        CHECK (credited_amount BETWEEN 0 AND total_amount),
  credited_tax_amount   INTEGER NOT NULL CONSTRAINT credited_tax_never_exceeds_the_tax
                        CHECK (credited_tax_amount BETWEEN 0 AND min(tax_amount, credited_amount)),
  personal_seq          INTEGER REFERENCES personal (seq),            -- {customer, note, cancel_reason}
  metadata              TEXT NOT NULL,                                -- JSON object of strings
  version               INTEGER NOT NULL,                             -- the number of the order's events
  created_by            TEXT NOT NULL,
  created_at            INTEGER NOT NULL,
  updated_at            INTEGER NOT NULL,
  placed_at             INTEGER,
  confirmed_at          INTEGER,
  fulfilled_at          INTEGER,
  cancelled_at          INTEGER,
  CONSTRAINT total_is_the_sum_of_its_parts
    CHECK (total_amount = subtotal_amount - discount_amount + fee_amount + iif(prices_include_tax, 0, tax_amount)),
  CONSTRAINT placed_orders_have_numbers CHECK ((number IS NULL) = (placed_at IS NULL)),
  CONSTRAINT drafts_are_not_placed CHECK (status <> 'draft' OR placed_at IS NULL),
  CONSTRAINT live_orders_are_placed CHECK (status = 'draft' OR status = 'cancelled' OR placed_at IS NOT NULL),
  CONSTRAINT cancelled_orders_have_a_time CHECK ((status = 'cancelled') = (cancelled_at IS NOT NULL))
) STRICT;
-- GET /v1/orders/number/{number}; also enforces that a number is given once.
CREATE UNIQUE INDEX orders_by_number ON orders (number) WHERE number IS NOT NULL;
-- GET /v1/orders/ref/{external_ref} and the import; also enforces that a reference is used once.
CREATE UNIQUE INDEX orders_by_external_ref ON orders (external_ref) WHERE external_ref IS NOT NULL;
-- The last order that an import brought along with its history: the names of items in reports. Other orders have no
-- entry.
CREATE INDEX orders_brought_along ON orders (seq) WHERE placed_at < created_at;
-- Lists by status, payment status or both, newest first: each pair of them is one range of this index.
CREATE INDEX orders_by_status ON orders (status, payment_status, seq);
-- Synchronisation: sort=updated_at with updated_from.
CREATE INDEX orders_by_update ON orders (updated_at, seq);
-- sort=placed_at, with placed_from and placed_to. Orders that were never placed are one range of it, with NULL. An
-- entry lands at the end, unless an order is imported.
CREATE INDEX orders_by_placing ON orders (placed_at, seq);
-- sort=total_amount. Totals are sorted within blocks of 1,024 orders, and a page merges the blocks: 1,000 look-ups for
-- a million orders. A new order's entry lands in the newest block, which is in memory. An index over all orders would
-- change a page anywhere for each order, and cost some 15 % of the write rate.
CREATE INDEX orders_by_total ON orders (seq >> 10, total_amount, seq);
-- There is no index for the filters currency, total_min, total_max, customer_email, metadata.<key> and q, nor for
-- updated_from, placed_from and placed_to unless the list is sorted by that time: each would cost every order an entry
-- or more. They are tested row by row on the rows that the other filters leave, as a long query with a time limit.

-- The orders of each user: a customer's own orders, and lists by user_id. An entry begins in the block of the newest
-- 2,048 orders, numbered from 1, so that a batch of orders of many customers changes a few pages and not one for each.
-- Some hundreds at a time, of users with numbers next to each other, go on to block 0, which has all earlier orders
-- sorted by user. An index over all orders had four tenths of the pages that such a batch changed.
-- src/store/orders/of_users.rs keeps it.
CREATE TABLE orders_of_users (
  block     INTEGER NOT NULL,
  user_seq  INTEGER NOT NULL,                                         -- users.seq
  order_seq INTEGER NOT NULL,                                         -- orders.seq
  CONSTRAINT an_entry_is_sorted_or_in_the_block_of_its_order CHECK (block = 0 OR block = (order_seq >> 11) + 1),
  PRIMARY KEY (block, user_seq, order_seq)
) STRICT, WITHOUT ROWID;

-- Numbers have no gaps, except below the numbers in this table: those that did not follow the highest number when they
-- were given. An import brought them along, or `orders.first_number` began a new series. An import of numbers that
-- ascend one by one adds no row.
CREATE TABLE order_number_jumps (
  number INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE order_items (
  order_seq                 INTEGER NOT NULL REFERENCES orders (seq),
  line                      INTEGER NOT NULL,                         -- from 0
  id                        BLOB NOT NULL CONSTRAINT item_id_is_a_uuid CHECK (length(id) = 16),
  sku                       TEXT NOT NULL,
  name                      TEXT NOT NULL,
  quantity                  INTEGER NOT NULL CONSTRAINT quantity_is_positive CHECK (quantity >= 1),
  returned_quantity         INTEGER NOT NULL CHECK (returned_quantity >= 0),  -- by succeeded refunds
  reserved_quantity         INTEGER NOT NULL CHECK (reserved_quantity >= 0),  -- by pending refunds
  unit_amount               INTEGER NOT NULL CONSTRAINT unit_is_not_negative CHECK (unit_amount >= 0),
  discount_amount           INTEGER NOT NULL CONSTRAINT line_discount_is_not_negative CHECK (discount_amount >= 0),
  allocated_discount_amount INTEGER NOT NULL CONSTRAINT share_of_the_order_discount_is_not_negative
                            CHECK (allocated_discount_amount >= 0),
  tax_rate                  INTEGER,                                  -- ten-thousandths of a percent
  tax_amount                INTEGER NOT NULL CONSTRAINT line_tax_is_not_negative CHECK (tax_amount >= 0),
  total_amount              INTEGER NOT NULL CONSTRAINT line_total_is_the_sum_of_its_parts CHECK (
    total_amount - (quantity * unit_amount - discount_amount - allocated_discount_amount) IN (0, tax_amount)),
  credited_amount           INTEGER NOT NULL,                         -- for goods that came back, by refunds that
  credited_tax_amount       INTEGER NOT NULL,                         -- succeeded or are pending
  CONSTRAINT no_more_comes_back_than_was_ordered CHECK (returned_quantity + reserved_quantity <= quantity),
  CONSTRAINT goods_are_credited_at_most_in_full CHECK (
    credited_amount BETWEEN 0 AND total_amount AND credited_tax_amount BETWEEN 0 AND min(tax_amount, credited_amount)),
  PRIMARY KEY (order_seq, line)
) STRICT, WITHOUT ROWID;
-- The filter `sku`, and the names in the report on items. SKUs are sorted within blocks of 512 orders, and a look-up
-- walks the blocks. New lines land in the newest block, so that a batch of orders changes a few pages and not one for
-- each line.
CREATE INDEX order_items_by_sku ON order_items (order_seq >> 9, sku, order_seq);

-- What refunds credited of an order at each tax rate, beside the net amount and tax of the order at that rate: the sums
-- against which every credit is checked. A rate of which nothing is credited has no row: the taxes of an order follow
-- from its items and fees. The rows of an order are written after its items.
CREATE TABLE order_credits (
  order_seq           INTEGER NOT NULL REFERENCES orders (seq),
  tax_rate            INTEGER NOT NULL,                               -- ten-thousandths of a percent; -1 without a rate
  net_amount          INTEGER NOT NULL,
  tax_amount          INTEGER NOT NULL,
  credited_net_amount INTEGER NOT NULL CHECK (credited_net_amount >= 0),  -- by succeeded refunds
  credited_tax_amount INTEGER NOT NULL CHECK (credited_tax_amount >= 0),
  reserved_net_amount INTEGER NOT NULL CHECK (reserved_net_amount >= 0),  -- by pending refunds
  reserved_tax_amount INTEGER NOT NULL CHECK (reserved_tax_amount >= 0),
  CONSTRAINT credits_never_exceed_the_net_amount CHECK (credited_net_amount + reserved_net_amount <= net_amount),
  CONSTRAINT credits_never_exceed_the_tax CHECK (credited_tax_amount + reserved_tax_amount <= tax_amount),
  PRIMARY KEY (order_seq, tax_rate)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER credits_are_of_a_rate_of_the_order AFTER INSERT ON order_credits
BEGIN
  SELECT raise(ABORT, 'the items and fees at a tax rate do not add up to the amounts beside its credits')
  FROM (
    SELECT coalesce(sum(net), 0) AS net, coalesce(sum(tax), 0) AS tax FROM (
      SELECT total_amount - tax_amount AS net, tax_amount AS tax FROM order_items
      WHERE order_seq = new.order_seq AND coalesce(tax_rate, -1) = new.tax_rate
      UNION ALL
      SELECT (fee.value ->> 'total_amount') - (fee.value ->> 'tax_amount'), fee.value ->> 'tax_amount'
      FROM orders o, json_each(o.fees) fee
      WHERE o.seq = new.order_seq
        AND coalesce(CAST(round((fee.value ->> 'tax_rate') * 10000) AS INTEGER), -1) = new.tax_rate))
  WHERE net <> new.net_amount OR tax <> new.tax_amount;
END;

-- ── Payments and refunds ───────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE transactions (
  seq          INTEGER PRIMARY KEY,
  id           BLOB NOT NULL CONSTRAINT transaction_id_is_unique UNIQUE
               CONSTRAINT transaction_id_is_a_uuid CHECK (length(id) = 16),
  order_seq    INTEGER NOT NULL REFERENCES orders (seq),
  kind         TEXT NOT NULL CONSTRAINT kind_is_known CHECK (kind = 'payment' OR kind = 'refund'),
  status       TEXT NOT NULL CONSTRAINT transaction_status_is_known
               CHECK (status = 'pending' OR status = 'succeeded' OR status = 'failed' OR status = 'voided'
                      OR status = 'reversed'),
  amount       INTEGER NOT NULL CONSTRAINT amount_is_not_negative CHECK (amount >= 0),
  -- How much less the order owes because of a refund, and the tax in that.
  credit_amount     INTEGER NOT NULL CONSTRAINT only_refunds_credit
                    CHECK (credit_amount >= 0 AND (kind = 'refund' OR credit_amount = 0)),
  credit_tax_amount INTEGER NOT NULL CONSTRAINT credit_includes_its_tax
                    CHECK (credit_tax_amount BETWEEN 0 AND credit_amount),
  credit_taxes TEXT NOT NULL,                                         -- JSON; src/store/transactions/credits.rs has the forms
  items        TEXT,                                                  -- JSON: the goods that came back
  provider     TEXT,
  provider_ref TEXT,
  payment_seq  INTEGER REFERENCES transactions (seq) CONSTRAINT only_refunds_name_payments
               CHECK (payment_seq IS NULL OR kind = 'refund'),
  personal_seq INTEGER REFERENCES personal (seq),                     -- {reason}
  occurred_at  INTEGER NOT NULL,
  recorded_at  INTEGER NOT NULL,
  reversed_at  INTEGER CONSTRAINT reversed_transactions_have_a_time
               CHECK ((status = 'reversed') = (reversed_at IS NOT NULL)),
  CONSTRAINT payments_are_of_money CHECK (amount > 0 OR kind = 'refund')
) STRICT;
-- An order's transactions, oldest first; the sums against which every refund is checked.
CREATE INDEX transactions_by_order ON transactions (order_seq, seq);
-- Enforces that a provider's transaction is recorded once. One that failed, was voided or was reversed frees its
-- reference.
CREATE UNIQUE INDEX transactions_by_provider_ref ON transactions (provider_ref, provider, kind)
  WHERE provider_ref IS NOT NULL AND provider IS NOT NULL AND (status = 'pending' OR status = 'succeeded');
-- GET /v1/transactions?provider_ref= finds those rows by the index above, and the others by this one.
CREATE INDEX transactions_by_other_ref ON transactions (provider_ref, seq)
  WHERE provider_ref IS NOT NULL AND (provider IS NULL OR status = 'failed' OR status = 'voided' OR status = 'reversed');
-- GET /v1/transactions?status=, newest first: each status but `succeeded`, which nearly all have.
CREATE INDEX transactions_by_rare_status ON transactions (status, seq) WHERE status <> 'succeeded';
-- The filters kind, status=succeeded, provider, currency, amount_min, amount_max, occurred_from and occurred_to have no
-- index: each would cost every transaction an entry. They are tested row by row, as a long query with a time limit.

-- A transaction is never deleted. A pending one is resolved: a payment for its amount or less, a refund for its amount.
-- A succeeded one can be reversed, and keeps what it was.
CREATE TRIGGER transactions_are_kept BEFORE DELETE ON transactions
BEGIN SELECT raise(ABORT, 'transactions are never deleted'); END;
CREATE TRIGGER resolved_transactions_stay BEFORE UPDATE ON transactions
WHEN old.order_seq <> new.order_seq OR old.kind <> new.kind OR CASE old.status
  WHEN 'pending' THEN new.status = 'reversed' OR new.amount > old.amount
    OR (new.amount < old.amount AND old.kind = 'refund') OR new.credit_amount NOT IN (0, old.credit_amount)
  WHEN 'succeeded' THEN new.status <> 'reversed' OR new.amount <> old.amount OR new.occurred_at <> old.occurred_at
    OR new.credit_amount <> old.credit_amount OR new.credit_tax_amount <> old.credit_tax_amount
    OR new.credit_taxes <> old.credit_taxes OR new.items IS NOT old.items
  ELSE 1 END
BEGIN SELECT raise(ABORT, 'a resolved transaction does not change'); END;

-- ── History ────────────────────────────────────────────────────────────────────────────────────────────────────────

-- The history of all orders, in one sequence without gaps. An event of an order has a document: the whole order as it
-- was answered then, with null for what is in `personal`. Put together they serve as the content of the feed, as the
-- response of an idempotent replay, and as evidence of changed rows.
--
-- `data` is the document in short: codes stand for phrases of `event_phrases` and for what the row says already, and
-- after char(1) come only the members that differ from those of the order's first document. src/store/events/codec.rs
-- encodes and decodes it, and so does the view `v_events`.
CREATE TABLE events (
  seq         INTEGER PRIMARY KEY,                                    -- from 1; GET /v1/events
  id          BLOB NOT NULL CONSTRAINT event_id_is_a_uuid CHECK (length(id) = 16),
  kind        INTEGER NOT NULL CONSTRAINT kind_of_event_is_known CHECK (kind BETWEEN 0 AND 10),
  type        TEXT GENERATED ALWAYS AS
              (CASE kind WHEN 0 THEN 'order.created'
               WHEN 1 THEN 'order.updated'
               WHEN 2 THEN 'order.placed'
               WHEN 3 THEN 'order.confirmed'
               WHEN 4 THEN 'order.fulfilled'
               WHEN 5 THEN 'order.cancelled'
               WHEN 6 THEN 'order.erased'
               WHEN 7 THEN 'payment.recorded'
               WHEN 8 THEN 'payment.updated'
               WHEN 9 THEN 'refund.recorded'
               WHEN 10 THEN 'refund.updated' END),
  order_seq   INTEGER NOT NULL REFERENCES orders (seq),
  version     INTEGER NOT NULL,
  actor       TEXT NOT NULL,
  request_id  TEXT NOT NULL,
  trace_id    BLOB CONSTRAINT event_trace_has_16_bytes CHECK (length(trace_id) = 16),  -- only if the client sent it
  occurred_at INTEGER NOT NULL,
  data        TEXT NOT NULL,                                          -- the document in short
  personal_seq INTEGER REFERENCES personal (seq),                     -- what replaces null in it
  hash        BLOB NOT NULL         -- SHA-256 over the row with its document, the digest of the personal data, and the hash before it
) STRICT;
-- GET /v1/orders/{id}/events.
CREATE UNIQUE INDEX events_by_order ON events (order_seq, version);
-- Each change of an order ends with its event. Then the parts of the order have to add up to it. This is checked here
-- and not at each item, which would take a third of the time of writing an order. Fees are added up only if there are
-- any, since reading JSON takes longer than the rest.
CREATE TRIGGER parts_of_an_order_add_up AFTER INSERT ON events
BEGIN
  SELECT raise(ABORT, 'the items and fees of an order do not add up to it')
  FROM orders o,
    (SELECT sum(quantity * unit_amount) AS subtotal, sum(discount_amount) AS discount,
       sum(allocated_discount_amount) AS allocated, sum(tax_amount) AS tax, sum(total_amount) AS total
     FROM order_items WHERE order_seq = new.order_seq) i
  WHERE o.seq = new.order_seq
    AND (i.subtotal IS NOT o.subtotal_amount OR i.allocated <> o.order_discount_amount
      OR i.discount + i.allocated <> o.discount_amount
      OR i.tax <> o.tax_amount
        - iif(o.fees = '[]', 0, (SELECT coalesce(sum(value ->> 'tax_amount'), 0) FROM json_each(o.fees)))
      OR i.total <> o.total_amount
        - iif(o.fees = '[]', 0, (SELECT coalesce(sum(value ->> 'total_amount'), 0) FROM json_each(o.fees))));
END;
CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events BEGIN SELECT raise(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events BEGIN SELECT raise(ABORT, 'events are append-only'); END;

-- The phrases of documents and their codes in `events.data`, for the views below. The program has the same ones in
-- src/store/events/codec/phrases.rs. In a phrase char(2) is the order's identifier, char(3) the time of the event,
-- char(4) the digits that identifiers of that time begin with, and char(5) the actor.
CREATE TABLE event_phrases (
  n      INTEGER PRIMARY KEY,                                         -- from 0
  phrase TEXT NOT NULL,
  code   TEXT GENERATED ALWAYS AS (iif(n < 18, char(14 + n), char(7, 15 + n)))
) STRICT;
INSERT INTO event_phrases (n, phrase)
SELECT column1, replace(replace(replace(replace(column2,
  '<order>', char(2)), '<time>', char(3)), '<id time>', char(4)), '<actor>', char(5))
FROM (
  VALUES (0, '{"id":"<order>","number":'),
    (1, ',"discount_amount":0,"allocated_discount_amount":0,"tax_rate":"'),
    (2, '","sku":"'),
    (3, '","name":"'),
    (4, '","quantity":1,"returned_quantity":0,"unit_amount":'),
    (5, '","tax_amount":'),
    (6, ',"total_amount":'),
    (7, '},{"id":"itm_<id time>'),
    (8, ',"order_discount_amount":0,"discount_amount":0,"fee_amount":0,"tax_amount":'),
    (9, ',"taxes":[{"tax_rate":"'),
    (10, '","net_amount":'),
    (11, ',"paid_amount":0,"refunded_amount":0,"credited_amount":0,"credited_tax_amount":0,"balance_amount":'),
    (12, '},"version":1,"allowed_transitions":["confirm","cancel"],"created_by":"<actor>","created_at":"<time>","updated_at":"<time>","placed_at":"<time>","confirmed_at":null,"fulfilled_at":null,"cancelled_at":null,"cancel_reason":null}'),
    (13, ',"customer":null,"note":null,"metadata":{'),
    (14, '{"id":"txn_<id time>'),
    (15, '","order_id":"<order>","order_number":'),
    (16, ',"reason":null,"occurred_at":"<time>","recorded_at":"<time>","reversed_at":null,"order":{"id":"<order>","version":'),
    (17, '","provider_ref":null,"payment_id":null'),
    (18, ',"status":"pending","payment_status":"unpaid","currency":"EUR","prices_include_tax":true,"user_id":null'),
    (19, ',"status":"pending","payment_status":"unpaid","currency":"'),
    (20, 'null,"status":"draft","payment_status":"unpaid","currency":"'),
    (21, '","prices_include_tax":true,"user_id":null'),
    (22, '","prices_include_tax":false,"user_id":null'),
    (23, '","prices_include_tax":true,"user_id":"<actor>"'),
    (24, '","prices_include_tax":false,"user_id":"<actor>"'),
    (25, '","prices_include_tax":true,"user_id":"usr_'),
    (26, '","prices_include_tax":false,"user_id":"usr_'),
    (27, ',"external_ref":null,"items":[{"id":"itm_<id time>'),
    (28, '","external_ref":null,"items":[{"id":"itm_<id time>'),
    (29, ',"external_ref":"'),
    (30, '","items":[{"id":"itm_<id time>'),
    (31, '","quantity":'),
    (32, ',"returned_quantity":0,"unit_amount":'),
    (33, ',"returned_quantity":'),
    (34, ',"unit_amount":'),
    (35, ',"discount_amount":0,"allocated_discount_amount":0,"tax_rate":null,"tax_amount":0,"total_amount":'),
    (36, ',"allocated_discount_amount":0,"tax_rate":"'),
    (37, ',"discount_amount":'),
    (38, ',"allocated_discount_amount":'),
    (39, ',"tax_rate":"'),
    (40, ',"tax_rate":null,"tax_amount":0,"total_amount":'),
    (41, '}],"fees":[],"subtotal_amount":'),
    (42, '}],"fees":[{"name":"Shipping","amount":'),
    (43, '}],"fees":[{"name":"'),
    (44, '","amount":'),
    (45, '}],"subtotal_amount":'),
    (46, ',"order_discount_amount":0,"discount_amount":'),
    (47, ',"order_discount_amount":'),
    (48, ',"fee_amount":0,"tax_amount":'),
    (49, ',"fee_amount":'),
    (50, ',"tax_amount":'),
    (51, ',"taxes":[],"total_amount":'),
    (52, ',"taxes":[{"tax_rate":null,"net_amount":'),
    (53, '},{"tax_rate":"'),
    (54, '}],"total_amount":'),
    (55, ',"paid_amount":'),
    (56, ',"refunded_amount":'),
    (57, ',"credited_amount":'),
    (58, ',"credited_tax_amount":'),
    (59, ',"balance_amount":'),
    (60, ',"refunded_amount":0,"credited_amount":0,"credited_tax_amount":0,"balance_amount":'),
    (61, '},"version":1,"allowed_transitions":["place","cancel"],"created_by":"<actor>","created_at":"<time>","updated_at":"<time>","placed_at":null'),
    (62, ',"confirmed_at":null,"fulfilled_at":null,"cancelled_at":null,"cancel_reason":null}'),
    (63, '"status":"confirmed"'),
    (64, '"status":"fulfilled"'),
    (65, '"status":"cancelled"'),
    (66, ',"payment_status":"paid","paid_amount":'),
    (67, '"payment_status":"'),
    (68, ',"payment_status":"'),
    (69, '"metadata":{'),
    (70, ',"version":'),
    (71, '"version":'),
    (72, ',"allowed_transitions":["fulfil","cancel"],"updated_at":"<time>"'),
    (73, ',"allowed_transitions":[],"updated_at":"<time>"'),
    (74, ',"allowed_transitions":["confirm","cancel"],"updated_at":"<time>"'),
    (75, ',"updated_at":"<time>"'),
    (76, ',"placed_at":"<time>"'),
    (77, ',"confirmed_at":"<time>"'),
    (78, ',"confirmed_at":"'),
    (79, ',"fulfilled_at":"<time>"'),
    (80, '","fulfilled_at":"<time>"'),
    (81, ',"fulfilled_at":"'),
    (82, ',"cancelled_at":"<time>"'),
    (83, 'partially_paid'),
    (84, ',"kind":"payment","status":"succeeded","amount":'),
    (85, ',"kind":"refund","status":"succeeded","amount":'),
    (86, ',"kind":"payment","status":"'),
    (87, ',"kind":"refund","status":"'),
    (88, ',"credit_amount":0,"credit_tax_amount":0,"credit_taxes":[],"items":null,"currency":"'),
    (89, ',"credit_amount":'),
    (90, ',"credit_tax_amount":'),
    (91, ',"credit_taxes":[],"items":null,"currency":"'),
    (92, ',"credit_taxes":[{"tax_rate":"'),
    (93, '}],"items":null,"currency":"'),
    (94, '}],"items":[{"item_id":"itm_'),
    (95, '},{"item_id":"itm_'),
    (96, '}],"currency":"'),
    (97, '","provider":"'),
    (98, '","provider":null,"provider_ref":null,"payment_id":null'),
    (99, '","provider_ref":"'),
    (100, '","payment_id":null'),
    (101, '","payment_id":"txn_'),
    (102, '","provider_ref":null,"payment_id":"txn_'),
    (103, ',"reason":null,"occurred_at":"'),
    (104, '","recorded_at":"<time>","reversed_at":null,"order":{"id":"<order>","version":'),
    (105, ',"payment_status":"partially_refunded","paid_amount":'),
    (106, '","paid_amount":'),
    (107, ',"refunded_amount":0,"credited_amount":0,"balance_amount":0}}'),
    (108, ',"refunded_amount":0,"credited_amount":0,"balance_amount":')
);

-- The audit trail: actions that concern access or money, with their actors and objects.
CREATE TABLE audit (
  seq         INTEGER PRIMARY KEY,                                    -- from 1; GET /v1/audit, newest first
  id          BLOB NOT NULL CONSTRAINT audit_id_is_a_uuid CHECK (length(id) = 16),
  occurred_at INTEGER NOT NULL,
  actor       TEXT NOT NULL,
  action      TEXT NOT NULL,                                          -- an operation id
  target      TEXT,
  address_seq INTEGER REFERENCES personal (seq),                      -- {address}: where the request came from
  details_seq INTEGER REFERENCES personal (seq),                      -- {changes}: those that name a person
  request_id  TEXT NOT NULL,
  trace_id    BLOB CONSTRAINT audit_trace_has_16_bytes CHECK (length(trace_id) = 16),  -- only if the client sent it
  outcome     TEXT NOT NULL CONSTRAINT outcome_is_known
              CHECK (outcome = 'success' OR outcome = 'failure' OR outcome = 'denied'),
  changes     TEXT NOT NULL,                                          -- JSON object
  hash        BLOB NOT NULL         -- SHA-256 over the row, the digests of personal data, and the hash before it
) STRICT;
-- GET /v1/audit?actor_id= and ?action=. The filters target and outcome are tested row by row: an index would cost every
-- payment an entry.
CREATE INDEX audit_by_actor ON audit (actor, seq);
CREATE INDEX audit_by_action ON audit (action, seq);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'audit is append-only'); END;

-- ── Idempotency ────────────────────────────────────────────────────────────────────────────────────────────────────

-- A request that took effect, under the key that it was sent with; written in the transaction of its effect. A
-- repetition is answered from this row: status and `Location` follow from `outcome` and `resource`, `ETag` from
-- `version`, and the body is the data of `event_seq`, or `body` if the request recorded no event. An erasure has none.
-- The oldest rows are pruned first, by rowid.
CREATE TABLE idempotency_keys (
  seq         INTEGER PRIMARY KEY,
  digest      BLOB NOT NULL CONSTRAINT key_digest_has_16_bytes CHECK (length(digest) = 16),  -- SHA-256 of key and principal
  fingerprint BLOB NOT NULL,                                          -- keyed digest of method, path and body
  method      TEXT NOT NULL,
  path        TEXT NOT NULL,
  outcome     TEXT NOT NULL CONSTRAINT request_outcome_is_known
              CHECK (outcome = 'created' OR outcome = 'changed' OR outcome = 'unchanged' OR outcome = 'erased'),
  resource    TEXT,                                                   -- identifier of what was created
  version     INTEGER,                                                -- of the order in the body
  event_seq   INTEGER REFERENCES events (seq),
  body        TEXT,
  personal_seq INTEGER REFERENCES personal (seq),                     -- what replaces null in `body`
  request_id  TEXT,                                                   -- NULL for that of the event
  created_at  INTEGER NOT NULL,
  CONSTRAINT a_created_resource_is_named CHECK ((outcome = 'created') = (resource IS NOT NULL)),
  CONSTRAINT the_response_has_one_body_or_none
    CHECK ((event_seq IS NOT NULL) + (body IS NOT NULL) = (outcome <> 'erased')),
  CONSTRAINT the_request_is_known CHECK (event_seq IS NOT NULL OR request_id IS NOT NULL)
) STRICT;
-- The look-up at the start of every request with a key. Digests are sorted within blocks of 512 keys, so that a batch
-- of requests changes a few pages and not one for each key. The writer looks into the blocks of which its filters in
-- memory say that they may have the key; `GET /v1/idempotency-keys/{key}` walks them, the newest first.
CREATE INDEX idempotency_keys_by_digest ON idempotency_keys (seq >> 9, digest);

-- ── Webhooks ─────────────────────────────────────────────────────────────────────────────────────────────────────────

-- Endpoints that events are delivered to: fifty at most. Each reads the history at its own pace, so an order costs
-- nothing more, however many endpoints there are.
CREATE TABLE webhooks (
  id              BLOB NOT NULL PRIMARY KEY CONSTRAINT webhook_id_is_a_uuid CHECK (length(id) = 16),
  url             TEXT NOT NULL,
  events          TEXT,                                               -- types, separated by spaces; NULL for all
  description     TEXT,
  status          TEXT NOT NULL CONSTRAINT webhook_status_is_known CHECK (status = 'active' OR status = 'disabled'),
  disabled_reason TEXT CONSTRAINT disabled_reason_is_known
                  CHECK (disabled_reason IS NULL OR disabled_reason = 'gone' OR disabled_reason = 'failing'),
  secret          BLOB NOT NULL,                                      -- encrypted; the key is in the key file
  previous_secret BLOB,                                               -- encrypted; signs too, after a rotation
  previous_until  INTEGER,                                            -- until then
  cursor          INTEGER NOT NULL,                                   -- the events up to this seq are done or in `deliveries`
  paused_at       INTEGER,                                            -- the last event when it was disabled
  gaps            TEXT NOT NULL,                                      -- JSON [[from, to], …]: the events after `from` and
                                                                      -- up to `to` happened while it was disabled
  failing_since   INTEGER,                                            -- the first failure after the last success
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL,
  CONSTRAINT a_reason_is_of_a_disabled_one CHECK (disabled_reason IS NULL OR status = 'disabled'),
  CONSTRAINT a_previous_secret_has_an_end CHECK ((previous_secret IS NULL) = (previous_until IS NULL))
) STRICT, WITHOUT ROWID;

-- Deliveries that have been tried, for thirty days. One that has not been tried has no row, unless it was replayed or
-- started by hand: the cursor of its endpoint tells that it is due. Its content is read from the event.
CREATE TABLE deliveries (
  seq             INTEGER PRIMARY KEY,
  id              BLOB NOT NULL CONSTRAINT delivery_id_is_unique UNIQUE
                  CONSTRAINT delivery_id_is_a_uuid CHECK (length(id) = 16),
  webhook_id      BLOB NOT NULL REFERENCES webhooks (id),
  event_seq       INTEGER REFERENCES events (seq),                    -- NULL for a ping
  event_id        BLOB NOT NULL CONSTRAINT delivered_event_id_is_a_uuid CHECK (length(event_id) = 16),
  type            TEXT NOT NULL,
  status          TEXT NOT NULL CONSTRAINT delivery_status_is_known
                  CHECK (status = 'pending' OR status = 'delivered' OR status = 'failed'),
  attempts        TEXT NOT NULL,                                      -- JSON array of {at, status_code, duration_ms, error}
  tried           INTEGER NOT NULL,                                   -- attempts by the schedule
  next_attempt_at INTEGER,
  created_at      INTEGER NOT NULL,
  CONSTRAINT pending_deliveries_have_a_time CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL))
) STRICT;
-- GET /v1/webhooks/{id}/deliveries, newest first, and deleting an endpoint.
CREATE INDEX deliveries_by_webhook ON deliveries (webhook_id, seq);
-- The same with ?status=.
CREATE INDEX deliveries_by_status ON deliveries (webhook_id, status, seq);
-- What is to be tried again, the earliest first, and how much that is.
CREATE INDEX deliveries_due ON deliveries (webhook_id, next_attempt_at, seq) WHERE next_attempt_at IS NOT NULL;

-- ── Rollups ────────────────────────────────────────────────────────────────────────────────────────────────────────

-- Sums of orders, payments and refunds by bucket of time, so that the cost of a report depends on its days and not on
-- the number of orders. There are five rollups: `sales` (orders and money), `users` (the same by `users.seq`, 0 for
-- orders without a user), `statuses` (orders by their current statuses), `items` (items sold, by `skus.seq`) and
-- `taxes` (net amounts and taxes by rate: its ten-thousandths of a percent plus 1, 0 without a rate). `orderd verify`
-- compares them with the rows.
--
-- Each transaction appends its changes as one row of `rollup_log`. After some hundred changes the writer folds the log
-- into the sums of a rollup, as part of a transaction; the more bytes that writes, the more rarely it happens. A report
-- adds the sums and the rest of the log. So an order costs one short row, where updating sums would cost a dozen
-- look-ups.

-- The sums of all changes up to row `rollup_folds.seq` of the log. src/store/rollups/codec.rs encodes and decodes
-- `sums`.
--
-- The key is one number, and the table has rowids: to find a row by a key of several columns, SQLite compares whole
-- records and reads those that overflow a page to their end. Sums can have a million bytes.
CREATE TABLE rollups (
  key    INTEGER PRIMARY KEY                                          -- 3 bits rollup, 2 span, 32 bucket + 2^31
         CONSTRAINT key_is_of_a_known_rollup CHECK (key BETWEEN 0 AND 85899345919),
  sums   BLOB NOT NULL,                                               -- by currency and dimension
  rollup TEXT GENERATED ALWAYS AS
         (CASE key >> 34 WHEN 0 THEN 'sales' WHEN 1 THEN 'users' WHEN 2 THEN 'statuses' WHEN 3 THEN 'items'
          ELSE 'taxes' END),
  span   INTEGER GENERATED ALWAYS AS                                  -- the width of the bucket in seconds
         (CASE key >> 32 & 3 WHEN 0 THEN 2764800 WHEN 1 THEN 86400 WHEN 2 THEN 3600 ELSE 900 END),
  bucket INTEGER GENERATED ALWAYS AS                                  -- whole spans since the epoch
         ((key & 4294967295) - 2147483648)
) STRICT;

-- For each rollup the last row of the log that is folded into its sums.
CREATE TABLE rollup_folds (
  rollup TEXT NOT NULL PRIMARY KEY
         CONSTRAINT rollup_is_known
         CHECK (rollup = 'sales' OR rollup = 'users' OR rollup = 'statuses' OR rollup = 'items' OR rollup = 'taxes'),
  seq    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO rollup_folds (rollup, seq)
  VALUES ('sales', 0), ('users', 0), ('statuses', 0), ('items', 0), ('taxes', 0);

-- The changes of each transaction in each rollup, by quarter of an hour. Rows that are folded into every rollup are
-- deleted; their numbers are not used again.
CREATE TABLE rollup_log (
  seq      INTEGER PRIMARY KEY,
  sales    BLOB NOT NULL,
  users    BLOB NOT NULL,
  statuses BLOB NOT NULL,
  items    BLOB NOT NULL,
  taxes    BLOB NOT NULL
) STRICT;

-- The numbers of SKUs: their dimensions in the rollup `items`.
CREATE TABLE skus (
  seq INTEGER PRIMARY KEY,
  sku TEXT NOT NULL CONSTRAINT sku_is_unique UNIQUE
) STRICT;

-- ── For analysts ─────────────────────────────────────────────────────────────────────────────────────────────────────

-- The same rows for people who ask questions of their own: identifiers and times as the API shows them, amounts as
-- decimals of their currency. The program itself reads none of these views. The guide has a chapter about them, "Your
-- own questions". SQLite computes the columns that a query uses, and no others.

-- The 26 digits of an identifier. Each has 5 bits of the 16 bytes, the first one only 3: they begin in the hexadecimal
-- digit at `place`, after a zero is put in front, and have `shift` bits behind them in that digit and the next.
CREATE VIEW id_digits AS
WITH RECURSIVE digits (n) AS (VALUES (0) UNION ALL SELECT n + 1 FROM digits WHERE n < 25)
SELECT (5 * n + 2) / 4 + 1 AS place, 3 - (5 * n + 2) % 4 AS shift FROM digits;

-- Orders, how many minor units a unit of their currency has (ISO 4217), and their personal data until it is erased.
CREATE VIEW orders_with_unit AS
SELECT *,
  (SELECT iif(content GLOB '{*', content, NULL) FROM personal WHERE personal.seq = orders.personal_seq) AS person,
  CASE
    WHEN currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND',
      'VUV', 'XAF', 'XAG', 'XAU', 'XBA', 'XBB', 'XBC', 'XBD', 'XDR', 'XOF', 'XPD', 'XPF', 'XPT', 'XSU', 'XTS', 'XUA',
      'XXX') THEN 1.0
    WHEN currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 1000.0
    WHEN currency IN ('CLF', 'UYW') THEN 10000.0
    ELSE 100.0
  END AS unit
FROM orders;

CREATE VIEW v_orders AS
SELECT
  (SELECT 'ord_' || group_concat(substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + ((16 * instr('123456789ABCDEF',
     substr(x, place, 1)) + instr('123456789ABCDEF', substr(x, place + 1, 1))) >> shift & 31), 1), '')
   FROM (SELECT '0' || hex(o.id) AS x LIMIT 1), id_digits) AS id,
  o.number, o.status, o.payment_status, o.currency, o.prices_include_tax,
  iif(o.user_id IS NULL, NULL, (SELECT 'usr_' || group_concat(substr('0123456789abcdefghjkmnpqrstvwxyz', 1 +
     ((16 * instr('123456789ABCDEF', substr(x, place, 1)) + instr('123456789ABCDEF', substr(x, place + 1, 1))) >> shift
      & 31), 1), '') FROM (SELECT '0' || hex(o.user_id) AS x LIMIT 1), id_digits)) AS user_id,
  o.external_ref,
  o.subtotal_amount / o.unit AS subtotal_amount,
  o.order_discount_amount / o.unit AS order_discount_amount,
  o.discount_amount / o.unit AS discount_amount,
  o.fee_amount / o.unit AS fee_amount,
  o.tax_amount / o.unit AS tax_amount,
  o.total_amount / o.unit AS total_amount,
  o.paid_amount / o.unit AS paid_amount,
  o.refunded_amount / o.unit AS refunded_amount,
  o.credited_amount / o.unit AS credited_amount,
  o.credited_tax_amount / o.unit AS credited_tax_amount,
  (iif(o.status = 'cancelled', 0, o.total_amount - o.credited_amount) - o.paid_amount + o.refunded_amount) / o.unit
    AS balance_amount,
  o.person ->> '$.customer.name' AS customer_name, o.person ->> '$.customer.email' AS customer_email,
  o.person ->> '$.note' AS note, o.metadata, o.version, o.created_by,
  strftime('%Y-%m-%dT%H:%M:%S', o.created_at / 1000, 'unixepoch') || printf('.%03dZ', o.created_at % 1000) AS created_at,
  strftime('%Y-%m-%dT%H:%M:%S', o.updated_at / 1000, 'unixepoch') || printf('.%03dZ', o.updated_at % 1000) AS updated_at,
  strftime('%Y-%m-%dT%H:%M:%S', o.placed_at / 1000, 'unixepoch') || printf('.%03dZ', o.placed_at % 1000) AS placed_at,
  strftime('%Y-%m-%dT%H:%M:%S', o.confirmed_at / 1000, 'unixepoch') || printf('.%03dZ', o.confirmed_at % 1000) AS confirmed_at,
  strftime('%Y-%m-%dT%H:%M:%S', o.fulfilled_at / 1000, 'unixepoch') || printf('.%03dZ', o.fulfilled_at % 1000) AS fulfilled_at,
  strftime('%Y-%m-%dT%H:%M:%S', o.cancelled_at / 1000, 'unixepoch') || printf('.%03dZ', o.cancelled_at % 1000) AS cancelled_at,
  o.person ->> '$.cancel_reason' AS cancel_reason
FROM orders_with_unit o;

CREATE VIEW v_order_items AS
SELECT
  (SELECT 'itm_' || group_concat(substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + ((16 * instr('123456789ABCDEF',
     substr(x, place, 1)) + instr('123456789ABCDEF', substr(x, place + 1, 1))) >> shift & 31), 1), '')
   FROM (SELECT '0' || hex(i.id) AS x LIMIT 1), id_digits) AS id,
  (SELECT 'ord_' || group_concat(substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + ((16 * instr('123456789ABCDEF',
     substr(x, place, 1)) + instr('123456789ABCDEF', substr(x, place + 1, 1))) >> shift & 31), 1), '')
   FROM (SELECT '0' || hex(o.id) AS x LIMIT 1), id_digits) AS order_id,
  o.number AS order_number, o.status AS order_status,
  strftime('%Y-%m-%dT%H:%M:%S', o.placed_at / 1000, 'unixepoch') || printf('.%03dZ', o.placed_at % 1000) AS placed_at,
  o.currency, i.line + 1 AS line, i.sku, i.name, i.quantity, i.returned_quantity,
  i.unit_amount / o.unit AS unit_amount,
  i.discount_amount / o.unit AS discount_amount,
  i.allocated_discount_amount / o.unit AS allocated_discount_amount,
  i.tax_rate / 10000.0 AS tax_rate,
  i.tax_amount / o.unit AS tax_amount,
  i.total_amount / o.unit AS total_amount
FROM order_items i JOIN orders_with_unit o ON o.seq = i.order_seq;

CREATE VIEW v_transactions AS
SELECT
  (SELECT 'txn_' || group_concat(substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + ((16 * instr('123456789ABCDEF',
     substr(x, place, 1)) + instr('123456789ABCDEF', substr(x, place + 1, 1))) >> shift & 31), 1), '')
   FROM (SELECT '0' || hex(t.id) AS x LIMIT 1), id_digits) AS id,
  (SELECT 'ord_' || group_concat(substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + ((16 * instr('123456789ABCDEF',
     substr(x, place, 1)) + instr('123456789ABCDEF', substr(x, place + 1, 1))) >> shift & 31), 1), '')
   FROM (SELECT '0' || hex(o.id) AS x LIMIT 1), id_digits) AS order_id,
  o.number AS order_number, t.kind, t.status,
  t.amount / o.unit AS amount,
  t.credit_amount / o.unit AS credit_amount,
  t.credit_tax_amount / o.unit AS credit_tax_amount,
  o.currency, t.provider, t.provider_ref,
  iif(p.id IS NULL, NULL, (SELECT 'txn_' || group_concat(substr('0123456789abcdefghjkmnpqrstvwxyz', 1 +
     ((16 * instr('123456789ABCDEF', substr(x, place, 1)) + instr('123456789ABCDEF', substr(x, place + 1, 1))) >> shift
      & 31), 1), '') FROM (SELECT '0' || hex(p.id) AS x LIMIT 1), id_digits)) AS payment_id,
  (SELECT iif(content GLOB '{*', content ->> '$.reason', NULL) FROM personal WHERE personal.seq = t.personal_seq)
    AS reason,
  strftime('%Y-%m-%dT%H:%M:%S', t.occurred_at / 1000, 'unixepoch') || printf('.%03dZ', t.occurred_at % 1000) AS occurred_at,
  strftime('%Y-%m-%dT%H:%M:%S', t.recorded_at / 1000, 'unixepoch') || printf('.%03dZ', t.recorded_at % 1000) AS recorded_at,
  strftime('%Y-%m-%dT%H:%M:%S', t.reversed_at / 1000, 'unixepoch') || printf('.%03dZ', t.reversed_at % 1000) AS reversed_at
FROM transactions t JOIN orders_with_unit o ON o.seq = t.order_seq LEFT JOIN transactions p ON p.seq = t.payment_seq;

-- `events.data` with phrases and what the row says in place of codes. Data after char(6) has no codes.
CREATE VIEW event_texts AS
SELECT c.seq, c.order_seq, c.version,
  iif(c.data GLOB char(6) || '*', substr(c.data, 2), (
    WITH RECURSIVE expanded (n, text) AS (
      SELECT 0, c.data
      UNION ALL
      SELECT expanded.n + 1, replace(text, code, phrase) FROM expanded JOIN event_phrases USING (n))
    SELECT replace(replace(replace(replace(text, char(2), c.order_id), char(3), c.time), char(4), c.id_time),
      char(5), c.actor)
    FROM expanded WHERE n = (SELECT count(*) FROM event_phrases))) AS text
FROM (
  SELECT e.seq, e.order_seq, e.version, e.data, e.actor,
    (SELECT 'ord_' || group_concat(substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + ((16 * instr('123456789ABCDEF',
       substr(x, place, 1)) + instr('123456789ABCDEF', substr(x, place + 1, 1))) >> shift & 31), 1), '')
     FROM (SELECT '0' || hex(o.id) AS x LIMIT 1), id_digits) AS order_id,
    strftime('%Y-%m-%dT%H:%M:%S', e.occurred_at / 1000, 'unixepoch') || printf('.%03dZ', e.occurred_at % 1000) AS time,
    (SELECT group_concat(substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + ((16 * instr('123456789ABCDEF',
       substr(x, place, 1)) + instr('123456789ABCDEF', substr(x, place + 1, 1))) >> shift & 31), 1), '')
     FROM (SELECT printf('0%012X', e.occurred_at) AS x LIMIT 1), id_digits WHERE place < 13) AS id_time
  FROM events e JOIN orders o ON o.seq = e.order_seq) c;

-- The documents of events: those of which only the changed members are stored put together with the order's first one.
-- Without MATERIALIZED, SQLite would decode both texts again for each member.
CREATE VIEW event_documents AS
SELECT e.seq,
  (WITH own (text) AS MATERIALIZED (SELECT text FROM event_texts t WHERE t.seq = e.seq)
   SELECT iif(own.text GLOB char(1) || '*',
     (WITH
        first (text) AS MATERIALIZED (SELECT text FROM event_texts t WHERE t.order_seq = e.order_seq AND t.version = 1),
        changes (text) AS MATERIALIZED (SELECT '{' || substr(own.text, 2) || '}')
      SELECT json_group_object(key, json(coalesce(changes.text -> fullkey, first.text -> fullkey)))
      FROM changes, first, json_each(first.text)),
     own.text)
   FROM own) AS document
FROM events e;

CREATE VIEW v_events AS
SELECT e.seq,
  (SELECT 'evt_' || group_concat(substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + ((16 * instr('123456789ABCDEF',
     substr(x, place, 1)) + instr('123456789ABCDEF', substr(x, place + 1, 1))) >> shift & 31), 1), '')
   FROM (SELECT '0' || hex(e.id) AS x LIMIT 1), id_digits) AS id,
  e.type,
  (SELECT 'ord_' || group_concat(substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + ((16 * instr('123456789ABCDEF',
     substr(x, place, 1)) + instr('123456789ABCDEF', substr(x, place + 1, 1))) >> shift & 31), 1), '')
   FROM (SELECT '0' || hex(o.id) AS x LIMIT 1), id_digits) AS order_id,
  o.number AS order_number, e.version, e.actor, e.request_id,
  strftime('%Y-%m-%dT%H:%M:%S', e.occurred_at / 1000, 'unixepoch') || printf('.%03dZ', e.occurred_at % 1000) AS occurred_at,
  coalesce((SELECT json_replace(d.document, '$.customer', json(coalesce(content -> '$.customer', 'null')),
      '$.note', json(coalesce(content -> '$.note', 'null')),
      '$.cancel_reason', json(coalesce(content -> '$.cancel_reason', 'null')),
      '$.reason', json(coalesce(content -> '$.reason', 'null')))
    FROM personal, event_documents d
    WHERE personal.seq = e.personal_seq AND content GLOB '{*' AND d.seq = e.seq),
    (SELECT document FROM event_documents d WHERE d.seq = e.seq)) AS data
FROM events e JOIN orders o ON o.seq = e.order_seq;
