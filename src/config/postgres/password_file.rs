//! The password file of PostgreSQL's programs, `~/.pgpass` or the one that `PGPASSFILE` names:
//! `host:port:database:user:password` on each line. The first line that fits counts.

use super::PostgresPlace;
use crate::config::Secret;
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

/// Mode bits that give access to other users.
const OTHERS: u32 = 0o077;
/// The fields before the password.
const FIELDS: usize = 4;

/// The lines of the file.
#[derive(Clone, Debug, Default)]
pub struct PasswordFile(Vec<Line>);

#[derive(Clone, Debug)]
struct Line {
    fields: Vec<String>,
    password: Secret,
}

impl PasswordFile {
    /// Reads the file of the environment; it is empty if there is none.
    pub(super) fn read() -> Result<Self, String> {
        let named = std::env::var_os("PGPASSFILE").map(PathBuf::from);
        let usual = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".pgpass"));
        let Some(path) = named.or_else(usual) else { return Ok(Self::default()) };
        let fault = |e: std::io::Error| format!("password file {}: {e}", path.display());
        // As in libpq: there is no file either where this user cannot look for one.
        let Ok(metadata) = fs::metadata(&path) else { return Ok(Self::default()) };
        if metadata.permissions().mode() & OTHERS != 0 {
            return Err(format!("password file {}: other users have access to it; chmod 600", path.display()));
        }
        fs::read_to_string(&path).map(|text| Self::parse(&text)).map_err(fault)
    }

    fn parse(text: &str) -> Self {
        Self(text.lines().filter(|line| !line.starts_with('#')).filter_map(Line::parse).collect())
    }

    /// The password for a role and database of the server at `place`.
    pub(super) fn password(&self, place: &PostgresPlace, database: &str, user: &str) -> Option<&Secret> {
        let (host, port) = match place {
            PostgresPlace::Tcp(host, port) => (host.to_string(), port),
            PostgresPlace::Socket(_, port) => ("localhost".to_owned(), port),
        };
        let wanted = [host.trim_start_matches('[').trim_end_matches(']'), &port.to_string(), database, user];
        self.0.iter().find(|line| line.fits(wanted)).map(|line| &line.password)
    }
}

impl Line {
    /// None if the line has another form.
    fn parse(text: &str) -> Option<Self> {
        let (mut fields, mut field, mut chars) = (vec![], String::new(), text.chars());
        while fields.len() < FIELDS {
            match chars.next()? {
                ':' => fields.push(std::mem::take(&mut field)),
                '\\' => field.push(chars.next()?),
                other => field.push(other),
            }
        }
        let mut password = String::new();
        while let Some(char) = chars.next() {
            password.push(if char == '\\' { chars.next()? } else { char });
        }
        Some(Self { fields, password: Secret::new(password) })
    }

    fn fits(&self, wanted: [&str; FIELDS]) -> bool {
        self.fields.iter().zip(wanted).all(|(field, wanted)| field == "*" || field == wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::url::Host;

    #[test]
    fn the_first_line_that_fits_counts() {
        let file = PasswordFile::parse(
            "# a comment\ndb.example:5432:shop:eve:one\nnot a line\n*:*:shop:ada:wi\\:th\\\\\nlocalhost:6432:*:*:three:\n",
        );
        let tcp = |host: &str, port| PostgresPlace::Tcp(Host::Name(host.to_owned()), port);
        let password = |place, database, user| file.password(&place, database, user).map(Secret::expose);
        assert_eq!(password(tcp("db.example", 5432), "shop", "eve"), Some("one"));
        assert_eq!(password(tcp("db.example", 5433), "shop", "eve"), None);
        assert_eq!(password(tcp("other.example", 1), "shop", "ada"), Some("wi:th\\"));
        assert_eq!(password(PostgresPlace::Socket("/run".into(), 6432), "any", "one"), Some("three:"));
        assert_eq!(password(tcp("db.example", 6432), "any", "one"), None);
    }
}
