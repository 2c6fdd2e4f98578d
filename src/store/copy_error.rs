//! Reasons why a copy of the file could not be made.

use super::OpenError;
use crate::error::{Error, problem};
use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// Why a copy could not be made.
#[derive(Debug)]
pub enum CopyError {
    /// A file cannot be used.
    Unusable(OpenError),
    /// The disk has no room for this file.
    DiskFull(PathBuf),
    /// The copy was cancelled by its caller.
    Cancelled,
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable(e) => e.fmt(f),
            Self::DiskFull(path) => write!(f, "{}: there is no room on the disk", path.display()),
            Self::Cancelled => f.write_str("the copy was broken off"),
        }
    }
}

impl std::error::Error for CopyError {}

impl From<OpenError> for CopyError {
    fn from(e: OpenError) -> Self {
        Self::Unusable(e)
    }
}

impl From<CopyError> for Error {
    fn from(e: CopyError) -> Self {
        match e {
            CopyError::DiskFull(_) => Self::new(&problem::STORAGE_FULL).caused_by(e),
            CopyError::Cancelled => Self::new(&problem::DRAINING),
            CopyError::Unusable(_) => Self::internal(e),
        }
    }
}

impl CopyError {
    /// An error of the operating system about the file at `path`.
    pub(super) fn io(path: &Path, e: &io::Error) -> Self {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        match e.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => Self::DiskFull(path.to_path_buf()),
            _ => Self::Unusable(OpenError::Denied(path.to_path_buf(), e.to_string())),
        }
    }
}
