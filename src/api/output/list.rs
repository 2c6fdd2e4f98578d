//! The one way in which lists are answered: a page in JSON with a link to the next, or all rows as CSV or NDJSON. Which
//! entries there are is the service's matter.

use super::{
    export::{self, File, Part, ROWS_AT_ONCE, Row},
    reply,
};
use crate::{
    api::input::{file::FileRequest, list::ListOptions},
    app::App,
    auth::{Actor, Cursor},
    domain::{id::Identifier, listing::Position},
    error::Result,
    service::{
        audit,
        page::{Page, PageRequest},
        views::TYPICAL_DOCUMENT_BYTES,
    },
};
use axum::response::Response;
use serde::Serialize;

/// The key of an entry, which a cursor carries to the client and back.
pub(crate) trait CursorKey: Sized {
    fn to_cursor(&self) -> Cursor;

    /// `None` if the cursor holds no such key.
    fn of_cursor(cursor: &Cursor) -> Option<Self>;
}

/// A row number or a version.
impl CursorKey for i64 {
    fn to_cursor(&self) -> Cursor {
        Cursor(vec![*self])
    }

    fn of_cursor(cursor: &Cursor) -> Option<Self> {
        cursor.0.first().copied()
    }
}

impl<I: Identifier> CursorKey for I {
    fn to_cursor(&self) -> Cursor {
        Cursor(integers(self.bytes()))
    }

    fn of_cursor(cursor: &Cursor) -> Option<Self> {
        bytes(cursor).try_into().ok().map(I::from_bytes)
    }
}

/// A name, padded with zeros.
impl CursorKey for String {
    fn to_cursor(&self) -> Cursor {
        let mut padded = self.clone().into_bytes();
        padded.resize(self.len().next_multiple_of(8), 0);
        Cursor(integers(&padded))
    }

    fn of_cursor(cursor: &Cursor) -> Option<Self> {
        Self::from_utf8(bytes(cursor).into_iter().filter(|byte| *byte != 0).collect()).ok()
    }
}

impl CursorKey for Position {
    fn to_cursor(&self) -> Cursor {
        Cursor(vec![self.value, self.seq, self.began])
    }

    fn of_cursor(cursor: &Cursor) -> Option<Self> {
        let [value, seq, began] = cursor.0[..] else { return None };
        Some(Self { value, seq, began })
    }
}

fn integers(bytes: &[u8]) -> Vec<i64> {
    let (parts, _) = bytes.as_chunks::<8>();
    parts.iter().map(|part| i64::from_be_bytes(*part)).collect()
}

fn bytes(cursor: &Cursor) -> Vec<u8> {
    cursor.0.iter().flat_map(|part| part.to_be_bytes()).collect()
}

/// Answers a list in the form that was asked for, where `find` reads a page of it. `binding` describes the list and its
/// filters: a cursor is good for one list only.
pub(crate) async fn answer<T, K, P>(
    app: App,
    actor: Actor,
    options: ListOptions,
    binding: String,
    find: impl Fn(App, Actor, PageRequest<K>) -> P + Send + 'static,
) -> Result<Response>
where
    T: Row + Send + 'static,
    K: CursorKey + Send + 'static,
    P: Future<Output = Result<Page<T, K>>> + Send + 'static,
{
    match &options.file {
        None => page(app, actor, options, binding, find, |_| TYPICAL_DOCUMENT_BYTES).await,
        Some(file) => {
            options.page.refuse_paging()?;
            all(app, actor, file.clone(), find).await
        }
    }
}

/// Answers with the requested page. `length` estimates the bytes of its entries as JSON, to reserve memory once.
pub(crate) async fn page<T, K, P>(
    app: App,
    actor: Actor,
    options: ListOptions,
    binding: String,
    find: impl FnOnce(App, Actor, PageRequest<K>) -> P,
    length: impl FnOnce(&[T]) -> usize,
) -> Result<Response>
where
    T: Serialize,
    K: CursorKey,
    P: Future<Output = Result<Page<T, K>>>,
{
    let wanted = options.page.request(&app, &binding, K::of_cursor)?;
    let found = find(app.clone(), actor, wanted).await?;
    let page = found.map_key(|key| app.cursors.seal(&key.to_cursor(), &binding));
    let next = page.info.next.clone().map(|next| ("cursor", next));
    reply::linked(&page, length(&page.entries), &options.uri, next)
}

/// Answers with a file of all entries, and records that in the audit trail.
pub(crate) async fn all<T, K, P>(
    app: App,
    actor: Actor,
    request: FileRequest,
    find: impl Fn(App, Actor, PageRequest<K>) -> P + Send + 'static,
) -> Result<Response>
where
    T: Row + Send,
    K: Send + 'static,
    P: Future<Output = Result<Page<T, K>>> + Send + 'static,
{
    let (of_find, by_whom) = (app.clone(), actor.clone());
    let response = rows(&request.file, move |page| find(of_find.clone(), by_whom.clone(), page)).await?;
    audit::exported(&app, actor, request.list, request.file.format.ending(), request.parameters).await?;
    Ok(response)
}

/// Streams all rows that `find` reads, a part at a time.
pub(crate) async fn rows<T, K, P>(file: &File, find: impl Fn(PageRequest<K>) -> P + Send + 'static) -> Result<Response>
where
    T: Row + Send,
    K: Send + 'static,
    P: Future<Output = Result<Page<T, K>>> + Send + 'static,
{
    let format = file.format.clone();
    export::stream(file, move |after: Option<K>| {
        let (part, format) = (Part::after(after.as_ref()), format.clone());
        let found = find(PageRequest::uncounted(after, ROWS_AT_ONCE));
        async move {
            let found = found.await?;
            Ok((export::encode(&format, &found.entries, part)?, found.info.next))
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{auth::policy::MAX_ROLE_NAME, domain::id::UserId};
    use std::fmt::Debug;

    fn survives<K: CursorKey + PartialEq + Debug>(key: K) {
        assert_eq!(K::of_cursor(&key.to_cursor()), Some(key));
    }

    #[test]
    fn every_key_survives_its_cursor() {
        survives(i64::MAX);
        survives(UserId::from_bytes(std::array::from_fn(|i| u8::try_from(i * 17).unwrap())));
        survives(Position { value: -1, seq: 2, began: 3 });
        for name in ["a", "eight888", "shift-lead", &"z".repeat(MAX_ROLE_NAME)] {
            survives(name.to_owned());
        }
    }
}
