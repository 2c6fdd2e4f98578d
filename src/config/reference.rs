//! The reference of all keys for the manual, generated from the table of keys.

use super::{described, layers::PREFIX, value::EXAMPLES};
use figment::value::Value;

/// A value that every key refuses, except those that accept any text.
const INVALID: &str = "?";

/// One key.
#[derive(Debug)]
pub struct Key {
    /// The name, such as `server.listen`.
    pub name: &'static str,
    /// The environment variable that sets it.
    pub variable: String,
    /// The values that it accepts, in words.
    pub takes: String,
    /// The default, in TOML.
    pub default: String,
    /// What it controls.
    pub meaning: String,
}

/// A group of keys.
#[derive(Debug)]
pub struct Section {
    /// The name, such as `server`.
    pub name: &'static str,
    /// The subject of its keys.
    pub about: String,
    /// The keys of the section.
    pub keys: Vec<Key>,
}

/// All keys, by section.
pub fn reference() -> Vec<Section> {
    described()
}

impl Section {
    pub(super) fn new(name: &'static str, about: &str, keys: Vec<Key>) -> Self {
        Self { name, about: about.trim().to_owned(), keys }
    }
}

impl Key {
    /// Describes the key `name`. `kind` is its Rust type.
    pub(super) fn new<T>(
        name: &'static str,
        kind: &str,
        default: Value,
        parse: impl Fn(&Value) -> Result<T, String>,
        meaning: &str,
    ) -> Self {
        Self {
            name,
            variable: format!("{PREFIX}{}", name.to_uppercase().replace('.', "__")),
            takes: takes(kind, parse),
            // Strings, numbers, booleans and lists are written the same way in JSON and in TOML, and this cannot fail
            // for them.
            default: serde_json::to_string(&default).unwrap_or_default(),
            meaning: meaning.trim().to_owned(),
        }
    }
}

/// The accepted values, taken from the fault that `parse` reports for an invalid value. A key that accepts any text is
/// a path or text.
fn takes<T>(kind: &str, parse: impl Fn(&Value) -> Result<T, String>) -> String {
    let fault = parse(&INVALID.into()).err().unwrap_or_default();
    let anything = if kind.contains("Path") { "a path" } else { "text" };
    let right = fault.strip_prefix("must be ").unwrap_or(anything).replace(EXAMPLES, "");
    let right = right.split(&format!(", and {INVALID:?}")).next().unwrap_or_default();
    if kind.starts_with("Vec") { format!("a list: {right}") } else { right.to_owned() }
}
