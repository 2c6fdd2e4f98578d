//! `orderd man` and `orderd completions`: what shells and `man` are told about the command line, from its definition.

use super::{Failure, print};
use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use std::{fs, io, path::PathBuf};

/// The arguments of `orderd man`.
#[derive(clap::Args)]
pub(super) struct Pages {
    /// Folder in which to put a page for each command [default: print that of orderd itself]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Pages {
    pub(super) fn run(self, definition: Command) -> Result<(), Failure> {
        // `help` explains itself, and would have a page for each command once more.
        let definition = definition.disable_help_subcommand(true);
        let Some(folder) = self.out else { return page(definition) };
        let failed = |e: io::Error| Failure::failed(format!("{}: {e}", folder.display()));
        fs::create_dir_all(&folder).map_err(failed)?;
        clap_mangen::generate_to(definition, &folder).map_err(failed)
    }
}

fn page(definition: Command) -> Result<(), Failure> {
    let mut text = vec![];
    Man::new(definition).render(&mut text).map_err(|e| Failure::failed(format!("the page cannot be written: {e}")))?;
    print(format_args!("{}", String::from_utf8_lossy(&text)))
}

/// The arguments of `orderd completions`.
#[derive(clap::Args)]
pub(super) struct Completions {
    /// The shell that is to complete commands
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, mut definition: Command) -> Result<(), Failure> {
        let mut script = vec![];
        clap_complete::generate(self.shell, &mut definition, "orderd", &mut script);
        print(format_args!("{}", String::from_utf8_lossy(&script)))
    }
}
