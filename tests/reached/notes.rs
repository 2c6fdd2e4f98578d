//! Notes of what the tests of one crate have met: which operations, with which statuses and problems. `tests/reached/main.rs`
//! reads them when all tests have run.

use std::{
    collections::BTreeSet,
    env,
    fs::{self, File},
    io::Write,
    path::Path,
    sync::{Mutex, PoisonError},
};

/// The notes of a crate of tests: a line each, in a file that every run begins anew.
pub struct Notes(Mutex<(BTreeSet<String>, File)>);

impl Notes {
    /// The notes of the crate with this name.
    pub fn of(tests: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(folder).unwrap();
        let mut file = File::create(folder.join(format!("met-by-{tests}"))).unwrap();
        let whole = env::args().skip(1).all(|argument| ["--nocapture", "--quiet", "-q"].contains(&argument.as_str()));
        writeln!(file, "{}", if whole { "by all tests" } else { "by some tests" }).unwrap();
        Self(Mutex::new((BTreeSet::new(), file)))
    }

    /// Notes an answer: of which operation, its status, and the code of its problem.
    pub fn add(&self, operation: Option<&str>, status: u64, problem: Option<&str>) {
        let line = format!("{} {status} {}", operation.unwrap_or("-"), problem.unwrap_or("-"));
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.0.insert(line.clone()) {
            writeln!(notes.1, "{line}").unwrap();
        }
    }
}
