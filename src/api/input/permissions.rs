//! Permissions in bodies: which names there are, as the schema says it and the reader holds it.

use crate::domain::permission::Permission;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::borrow::Cow;

/// Any permission.
pub(crate) struct AnyPermission(pub(crate) Permission);

/// A permission that an API key can have: one that is not about orders of one's own, since a program has none.
pub(crate) struct KeyPermission(pub(crate) Permission);

macro_rules! named {
    ($($type:ident where $allowed:expr;)+) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = Cow::<str>::deserialize(deserializer)?;
                let known = Permission::parse(&name).filter($allowed);
                known.map(Self).ok_or_else(|| D::Error::custom("not a permission here"))
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let names: Vec<_> = Permission::ALL.iter().filter(|p| $allowed(*p)).map(|p| p.name()).collect();
                json_schema!({"type": "string", "enum": names})
            }
        }
    )+};
}

named! {
    AnyPermission where |_: &Permission| true;
    KeyPermission where |p: &Permission| !p.is_own();
}
