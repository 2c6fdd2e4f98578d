//! The query parameters of each report, and the [`Question`] that they make.

use crate::{
    api::input::list::PageSize,
    app::App,
    domain::{
        calendar::{Date, Days, LAST_DAY, Zone, last_day_from, parse_date},
        listing::Direction,
        money::Currency,
    },
    error::{Error, Fault, Result, problem},
    service::analytics::{Basis, Question, RevenueKey, RevenueSort},
};
use schemars::JsonSchema;
use serde::Deserialize;

/// What counts as revenue.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum BasisName {
    Cash,
    Booked,
}

impl From<BasisName> for Basis {
    fn from(name: BasisName) -> Self {
        match name {
            BasisName::Cash => Self::Cash,
            BasisName::Booked => Self::Booked,
        }
    }
}

/// The order of revenue by user.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
enum SortName {
    #[serde(rename = "-net_amount")]
    NetDescending,
    #[serde(rename = "net_amount")]
    NetAscending,
    #[serde(rename = "-gross_amount")]
    GrossDescending,
    #[serde(rename = "gross_amount")]
    GrossAscending,
    #[serde(rename = "-orders")]
    OrdersDescending,
    #[serde(rename = "orders")]
    OrdersAscending,
}

/// Declares the parameters of a report: the days, the time zone, the currency, and the parameters of this report only.
macro_rules! report_parameters {
    ($(#[$about:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$about])*
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(in crate::api) struct $name {
            /// The first day.
            #[schemars(extend("format" = "date"))]
            from: String,
            /// The last day, included; at most ten years after the first.
            #[schemars(extend("format" = "date"))]
            to: String,
            /// IANA time zone of the days. The default is the setting `reporting.timezone`.
            #[schemars(length(min = 1, max = 64), extend("format" = "iana-time-zone"))]
            tz: Option<String>,
            /// Only this currency.
            #[schemars(regex(pattern = r"^[A-Z]{3}$"), extend("format" = "iso-4217"))]
            currency: Option<String>,
            $($own)*
        }
    };
}

report_parameters! {
    /// The parameters of the daily summary.
    DailyQuery {
        /// Money that moved (`cash`, the default) or orders that were placed (`booked`).
        basis: Option<BasisName>,
    }
}

report_parameters! {
    /// The parameters of revenue by user.
    RevenueQuery {
        /// Money that moved (`cash`, the default) or orders that were placed (`booked`).
        basis: Option<BasisName>,
        /// The order of the rows. The default is `-net_amount`.
        sort: Option<SortName>,
    }
}

report_parameters! {
    /// The parameters of status counts.
    StatusQuery {}
}

report_parameters! {
    /// The parameters of top items.
    TopItemsQuery {
        /// The number of items. The default is 50, and more than 200 is lowered to 200.
        limit: Option<PageSize>,
    }
}

impl DailyQuery {
    pub(super) fn question(&self, app: &App) -> Result<Question> {
        let basis = self.basis.map_or(Basis::Cash, Basis::from);
        question(app, (&self.from, &self.to), self.tz.as_deref(), self.currency.as_deref(), basis)
    }
}

impl RevenueQuery {
    pub(super) fn question(&self, app: &App) -> Result<Question> {
        let basis = self.basis.map_or(Basis::Cash, Basis::from);
        question(app, (&self.from, &self.to), self.tz.as_deref(), self.currency.as_deref(), basis)
    }

    pub(super) fn order(&self) -> RevenueSort {
        let (key, direction) = match self.sort.unwrap_or(SortName::NetDescending) {
            SortName::NetDescending => (RevenueKey::Net, Direction::Descending),
            SortName::NetAscending => (RevenueKey::Net, Direction::Ascending),
            SortName::GrossDescending => (RevenueKey::Gross, Direction::Descending),
            SortName::GrossAscending => (RevenueKey::Gross, Direction::Ascending),
            SortName::OrdersDescending => (RevenueKey::Orders, Direction::Descending),
            SortName::OrdersAscending => (RevenueKey::Orders, Direction::Ascending),
        };
        RevenueSort { key, direction }
    }
}

impl StatusQuery {
    pub(super) fn question(&self, app: &App) -> Result<Question> {
        question(app, (&self.from, &self.to), self.tz.as_deref(), self.currency.as_deref(), Basis::Booked)
    }
}

impl TopItemsQuery {
    pub(super) fn question(&self, app: &App) -> Result<Question> {
        question(app, (&self.from, &self.to), self.tz.as_deref(), self.currency.as_deref(), Basis::Booked)
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.unwrap_or(PageSize::DEFAULT).entries()
    }
}

/// Combines the parameters. Each has been checked against its schema, so only the range of days can still be invalid.
fn question(
    app: &App,
    (from, to): (&str, &str),
    tz: Option<&str>,
    currency: Option<&str>,
    basis: Basis,
) -> Result<Question> {
    let zone = tz.unwrap_or(app.config.reporting.timezone.iana_name().unwrap_or("UTC"));
    let zone = Zone::parse(zone).ok_or_else(|| Error::internal("an unknown time zone"))?;
    let (from, to) = range(parse_date(from), parse_date(to))?;
    Ok(Question { days: Days { from, to, zone }, currency: currency.and_then(Currency::parse), basis })
}

fn range(from: Option<Date>, to: Option<Date>) -> Result<(Date, Date)> {
    let fault = |name: &str, code, detail: &str| {
        let faults = vec![Fault::parameter(name, code, detail)];
        Err(Error::new(&problem::INVALID_PARAMETER).with_faults(faults))
    };
    match (from, to) {
        (None, _) => fault("from", "invalid_format", "must be a date such as 2026-11-23"),
        (_, None) => fault("to", "invalid_format", "must be a date such as 2026-11-23"),
        (Some(from), Some(to)) if to < from => fault("to", "too_small", "must not be before from"),
        (Some(from), Some(to)) if to > last_day_from(from) => {
            fault("to", "too_large", "must be at most ten years after from")
        }
        (_, Some(to)) if to > LAST_DAY => fault("to", "too_large", "must be at most 9998-12-31"),
        (Some(from), Some(to)) => Ok((from, to)),
    }
}
