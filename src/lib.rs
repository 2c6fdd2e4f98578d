//! orderd: orders, payments and exact analytics in one static binary and one SQLite file.
//!
//! # The journey of a request
//!
//! ```text
//!           api         auth              api, domain  service      store        telemetry   api
//! socket ─▶ received ─▶ authenticated, ─▶ validated ─▶ processed ─▶ persisted ─▶ observed ─▶ returned
//!                       authorised
//!           server.rs   gate.rs           extract.rs   one          one named    log line,   reply.rs
//!           middleware  access.rs         schema.rs    function     transaction  counters,   problem.rs
//!                       policy.rs         domain/                                trace
//! ```
//!
//! A request enters by [`api::server`], is given an identifier by `api/middleware.rs`, and meets the gate of its row in
//! the table of [`api::routes`]: credentials, permission, size and media type. The arguments of its handler check the
//! rest. The handler makes one call of a use case in [`service`], which asks the rules in [`domain`] and gives one
//! named transaction to the [`store`]. Its single writer commits what waits together, and answers when that is on disk.
//! Reads go to a pool of connections that cannot write. The name (`orders.create`) is operation, transaction, metric
//! label and log field at once, and the audit action of what is audited: search for it and see the whole life of a
//! request.
//!
//! # The code map
//!
//! Folders stand in the order of the journey, which is that of the alphabet. Arrows go one way: `error ← domain ←
//! {auth, store} ← app ← service ← api ← cli`; `config` and `telemetry` stand beside `domain`. These and the other
//! rules of the house are held by `tests/api/tidy.rs`.
//!
//! | module | is | is not |
//! |---|---|---|
//! | [`api`] | HTTP: the table of operations, extraction, problems, OpenAPI, pages | rules, SQL |
//! | [`auth`] | tokens, passwords, secrets, roles, access cache in memory | HTTP, SQL |
//! | [`domain`] | the rules: ids, money, prices, states, days; pure and synchronous | I/O, async |
//! | [`service`] | the use cases: require, then one transaction, then the reply | HTTP, SQL |
//! | [`store`] | every line of SQL; the single writer, the readers | rules, HTTP |
//! | [`telemetry`] | how it is seen from outside: logs, metrics, traces | what is worth seeing |
//! | [`config`] | every setting with its default and its origin | opening anything |
//! | [`cli`] | a file for each command | what the commands do |
//! | [`app`] | what requests share, built once | behaviour |
//! | [`mod@error`] | what the caller can do about it, and the cause that only the log sees | HTTP statuses |
//!
//! # The invariants
//!
//! 1. What is answered 2xx is committed; under `db.durability = full` it is synced. ([`store::Store::write`])
//! 2. There is one writer, and it has the file to itself: nothing else in the process writes, and no second server may.
//! 3. An idempotency key is kept in the transaction of its effect: both are there or neither is.
//! 4. An order, its items, its event, its key and the figures it counts in change in one transaction.
//! 5. An order's total is the sum of its parts and refunds never exceed payments; the schema refuses anything else.
//! 6. Every event of an order is its version + 1; events, order numbers and audit entries have no gaps.
//! 7. Money is whole minor units in `i64`, at most 2^53 − 1; there is no floating point in a price.
//! 8. Time and identifiers are injected: with a clock and a seed, the same requests give the same bytes.
//! 9. SQL and SQLite's types stay in [`store`], the statuses of refusals in `api/problem.rs`; the cause of an error stays
//!    in the log.
//! 10. The router, the checks, and the OpenAPI document come from one table, and schemas from one declaration.
//!
//! The manual is in `assets/guide/`, served at `/guide`: why it is so, what was decided against, and how to run it.

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
