//! Figures: reports on what was ordered and paid, from summaries that are kept with every change; and whether those
//! agree with the rows. What a report shows is one consistent snapshot: everything that was answered before the question
//! is in it.

mod daily;
mod reconcile;
mod revenue;
mod status;
mod top_items;

pub use daily::daily;
pub use reconcile::reconcile;
pub use revenue::{RevenueExport, RevenueSort, export_revenue_by_user, revenue_by_user};
pub use status::status_counts;
pub use top_items::top_items;

/// The place of a row in revenue by user.
pub use crate::store::rollups::Rank;

use super::views::{AsText, PageInfo, Report};
use crate::{
    app::App,
    domain::{calendar::Days, money::Currency, rollup::Sums},
    error::{Error, Result},
};

/// What counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Money that moved, when it moved.
    Cash,
    /// Orders that were placed, when they were placed.
    Booked,
}

impl Basis {
    /// As clients write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::Booked => "booked",
        }
    }
}

/// What is asked: which days, in which currency (any, if none is named), by which basis.
#[derive(Clone, Debug)]
pub struct Question {
    /// The days.
    pub days: Days,
    /// The only currency, if one is named.
    pub currency: Option<Currency>,
    /// What counts.
    pub basis: Basis,
}

impl Question {
    fn wants(&self, currency: Currency) -> bool {
        self.currency.is_none_or(|only| only == currency)
    }

    /// When the range begins and ends, in seconds since the epoch.
    fn bounds(&self) -> Result<(i64, i64)> {
        self.days.bounds().ok_or_else(beyond_the_calendar)
    }
}

fn beyond_the_calendar() -> Error {
    Error::internal("a day beyond the calendar")
}

/// The answer to `question` that these rows are.
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

/// Gross, refunded, cancelled and net, by basis.
struct Amounts {
    gross: i128,
    refunded: i128,
    cancelled: i128,
}

impl Amounts {
    fn of(sums: &Sums, basis: Basis) -> Self {
        match basis {
            Basis::Cash => Self { gross: sums.paid, refunded: sums.refunded, cancelled: 0 },
            Basis::Booked => Self { gross: sums.booked, refunded: 0, cancelled: sums.cancelled },
        }
    }

    fn net(&self) -> i128 {
        self.gross - self.refunded - self.cancelled
    }
}
