//! Copies of a journal for commands, beside the processes that are on it: the newest snapshot and all entries after it.
//! Nothing is written to the journal.

use super::{JournalOptions, MoveError, postgres::Session};
use crate::store::{
    OpenError, Options, Store,
    files::{folder_of, with_suffix},
};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// In the folder of a temporary copy, locked as long as the command runs.
const IN_USE: &str = "in-use";

/// Fails if the journal is empty, where a command must not begin one.
///
/// # Errors
/// That, or PostgreSQL cannot be reached.
pub async fn refuse_empty(options: &JournalOptions) -> Result<(), MoveError> {
    let session = Session::connect(&options.connect).await?;
    if session.has_tables().await? && session.origin().await?.is_some() {
        return Ok(());
    }
    Err(MoveError::Journal("the journal in PostgreSQL is empty".to_owned()))
}

/// Writes all that the journal of `options` contains at this moment into the file of `options`, which must not exist.
///
/// # Errors
/// If the journal is empty, damaged or cannot be reached, or the file cannot be written.
pub async fn copy_into_file(options: &Options) -> Result<(), MoveError> {
    let journal = options.journal.as_ref().ok_or_else(|| MoveError::Journal("there is no journal".to_owned()))?;
    refuse_empty(journal).await?;
    let store = Store::open(options)?;
    store.close().await;
    Ok(())
}

/// A folder for a temporary copy, beside the file that a server would have. It is deleted with this.
pub struct TemporaryFolder {
    path: PathBuf,
    /// As long as it is locked, no other command deletes the folder.
    _in_use: File,
}

impl TemporaryFolder {
    /// Makes a folder beside the file at `beside`, and deletes those that killed commands have left there.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn beside(beside: &Path) -> Result<Self, OpenError> {
        let name = with_suffix(beside, ".command-");
        remove_left(&name);
        let path = with_suffix(&name, &std::process::id().to_string());
        let denied = |e: std::io::Error| OpenError::Denied(path.clone(), e.to_string());
        DirBuilder::new().mode(0o700).create(&path).map_err(denied)?;
        let in_use = OpenOptions::new().write(true).create_new(true).open(path.join(IN_USE)).map_err(denied)?;
        in_use.lock().map_err(denied)?;
        Ok(Self { path, _in_use: in_use })
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the copy is to be.
    pub fn file(&self) -> PathBuf {
        self.path.join("copy.db")
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // The next command deletes what is left.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Deletes the folders whose names begin with `name` and that no command uses.
fn remove_left(name: &Path) {
    let beginning = name.file_name().unwrap_or_default().as_encoded_bytes();
    for entry in fs::read_dir(folder_of(name)).into_iter().flatten().flatten() {
        let is_one = entry.file_name().as_encoded_bytes().starts_with(beginning);
        // A folder without this file is being made, or deleted.
        if is_one
            && let Ok(in_use) = File::open(entry.path().join(IN_USE))
            && in_use.try_lock().is_ok()
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_killed_command_is_deleted_by_the_next_one_and_that_of_a_running_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let beside = folder.path().join("copy.db");
        let [running, killed] = ["running", "killed"].map(|name| {
            let path = folder.path().join(format!("copy.db.command-{name}"));
            fs::create_dir(&path).unwrap();
            fs::write(path.join("copy.db"), "rows").unwrap();
            File::create(path.join(IN_USE)).unwrap()
        });
        running.lock().unwrap();
        drop(killed);
        let made = TemporaryFolder::beside(&beside).unwrap();
        assert!(made.path().exists());
        assert!(folder.path().join("copy.db.command-running").exists());
        assert!(!folder.path().join("copy.db.command-killed").exists());
        let path = made.path().to_path_buf();
        fs::write(made.file(), "rows").unwrap();
        drop(made);
        assert!(!path.exists());
    }
}
