//! The JSON documents that clients see. Each lists its fields and describes itself by a schema, from which OpenAPI is
//! made.

mod access;
mod analytics;
mod as_text;
mod audit;
mod event;
mod finding;
mod order;
mod stored_json;
mod transaction;
mod user;
mod webhook;

pub use access::{KeyView, NewKeyView, RoleView, SessionView};
pub use analytics::{
    DailyRow, Reconciliation, ReconciliationCheck, ReconciliationSide, Report, RevenueRow, StatusRow, TaxRow,
    TopItemRow,
};
pub use as_text::AsText;
pub use audit::AuditView;
pub use event::EventView;
pub use finding::{OrderCount, OrderCounts, SoldItemView, SoldItems};
pub use order::{FeeView, ItemView, OrderView, TaxView};
pub use stored_json::{StoredJson, TYPICAL_DOCUMENT_BYTES, to_json};
pub use transaction::TransactionView;
pub use user::UserView;
pub use webhook::{AttemptView, DeliveryView, NewWebhookView, ReplayView, WebhookView};

pub use super::page::{Page, PageInfo};
