//! Events over HTTP: those of one order, and the feed of all, on which a client can wait.

use super::{
    input::{
        extract::{Parameters, PathId},
        file::{FileRequest, StyleName},
        integer::SequenceNumber,
        list::{ListRequest, PageSize},
        parsed::Parsed,
    },
    operation::{CSV, EVENT_STREAM, JSON, NDJSON, Operation},
    output::{
        event_stream,
        export::{Format, file_form, preferred, refuse_paging},
        list, reply,
    },
};
use crate::{
    app::App,
    auth::Actor,
    domain::{id::OrderId, listing::Direction},
    error::{Error, Fault, Result, problem},
    service::{
        events,
        page::{Page, PageInfo, PageRequest},
        views::{EventView, StoredJson},
    },
};
use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderMap, Uri, request::Parts},
    response::Response,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{sync::Arc, time::Duration};

/// The longest time that a request may wait for an event.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Which events to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListEvents {
    /// The `seq` of the last known event; the page begins after it. If left out, it begins with the first event.
    after: Option<SequenceNumber>,
    /// Entries of a page; more than 200 are lowered to 200.
    limit: Option<PageSize>,
    /// How many seconds to wait for an event if there is none yet.
    #[schemars(range(min = 0, max = 30))]
    wait: Option<u64>,
    /// Whether to count the whole list: `page.total`.
    count: Option<bool>,
    /// `desc` begins with the newest event; then the page ends before the `seq` of `after`. `asc` if left out.
    order: Option<Parsed<Direction>>,
    /// `excel` makes a CSV for spreadsheets: with a byte order mark, amounts as decimals and local times.
    style: Option<Parsed<StyleName>>,
}

/// In which order to list the events of an order.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListOrderEvents {
    /// `desc` begins with the newest event. `asc` if left out.
    order: Option<Parsed<Direction>>,
}

/// The direction of a list of events, which is from the first event on unless the client says otherwise.
fn direction(order: Option<Parsed<Direction>>) -> Direction {
    order.map_or(Direction::Ascending, |order| order.0)
}

/// From where to follow the events.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamEvents {
    /// The `seq` after which to begin; if left out, the stream begins with the next event that happens.
    after: Option<SequenceNumber>,
}

/// The header with which a client goes on after the last event that it has.
const LAST_EVENT_ID: &str = "Last-Event-ID";

/// Streams all events as they happen.
pub(super) async fn stream(
    State(app): State<App>,
    actor: Actor,
    Parameters(parameters): Parameters<StreamEvents>,
    headers: HeaderMap,
) -> Result<Response> {
    follow(&app, actor, last_event_id(&headers)?, parameters.after).await
}

/// `last` is what `Last-Event-ID` says; it is stronger than `after`.
async fn follow(app: &App, actor: Actor, last: Option<i64>, after: Option<SequenceNumber>) -> Result<Response> {
    let after = last.or(after.map(SequenceNumber::get));
    events::subscribe(app, actor, after).await.map(event_stream::respond)
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>> {
    let mut sent = headers.get_all(LAST_EVENT_ID).iter();
    let Some(value) = sent.next() else { return Ok(None) };
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|c| c.is_ascii_digit()));
    let seq = digits.and_then(|text| text.parse().ok()).filter(|_| sent.next().is_none());
    let fault = || {
        let detail = "must be the `id` of the last event that the client has: one whole number, such as 1042";
        Error::new(&problem::INVALID_HEADER).with_faults(vec![Fault::header(LAST_EVENT_ID, "invalid_format", detail)])
    };
    seq.map(Some).ok_or_else(fault)
}

/// Refuses the parameters of pages, which a stream does not have.
fn refuse_in_stream(parameters: &ListEvents) -> Result<()> {
    let sent = [
        ("limit", parameters.limit.is_some()),
        ("wait", parameters.wait.is_some()),
        ("count", parameters.count.is_some()),
        ("order", parameters.order.is_some()),
        ("style", parameters.style.is_some()),
    ];
    let sent = sent.into_iter().filter(|(_, is_sent)| *is_sent);
    let faults = sent.map(|(name, _)| Fault::parameter(name, "conflict", "must not be given: a stream has no pages"));
    let faults: Vec<_> = faults.collect();
    if faults.is_empty() { Ok(()) } else { Err(Error::new(&problem::INVALID_PARAMETER).with_faults(faults)) }
}

/// What a request for the feed asks for.
pub(super) struct FeedRequest {
    parameters: ListEvents,
    form: FeedForm,
    uri: Uri,
}

