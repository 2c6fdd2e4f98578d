//! The types of parameters and body fields that are integers with bounds of their own.

use crate::domain::money::MAX_AMOUNT;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::borrow::Cow;

/// An integer from `LEAST` to 2^53 - 1, which every JSON reader keeps exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounded<const LEAST: i64>(i64);

/// An amount in minor units, 0 or more.
pub type Amount = Bounded<0>;
/// An amount in minor units, 1 or more.
pub type PositiveAmount = Bounded<1>;
/// The sequence number of an event; 0 is before the first.
pub type SequenceNumber = Bounded<0>;

impl<const LEAST: i64> Bounded<LEAST> {
    /// The integer.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl<'de, const LEAST: i64> Deserialize<'de> for Bounded<LEAST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = i64::deserialize(deserializer)?;
        let is_within = (LEAST..=MAX_AMOUNT).contains(&value);
        if is_within { Ok(Self(value)) } else { Err(D::Error::custom("an integer out of its bounds")) }
    }
}

impl<const LEAST: i64> JsonSchema for Bounded<LEAST> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("IntegerFrom{LEAST}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "format": "int64", "minimum": LEAST, "maximum": MAX_AMOUNT})
    }
}
