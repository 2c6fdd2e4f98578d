-- The whole schema of an orderd database, as it is now. A new file is made from this text; src/store/schema.rs
-- lists the steps from earlier ones, and a test proves that both ways lead to the same place.
--
-- Conventions. Instants are milliseconds since 1970-01-01T00:00:00Z, amounts are minor units of the order's currency,
-- identifiers are the 16 bytes of a UUIDv7, traces the 16 bytes of a W3C trace id, half the size of its 32 digits.
-- `seq` is the rowid: an integer that other tables refer to, a quarter of the size of an identifier and in the order of
-- creation. Tables are STRICT. Constraints on words compare with OR: for IN, SQLite fills a temporary table at every
-- insert. For each index: the query that it serves.

PRAGMA application_id = 0x6f726464;  -- "ordd"
PRAGMA user_version = 1;

-- ── Who ────────────────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE users (
  seq           INTEGER PRIMARY KEY,                                  -- the subject of their figures
  id            BLOB NOT NULL CONSTRAINT user_id_is_unique UNIQUE
                CONSTRAINT user_id_is_a_uuid CHECK (length(id) = 16),
  email         TEXT NOT NULL CONSTRAINT email_is_unique UNIQUE,      -- log-in; lower case, NFC
  name          TEXT NOT NULL,
  role          TEXT NOT NULL,                                        -- a built-in role or one of `roles`
  status        TEXT NOT NULL CONSTRAINT user_status_is_known CHECK (status = 'active' OR status = 'disabled'),
  password_hash TEXT NOT NULL,                                        -- argon2id in PHC form
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL
) STRICT;
-- Whether a role is in use, and whether another active administrator is left.
CREATE INDEX users_by_role ON users (role, status);

