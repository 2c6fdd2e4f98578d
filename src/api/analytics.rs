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
    input::{
        extract::Parameters,
        file::{self, StyleName},
        list::ListQuery,
        parsed::Parsed,
    },
    operation::{CSV, FileForm, JSON, Operation, SVG},
    output::{
        export::{self, CsvStyle, File, FileFormat, Format, Part, Row, file_form, preferred},
        list, reply,
    },
};
use crate::{
    app::App,
    auth::{Actor, Cursor},
    domain::{money::Currency, rollup::Rank},
    error::{Error, Result},
    service::{
        analytics::{self, Question},
        views::{Reconciliation, Report, TYPICAL_DOCUMENT_BYTES},
    },
};
use axum::{
    Extension, Json,
    extract::{FromRequestParts, State},
    http::{Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use maud::Markup;
use serde::Serialize;
use std::sync::Arc;

/// Memory to reserve for each row of a report in JSON: about what the longest rows need.
const ROW_BYTES: usize = 384;

/// A chart contains its own styles, runs no scripts and loads nothing.
const CHART_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The form of a report that the client asks for: by the ending of the address, or else by the `Accept` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Csv,
    Chart,
}

impl Form {
    /// How a CSV of it is written.
    ///
    /// # Errors
    /// `invalid_parameter` if a style is named for anything but CSV.
    fn style(self, app: &App, name: Option<Parsed<StyleName>>) -> Result<CsvStyle> {
        file::style(app, if self == Self::Csv { Format::Csv } else { Format::Page }, name)
    }
}

impl FromRequestParts<App> for Form {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        let asked = file_form(parts).map_or_else(|| preferred(&parts.headers, &[JSON, CSV, SVG]), FileForm::media);
        Ok(match asked {
            CSV => Self::Csv,
            SVG => Self::Chart,
            _ => Self::Json,
        })
    }
}

/// A report that is asked for: its days, its form, and the address.
struct ReportRequest<'a> {
    question: &'a Question,
    form: Form,
    style: CsvStyle,
    uri: &'a Uri,
}

impl ReportRequest<'_> {
    /// The name of its file, without the ending.
    fn file_name(&self) -> String {
        let days = &self.question.days;
        format!("{}-{}-{}", file::stem(self.uri), days.from, days.to)
    }

    fn json<R: Serialize>(&self, report: &Report<R>) -> Result<Response> {
        let next = report.page.as_ref().and_then(|page| page.next.clone());
        let expected = report.data.len() * ROW_BYTES + TYPICAL_DOCUMENT_BYTES;
        reply::linked(report, expected, self.uri, next.map(|next| ("cursor", next)))
    }

    /// Responds with the report in the form that was asked for.
    fn respond<R: Row>(self, report: &Report<R>, draw: fn(&Report<R>) -> Markup) -> Result<Response> {
        let name = self.file_name();
        Ok(match self.form {
            Form::Json => self.json(report)?,
            Form::Csv => {
                let headers = [
                    (header::CONTENT_TYPE, export::CSV_WITH_HEADER.to_owned()),
                    export::attachment(&name, FileForm::Csv.ending()),
                ];
                (headers, export::encode(&FileFormat::Csv(self.style), &report.data, Part::First)?).into_response()
            }
            Form::Chart => {
                let shown_in_the_page = format!("inline; filename=\"{name}.{}\"", FileForm::Svg.ending());
                let headers = [
                    (header::CONTENT_TYPE, SVG.to_owned()),
                    (header::CONTENT_SECURITY_POLICY, CHART_POLICY.to_owned()),
                    (header::CONTENT_DISPOSITION, shown_in_the_page),
                ];
                (headers, draw(report).into_string()).into_response()
            }
        })
    }
}

/// One row for each day and currency. The range limits the rows, so the report is built in memory.
pub(super) async fn daily(
    State(app): State<App>,
    actor: Actor,
    Parameters(query): Parameters<DailyQuery>,
    form: Form,
    uri: Uri,
) -> Result<Response> {
    let (question, style) = (query.question(&app)?, form.style(&app, query.style)?);
    let wanted = ReportRequest { question: &question, form, style, uri: &uri };
    if form == Form::Json {
        let rows = analytics::daily_json(&app, &actor, question.clone()).await?;
        return wanted.json(&analytics::report(&app, &question, rows, None));
    }
    let rows = analytics::daily(&app, &actor, question.clone()).await?;
    wanted.respond(&analytics::report(&app, &question, rows, None), chart::daily)
}

/// One row for each user and currency. There can be very many, so the CSV form is streamed.
pub(super) async fn revenue_by_user(
    State(app): State<App>,
    actor: Actor,
    Parameters(ListQuery { filter: query, page, file }): Parameters<ListQuery<RevenueQuery>>,
    form: Form,
    Extension(operation): Extension<Arc<Operation>>,
    uri: Uri,
) -> Result<Response> {
    let (question, order) = (query.question(&app)?, query.order());
    let wanted = ReportRequest { question: &question, form, style: form.style(&app, file.style)?, uri: &uri };
    if form == Form::Csv || operation.form.is_some() {
        page.refuse_paging()?;
    }
    if form == Form::Csv {
        let export = analytics::export_revenue_by_user(&app, &actor, &question, order).await?;
        let part = move |request| {
            let (app, export) = (app.clone(), export.clone());
            async move { export.part(&app, request).await }
        };
        let file = File { name: wanted.file_name(), format: FileFormat::Csv(wanted.style) };
        return list::rows(&file, part).await;
    }
    let binding = format!("analytics.revenue_by_user {question:?} {order:?}");
    let request = page.request(&app, &binding, revenue_rank)?;
    let found = analytics::revenue_by_user(&app, &actor, question.clone(), order, request).await?;
    let page = found.map_key(|rank| app.cursors.seal(&revenue_cursor(rank), &binding));
    wanted.respond(&analytics::report(&app, &question, page.entries, Some(page.info)), chart::revenue)
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
    let (question, style) = (query.question(&app)?, form.style(&app, query.style)?);
    let rows = analytics::status_counts(&app, &actor, question.clone()).await?;
    let report = analytics::report(&app, &question, rows, None);
    ReportRequest { question: &question, form, style, uri: &uri }.respond(&report, chart::statuses)
}

/// Net amounts and taxes by rate.
pub(super) async fn taxes(
    State(app): State<App>,
    actor: Actor,
    Parameters(query): Parameters<TaxesQuery>,
    form: Form,
    uri: Uri,
) -> Result<Response> {
    let (question, style) = (query.question(&app)?, form.style(&app, query.style)?);
    let rows = analytics::taxes(&app, &actor, question.clone()).await?;
    let report = analytics::report(&app, &question, rows, None);
    ReportRequest { question: &question, form, style, uri: &uri }.respond(&report, chart::taxes)
}

/// The items with the highest revenue.
pub(super) async fn top_items(
    State(app): State<App>,
    actor: Actor,
    Parameters(query): Parameters<TopItemsQuery>,
    form: Form,
    uri: Uri,
) -> Result<Response> {
    let (question, style) = (query.question(&app)?, form.style(&app, query.style)?);
    let rows = analytics::top_items(&app, &actor, question.clone(), query.limit()).await?;
    let report = analytics::report(&app, &question, rows, None);
    ReportRequest { question: &question, form, style, uri: &uri }.respond(&report, chart::top_items)
}

/// Compares stored figures with a recomputation from the rows.
pub(super) async fn reconcile(State(app): State<App>, actor: Actor) -> Result<Json<Reconciliation>> {
    analytics::reconcile(&app, &actor).await.map(Json)
}
