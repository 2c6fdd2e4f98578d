//! Statements as they were bound, for the entry of a journal. A store without a journal records nothing.

use crate::{
    domain::digest::sha256_of,
    store::journal::{
        bytes::{put_uint, put_value},
        entry::{Digest, Statements},
    },
};
use rusqlite::{
    Params, ParamsFromIter, Statement, ToSql, params_from_iter,
    types::{ToSqlOutput, ValueRef},
};
use std::{cell::RefCell, collections::HashMap};

/// Parameters of a statement whose values can be read before they are bound.
pub(in crate::store) trait Bound {
    type Params: Params;

    fn params(self) -> Self::Params;

    /// Calls `put` with each value, in the order of the statement's parameters.
    fn each(&self, statement: &Statement<'_>, put: &mut Put<'_>) -> rusqlite::Result<()>;
}

/// Takes the next value.
type Put<'p> = dyn FnMut(&dyn ToSql) -> rusqlite::Result<()> + 'p;

impl Bound for [&(dyn ToSql + Send + Sync); 0] {
    type Params = Self;

    fn params(self) -> Self {
        self
    }

    fn each(&self, _: &Statement<'_>, _: &mut Put<'_>) -> rusqlite::Result<()> {
        Ok(())
    }
}

impl Bound for &[&dyn ToSql] {
    type Params = Self;

    fn params(self) -> Self {
        self
    }

    fn each(&self, _: &Statement<'_>, put: &mut Put<'_>) -> rusqlite::Result<()> {
        self.iter().try_for_each(|value| put(*value))
    }
}

impl Bound for &[(&str, &dyn ToSql)] {
    type Params = Self;

    fn params(self) -> Self {
        self
    }

    fn each(&self, statement: &Statement<'_>, put: &mut Put<'_>) -> rusqlite::Result<()> {
        for index in 1..=statement.parameter_count() {
            let name = statement.parameter_name(index).unwrap_or_default();
            match self.iter().find(|(other, _)| *other == name) {
                Some((_, value)) => put(*value)?,
                None => put(&rusqlite::types::Null)?,
            }
        }
        Ok(())
    }
}

impl<T: ToSql> Bound for [T; 1] {
    type Params = Self;

    fn params(self) -> Self {
        self
    }

    fn each(&self, _: &Statement<'_>, put: &mut Put<'_>) -> rusqlite::Result<()> {
        self.iter().try_for_each(|value| put(value))
    }
}

/// The values of an iterator.
pub(in crate::store) struct Values<I>(pub(in crate::store) I);

impl<I> Bound for Values<I>
where
    I: Iterator<Item: ToSql> + Clone,
{
    type Params = ParamsFromIter<I>;

    fn params(self) -> Self::Params {
        params_from_iter(self.0)
    }

    fn each(&self, _: &Statement<'_>, put: &mut Put<'_>) -> rusqlite::Result<()> {
        self.0.clone().try_for_each(|value| put(&value))
    }
}

macro_rules! bound_tuple {
    ($($name:ident $index:tt)+) => {
        impl<$($name: ToSql),+> Bound for ($($name,)+) {
            type Params = Self;

            fn params(self) -> Self {
                self
            }

            fn each(&self, _: &Statement<'_>, put: &mut Put<'_>) -> rusqlite::Result<()> {
                $(put(&self.$index)?;)+
                Ok(())
            }
        }
    };
}

bound_tuple!(A 0 B 1);
bound_tuple!(A 0 B 1 C 2);
bound_tuple!(A 0 B 1 C 2 D 3);
bound_tuple!(A 0 B 1 C 2 D 3 E 4);
bound_tuple!(A 0 B 1 C 2 D 3 E 4 F 5);

/// What the jobs of one transaction have executed.
#[derive(Default)]
pub(in crate::store) struct Recorder {
    record: RefCell<Record>,
    /// The digests of texts that were executed before.
    known: RefCell<HashMap<String, Digest>>,
}

#[derive(Default)]
struct Record {
    texts: Vec<Digest>,
    statements: Statements,
}

/// How much was recorded at some moment.
#[derive(Clone, Copy, Default)]
pub(in crate::store) struct Mark {
    texts: usize,
    bytes: usize,
    count: usize,
}

impl Recorder {
    /// Executes a statement, and records it if it has changed anything.
    pub(in crate::store) fn execute(
        &self,
        sql: &str,
        statement: &mut Statement<'_>,
        params: impl Bound,
    ) -> rusqlite::Result<usize> {
        let before = self.mark();
        self.add(sql, statement, &params)?;
        let outcome = statement.execute(params.params());
        if !matches!(outcome, Ok(1..)) {
            self.roll_back_to(before);
        }
        outcome
    }

    fn add(&self, sql: &str, statement: &Statement<'_>, params: &impl Bound) -> rusqlite::Result<()> {
        let mut values = vec![];
        let mut count = 0;
        params.each(statement, &mut |value| {
            count += 1;
            match value.to_sql()? {
                ToSqlOutput::Borrowed(value) => put_value(&mut values, value),
                ToSqlOutput::Owned(value) => put_value(&mut values, ValueRef::from(&value)),
                _ => return Err(rusqlite::Error::ToSqlConversionFailure("a value that cannot be recorded".into())),
            }
            Ok(())
        })?;
        let digest = self.digest(sql);
        let mut record = self.record.borrow_mut();
        let known = record.texts.iter().position(|text| *text == digest);
        let text = known.unwrap_or_else(|| {
            record.texts.push(digest);
            record.texts.len() - 1
        });
        let statements = &mut record.statements;
        put_uint(&mut statements.bytes, text as u64);
        put_uint(&mut statements.bytes, count);
        statements.bytes.append(&mut values);
        statements.count += 1;
        Ok(())
    }

    fn digest(&self, sql: &str) -> Digest {
        let mut known = self.known.borrow_mut();
        if let Some(digest) = known.get(sql) {
            return *digest;
        }
        let digest = sha256_of(sql.as_bytes());
        known.insert(sql.to_owned(), digest);
        digest
    }

    pub(in crate::store) fn mark(&self) -> Mark {
        let record = self.record.borrow();
        Mark { texts: record.texts.len(), bytes: record.statements.bytes.len(), count: record.statements.count }
    }

    /// The bytes of what was recorded.
    pub(in crate::store) fn bytes(&self) -> usize {
        self.record.borrow().statements.bytes.len()
    }

    /// Forgets what was recorded after `mark`.
    pub(in crate::store) fn roll_back_to(&self, mark: Mark) {
        let mut record = self.record.borrow_mut();
        record.texts.truncate(mark.texts);
        record.statements.bytes.truncate(mark.bytes);
        record.statements.count = mark.count;
    }

    /// Hands over what was recorded: the digests of the texts, and the statements.
    pub(in crate::store) fn take(&self) -> (Vec<Digest>, Statements) {
        let Record { texts, statements } = self.record.take();
        (texts, statements)
    }

    /// The texts of these digests.
    pub(in crate::store) fn texts(&self, digests: &[Digest]) -> Vec<(Digest, String)> {
        let known = self.known.borrow();
        let of =
            |digest: &Digest| known.iter().find(|(_, other)| *other == digest).map(|(sql, _)| (*digest, sql.clone()));
        digests.iter().filter_map(of).collect()
    }
}

#[cfg(test)]
mod tests;