enum FeedForm {
    Page,
    File(FileRequest),
    /// A stream that goes on after the event of `Last-Event-ID`.
    Stream(Option<i64>),
}

impl FromRequestParts<App> for FeedRequest {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let Parameters(parameters) = Parameters::<ListEvents>::from_request_parts(parts, app).await?;
        let uri = parts.uri.clone();
        // A malformed `Last-Event-ID` is refused also where a page is requested, which needs none.
        let last = last_event_id(&parts.headers)?;
        let offered = [JSON, CSV, NDJSON, EVENT_STREAM];
        if file_form(parts).is_none() && preferred(&parts.headers, &offered) == EVENT_STREAM {
            refuse_in_stream(&parameters)?;
            return Ok(Self { parameters, form: FeedForm::Stream(last), uri });
        }
        let format = Format::from_request_parts(parts, app).await?;
        let operation = parts.extensions.get::<Arc<Operation>>();
        let operation = operation.ok_or_else(|| Error::internal("a request without operation"))?;
        let file = FileRequest::of(app, (operation, &uri), format, parameters.style)?;
        if file.is_some() {
            refuse_paging(&[
                ("limit", parameters.limit.is_some()),
                ("wait", parameters.wait.is_some()),
                ("count", parameters.count.is_some()),
            ])?;
        } else {
            refuse_waiting_backwards(&parameters)?;
        }
        Ok(Self { parameters, form: file.map_or(FeedForm::Page, FeedForm::File), uri })
    }
}

/// Lists all events in the order of their sequence numbers, which have no gaps; or streams them.
pub(super) async fn feed(
    State(app): State<App>,
    actor: Actor,
    FeedRequest { parameters, form, uri }: FeedRequest,
) -> Result<Response> {
    let (after, direction) = (parameters.after.map(SequenceNumber::get), direction(parameters.order));
    match form {
        FeedForm::Stream(last) => follow(&app, actor, last, parameters.after).await,
        FeedForm::File(file) => {
            let part = move |app: App, actor: Actor, page: PageRequest<i64>| {
                let page = PageRequest { after: page.after.or(after), ..page };
                async move { events::export(&app, &actor, direction, page).await }
            };
            list::all(app, actor, file, part).await
        }
        FeedForm::Page => {
            let limit = parameters.limit.unwrap_or(PageSize::DEFAULT).entries();
            let wait = Duration::from_secs(parameters.wait.unwrap_or(0));
            let page = PageRequest { after, limit, count: parameters.count == Some(true) };
            let found = events::list(&app, &actor, direction, page, wait).await?;
            let begin = if direction == Direction::Ascending { Some(after.unwrap_or(0)) } else { after };
            feed_page(found, begin, &uri)
        }
    }
}

/// What is older than the newest event never changes, so there is nothing to wait for.
fn refuse_waiting_backwards(parameters: &ListEvents) -> Result<()> {
    if direction(parameters.order) == Direction::Ascending || parameters.wait.unwrap_or(0) == 0 {
        return Ok(());
    }
    let fault =
        Fault::parameter("wait", "conflict", "must not be given with `order=desc`: new events are not in its pages");
    Err(Error::new(&problem::INVALID_PARAMETER).with_faults(vec![fault]))
}

/// Bytes of the fields of an event around its document, as far as most events go.
const EVENT_FIELDS: usize = 512;

/// The feed names a place to go on from even where nothing follows yet, so that a client can ask for what comes later.
fn feed_page(found: Page<EventView, i64>, after: Option<i64>, uri: &Uri) -> Result<Response> {
    let next = found.entries.last().map(|event| event.seq).or(after).map(|seq| seq.to_string());
    let PageInfo { limit, has_more, total, .. } = found.info;
    let link = next.clone().filter(|_| has_more).map(|next| ("after", next));
    let info = PageInfo { limit, has_more, next, total };
    let expected = StoredJson::length_of_page(found.entries.iter().map(|event| &event.data), EVENT_FIELDS);
    reply::linked(&Page { entries: found.entries, info }, expected, uri, link)
}

/// Lists an order's events.
pub(super) async fn of_order(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<OrderId>,
    ListRequest { filter, options }: ListRequest<ListOrderEvents>,
) -> Result<Response> {
    let direction = direction(filter.order);
    let find = move |app, actor, page| async move { events::of_order(&app, &actor, id, direction, &page).await };
    list::answer(app, actor, options, format!("orders.events {id} {direction:?}"), find).await
}
