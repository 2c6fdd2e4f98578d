//! orderd: orders, payments and exact analytics in one static binary and one SQLite file.
//!
//! # A request, room by room
//!
//! A request passes through the folders of `src/` in alphabetical order:
//!
//! ```text
//!          accept        api            auth           domain        service       store          telemetry
//! request  connection,   row of the     caller,        rules and     one use       one named      log line,
//! ───────▶ framing,    ▶ table, parsed ▶ permission,  ▶ valid       ▶ case        ▶ transaction  ▶ metrics,
//!          deadlines     input          rate limit     values                      on disk        span
//!                          │                                            │
//! ◀────── response ◀─── status, body ◀─── result or error ◀─────────────┘
//!
//!          worker: background tasks, which call service      outbound: connections to other servers
//! ```
//!
//! 1. [`accept`] accepts the connection and reads the head of the request within a deadline.
//! 2. `api/middleware.rs` gives the request an identifier. `api/gate.rs` checks it against its row in [`api::routes`]:
//!    credentials, rate limit, permission, and the size and media type of the body.
//! 3. The arguments of the handler parse the rest (`api/input`). The handler makes one call of a use case.
//! 4. The use case in [`service`] checks permissions in detail, applies the rules of [`domain`], and runs one
//!    transaction in the [`store`]. The single writer commits waiting transactions together and answers when they are
//!    on disk. Reads use a pool of connections that cannot write.
//! 5. `api/output` turns the result or the error into a response. `api/observation.rs` records it in log, metrics and
//!    trace.
//!
//! The name of an operation, such as `orders.create`, is also the name of its transaction, its metric label, its log
//! field and its audit action. A search for it shows the whole life of a request.
//!
//! # The rooms
//!
//! Dependencies point one way, from right to left:
//!
//! ```text
//! error ← domain ← {auth, store, outbound} ← app ← service ← {api, worker} ← accept ← cli, main
//!         config and telemetry sit beside domain
//! ```
//!
//! `tests/api/tidy.rs` checks this and the other rules of the code.
//!
//! | room | contains | does not contain |
//! |---|---|---|
//! | [`accept`] | listeners, TLS, connection limits, deadlines, framing | paths, handlers |
//! | [`api`] | HTTP: the table of operations, `input`, `output`, `openapi`, `pages`, and a file for each noun | rules, SQL |
//! | [`app`] | the state that requests share, built once | behaviour |
//! | [`auth`] | tokens, passwords, secrets, roles, rate limits, the access cache | HTTP, SQL |
//! | [`cli`] | a file for each command | the work of the commands |
//! | [`config`] | all settings with their defaults and origins | opening files, sockets or databases |
//! | [`domain`] | the rules: ids, money, prices, statuses, days; pure and synchronous | I/O, async |
//! | [`mod@error`] | the one error type: what the caller can do, and the cause for the log | HTTP statuses |
//! | [`outbound`] | the one HTTP and HTTPS client: deadlines, size limits, public addresses; connections to PostgreSQL | what is sent, retries |
//! | [`service`] | the use cases: check, one transaction, result | HTTP, SQL |
//! | [`store`] | all SQL: the single writer, the readers, the rollups, the journal of several machines | rules, HTTP |
//! | [`telemetry`] | logs, metrics, traces | what is worth recording |
//! | [`worker`] | background tasks: a supervisor and a file for each task | what a task does |
//!
//! # The invariants
//!
//! 1. A change that is answered 2xx is committed; under `db.durability = full` it is also synced.
//!    ([`store::Store::write`])
//! 2. One writer owns the file: nothing else in the process writes to it, and a second server cannot open it. On a
//!    journal the writers of all processes take turns, so there is one order of changes.
//! 3. An idempotency key is stored in the transaction of its effect: either both exist or neither does.
//! 4. An order, its items, its event, its key and the rollups that count it change in one transaction.
//! 5. An order's total is the sum of its parts and refunds never exceed payments; the schema refuses anything else.
//! 6. Each event raises the version of its order by 1; events and audit entries have no gaps, order numbers only those
//!    of imports.
//! 7. Money is whole minor units in `i64`, at most 2^53 − 1; no price uses floating point.
//! 8. Time and identifiers are injected: with a fixed clock and seed, the same requests give the same bytes.
//! 9. SQL and SQLite's types stay in [`store`], and HTTP statuses in [`api`]; the cause of an error stays in the log.
//! 10. The router, the checks and the OpenAPI document come from one table, and schemas from one declaration.
//!
//! The manual is in `assets/guide/` and is served at `/guide`. It explains the reasons, the alternatives and the
//! operation.

pub mod accept;
pub mod api;
pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod domain;
pub mod error;
pub mod outbound;
pub mod service;
pub mod store;
pub mod telemetry;
pub mod worker;
