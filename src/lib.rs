//! orderd: orders, payments and exact analytics in one static binary and one SQLite file.
//!
//! # The journey of a request
//!
//! ```text
//!           accept, api  auth             api, domain  service      store        telemetry   api
//! socket ─▶ received ──▶ authenticated, ▶ validated ─▶ processed ─▶ persisted ─▶ observed ─▶ returned
//!                        authorised
//!           accept.rs    gate.rs          extract.rs   one          one named    log line,   reply.rs
//!           middleware   access.rs        schema.rs    function     transaction  counters,   problem.rs
//!                        policy.rs        domain/                                trace
//! ```
//!
//! [`accept`] takes a request off its connection. `api/middleware.rs` gives it an identifier, and the gate checks it
//! against its row in the table of `api/routes.rs`: credentials, permission, size and media type. The arguments of its
//! handler check the rest. The handler makes one call of a use case in [`service`], which applies the rules of [`domain`]
//! and passes one named transaction to the [`store`]. The single writer commits waiting transactions together and answers
//! when they are on disk. Reads use a pool of connections that cannot write. The name (`orders.create`) is the operation,
//! the transaction, the metric label, the log field and the audit action: one search shows the whole life of a request.
//!
//! # The code map
//!
//! A request travels the folders in alphabetical order. Arrows go one way:
//! `error ← domain ← {auth, store, outbound} ← app ← service ← {api, worker} ← accept ← cli`; `config` and `telemetry`
//! sit beside `domain`. `tests/api/tidy.rs` checks this and the other rules of the architecture.
//!
//! | module | is | is not |
//! |---|---|---|
//! | [`accept`] | connections: TLS, limits, deadlines, framing | what a request means |
//! | [`api`] | HTTP: the table of operations, extraction, problems, OpenAPI, pages | rules, SQL |
//! | [`auth`] | tokens, passwords, secrets, roles, rate limits, access cache in memory | HTTP, SQL |
//! | [`domain`] | the rules: ids, money, prices, states, days; pure and synchronous | I/O, async |
//! | [`outbound`] | the one HTTP and HTTPS client: deadlines, size limits, public addresses | what is sent, retries |
//! | [`service`] | the use cases: permission, then one transaction, then the reply | HTTP, SQL |
//! | [`store`] | every line of SQL; the single writer, the readers | rules, HTTP |
//! | [`telemetry`] | logs, metrics and traces | what is worth recording |
//! | [`worker`] | background tasks: a supervisor and a file per task | what a task does |
//! | [`config`] | every setting with its default and its origin | opening anything |
//! | [`cli`] | a file for each command | what the commands do |
//! | [`app`] | the state that requests share, built once | behaviour |
//! | [`mod@error`] | what the caller can do, and the cause that only the log records | HTTP statuses |
//!
//! # The invariants
//!
//! 1. A change that is answered 2xx is committed; under `db.durability = full` it is also synced. ([`store::Store::write`])
//! 2. One writer owns the file: nothing else in the process writes to it, and a second server cannot open it.
//! 3. An idempotency key is stored in the transaction of its effect: either both exist or neither does.
//! 4. An order, its items, its event, its key and the rollups that count it change in one transaction.
//! 5. An order's total is the sum of its parts and refunds never exceed payments; the schema refuses anything else.
//! 6. Each event raises the version of its order by 1; events, order numbers and audit entries have no gaps.
//! 7. Money is whole minor units in `i64`, at most 2^53 − 1; no price uses floating point.
//! 8. Time and identifiers are injected: with a fixed clock and seed, the same requests give the same bytes.
//! 9. SQL and SQLite's types stay in [`store`], and HTTP statuses in [`api`]; the cause of an error stays in the log.
//! 10. The router, the checks and the OpenAPI document come from one table, and schemas from one declaration.
//!
//! The manual is in `assets/guide/`, served at `/guide`: the reasons, the rejected alternatives, and how to run it.

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
