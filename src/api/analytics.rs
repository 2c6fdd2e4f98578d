//! Figures over HTTP: each report as JSON, as CSV, or as a chart.

mod bars;
mod chart;
mod days;
mod panel;
mod query;
mod scale;
mod table;

pub(super) use query::{DailyQuery, RevenueQuery, StatusQuery, TopItemsQuery};

use super::{
    input::{extract::Parameters, list::ListQuery},
    operation::{CSV, JSON, SVG},
    output::{
        export::{self, Format, Part, Row, preferred},
        reply,
    },
};
use crate::{
    app::App,
    auth::{Actor, Cursor},
    domain::{money::Currency, rollup::Rank},
    error::{Error, Result},
    service::{
        analytics,
        page::PageRequest,
        views::{Reconciliation, Report},
    },
};
use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use maud::Markup;

/// More rows than any report has.
const ALL: usize = usize::MAX / 2;
/// A chart runs nothing, loads nothing, and has its styles in itself.
const CHART_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The form in which a client would like a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The document, in JSON.
    Document,
    /// All rows, comma-separated.
    Csv,
    /// A drawing.
    Chart,
}

impl FromRequestParts<App> for Form {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        Ok(match preferred(&parts.headers, &[JSON, CSV, SVG]) {
            CSV => Self::Csv,
            SVG => Self::Chart,
            _ => Self::Document,
        })
    }
}

/// A report in the form that was asked for.
fn answer<R: Row>(form: Form, report: &Report<R>, uri: &Uri, draw: fn(&Report<R>) -> Markup) -> Result<Response> {
    Ok(match form {
        Form::Document => {
            let next = report.page.as_ref().and_then(|page| page.next.clone());
            reply::linked(report, uri, next.map(|next| ("cursor", next)))
        }
        Form::Csv => {
            let media = [(header::CONTENT_TYPE, export::CSV_WITH_HEADER)];
            (media, export::encode(Format::Csv, &report.data, Part::First)?).into_response()
        }
        Form::Chart => {
            let headers = [(header::CONTENT_TYPE, SVG), (header::CONTENT_SECURITY_POLICY, CHART_POLICY)];
            (headers, draw(report).into_string()).into_response()
        }
    })
}

/// Figures a day.
pub(super) async fn daily(
    State(app): State<App>,
    actor: Actor,
    Parameters(asked): Parameters<DailyQuery>,
    form: Form,
    uri: Uri,
) -> Result<Response> {
    let question = asked.question(&app)?;
    let rows = analytics::daily(&app, &actor, question.clone()).await?;
    answer(form, &analytics::report(&app, &question, rows, None), &uri, chart::daily)
}

/// Figures a user.
pub(super) async fn revenue_by_user(
    State(app): State<App>,
    actor: Actor,
    Parameters(ListQuery { filter: asked, page }): Parameters<ListQuery<RevenueQuery>>,
    form: Form,
    uri: Uri,
) -> Result<Response> {
    let (question, order) = (asked.question(&app)?, asked.order());
    if form == Form::Csv {
        page.refuse_paging()?;
        let request = PageRequest::uncounted(None, ALL);
        let all = analytics::revenue_by_user(&app, &actor, question.clone(), order, request).await?;
        return answer(form, &analytics::report(&app, &question, all.entries, None), &uri, chart::revenue);
    }
    let binding = format!("analytics.revenue_by_user {question:?} {order:?}");
    let request = page.request(&app, &binding, revenue_rank)?;
    let found = analytics::revenue_by_user(&app, &actor, question.clone(), order, request).await?;
    let page = found.map_key(|rank| app.cursors.seal(&revenue_cursor(rank), &binding));
    answer(form, &analytics::report(&app, &question, page.entries, Some(page.info)), &uri, chart::revenue)
}

/// The bits of a rank's value that are in the second of its two numbers in a cursor; one has too few.
const LOW_BITS: u32 = 62;

fn revenue_cursor(rank: Rank) -> Cursor {
    let mut code = [0; 8];
    code[5..].copy_from_slice(rank.currency.code().as_bytes());
    let [high, low] = [rank.value >> LOW_BITS, rank.value & ((1 << LOW_BITS) - 1)]
        .map(|part| i64::try_from(part).unwrap_or_default());
    Cursor(vec![high, low, rank.dimension, i64::from_be_bytes(code)])
}

fn revenue_rank(cursor: &Cursor) -> Option<Rank> {
    let [high, low, dimension, code] = *cursor.0.as_slice() else { return None };
    let value = i128::from(high) << LOW_BITS | i128::from(low);
    let currency = Currency::stored(std::str::from_utf8(&code.to_be_bytes()[5..]).ok()?)?;
    Some(Rank { value, dimension, currency })
}

/// How many orders stand where.
pub(super) async fn status_counts(
    State(app): State<App>,
    actor: Actor,
    Parameters(asked): Parameters<StatusQuery>,
    form: Form,
    uri: Uri,
) -> Result<Response> {
    let question = asked.question(&app)?;
    let rows = analytics::status_counts(&app, &actor, question.clone()).await?;
    answer(form, &analytics::report(&app, &question, rows, None), &uri, chart::statuses)
}

/// What brought in the most.
pub(super) async fn top_items(
    State(app): State<App>,
    actor: Actor,
    Parameters(asked): Parameters<TopItemsQuery>,
    form: Form,
    uri: Uri,
) -> Result<Response> {
    let question = asked.question(&app)?;
    let rows = analytics::top_items(&app, &actor, question.clone(), asked.limit()).await?;
    answer(form, &analytics::report(&app, &question, rows, None), &uri, chart::top_items)
}

/// Stored figures against the rows.
pub(super) async fn reconcile(State(app): State<App>, actor: Actor) -> Result<Json<Reconciliation>> {
    analytics::reconcile(&app, &actor).await.map(Json)
}
