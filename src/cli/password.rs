//! Reads a new password: from standard input for programs, or twice from the terminal, which does not show what is
//! typed.

use super::Failure;
use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, Read, Write},
};
use zeroize::Zeroizing;

/// The most bytes that are read for a password.
const MAX_PASSWORD_BYTES: u16 = 4096;

/// What the terminal sends for Ctrl-C.
const CTRL_C: u8 = 3;

/// Where a password comes from.
pub(super) enum Source {
    /// The first line of standard input.
    StandardInput,
    /// The terminal, whatever standard input is.
    Terminal,
}

impl Source {
    /// Standard input if the flag `--password-stdin` was given.
    pub(super) fn of(password_stdin: bool) -> Self {
        if password_stdin { Self::StandardInput } else { Self::Terminal }
    }
}

/// Reads a password.
pub(super) fn read(source: Source) -> Result<Zeroizing<String>, Failure> {
    match source {
        Source::StandardInput => {
            let line = line(io::stdin().lock()).map_err(|e| Failure::failed(format!("standard input: {e}")))?;
            if line.is_empty() {
                return Err(Failure::usage("standard input: the first line must contain the password"));
            }
            Ok(line)
        }
        Source::Terminal => ask(),
    }
}

/// Asks for a password twice.
fn ask() -> Result<Zeroizing<String>, Failure> {
    let Ok(terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else {
        return Err(Failure::usage("there is no terminal to ask for the password: send it with --password-stdin"));
    };
    let failed = |e: io::Error| Failure::failed(format!("terminal: {e}"));
    let first = typed(&terminal, "Password: ").map_err(failed)?;
    let second = typed(&terminal, "The same again: ").map_err(failed)?;
    if first.is_empty() {
        return Err(Failure::usage("no password was typed"));
    }
    if *first != *second {
        return Err(Failure::usage("the two passwords differ"));
    }
    Ok(first)
}

/// A line that is typed at the terminal without being shown.
fn typed(mut terminal: &File, prompt: &str) -> io::Result<Zeroizing<String>> {
    terminal.write_all(prompt.as_bytes())?;
    let hidden = Hidden::begin(terminal)?;
    // A terminal returns one line at a time.
    let mut typed = Zeroizing::new(vec![0; usize::from(MAX_PASSWORD_BYTES)]);
    let length = terminal.read(&mut typed);
    drop(hidden);
    terminal.write_all(b"\n")?;
    let typed = &typed[..length?];
    if typed.contains(&CTRL_C) {
        return Err(io::Error::other("interrupted"));
    }
    line(typed)
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Hidden<'a> {
    fn begin(terminal: &'a File) -> io::Result<Self> {
        let before = termios::tcgetattr(terminal)?;
        let mut hidden = before.clone();
        // Ctrl-C would end the program and leave the terminal hidden. It ends the line instead.
        hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        hidden.special_codes[SpecialCodeIndex::VEOL] = CTRL_C;
        termios::tcsetattr(terminal, OptionalActions::Flush, &hidden)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        // If the terminal has gone, there is nothing to restore.
        let _ = termios::tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// The first line, without its end.
fn line(source: impl BufRead) -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    source.take(MAX_PASSWORD_BYTES.into()).read_line(&mut line)?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(line)
}
