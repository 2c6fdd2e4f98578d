//! Reports on orders and payments, read from the rollups, which every change keeps up to date; and the check that
//! rollups and rows agree. A report is one consistent snapshot that includes every change acknowledged before the
//! request.

mod daily;
mod reconcile;
mod revenue;
mod status;
mod taxes;
mod top_items;

pub use daily::{daily, daily_json};
pub use reconcile::reconcile;
pub use revenue::{RevenueExport, RevenueKey, RevenueSort, export_revenue_by_user, revenue_by_user};
pub use status::status_counts;
pub use taxes::taxes;
pub use top_items::top_items;

use super::views::{AsText, PageInfo, Report};
use crate::{
    app::App,
    domain::{calendar::Days, money::Currency, rollup::Sums},
    error::{Error, Result},
};

/// What a report counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Payments and refunds, at the time when the money moved.
    Cash,
    /// Placed orders, at the time when they were placed.
    Booked,
}

impl Basis {
    /// The word for it in JSON and queries.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::Booked => "booked",
        }
    }
}

/// What a report is to cover.
#[derive(Clone, Debug)]
pub struct Question {
    #[allow(missing_docs, reason = "the names say it")]
    pub days: Days,
    /// The only currency to report on, or none for all.
    pub currency: Option<Currency>,
    #[allow(missing_docs, reason = "the names say it")]
    pub basis: Basis,
}

impl Question {
    /// The start and the end of the range, in seconds since the epoch.
    fn bounds(&self) -> Result<(i64, i64)> {
        self.days.bounds().ok_or_else(beyond_the_calendar)
    }
}

fn beyond_the_calendar() -> Error {
    Error::internal("a day beyond the calendar")
}

/// The report with these rows.
pub fn report<R>(app: &App, question: &Question, data: Vec<R>, page: Option<PageInfo>) -> Report<R> {
    Report {
        basis: question.basis.name(),
        tz: question.days.zone.name().to_owned(),
        from: AsText(question.days.from),
        to: AsText(question.days.to),
        generated_at: AsText(app.clock.now()),
        data,
        page,
    }
}

/// The amounts of a row, by basis.
struct Amounts {
    gross: i128,
    refunded: i128,
    credited: i128,
    cancelled: i128,
}

impl Amounts {
    fn of(sums: &Sums, basis: Basis) -> Self {
        match basis {
            Basis::Cash => Self { gross: sums.paid, refunded: sums.refunded, credited: 0, cancelled: 0 },
            Basis::Booked => {
                Self { gross: sums.booked, refunded: 0, credited: sums.credited, cancelled: sums.cancelled }
            }
        }
    }

    fn net(&self) -> i128 {
        self.gross - self.refunded - self.credited - self.cancelled
    }
}
