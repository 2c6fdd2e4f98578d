//! The schema: the present one, and the steps that led to it. Taking them is the matter of `migrate.rs`.

/// The present schema; a new file is made from it.
pub(super) const SCHEMA: &str = include_str!("../../schema.sql");
/// `PRAGMA user_version` of the present schema.
pub(super) const SCHEMA_VERSION: i64 = newest(STEPS);

/// A step to the next version of the schema.
pub(super) struct Step {
    /// The version that it leads to.
    pub(super) to: i64,
    /// Its statements: a file of `migrations/`.
    pub(super) sql: &'static str,
    /// SHA-256 of the statements, in hex: a step that was released is never edited.
    pub(super) sha256: &'static str,
}

/// Every step since the first release, in order. The statements of the step to version 2 are `migrations/0002_<what>.sql`,
/// and so on; `schema.sql` always holds what they lead to.
pub(super) const STEPS: &[Step] = &[];

/// The version that `steps` lead to.
pub(super) const fn newest(steps: &[Step]) -> i64 {
    match steps {
        [.., last] => last.to,
        [] => 1,
    }
}
