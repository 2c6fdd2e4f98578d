//! The reports over HTTP: each as JSON, CSV or a chart. The figures come from `service::analytics`.

mod bars;
mod chart;
mod days;
mod panel;
mod query;
mod scale;
mod table;

pub(super) use query::{DailyQuery, RevenueQuery, StatusQuery, TaxesQuery, TopItemsQuery};

use super::{
    input::{extract::Parameters, list::ListQuery},
    operation::{CSV, JSON, SVG},
    output::{
        export::{self, Format, Part, Row, preferred},
        list, reply,
    },
};
use crate::{
    app::App,
    auth::{Actor, Cursor},
    domain::{money::Currency, rollup::Rank},
    error::{Error, Result},
    service::{
        analytics,
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

/// A chart contains its own styles, runs no scripts and loads nothing.
const CHART_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The form of a report that the client prefers, from the `Accept` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Csv,
    Chart,
}

impl FromRequestParts<App> for Form {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        Ok(match preferred(&parts.headers, &[JSON, CSV, SVG]) {
            CSV => Self::Csv,
            SVG => Self::Chart,
            _ => Self::Json,
        })
    }
}

/// Responds with a report in the requested form.
fn respond<R: Row>(form: Form, report: &Report<R>, uri: &Uri, draw: fn(&Report<R>) -> Markup) -> Result<Response> {
    Ok(match form {
        Form::Json => {
            let next = report.page.as_ref().and_then(|page| page.next.clone());
            reply::linked(report, uri, next.map(|next| ("cursor", next)))?
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

/// One row for each day and currency. The range limits the rows, so the report is built in memory.
pub(super) async fn daily(
    State(app): State<App>,
    actor: Actor,
    Parameters(query): Parameters<DailyQuery>,
    form: Form,
    uri: Uri,
) -> Result<Response> {
    let question = query.question(&app)?;
    let rows = analytics::daily(&app, &actor, question.clone()).await?;
    respond(form, &analytics::report(&app, &question, rows, None), &uri, chart::daily)
}

/// One row for each user and currency. There can be very many, so the CSV form is streamed.
pub(super) async fn revenue_by_user(
    State(app): State<App>,
    actor: Actor,
    Parameters(ListQuery { filter: query, page }): Parameters<ListQuery<RevenueQuery>>,
    form: Form,
    uri: Uri,
) -> Result<Response> {
    let (question, order) = (query.question(&app)?, query.order());
    if form == Form::Csv {
        page.refuse_paging()?;
        let export = analytics::export_revenue_by_user(&app, &actor, &question, order).await?;
        let part = move |request| {
            let (app, export) = (app.clone(), export.clone());
            async move { export.part(&app, request).await }
        };
        return list::rows(Format::Csv, part).await;
    }
    let binding = format!("analytics.revenue_by_user {question:?} {order:?}");
    let request = page.request(&app, &binding, revenue_rank)?;
    let found = analytics::revenue_by_user(&app, &actor, question.clone(), order, request).await?;
    let page = found.map_key(|rank| app.cursors.seal(&revenue_cursor(rank), &binding));
    respond(form, &analytics::report(&app, &question, page.entries, Some(page.info)), &uri, chart::revenue)
}

/// A cursor holds a rank's value as two numbers, because one has too few bits. This many bits are in the second.
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

/// The number of orders by status, payment status and currency.
pub(super) async fn status_counts(
    State(app): State<App>,
    actor: Actor,
    Parameters(query): Parameters<StatusQuery>,
    form: Form,
    uri: Uri,
) -> Result<Response> {
    let question = query.question(&app)?;
    let rows = analytics::status_counts(&app, &actor, question.clone()).await?;
    respond(form, &analytics::report(&app, &question, rows, None), &uri, chart::statuses)
}

/// Net amounts and taxes by rate.
pub(super) async fn taxes(
    State(app): State<App>,
    actor: Actor,
    Parameters(query): Parameters<TaxesQuery>,
    form: Form,
    uri: Uri,
) -> Result<Response> {
    let question = query.question(&app)?;
    let rows = analytics::taxes(&app, &actor, question.clone()).await?;
    respond(form, &analytics::report(&app, &question, rows, None), &uri, chart::taxes)
}

/// The items with the highest revenue.
pub(super) async fn top_items(
    State(app): State<App>,
    actor: Actor,
    Parameters(query): Parameters<TopItemsQuery>,
    form: Form,
    uri: Uri,
) -> Result<Response> {
    let question = query.question(&app)?;
    let rows = analytics::top_items(&app, &actor, question.clone(), query.limit()).await?;
    respond(form, &analytics::report(&app, &question, rows, None), &uri, chart::top_items)
}

/// Compares stored figures with a recomputation from the rows.
pub(super) async fn reconcile(State(app): State<App>, actor: Actor) -> Result<Json<Reconciliation>> {
    analytics::reconcile(&app, &actor).await.map(Json)
}
