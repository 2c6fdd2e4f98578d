//! Conditions of a statement whose text depends on a filter.

use rusqlite::types::Value;

/// Conditions joined by AND, and the values of their parameters in the order of the text.
#[derive(Clone, Default)]
pub(super) struct Conditions {
    texts: Vec<String>,
    pub(super) values: Vec<Value>,
}

impl Conditions {
    pub(super) fn of<const N: usize>(text: &str, values: [Value; N]) -> Self {
        let mut conditions = Self::default();
        conditions.and(text, values);
        conditions
    }

    pub(super) fn and<const N: usize>(&mut self, text: impl Into<String>, values: [Value; N]) {
        self.texts.push(text.into());
        self.values.extend(values);
    }

    pub(super) fn join(&mut self, others: &Self) {
        self.texts.extend_from_slice(&others.texts);
        self.values.extend_from_slice(&others.values);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The text that follows `WHERE`.
    pub(super) fn text(&self) -> String {
        if self.texts.is_empty() { "true".to_owned() } else { self.texts.join(" AND ") }
    }
}
