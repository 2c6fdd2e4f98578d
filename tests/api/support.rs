//! The service under test and its clients. Tests read as scripts:
//!
//! ```ignore
//! let service = Service::start().await;
//! let ada = service.customer().await;
//! let order = ada.post("/v1/orders", order_of(&[("tea", 2, 1250)])).key("k1").await.created();
//! assert_eq!(order["total_amount"], 2500);
//! ada.get("/v1/orders/ord_x").await.status(404).problem("not_found");
//! ```

mod answer;
mod client;
pub mod document;
mod elsewhere;
mod fixtures;
mod journal;
mod service;
pub mod statements;

pub use answer::Answer;
pub use client::{Call, Client, EventStream};
pub use fixtures::{order_of, with};
pub use journal::TestJournal;
pub use service::{Outcome, PASSWORD, Service};
