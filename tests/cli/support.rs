//! Runs the executable in a folder and an environment of its own.

use std::{
    env, fs,
    io::Write,
    path::Path,
    process::{Child, Command, Output, Stdio},
};
use tempfile::TempDir;

/// How often to repeat a slow test: `default` times, or as often as `ORDERD_SOAK` says.
pub fn cycles(default: usize) -> usize {
    #[allow(clippy::disallowed_methods, reason = "the tests are not the program")]
    std::env::var("ORDERD_SOAK").ok().and_then(|number| number.parse().ok()).unwrap_or(default)
}

/// A working directory for one test. Commands run in it without the machine's environment.
pub struct TestDir(TempDir);

/// Removes the machine's environment, except for the variable that says where coverage is recorded.
pub fn bare(command: &mut Command) -> &mut Command {
    let kept = env::vars_os().filter(|(name, _)| name == "LLVM_PROFILE_FILE");
    command.env_clear().envs(kept)
}

/// The result of a run.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl TestDir {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, content: &str) {
        fs::write(self.path().join(name), content).unwrap();
    }

    /// Runs `orderd` with arguments separated by spaces.
    pub fn run(&self, arguments: &str) -> Outcome {
        self.run_with(&[], arguments)
    }

    pub fn run_with(&self, variables: &[(&str, &str)], arguments: &str) -> Outcome {
        self.command(arguments).envs(variables.iter().copied()).output().unwrap().into()
    }

    /// Runs `orderd` with `input` on its standard input.
    pub fn run_fed(&self, arguments: &str, input: &str) -> Outcome {
        let piped = self.command(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = piped.unwrap();
        // A command that fails early may not read its input.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap().into()
    }

    /// Starts `orderd` in the background and discards its output.
    pub fn spawn(&self, arguments: &str) -> Child {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orderd"));
        bare(&mut command).current_dir(self.path()).args(arguments.split_whitespace());
        command
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
