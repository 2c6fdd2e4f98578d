//! Pages of lists: what a use case is asked for, and what it answers. `K` is the key of an entry, by which the next
//! page begins after it; once the API has sealed it for the client, it is the text of a cursor.

use crate::error::Result;
use schemars::JsonSchema;
use serde::Serialize;

/// A page that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct PageRequest<K> {
    /// The key of the entry after which the page begins; `None` for the first page.
    pub after: Option<K>,
    /// The most entries that the page may have.
    pub limit: usize,
    /// Whether to count the entries of the whole list.
    pub count: bool,
}

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}Page")]
pub struct Page<T, K = String> {
    /// The entries.
    #[serde(rename = "data")]
    pub entries: Vec<T>,
    /// Where this page stands in the list.
    #[serde(rename = "page")]
    pub info: PageInfo<K>,
}

/// Where a page stands in its list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PageInfo<K = String> {
    /// Entries asked for at most.
    #[schemars(range(min = 1, max = 200))]
    pub limit: usize,
    /// Whether entries follow this page.
    pub has_more: bool,
    /// What to send as `cursor` for the next page.
    pub next: Option<K>,
    /// Entries in the whole list, where `count=true` asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub total: Option<i64>,
}

impl<K> PageRequest<K> {
    /// At most `limit` entries after the one with the key `after`, without counting the list.
    pub fn uncounted(after: Option<K>, limit: usize) -> Self {
        Self { after, limit, count: false }
    }

    /// One entry more than the page may have, to see whether others follow it.
    pub fn limit_and_one(&self) -> usize {
        self.limit + 1
    }

    /// The page of these entries, which are the first [`Self::limit_and_one`] after the key.
    ///
    /// # Errors
    /// Those of `total`, which is called if the list is to be counted.
    pub fn page<T>(
        &self,
        mut entries: Vec<T>,
        key: impl FnOnce(&T) -> K,
        total: impl FnOnce() -> Result<i64>,
    ) -> Result<Page<T, K>> {
        let has_more = entries.len() > self.limit;
        entries.truncate(self.limit);
        let next = entries.last().filter(|_| has_more).map(key);
        let total = self.count.then(total).transpose()?;
        Ok(Page { entries, info: PageInfo { limit: self.limit, has_more, next, total } })
    }
}

impl<T, K> Page<T, K> {
    /// The page with each entry as `show` shows it.
    pub fn map<U>(self, show: impl FnMut(T) -> U) -> Page<U, K> {
        Page { entries: self.entries.into_iter().map(show).collect(), info: self.info }
    }

    /// The page with the parts of each entry as its entries. It may then have more of them than its limit.
    pub fn flat_map<U, I: IntoIterator<Item = U>>(self, parts: impl FnMut(T) -> I) -> Page<U, K> {
        Page { entries: self.entries.into_iter().flat_map(parts).collect(), info: self.info }
    }

    /// The page with each entry as `show` shows it, or the first error of it.
    pub fn try_map<U>(self, show: impl FnMut(T) -> Result<U>) -> Result<Page<U, K>> {
        let entries = self.entries.into_iter().map(show).collect::<Result<_>>()?;
        Ok(Page { entries, info: self.info })
    }

    /// The page with the key of its last entry in another form.
    pub fn map_key<L>(self, convert: impl FnOnce(K) -> L) -> Page<T, L> {
        let PageInfo { limit, has_more, next, total } = self.info;
        Page { entries: self.entries, info: PageInfo { limit, has_more, next: next.map(convert), total } }
    }
}
