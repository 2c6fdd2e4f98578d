//! `orderd man` and `orderd completions`: manual pages and completion scripts, generated from the definition of the
//! commands.

use super::{Failure, print};
use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use std::{fs, io, path::PathBuf};

#[derive(clap::Args)]
pub(super) struct Pages {
    /// Folder for one page per command [default: print the page of orderd itself]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Pages {
    pub(super) fn run(self, definition: Command) -> Result<(), Failure> {
        // `help` would get another page for every command.
        let definition = definition.disable_help_subcommand(true);
        let Some(folder) = self.out else { return page(definition) };
        let failed = |e: io::Error| Failure::failed(format!("{}: {e}", folder.display()));
        fs::create_dir_all(&folder).map_err(failed)?;
        clap_mangen::generate_to(definition, &folder).map_err(failed)
    }
}

fn page(definition: Command) -> Result<(), Failure> {
    let mut text = vec![];
    Man::new(definition)
        .render(&mut text)
        .map_err(|e| Failure::failed(format!("the manual page cannot be generated: {e}")))?;
    print(format_args!("{}", String::from_utf8_lossy(&text)))
}

#[derive(clap::Args)]
pub(super) struct Completions {
    /// Shell to complete commands in
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, mut definition: Command) -> Result<(), Failure> {
        let mut script = vec![];
        clap_complete::generate(self.shell, &mut definition, "orderd", &mut script);
        print(format_args!("{}", String::from_utf8_lossy(&script)))
    }
}
