//! Reasons why a file could not be opened, each displayed as one line.

use super::{schema::SCHEMA_VERSION, sql::is_damage};
use crate::error::Error;
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Why a file could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has the file open or locked: the orderd with this number, if the system tells.
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

impl OpenError {
    /// What the file at `path` was opened for could not be read from it.
    pub fn unreadable(path: &Path, e: &Error) -> Self {
        let cause = e.cause().map_or_else(|| e.to_string(), ToString::to_string);
        if is_damage(e) {
            Self::Damaged(path.to_path_buf(), format!("damaged: {cause}; `orderd verify` names the damage"))
        } else {
            Self::Denied(path.to_path_buf(), cause)
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path, None) => write!(f, "{}: in use by another process", path.display()),
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
