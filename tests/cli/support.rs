//! Running the executable in a folder and an environment of its own.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

/// A working directory for one test, with nothing of the machine's environment.
pub struct Workplace(TempDir);

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Workplace {
    /// An empty one.
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file there.
    pub fn write(&self, name: &str, content: &str) {
        fs::write(self.path().join(name), content).unwrap();
    }

    /// Runs `orderd` with these arguments, separated by spaces.
    pub fn run(&self, arguments: &str) -> Outcome {
        self.run_with(&[], arguments)
    }

    /// Runs `orderd` with these environment variables and arguments.
    pub fn run_with(&self, variables: &[(&str, &str)], arguments: &str) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orderd"));
        command.current_dir(self.path()).env_clear().envs(variables.iter().copied());
        command.args(arguments.split_whitespace()).output().unwrap().into()
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
