//! What leaves the service: documents as clients see them, each field listed, with the schema that describes it.

mod access;
mod analytics;
mod as_text;
mod audit;
mod event;
mod order;
mod transaction;
mod user;

pub use access::{KeyView, NewKeyView, RoleView, SessionView};
pub use analytics::{
    DailyRow, Reconciliation, ReconciliationCheck, ReconciliationSide, Report, RevenueRow, StatusRow, TopItemRow,
};
pub use as_text::AsText;
pub use audit::AuditView;
pub use event::EventView;
pub use order::OrderView;
pub use transaction::TransactionView;
pub use user::UserView;

use schemars::JsonSchema;
use serde::Serialize;

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Page<T> {
    /// The entries.
    pub data: Vec<T>,
    /// Where this page stands in the list.
    pub page: PageInfo,
}

/// Where a page stands in its list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PageInfo {
    /// Entries asked for at most.
    #[schemars(range(min = 1, max = 200))]
    pub limit: usize,
    /// Whether entries follow this page.
    pub has_more: bool,
    /// What to send as `cursor` for the next page.
    pub next: Option<String>,
    /// Entries in the whole list, where `count=true` asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub total: Option<i64>,
}
