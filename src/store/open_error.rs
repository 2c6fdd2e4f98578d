//! Reasons why a file could not be opened, each displayed as one line.

use super::schema::SCHEMA_VERSION;
use std::{fmt, path::PathBuf};

/// Why a file could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has the file open: this one, if the system tells.
    InUse(PathBuf, Option<u32>),
    /// A newer version of this program wrote the file; its schema has this version.
    Newer(PathBuf, i64),
    /// An older version of this program wrote the file, and this command only reads; its schema has this version.
    Older(PathBuf, i64),
    /// The file is damaged or not a database of this program, for this reason.
    Damaged(PathBuf, String),
    /// The file cannot be used, for this reason: mostly an error of the operating system.
    Denied(PathBuf, String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path, None) => write!(f, "{}: in use by another orderd", path.display()),
            Self::InUse(path, Some(pid)) => {
                write!(f, "{}: in use by another orderd, process {pid}", path.display())
            }
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
