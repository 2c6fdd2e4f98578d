//! The keys that sign access tokens, in their file: making a new one, and taking it over while serving.

use crate::{
    app::App,
    auth::token::KeyRing,
    domain::time::Timestamp,
    error::{Error, Result},
};
use std::{fs, os::unix::fs::MetadataExt, path::Path, time::Duration};

/// Until a running server has taken the new key over it signs with the old one; generously.
const TAKE_OVER_TIME: Duration = Duration::from_mins(1);

/// Puts a fresh key first in the file at `path`. The keys before it verify until the last token that they sign, which
/// lives for `access_ttl`, is over.
pub fn rotate(path: &Path, now: Timestamp, access_ttl: Duration) -> Result<()> {
    KeyRing::load(path)?.rotate(now, access_ttl.saturating_add(TAKE_OVER_TIME))?.save(path)
}

/// Takes the keys over when their file has changed; begins with whatever file there is when it first looks.
#[derive(Default)]
pub struct Watch {
    seen: Option<Seen>,
}

/// A file as it was last seen. Replacing one gives it another inode.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    inode: u64,
    modified: (i64, i64),
}

impl Seen {
    fn of(path: &Path) -> Result<Self> {
        let metadata = fs::metadata(path).map_err(|e| Error::internal(format!("{}: {e}", path.display())))?;
        Ok(Self { inode: metadata.ino(), modified: (metadata.mtime(), metadata.mtime_nsec()) })
    }
}

impl Watch {
    /// Takes the keys over if the file is another one than before. A fault in it is reported once, and the keys in use
    /// stay.
    pub fn look(&mut self, app: &App) -> Result<()> {
        let path = app.config.signing_key_file();
        let present = Seen::of(&path)?;
        if self.seen.as_ref() == Some(&present) {
            return Ok(());
        }
        let first = self.seen.replace(present).is_none();
        app.tokens.reload(&path)?;
        if !first {
            tracing::info!(keys.path = %path.display(), "the signing keys were taken over from their file");
        }
        Ok(())
    }
}
