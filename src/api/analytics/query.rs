//! The query parameters of each report, and the [`Question`] that they make.

use crate::{
    api::input::{
        file::{StyleName, reporting_zone},
        list::PageSize,
        parsed::{FromText, Parsed, described},
    },
    app::App,
    domain::{
        calendar::{Date, Days, LAST_DAY, Zone, last_day_from},
        listing::Direction,
        money::Currency,
    },
    error::{Error, Fault, Result, problem},
    service::analytics::{Basis, Question, RevenueKey, RevenueSort},
};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;

const BASES: [Basis; 2] = [Basis::Cash, Basis::Booked];

impl FromText for Basis {
    const COMPONENT: Option<&'static str> = Some("BasisName");

    fn from_text(text: &str) -> Option<Self> {
        BASES.into_iter().find(|basis| basis.name() == text)
    }

    fn schema() -> Schema {
        described("What counts as revenue.", &BASES.map(Basis::name))
    }
}

/// What revenue can be sorted by; `-` puts the greatest first.
const SORTS: [(&str, RevenueKey, Direction); 6] = [
    ("-net_amount", RevenueKey::Net, Direction::Descending),
    ("net_amount", RevenueKey::Net, Direction::Ascending),
    ("-gross_amount", RevenueKey::Gross, Direction::Descending),
    ("gross_amount", RevenueKey::Gross, Direction::Ascending),
    ("-orders", RevenueKey::Orders, Direction::Descending),
    ("orders", RevenueKey::Orders, Direction::Ascending),
];

impl FromText for RevenueSort {
    const COMPONENT: Option<&'static str> = Some("RevenueSort");

    fn from_text(text: &str) -> Option<Self> {
        SORTS.into_iter().find(|(word, ..)| *word == text).map(|(_, key, direction)| Self { key, direction })
    }

    fn schema() -> Schema {
        described("The order of revenue by user.", &SORTS.map(|(word, ..)| word))
    }
}

/// Declares the parameters of a report: the days, the time zone, the currency, and the parameters of this report only.
macro_rules! report_parameters {
    ($(#[$about:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$about])*
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(in crate::api) struct $name {
            /// The first day.
            from: Parsed<Date>,
            /// The last day, included; at most ten years after the first.
            to: Parsed<Date>,
            /// IANA time zone of the days. The default is the setting `reporting.timezone`.
            tz: Option<Parsed<Zone>>,
            /// Only this currency.
            currency: Option<Parsed<Currency>>,
            $($own)*
        }

        impl $name {
            fn question_of(&self, app: &App, basis: Basis) -> Result<Question> {
                let zone = self.tz.as_ref().map_or_else(|| reporting_zone(app), |zone| Ok(zone.0.clone()))?;
                let days = Days { from: self.from.0, to: self.to.0, zone };
                check_range(&days)?;
                Ok(Question { days, currency: self.currency.map(|currency| currency.0), basis })
            }
        }
    };
}

report_parameters! {
    /// The parameters of the daily summary.
    DailyQuery {
        /// Money that moved (`cash`, the default) or orders that were placed (`booked`).
        basis: Option<Parsed<Basis>>,
        /// `excel` makes a CSV for spreadsheets: with a byte order mark, amounts as decimals and local times.
        pub(super) style: Option<Parsed<StyleName>>,
    }
}

report_parameters! {
    /// The parameters of revenue by user.
    RevenueQuery {
        /// Money that moved (`cash`, the default) or orders that were placed (`booked`).
        basis: Option<Parsed<Basis>>,
        /// The order of the rows. The default is `-net_amount`.
        sort: Option<Parsed<RevenueSort>>,
    }
}

report_parameters! {
    /// The parameters of status counts.
    StatusQuery {
        /// `excel` makes a CSV for spreadsheets: with a byte order mark, amounts as decimals and local times.
        pub(super) style: Option<Parsed<StyleName>>,
    }
}

report_parameters! {
    /// The parameters of taxes by rate.
    TaxesQuery {
        /// `excel` makes a CSV for spreadsheets: with a byte order mark, amounts as decimals and local times.
        pub(super) style: Option<Parsed<StyleName>>,
    }
}

report_parameters! {
    /// The parameters of top items.
    TopItemsQuery {
        /// The number of items. The default is 50, and more than 200 is lowered to 200.
        limit: Option<PageSize>,
        /// `excel` makes a CSV for spreadsheets: with a byte order mark, amounts as decimals and local times.
        pub(super) style: Option<Parsed<StyleName>>,
    }
}

impl DailyQuery {
    pub(super) fn question(&self, app: &App) -> Result<Question> {
        self.question_of(app, self.basis.map_or(Basis::Cash, |basis| basis.0))
    }
}

impl RevenueQuery {
    pub(super) fn question(&self, app: &App) -> Result<Question> {
        self.question_of(app, self.basis.map_or(Basis::Cash, |basis| basis.0))
    }

    pub(super) fn order(&self) -> RevenueSort {
        let default = RevenueSort { key: RevenueKey::Net, direction: Direction::Descending };
        self.sort.map_or(default, |sort| sort.0)
    }
}

impl StatusQuery {
    pub(super) fn question(&self, app: &App) -> Result<Question> {
        self.question_of(app, Basis::Booked)
    }
}

impl TaxesQuery {
    pub(super) fn question(&self, app: &App) -> Result<Question> {
        self.question_of(app, Basis::Booked)
    }
}

impl TopItemsQuery {
    pub(super) fn question(&self, app: &App) -> Result<Question> {
        self.question_of(app, Basis::Booked)
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.unwrap_or(PageSize::DEFAULT).entries()
    }
}

/// Refuses a range that ends before it begins, is longer than ten years or leaves the calendar.
fn check_range(days: &Days) -> Result<()> {
    let (code, detail) = match days.to {
        to if to < days.from => ("too_small", "must not be before from"),
        to if to > last_day_from(days.from) => ("too_large", "must be at most ten years after from"),
        to if to > LAST_DAY => ("too_large", "must be at most 9998-12-31"),
        _ => return Ok(()),
    };
    Err(Error::new(&problem::INVALID_PARAMETER).with_faults(vec![Fault::parameter("to", code, detail)]))
}
