//! Figures over HTTP.

use super::{extract::Parameters, list::Place, reply};
use crate::{
    app::App,
    auth::{Actor, Cursor},
    domain::{
        calendar::{Days, MAX_DAYS, Zone, parse_date},
        money::Currency,
    },
    error::{Error, Fault, Result, problem},
    service::{
        analytics::{self, Basis, Direction, Question, RevenueSort},
        views::{DailyRow, Reconciliation, Report, StatusRow},
    },
};
use axum::{Json, extract::State, http::Uri, response::Response};
use schemars::JsonSchema;
use serde::Deserialize;

/// What counts.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum BasisName {
    Cash,
    Booked,
}

/// What to order revenue by.
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

/// Which days, where and in which currency.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DailyQuery {
    /// The first day.
    #[schemars(extend("format" = "date"))]
    from: String,
    /// The last day, included; at most ten years after the first.
    #[schemars(extend("format" = "date"))]
    to: String,
    /// IANA time zone of the days.
    #[schemars(length(min = 1, max = 64))]
    tz: Option<String>,
    /// This currency alone.
    #[schemars(regex(pattern = r"^[A-Z]{3}$"))]
    currency: Option<String>,
    /// Money that moved (`cash`, the default) or orders that were placed (`booked`).
    basis: Option<BasisName>,
}

/// Which days, where and in which currency, and a page of what.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RevenueQuery {
    /// The first day.
    #[schemars(extend("format" = "date"))]
    from: String,
    /// The last day, included; at most ten years after the first.
    #[schemars(extend("format" = "date"))]
    to: String,
    /// IANA time zone of the days.
    #[schemars(length(min = 1, max = 64))]
    tz: Option<String>,
    /// This currency alone.
    #[schemars(regex(pattern = r"^[A-Z]{3}$"))]
    currency: Option<String>,
    /// Money that moved (`cash`, the default) or orders that were placed (`booked`).
    basis: Option<BasisName>,
    /// What to order by; `-net_amount` if left out.
    sort: Option<SortName>,
    /// Entries of a page; more than 200 are lowered to 200.
    #[schemars(range(min = 1))]
    limit: Option<u64>,
    /// The `page.next` of the page before.
    #[schemars(length(min = 1, max = 512))]
    cursor: Option<String>,
}

/// Which days, where and in which currency.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusQuery {
    /// The first day.
    #[schemars(extend("format" = "date"))]
    from: String,
    /// The last day, included; at most ten years after the first.
    #[schemars(extend("format" = "date"))]
    to: String,
    /// IANA time zone of the days.
    #[schemars(length(min = 1, max = 64))]
    tz: Option<String>,
    /// This currency alone.
    #[schemars(regex(pattern = r"^[A-Z]{3}$"))]
    currency: Option<String>,
}

/// The question that the parameters ask, or every reason why they ask none.
fn question(
    app: &App,
    (from, to): (&str, &str),
    tz: Option<&str>,
    currency: Option<&str>,
    basis: Option<BasisName>,
) -> Result<Question> {
    let mut faults = vec![];
    let mut fault = |name: &str, code, detail: &str| faults.push(Fault::parameter(name, code, detail));
    let zone = tz.unwrap_or(app.config.reporting.timezone.iana_name().unwrap_or("UTC"));
    let zone = Zone::parse(zone);
    if zone.is_none() {
        fault("tz", "unknown", "must be a time zone of the IANA database, such as Europe/Berlin");
    }
    let currency = currency.map(Currency::parse);
    if currency == Some(None) {
        fault("currency", "unknown", "must be a currency of ISO 4217");
    }
    let dates = (parse_date(from), parse_date(to));
    match dates {
        (None, _) => fault("from", "invalid_format", "must be a date such as 2026-11-23"),
        (_, None) => fault("to", "invalid_format", "must be a date such as 2026-11-23"),
        (Some(from), Some(to)) if to < from => fault("to", "too_small", "must not be before from"),
        (Some(from), Some(to)) if (to - from).get_days() > MAX_DAYS => {
            fault("to", "too_large", "must be at most ten years after from");
        }
        _ => {}
    }
    let basis = match basis {
        Some(BasisName::Booked) => Basis::Booked,
        Some(BasisName::Cash) | None => Basis::Cash,
    };
    match (zone, dates, faults.is_empty()) {
        (Some(zone), (Some(from), Some(to)), true) => {
            Ok(Question { days: Days { from, to, zone }, currency: currency.flatten(), basis })
        }
        _ => Err(Error::new(&problem::INVALID_PARAMETER).with_faults(faults)),
    }
}

/// Figures a day.
pub(super) async fn daily(
    State(app): State<App>,
    actor: Actor,
    Parameters(q): Parameters<DailyQuery>,
) -> Result<Json<Report<DailyRow>>> {
    let question = question(&app, (&q.from, &q.to), q.tz.as_deref(), q.currency.as_deref(), q.basis)?;
    analytics::daily(&app, &actor, question).await.map(Json)
}

/// Figures a user.
pub(super) async fn revenue_by_user(
    State(app): State<App>,
    actor: Actor,
    Parameters(q): Parameters<RevenueQuery>,
    uri: Uri,
) -> Result<Response> {
    let question = question(&app, (&q.from, &q.to), q.tz.as_deref(), q.currency.as_deref(), q.basis)?;
    let order = match q.sort.unwrap_or(SortName::NetDescending) {
        SortName::NetDescending => (RevenueSort::Net, Direction::Descending),
        SortName::NetAscending => (RevenueSort::Net, Direction::Ascending),
        SortName::GrossDescending => (RevenueSort::Gross, Direction::Descending),
        SortName::GrossAscending => (RevenueSort::Gross, Direction::Ascending),
        SortName::OrdersDescending => (RevenueSort::Orders, Direction::Descending),
        SortName::OrdersAscending => (RevenueSort::Orders, Direction::Ascending),
    };
    let binding = format!("analytics.revenue_by_user {question:?} {order:?}");
    let place = Place::of(&app, binding, q.limit, q.cursor.as_deref())?;
    let skip = usize::try_from(place.value().unwrap_or(0)).unwrap_or(0);
    let (mut report, total) = analytics::revenue_by_user(&app, &actor, question, order, (skip, place.limit)).await?;
    let end = skip + report.data.len();
    let next = (end < total).then(|| Cursor(vec![i64::try_from(end).unwrap_or(i64::MAX)]));
    report.page = Some(place.info(&app, next.as_ref()));
    let link = report.page.as_ref().and_then(|page| page.next.clone()).map(|next| ("cursor", next));
    Ok(reply::linked(&report, &uri, link))
}

/// How many orders stand where.
pub(super) async fn status_counts(
    State(app): State<App>,
    actor: Actor,
    Parameters(q): Parameters<StatusQuery>,
) -> Result<Json<Report<StatusRow>>> {
    let question = question(&app, (&q.from, &q.to), q.tz.as_deref(), q.currency.as_deref(), None)?;
    analytics::status_counts(&app, &actor, question).await.map(Json)
}

/// Stored figures against the rows.
pub(super) async fn reconcile(State(app): State<App>, actor: Actor) -> Result<Json<Reconciliation>> {
    analytics::reconcile(&app, &actor).await.map(Json)
}
