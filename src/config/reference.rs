//! What there is to set, for people: every key with what it takes and what it means, from the table of keys itself.

use super::{described, layers::PREFIX, value::EXAMPLES};
use figment::value::Value;

/// What is no value of any key that is choosy.
const NONSENSE: &str = "?";

/// A key that can be set.
#[derive(Debug)]
pub struct Key {
    /// Such as `server.listen`.
    pub name: &'static str,
    /// The environment variable that sets it.
    pub variable: String,
    /// What it can be.
    pub takes: String,
    /// What it is where nothing sets it, in TOML.
    pub default: String,
    /// What it is for.
    pub meaning: String,
}

/// Keys that belong together.
#[derive(Debug)]
pub struct Section {
    /// Such as `server`.
    pub name: &'static str,
    /// What they are about.
    pub about: String,
    /// The keys.
    pub keys: Vec<Key>,
}

/// Every key there is.
pub fn reference() -> Vec<Section> {
    described()
}

impl Section {
    pub(super) fn new(name: &'static str, about: &str, keys: Vec<Key>) -> Self {
        Self { name, about: about.trim().to_owned(), keys }
    }
}

impl Key {
    /// The key `name` of this Rust type.
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
            // JSON's notation of texts, numbers, booleans and lists is TOML's too; none of them cannot be written.
            default: serde_json::to_string(&default).unwrap_or_default(),
            meaning: meaning.trim().to_owned(),
        }
    }
}

/// What the fault of a bad value says would be right, without the words about that value. What takes any text is a path.
fn takes<T>(kind: &str, parse: impl Fn(&Value) -> Result<T, String>) -> String {
    let fault = parse(&NONSENSE.into()).err().unwrap_or_default();
    let right = fault.strip_prefix("must be ").unwrap_or("a path").replace(EXAMPLES, "");
    let right = right.split(&format!(", and {NONSENSE:?}")).next().unwrap_or_default();
    if kind.starts_with("Vec") { format!("a list: {right}") } else { right.to_owned() }
}
