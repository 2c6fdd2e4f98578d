//! The list of erasures in a side file of the database: one identifier a line, added before the erasure itself. It has
//! no personal data. A database that is restored from a backup made earlier still has what was erased since; the list
//! says what to erase again.

use super::files::{open_private, sync_folder, with_suffix};
use crate::error::{Error, Result, problem};
use std::{
    fs::OpenOptions,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

/// The list of the database at `path`.
pub fn list_of(path: &Path) -> PathBuf {
    with_suffix(path, ".erasures")
}

/// Adds identifiers to the list of the database at `path`, and syncs it.
///
/// # Errors
/// `STORAGE_FULL`; `INTERNAL` if the file cannot be written.
pub fn add(path: &Path, identifiers: &[String]) -> Result<()> {
    let list = list_of(path);
    let add = || {
        let is_new = !list.exists();
        let mut file = open_private(&list, OpenOptions::new().append(true).create(true))?;
        // A line that a crash cut off must not join this one; an empty line is passed over.
        file.write_all(format!("\n{}\n", identifiers.join("\n")).as_bytes())?;
        file.sync_data()?;
        if is_new { sync_folder(&list) } else { Ok(()) }
    };
    add().map_err(|e: io::Error| match e.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            Error::new(&problem::STORAGE_FULL).caused_by(e)
        }
        _ => Error::internal(format!("{}: {e}", list.display())),
    })
}

/// The identifiers in the list of the database at `path`; none if there is no list.
///
/// # Errors
/// `INTERNAL` if the file cannot be read.
pub fn read(path: &Path) -> Result<Vec<String>> {
    let list = list_of(path);
    match std::fs::read_to_string(&list) {
        Ok(text) => Ok(text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(vec![]),
        Err(e) => Err(Error::internal(format!("{}: {e}", list.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_off_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orders.db");
        assert!(read(&path).unwrap().is_empty());
        add(&path, &["ord_1".to_owned(), "ord_2".to_owned()]).unwrap();
        let mut file = OpenOptions::new().append(true).open(list_of(&path)).unwrap();
        file.write_all(b"ord_").unwrap();
        add(&path, &["usr_3".to_owned()]).unwrap();
        assert_eq!(read(&path).unwrap(), ["ord_1", "ord_2", "ord_", "usr_3"]);
    }
}
