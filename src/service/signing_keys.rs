//! Rotation of the signing keys: a command adds a key to the key file, and a running server reloads the file.

use crate::{
    app::App,
    auth::token::KeyRing,
    domain::time::Timestamp,
    error::{Error, Result},
};
use std::{fs, os::unix::fs::MetadataExt, path::Path, time::Duration};

/// The longest time until a running server has reloaded the file. Until then it signs with the previous key.
const RELOAD_TIME: Duration = Duration::from_mins(1);

/// Adds a new signing key to the key file at `path`. The previous keys verify until the last token that they signed,
/// which is valid for `access_ttl`, has expired.
pub fn rotate(path: &Path, now: Timestamp, access_ttl: Duration) -> Result<()> {
    KeyRing::load(path)?.rotate(now, access_ttl.saturating_add(RELOAD_TIME))?.save(path)
}

/// Reloads the signing keys when their file has changed.
#[derive(Default)]
pub struct KeyFileWatcher {
    last: Option<FileVersion>,
}

/// Identifies a version of a file. A replaced file has another inode.
#[derive(Debug, PartialEq, Eq)]
struct FileVersion {
    inode: u64,
    modified_seconds: i64,
    modified_nanoseconds: i64,
}

impl FileVersion {
    fn of(path: &Path) -> Result<Self> {
        let metadata = fs::metadata(path).map_err(|e| Error::internal(format!("{}: {e}", path.display())))?;
        Ok(Self {
            inode: metadata.ino(),
            modified_seconds: metadata.mtime(),
            modified_nanoseconds: metadata.mtime_nsec(),
        })
    }
}

impl KeyFileWatcher {
    /// Reloads the keys if the file has changed since the last call.
    ///
    /// # Errors
    /// The fault of the file, once for each change. The current keys then stay in use.
    pub fn check(&mut self, app: &App) -> Result<()> {
        let path = app.config.signing_key_file();
        let current = FileVersion::of(&path)?;
        if self.last.as_ref() == Some(&current) {
            return Ok(());
        }
        let is_first_check = self.last.replace(current).is_none();
        app.tokens.reload(&path)?;
        if !is_first_check {
            tracing::info!(keys.path = %path.display(), "signing keys reloaded");
        }
        Ok(())
    }
}
