//! What all lists have in common: the size of a page, the place where the next one begins, and the link to it.

use super::{
    super::input::extract::Parameters,
    export::{self, Begins, Format, ROWS_AT_ONCE, Row},
    reply,
};
use crate::{
    app::App,
    auth::Cursor,
    domain::id::Identifier,
    error::{Error, Result},
    service::{
        page::{Found, Wanted},
        views::{Page, PageInfo},
    },
};
use axum::{
    extract::FromRequestParts,
    http::{Uri, request::Parts},
    response::Response,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// The largest page of any list.
const MAX_LIMIT: u64 = 200;
/// The page of a list where the caller names none.
const DEFAULT_LIMIT: u64 = 50;

/// The parameters of a list without filters.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paging {
    /// Entries of a page; more than 200 are lowered to 200.
    #[schemars(range(min = 1))]
    limit: Option<u64>,
    /// The `page.next` of the page before.
    #[schemars(length(min = 1, max = 512))]
    cursor: Option<String>,
    /// Whether to count the whole list: `page.total`.
    count: Option<bool>,
}

impl Paging {
    /// Refuses to page through an export.
    pub(crate) fn refuse(&self) -> Result<()> {
        export::refuse_paging(&[("limit", self.limit.is_some()), ("cursor", self.cursor.is_some())])
    }
}

/// What a client asks of a list without filters: a page of it, or all of it in another form.
pub(crate) struct Asked {
    paging: Paging,
    format: Format,
    uri: Uri,
}

impl FromRequestParts<App> for Asked {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let Parameters(paging) = Parameters::<Paging>::from_request_parts(parts, app).await?;
        Ok(Self { paging, format: Format::from_request_parts(parts, app).await?, uri: parts.uri.clone() })
    }
}

impl Asked {
    /// The answer from the list that `binding` describes. `find` gives what is wanted of it; `key` is what a cursor stands
    /// for, and `cursor` what stands for a key.
    pub(crate) async fn answer<T, K, F>(
        self,
        app: &App,
        binding: String,
        key: impl FnOnce(&Cursor) -> Option<K>,
        cursor: impl FnOnce(K) -> Cursor,
        find: impl Fn(Wanted<K>) -> F + Send + 'static,
    ) -> Result<Response>
    where
        T: Row + Send + 'static,
        K: Send + 'static,
        F: Future<Output = Result<Found<T, K>>> + Send + 'static,
    {
        if self.format != Format::Page {
            self.paging.refuse()?;
            return all(self.format, find).await;
        }
        let place = Place::plain(app, binding, &self.paging)?;
        let found = find(place.wanted(key)).await?;
        Ok(reply::page(&place.found(app, found, cursor), &self.uri))
    }
}

/// How many entries to show where the client asks for `limit`.
pub(crate) fn page_size(limit: Option<u64>) -> usize {
    usize::try_from(limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT)).unwrap_or(1)
}

/// A list: what it is bound to, how long its pages are, and where this one begins.
pub(crate) struct Place {
    binding: String,
    count: bool,
    /// Entries of a page.
    limit: usize,
    /// The cursor that the page begins after.
    after: Option<Cursor>,
}

impl Place {
    /// The place that a client asks for in the list that `binding` describes.
    pub(crate) fn of(app: &App, binding: String, limit: Option<u64>, cursor: Option<&str>) -> Result<Self> {
        let limit = page_size(limit);
        let after = cursor.map(|text| app.cursors.open(text, &binding)).transpose()?;
        Ok(Self { binding, count: false, limit, after })
    }

    /// The place in a list without filters.
    pub(crate) fn plain(app: &App, binding: String, paging: &Paging) -> Result<Self> {
        Self::of(app, binding, paging.limit, paging.cursor.as_deref()).map(|place| place.counted(paging.count))
    }

    /// The same place, where the client may have asked how long the whole list is.
    pub(crate) fn counted(self, count: Option<bool>) -> Self {
        Self { count: count.unwrap_or(false), ..self }
    }

    /// What to look for, where `key` is what a cursor stands for.
    pub(crate) fn wanted<K>(&self, key: impl FnOnce(&Cursor) -> Option<K>) -> Wanted<K> {
        Wanted { after: self.after.as_ref().and_then(key), limit: self.limit, count: self.count }
    }

    /// The page of what was found, where `cursor` stands for the key of its last entry.
    pub(crate) fn found<T, K>(&self, app: &App, found: Found<T, K>, cursor: impl FnOnce(K) -> Cursor) -> Page<T> {
        let next = found.next.map(|key| app.cursors.seal(&cursor(key), &self.binding));
        let page = PageInfo { limit: self.limit, has_more: next.is_some(), next, total: found.total };
        Page { data: found.entries, page }
    }
}

/// The cursor of the entry in this row.
pub(crate) fn of_row(row: i64) -> Cursor {
    Cursor(vec![row])
}

/// The row that a cursor stands for.
pub(crate) fn row(cursor: &Cursor) -> Option<i64> {
    cursor.0.first().copied()
}

/// All rows of a list, streamed, where `more` finds those that are wanted.
pub(crate) async fn all<T, K, F>(format: Format, more: impl Fn(Wanted<K>) -> F + Send + 'static) -> Result<Response>
where
    T: Row + Send,
    K: Send + 'static,
    F: Future<Output = Result<Found<T, K>>> + Send + 'static,
{
    export::stream(format, move |after: Option<K>| {
        let begins = Begins::after(after.as_ref());
        let found = more(Wanted { after, limit: ROWS_AT_ONCE, count: false });
        async move {
            let found = found.await?;
            Ok((export::encode(format, &found.entries, begins)?, found.next))
        }
    })
    .await
}

/// The cursor of the entry with this identifier.
pub(crate) fn cursor<I: Identifier>(id: I) -> Cursor {
    let (halves, _) = id.bytes().as_chunks::<8>();
    Cursor(halves.iter().map(|half| i64::from_be_bytes(*half)).collect())
}

/// The identifier that a cursor stands for.
pub(crate) fn id<I: Identifier>(cursor: &Cursor) -> Option<I> {
    let bytes: Vec<u8> = cursor.0.iter().flat_map(|half| half.to_be_bytes()).collect();
    bytes.try_into().ok().map(I::from_bytes)
}
