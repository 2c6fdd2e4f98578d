//! Pages of lists: what is asked for and what comes of it, whatever is listed.

use crate::error::Result;

/// Which page of a list is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<K> {
    /// The key of the entry after which it begins; none for the first page.
    pub after: Option<K>,
    /// How many entries it may have.
    pub limit: usize,
    /// Whether the entries of the whole list are to be counted.
    pub count: bool,
}

/// A page of a list.
pub struct Found<T, K> {
    /// The entries.
    pub entries: Vec<T>,
    /// The key of the last one, if more follow.
    pub next: Option<K>,
    /// How many there are in the whole list, if that was asked for.
    pub total: Option<i64>,
}

impl<K> Wanted<K> {
    /// This many entries after that one, uncounted.
    pub fn some(after: Option<K>, limit: usize) -> Self {
        Self { after, limit, count: false }
    }

    /// How many entries to look for: one more than are shown, to see whether more follow.
    pub fn look_for(&self) -> usize {
        self.limit + 1
    }

    /// The page of what was looked for.
    pub fn found<T>(
        &self,
        mut entries: Vec<T>,
        key: impl FnOnce(&T) -> K,
        total: impl FnOnce() -> Result<i64>,
    ) -> Result<Found<T, K>> {
        let has_more = entries.len() > self.limit;
        entries.truncate(self.limit);
        let next = entries.last().filter(|_| has_more).map(key);
        let total = self.count.then(total).transpose()?;
        Ok(Found { entries, next, total })
    }
}

impl<T, K: Copy> Found<T, K> {
    /// The page with its entries borrowed.
    pub fn as_ref(&self) -> Found<&T, K> {
        Found { entries: self.entries.iter().collect(), next: self.next, total: self.total }
    }
}

impl<T, K> Found<T, K> {
    /// The page with each entry as `show` shows it.
    pub fn map<U>(self, show: impl FnMut(T) -> U) -> Found<U, K> {
        Found { entries: self.entries.into_iter().map(show).collect(), next: self.next, total: self.total }
    }
}
