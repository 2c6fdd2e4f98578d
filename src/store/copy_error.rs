//! Why a copy of the file could not be made.

use super::OpenError;
use crate::error::{Error, problem};
use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// Why there is no copy.
#[derive(Debug)]
pub enum CopyError {
    /// A file is not what it has to be, or the system would not let us.
    Unfit(OpenError),
    /// There is no room for the file.
    Full(PathBuf),
    /// Nobody wanted it any more.
    Stopped,
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfit(e) => e.fmt(f),
            Self::Full(path) => write!(f, "{}: there is no room on the disk", path.display()),
            Self::Stopped => f.write_str("the copy was broken off"),
        }
    }
}

impl std::error::Error for CopyError {}

impl From<OpenError> for CopyError {
    fn from(e: OpenError) -> Self {
        Self::Unfit(e)
    }
}

impl From<CopyError> for Error {
    fn from(e: CopyError) -> Self {
        match e {
            CopyError::Full(_) => Self::new(&problem::STORAGE_FULL).caused_by(e),
            CopyError::Stopped => Self::new(&problem::DRAINING),
            CopyError::Unfit(_) => Self::internal(e),
        }
    }
}

impl CopyError {
    /// The system would not let us do something with the file at `path`.
    pub(super) fn denied(path: &Path, e: &io::Error) -> Self {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        match e.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => Self::Full(path.to_path_buf()),
            _ => Self::Unfit(OpenError::Denied(path.to_path_buf(), e.to_string())),
        }
    }
}