-- Roles of the operator's own. The built-in ones are part of the program and cannot be changed.
CREATE TABLE roles (
  name        TEXT NOT NULL PRIMARY KEY,
  permissions TEXT NOT NULL,                                          -- names, separated by spaces
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A log-in and the chain of refresh tokens that grew from it. Tokens are kept as SHA-256 only.
CREATE TABLE sessions (
  id              BLOB NOT NULL PRIMARY KEY CONSTRAINT session_id_is_a_uuid CHECK (length(id) = 16),
  user_id         BLOB NOT NULL REFERENCES users (id),
  refresh_digest  BLOB NOT NULL CONSTRAINT refresh_digest_is_unique UNIQUE,  -- the token that may be used; refresh
  previous_digest BLOB,                                               -- the one before it: used again, it is reuse
  rotated_at      INTEGER,                                            -- when the previous one was used
  created_at      INTEGER NOT NULL,
  last_used_at    INTEGER NOT NULL,
  expires_at      INTEGER NOT NULL,
  ip              TEXT,
  user_agent      TEXT
) STRICT, WITHOUT ROWID;
-- A user's sessions: listing them, newest first, and ending them with the user or the password.
CREATE INDEX sessions_by_user ON sessions (user_id, id);
-- Forgetting those that are over.
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Refresh tokens that were rotated away, so that the reuse of any of them is recognised and ends its session.
CREATE TABLE used_refresh_tokens (
  digest     BLOB NOT NULL PRIMARY KEY,
  session_id BLOB NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  used_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Deleting a session's used tokens with it, and those that would have expired by now before it.
CREATE INDEX used_refresh_tokens_by_session ON used_refresh_tokens (session_id, used_at);

CREATE TABLE api_keys (
  id           BLOB NOT NULL PRIMARY KEY CONSTRAINT key_id_is_a_uuid CHECK (length(id) = 16),
  name         TEXT NOT NULL,
  digest       BLOB NOT NULL CONSTRAINT key_digest_is_unique UNIQUE,  -- SHA-256 of the secret
  prefix       TEXT NOT NULL,                                         -- the first characters of the secret, to recognise it
  permissions  TEXT NOT NULL,
  created_by   BLOB NOT NULL REFERENCES users (id),
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER,
  last_used_at INTEGER
) STRICT, WITHOUT ROWID;

-- ── Orders ─────────────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE orders (
  seq                   INTEGER PRIMARY KEY,                          -- newest first: the default list
  id                    BLOB NOT NULL CONSTRAINT order_id_is_unique UNIQUE
                        CONSTRAINT order_id_is_a_uuid CHECK (length(id) = 16),
  number                INTEGER,
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
  fees                  TEXT NOT NULL,                                -- JSON array of {name, amount}
  subtotal_amount       INTEGER NOT NULL CONSTRAINT subtotal_is_not_negative CHECK (subtotal_amount >= 0),
  order_discount_amount INTEGER NOT NULL,
  discount_amount       INTEGER NOT NULL CONSTRAINT discount_includes_the_orders_own
                        CHECK (discount_amount >= order_discount_amount AND order_discount_amount >= 0),
  fee_amount            INTEGER NOT NULL CONSTRAINT fee_is_not_negative CHECK (fee_amount >= 0),
  tax_amount            INTEGER NOT NULL CONSTRAINT tax_is_not_negative CHECK (tax_amount >= 0),
  total_amount          INTEGER NOT NULL CONSTRAINT total_is_exact
                        CHECK (total_amount BETWEEN 0 AND 9007199254740991),
  paid_amount           INTEGER NOT NULL,
  refunded_amount       INTEGER NOT NULL CONSTRAINT refunds_never_exceed_payments
                        CHECK (refunded_amount BETWEEN 0 AND paid_amount),
  customer              TEXT,                                         -- JSON object {name, email, phone, address}
  note                  TEXT,
  metadata              TEXT NOT NULL,                                -- JSON object of strings
  version               INTEGER NOT NULL,                             -- the number of the order's events
  created_by            TEXT NOT NULL,
  created_at            INTEGER NOT NULL,
  updated_at            INTEGER NOT NULL,
  placed_at             INTEGER,
  confirmed_at          INTEGER,
  fulfilled_at          INTEGER,
  cancelled_at          INTEGER,
  cancel_reason         TEXT,
  CONSTRAINT total_is_the_sum_of_its_parts
    CHECK (total_amount = subtotal_amount - discount_amount + fee_amount + tax_amount),
  CONSTRAINT placed_orders_have_numbers CHECK ((number IS NULL) = (placed_at IS NULL)),
  CONSTRAINT drafts_are_not_placed CHECK (status <> 'draft' OR placed_at IS NULL),
  CONSTRAINT live_orders_are_placed CHECK (status = 'draft' OR status = 'cancelled' OR placed_at IS NOT NULL),
  CONSTRAINT cancelled_orders_say_when CHECK ((status = 'cancelled') = (cancelled_at IS NOT NULL))
) STRICT;
-- GET /v1/orders/number/{n}; also holds that no number is given twice.
CREATE UNIQUE INDEX orders_by_number ON orders (number) WHERE number IS NOT NULL;
-- GET /v1/orders/ref/{external_ref}, the import, and that no reference is used twice.
CREATE UNIQUE INDEX orders_by_external_ref ON orders (external_ref) WHERE external_ref IS NOT NULL;
-- Lists by status, by payment status and by both, newest first: each wanted pair is one run of this index.
CREATE INDEX orders_by_status ON orders (status, payment_status, seq);
-- A customer's own orders, and anybody's by user_id, newest first.
CREATE INDEX orders_by_user ON orders (user_id, seq) WHERE user_id IS NOT NULL;
-- Synchronising: sort=updated_at with updated_from.
CREATE INDEX orders_by_update ON orders (updated_at, seq);
-- sort=total_amount. Orders come in blocks of 4,096 and totals are ordered within a block only: a new order's entry lands
-- in the newest block, which is in memory, where an index over all orders would dirty a page anywhere for each of them
-- and cost some 15 % of the rate of writing. A page merges the blocks: 250 look-ups for a million orders.
CREATE INDEX orders_by_total ON orders (seq >> 12, total_amount, seq);
-- The filters currency, total_min, total_max, metadata.<key> and q have no index: each would cost every order one entry
-- or several more, and all of them are looked at row by row in the run that the other filters leave, in the lane of long
-- queries and within its budget of time. updated_from without sort=updated_at likewise.

CREATE TABLE order_items (
  order_seq       INTEGER NOT NULL REFERENCES orders (seq),
  line            INTEGER NOT NULL,                                   -- from 0
  id              BLOB NOT NULL CONSTRAINT item_id_is_a_uuid CHECK (length(id) = 16),
  sku             TEXT NOT NULL,
  name            TEXT NOT NULL,
  quantity        INTEGER NOT NULL CONSTRAINT quantity_is_positive CHECK (quantity >= 1),
  unit_amount     INTEGER NOT NULL CONSTRAINT unit_is_not_negative CHECK (unit_amount >= 0),
  discount_amount INTEGER NOT NULL CONSTRAINT line_discount_is_not_negative CHECK (discount_amount >= 0),
  tax_rate        TEXT,                                               -- percent, as it was given
  tax_amount      INTEGER NOT NULL CONSTRAINT line_tax_is_not_negative CHECK (tax_amount >= 0),
  total_amount    INTEGER NOT NULL CONSTRAINT line_total_is_the_sum_of_its_parts
                  CHECK (total_amount = quantity * unit_amount - discount_amount + tax_amount),
  PRIMARY KEY (order_seq, line)
) STRICT, WITHOUT ROWID;
-- The filter `sku`. Orders come in blocks of 512 and SKUs are ordered within a block only: new lines land in the newest
-- block, so that a batch of orders dirties a few pages instead of one for each line; a look-up walks the blocks.
CREATE INDEX order_items_by_sku ON order_items (order_seq >> 9, sku, order_seq);

-- ── Money ──────────────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE transactions (
  seq          INTEGER PRIMARY KEY,
  id           BLOB NOT NULL CONSTRAINT transaction_id_is_unique UNIQUE
               CONSTRAINT transaction_id_is_a_uuid CHECK (length(id) = 16),
  order_seq    INTEGER NOT NULL REFERENCES orders (seq),
  kind         TEXT NOT NULL CONSTRAINT kind_is_known CHECK (kind = 'payment' OR kind = 'refund'),
  status       TEXT NOT NULL CONSTRAINT transaction_status_is_known
               CHECK (status = 'pending' OR status = 'succeeded' OR status = 'failed' OR status = 'voided'),
  amount       INTEGER NOT NULL CONSTRAINT amount_is_positive CHECK (amount > 0),
  provider     TEXT,
  provider_ref TEXT,
  payment_seq  INTEGER REFERENCES transactions (seq) CONSTRAINT only_refunds_name_payments
               CHECK (payment_seq IS NULL OR kind = 'refund'),
  reason       TEXT,
  occurred_at  INTEGER NOT NULL,
  recorded_at  INTEGER NOT NULL
) STRICT;
-- An order's transactions, oldest first, and the sums over them that every refund is held against.
CREATE INDEX transactions_by_order ON transactions (order_seq, seq);
-- That a provider's transaction is recorded once.
CREATE UNIQUE INDEX transactions_by_provider_ref ON transactions (provider_ref, coalesce(provider, ''), kind)
  WHERE provider_ref IS NOT NULL;
-- Final is final, and nothing is ever taken away.
CREATE TRIGGER transactions_are_kept BEFORE DELETE ON transactions
BEGIN SELECT raise(ABORT, 'transactions are never deleted'); END;
CREATE TRIGGER resolved_transactions_stay BEFORE UPDATE ON transactions
WHEN old.status <> 'pending' OR old.amount <> new.amount OR old.order_seq <> new.order_seq OR old.kind <> new.kind
BEGIN SELECT raise(ABORT, 'a resolved transaction does not change'); END;

-- ── History ────────────────────────────────────────────────────────────────────────────────────────────────────────

-- Everything that happened to orders, gap-free and in one order. `data` of an order's event is the whole order as it was
-- answered then: the feed's payload, the answer that an idempotent replay gives again, and what a changed row is found by.
CREATE TABLE events (
  seq         INTEGER PRIMARY KEY,                                    -- from 1; GET /v1/events
  id          BLOB NOT NULL CONSTRAINT event_id_is_a_uuid CHECK (length(id) = 16),
  type        TEXT NOT NULL,
  order_seq   INTEGER NOT NULL REFERENCES orders (seq),
  version     INTEGER NOT NULL,
  actor       TEXT NOT NULL,
  request_id  TEXT NOT NULL,
  trace_id    BLOB CONSTRAINT event_trace_has_16_bytes CHECK (length(trace_id) = 16),  -- if somebody else knows it too
  occurred_at INTEGER NOT NULL,
  data        TEXT NOT NULL,
  hash        BLOB NOT NULL                                           -- SHA-256 over the row and the hash before it
) STRICT;
-- GET /v1/orders/{id}/events.
CREATE UNIQUE INDEX events_by_order ON events (order_seq, version);
CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events BEGIN SELECT raise(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events BEGIN SELECT raise(ABORT, 'events are append-only'); END;

-- Who did what to whom, as far as it concerns access or money.
CREATE TABLE audit (
  seq         INTEGER PRIMARY KEY,                                    -- from 1; GET /v1/audit, newest first
  id          BLOB NOT NULL CONSTRAINT audit_id_is_a_uuid CHECK (length(id) = 16),
  occurred_at INTEGER NOT NULL,
  actor       TEXT NOT NULL,
  action      TEXT NOT NULL,
  target      TEXT,
  address     TEXT,
  request_id  TEXT NOT NULL,
  trace_id    BLOB CONSTRAINT audit_trace_has_16_bytes CHECK (length(trace_id) = 16),
  outcome     TEXT NOT NULL CONSTRAINT outcome_is_known
              CHECK (outcome = 'success' OR outcome = 'failure' OR outcome = 'denied'),
  changes     TEXT NOT NULL,                                          -- JSON object
  hash        BLOB NOT NULL                                           -- SHA-256 over the row and the hash before it
) STRICT;
-- GET /v1/audit?actor_id= and ?action=.
CREATE INDEX audit_by_actor ON audit (actor, seq);
CREATE INDEX audit_by_action ON audit (action, seq);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'audit is append-only'); END;

-- ── Idempotency ────────────────────────────────────────────────────────────────────────────────────────────────────

-- A request that took effect, under the key that it was sent with; written in the transaction of its effect. A repetition
-- is answered from this row: status and `Location` follow from `outcome` and `resource`, `ETag` from `version`, and the
-- body is the data of `event_seq`, or `body` if the request recorded no event. The oldest rows are pruned first, by rowid.
CREATE TABLE idempotency_keys (
  seq         INTEGER PRIMARY KEY,
  principal   BLOB NOT NULL,                                          -- the user or API key that it belongs to
  key         TEXT NOT NULL,
  fingerprint BLOB NOT NULL,                                          -- SHA-256 of method, path and body
  method      TEXT NOT NULL,
  path        TEXT NOT NULL,
  outcome     TEXT NOT NULL CONSTRAINT request_outcome_is_known
              CHECK (outcome = 'created' OR outcome = 'changed' OR outcome = 'unchanged'),
  resource    TEXT,                                                   -- identifier of what was created
  version     INTEGER,                                                -- of the order in the body
  event_seq   INTEGER REFERENCES events (seq),
  body        TEXT,
  request_id  TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  CONSTRAINT a_created_resource_is_named CHECK ((outcome = 'created') = (resource IS NOT NULL)),
  CONSTRAINT the_answer_is_known CHECK ((event_seq IS NULL) <> (body IS NULL))
) STRICT;
-- The look-up that starts every request with a key; also holds that a key is used once.
CREATE UNIQUE INDEX idempotency_keys_by_key ON idempotency_keys (principal, key);

-- ── Figures ────────────────────────────────────────────────────────────────────────────────────────────────────────

-- Summaries: what orders, payments and refunds come to, so that a report costs its days and not the orders in them. Four
-- rollups: `sales` (orders and money), `users` (the same by `users.seq`, 0 for orders of nobody), `statuses` (orders by
-- the status that they have now) and `items` (what was sold, by `skus.seq`). Reconciled by `orderd verify`.
--
-- Each transaction writes what it changes in them as one row of `rollup_log`. Once there are some hundred changes, the
-- writer adds them to the sums of a rollup, as part of a transaction; the more bytes that writes, the more rarely it is
-- done. A report is what it finds in the sums and in the log since then. So an order costs one short row where rows of
-- sums would cost it a dozen look-ups.

-- The sums of all changes up to `rollup_folds.seq`. `sums` is read and written by src/store/rollups/rollup.rs.
--
-- Rollup, span and bucket are one number, and the table has rowids: to find a row by a key of several columns, SQLite
-- compares whole records, and reads those that overflow their page to the end. Here some have a million bytes.
CREATE TABLE rollups (
  key    INTEGER PRIMARY KEY                                          -- 2 bits rollup, 2 span, 32 bucket + 2^31
         CONSTRAINT key_has_36_bits CHECK (key BETWEEN 0 AND 68719476735),
  sums   BLOB NOT NULL,                                               -- by currency and subject
  rollup TEXT GENERATED ALWAYS AS
         (CASE key >> 34 WHEN 0 THEN 'sales' WHEN 1 THEN 'users' WHEN 2 THEN 'statuses' ELSE 'items' END),
  span   INTEGER GENERATED ALWAYS AS                                  -- seconds
         (CASE key >> 32 & 3 WHEN 0 THEN 2764800 WHEN 1 THEN 86400 WHEN 2 THEN 3600 ELSE 900 END),
  bucket INTEGER GENERATED ALWAYS AS                                  -- whole spans since the epoch
         ((key & 4294967295) - 2147483648)
) STRICT;

-- Up to which row of the log the changes are in the sums of a rollup.
CREATE TABLE rollup_folds (
  rollup TEXT NOT NULL PRIMARY KEY
         CONSTRAINT ledger_is_known
         CHECK (rollup = 'sales' OR rollup = 'users' OR rollup = 'statuses' OR rollup = 'items'),
  seq    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO rollup_folds (rollup, seq) VALUES ('sales', 0), ('users', 0), ('statuses', 0), ('items', 0);

-- For each rollup the changes of one transaction, by quarter of an hour. Rows that are in the sums of every rollup are
-- deleted; their numbers are not given again.
CREATE TABLE rollup_log (
  seq      INTEGER PRIMARY KEY,
  sales    BLOB NOT NULL,
  users    BLOB NOT NULL,
  statuses BLOB NOT NULL,
  items    BLOB NOT NULL
) STRICT;

-- The numbers that SKUs have in the figures.
CREATE TABLE skus (
  seq INTEGER PRIMARY KEY,
  sku TEXT NOT NULL CONSTRAINT sku_is_unique UNIQUE
) STRICT;
