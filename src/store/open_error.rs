//! Why a file could not be opened, in one line each.

use super::schema::SCHEMA_VERSION;
use std::{fmt, path::PathBuf};

/// Why a file could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// Another server has it.
    Held(PathBuf),
    /// It was written by a newer version.
    Newer(PathBuf, i64),
    /// It was written by an older version, and this command only reads.
    Older(PathBuf, i64),
    /// It is not a database of this program, or is damaged.
    Damaged(PathBuf, String),
    /// The system would not let us.
    Denied(PathBuf, String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(path) => write!(f, "{}: in use by another orderd", path.display()),
            Self::Newer(path, version) => write!(
                f,
                "{}: schema {version} is newer than this program's {SCHEMA_VERSION}; it was left untouched",
                path.display()
            ),
            Self::Older(path, version) => write!(
                f,
                "{}: schema {version} is older than this program's {SCHEMA_VERSION}; `orderd serve` upgrades it",
                path.display()
            ),
            Self::Damaged(path, reason) | Self::Denied(path, reason) => write!(f, "{}: {reason}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {}
