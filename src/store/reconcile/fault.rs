//! Naming the first wrong row of a comparison whose sides differ.

use super::{
    Comparison,
    definitions::Dimension,
    entry::{Entry, each_row},
    side::day,
};
use crate::{
    domain::time::Timestamp,
    error::Result,
    store::{ReadTx, rollups},
};
use std::collections::BTreeMap;

/// The sums of one key on each side.
#[derive(Default)]
struct Pair {
    stored: Vec<i128>,
    recomputed: Vec<i128>,
}

impl Pair {
    fn differs(&self) -> bool {
        let is_zero = |values: &[i128]| values.iter().all(|value| *value == 0);
        self.stored != self.recomputed && !(is_zero(&self.stored) && is_zero(&self.recomputed))
    }
}

fn add(sums: &mut Vec<i128>, values: &[i128]) {
    sums.resize(values.len(), 0);
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum = sum.wrapping_add(*value));
}

impl Comparison {
    /// The first wrong row: where it is, what is stored and what was recomputed. The first day whose digests differ is
    /// read again, key by key.
    pub(in crate::store) fn first_fault(&self, tx: &ReadTx<'_>) -> Result<Option<String>> {
        let Some(wrong_day) = self.stored.first_difference(&self.recomputed) else { return Ok(None) };
        let mut rows: BTreeMap<(i64, String, i64), Pair> = BTreeMap::new();
        let mut pair_of = |entry: &Entry<'_>, add: &dyn Fn(&mut Pair)| {
            if day(self.span, entry.position) == wrong_day {
                add(rows.entry((entry.position, entry.currency.to_owned(), entry.dimension)).or_default());
            }
        };
        self.definition.stored.each(tx, self.span, |entry| {
            pair_of(entry, &|pair| add(&mut pair.stored, entry.values));
        })?;
        each_row(tx, self.definition.recomputed, |entry| {
            pair_of(&entry.in_bucket(self.span), &|pair| add(&mut pair.recomputed, entry.values));
        })?;
        let Some(((position, currency, dimension), pair)) = rows.into_iter().find(|(_, pair)| pair.differs()) else {
            return Ok(None);
        };
        let place = describe_position(self.span, position);
        let label = describe_dimension(self.definition.dimension, tx, dimension)?;
        let (stored, recomputed) = (list(&pair.stored), list(&pair.recomputed));
        Ok(Some(format!("{place}, {currency}{label}, stored {stored}, recomputed {recomputed}")))
    }
}

/// What a dimension stands for, after a space; empty for sums that have only one dimension.
fn describe_dimension(kind: Dimension, tx: &ReadTx<'_>, dimension: i64) -> Result<String> {
    let name = match kind {
        Dimension::None => return Ok(String::new()),
        Dimension::User if dimension == 0 => Some("nobody".to_owned()),
        Dimension::User => rollups::users(tx, [dimension])?.remove(&dimension).map(|user| user.id.to_string()),
        Dimension::Sku => rollups::sku(tx, dimension)?,
        Dimension::Statuses => rollups::statuses(dimension)
            .map(|(status, payment_status)| format!("{} {}", status.name(), payment_status.name())),
        Dimension::TaxRate => {
            rollups::rate(dimension).map(|rate| rate.map_or("without a rate".to_owned(), |rate| format!("{rate} %")))
        }
        Dimension::Line => (dimension >= 0).then(|| format!("line {dimension}")),
    };
    Ok(format!(" {}", name.unwrap_or_else(|| format!("unknown {dimension}"))))
}

fn describe_position(span: i64, position: i64) -> String {
    if span == 1 {
        return format!("order row {position}");
    }
    let begins = Timestamp::from_millis(position.saturating_mul(span * 1000));
    format!("span {span}, bucket {position} ({begins})")
}

fn list(values: &[i128]) -> String {
    if values.is_empty() {
        return "nothing".to_owned();
    }
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
