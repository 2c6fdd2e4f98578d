//! Where a PostgreSQL server is and how it is connected to, from a URL as other programs of PostgreSQL take it. The
//! password comes from the URL, `PGPASSWORD` or a file, and is never shown. Connecting is not done here.

mod password_file;

use super::{Secret, bootstrap::read_secret};
use crate::domain::url::Host;
pub use password_file::PasswordFile;
use percent_encoding::percent_decode_str;
use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

const DEFAULT_PORT: u16 = 5432;
const DEFAULT_CONNECT_TIME: Duration = Duration::from_secs(10);
const PARAMETERS: &str =
    "host, port, user, password, dbname, sslmode, sslrootcert, target_session_attrs, connect_timeout, application_name";

/// A PostgreSQL server, or several of which one is to be found that fits.
#[derive(Clone, Debug)]
pub struct PostgresServer {
    /// Where to try, in this order.
    pub places: Vec<PostgresPlace>,
    /// The role to log in as.
    pub user: String,
    /// Its password, if it needs one.
    pub password: Option<Secret>,
    /// Where else its password may be.
    pub passwords: PasswordFile,
    /// The database.
    pub database: String,
    /// Whether the connection is encrypted, and what the server has to prove.
    pub encryption: Option<PostgresEncryption>,
    /// The file with the root certificates that are trusted instead of those of this machine.
    pub root_certificates: Option<PathBuf>,
    /// Which servers fit.
    pub session: PostgresSession,
    /// How long one place is tried.
    pub connect_time: Duration,
    /// How sessions are called in `pg_stat_activity`.
    pub application: Option<String>,
}

/// Where one server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostgresPlace {
    /// A host and port.
    Tcp(Host, u16),
    /// The folder of its Unix sockets, and the port in the socket's name.
    Socket(PathBuf, u16),
}

/// The parameter `sslmode`, in PostgreSQL's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostgresEncryption {
    /// None.
    Disable,
    /// With any certificate, if the server offers it.
    Prefer,
    /// With any certificate.
    Require,
    /// With a certificate that leads to a trusted root.
    VerifyCa,
    /// With a certificate for this host that leads to a trusted root.
    VerifyFull,
}

/// The parameter `target_session_attrs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostgresSession {
    /// Any server.
    Any,
    /// One that takes writes: no standby.
    ReadWrite,
}

/// User and password where the URL has none.
#[derive(Clone, Debug, Default)]
pub struct PostgresCredentials {
    /// `PGUSER`, or else `USER`.
    pub user: Option<String>,
    /// The content of a file, or else `PGPASSWORD`.
    pub password: Option<Secret>,
    /// The password file of PostgreSQL's programs, which counts if there is no other password.
    pub passwords: PasswordFile,
}

impl PostgresCredentials {
    /// Reads the environment and, if it is given, the file with the password.
    ///
    /// # Errors
    /// Names the file if it cannot be read or is empty.
    pub fn read(password_file: Option<&Path>) -> Result<Self, String> {
        let variable = |name| std::env::var_os(name)?.into_string().ok().filter(|value| !value.is_empty());
        let password = match password_file {
            Some(file) => Some(read_secret("password file", file)?),
            None => variable("PGPASSWORD").map(Secret::new),
        };
        let passwords = PasswordFile::read()?;
        Ok(Self { user: variable("PGUSER").or_else(|| variable("USER")), password, passwords })
    }
}

impl PostgresServer {
    /// Parses `postgres://user:password@host:port,host:port/database?parameter=value&…`. Every part may be absent.
    ///
    /// # Errors
    /// The first fault. It shows neither user nor password.
    pub fn parse(url: &str, otherwise: &PostgresCredentials) -> Result<Self, String> {
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
        let rest = rest.ok_or("must begin with postgres://")?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user_information, hosts) = match authority.rsplit_once('@') {
            Some((before, hosts)) => (before, hosts),
            None => ("", authority),
        };
        let (user, password) = match user_information.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (user_information, None),
        };
        let mut given = Given {
            hosts: hosts.to_owned(),
            user: decoded(user)?,
            password: password.map(decoded).transpose()?.map(Secret::new),
            database: decoded(database)?,
            ..Given::default()
        };
        query.split('&').filter(|pair| !pair.is_empty()).try_for_each(|pair| given.set(pair))?;
        given.server(otherwise)
    }

    /// The password for the server at `place`, if there is one.
    pub fn password_at(&self, place: &PostgresPlace) -> Option<&Secret> {
        self.password.as_ref().or_else(|| self.passwords.password(place, &self.database, &self.user))
    }

    /// How the connection to `place` is encrypted: as the URL says, or else as well as is possible on this machine, and
    /// with every proof to other machines.
    pub fn encryption_to(&self, place: &PostgresPlace) -> PostgresEncryption {
        let is_local = match place {
            PostgresPlace::Socket(..) => return PostgresEncryption::Disable,
            PostgresPlace::Tcp(Host::Name(name), _) => name == "localhost" || name.ends_with(".localhost"),
            PostgresPlace::Tcp(Host::Address(address), _) => address.to_canonical().is_loopback(),
        };
        match self.encryption {
            // As in libpq: who names root certificates wants them to count.
            Some(PostgresEncryption::Require) if self.root_certificates.is_some() => PostgresEncryption::VerifyCa,
            Some(encryption) => encryption,
            None if is_local => PostgresEncryption::Prefer,
            None => PostgresEncryption::VerifyFull,
        }
    }
}

/// What a URL says, before it is put together.
#[derive(Default)]
struct Given {
    hosts: String,
    ports: String,
    user: String,
    password: Option<Secret>,
    database: String,
    encryption: Option<PostgresEncryption>,
    root_certificates: Option<PathBuf>,
    has_system_roots: bool,
    session: Option<PostgresSession>,
    connect_time: Option<Duration>,
    application: Option<String>,
}

impl Given {
    /// Takes a parameter.
    fn set(&mut self, pair: &str) -> Result<(), String> {
        let (name, value) = pair.split_once('=').ok_or("a parameter must be a name, =, and a value")?;
        let value = decoded(value)?;
        match name {
            "host" => self.hosts = value,
            "port" => self.ports = value,
            "user" => self.user = value,
            "password" => self.password = Some(Secret::new(value)),
            "dbname" => self.database = value,
            "application_name" => self.application = Some(value),
            "sslrootcert" => {
                self.has_system_roots = value == "system";
                self.root_certificates = (!self.has_system_roots).then(|| value.into());
            }
            "sslmode" => {
                self.encryption = Some(match value.as_str() {
                    "disable" => PostgresEncryption::Disable,
                    "prefer" => PostgresEncryption::Prefer,
                    "require" => PostgresEncryption::Require,
                    "verify-ca" => PostgresEncryption::VerifyCa,
                    "verify-full" => PostgresEncryption::VerifyFull,
                    _ => return Err("sslmode must be disable, prefer, require, verify-ca or verify-full".to_owned()),
                });
            }
            "target_session_attrs" => {
                self.session = Some(match value.as_str() {
                    "any" => PostgresSession::Any,
                    "read-write" | "primary" => PostgresSession::ReadWrite,
                    _ => return Err("target_session_attrs must be any, read-write or primary".to_owned()),
                });
            }
            "connect_timeout" => {
                let seconds = value.parse().ok().filter(|seconds| (1..=3600).contains(seconds));
                let seconds = seconds.ok_or("connect_timeout must be a number of seconds from 1 to 3600")?;
                self.connect_time = Some(Duration::from_secs(seconds));
            }
            _ => return Err(format!("there is no parameter {name:?}; there are {PARAMETERS}")),
        }
        Ok(())
    }

    fn server(self, otherwise: &PostgresCredentials) -> Result<PostgresServer, String> {
        // As in libpq: whoever a public authority has certified is not the server yet.
        let encryption = match self.encryption {
            None if self.has_system_roots => Some(PostgresEncryption::VerifyFull),
            Some(encryption) if self.has_system_roots && encryption != PostgresEncryption::VerifyFull => {
                return Err("sslrootcert=system needs sslmode=verify-full".to_owned());
            }
            encryption => encryption,
        };
        let user = Some(self.user).filter(|user| !user.is_empty()).or_else(|| otherwise.user.clone());
        let user = user.ok_or("must name the user: postgres://user@host/database, or set PGUSER")?;
        let database = if self.database.is_empty() { user.clone() } else { self.database };
        Ok(PostgresServer {
            places: places(&self.hosts, &self.ports)?,
            password: self.password.or_else(|| otherwise.password.clone()),
            passwords: otherwise.passwords.clone(),
            database,
            user,
            encryption,
            root_certificates: self.root_certificates,
            session: self.session.unwrap_or(PostgresSession::ReadWrite),
            connect_time: self.connect_time.unwrap_or(DEFAULT_CONNECT_TIME),
            application: self.application,
        })
    }
}

/// The places of a list of hosts, which may have ports of their own. `ports` is one for all, or a list of as many.
fn places(hosts: &str, ports: &str) -> Result<Vec<PostgresPlace>, String> {
    let ports: Vec<_> = ports.split(',').filter(|port| !port.is_empty()).collect();
    let hosts: Vec<_> = hosts.split(',').collect();
    if ports.len() > 1 && ports.len() != hosts.len() {
        return Err("port must be one number, or as many as there are hosts".to_owned());
    }
    let place = |(index, host): (usize, &&str)| {
        let default = ports.get(index).or(ports.first()).map_or(Ok(DEFAULT_PORT), |text| port(text))?;
        place(host, default)
    };
    hosts.iter().enumerate().map(place).collect()
}

fn place(text: &str, default_port: u16) -> Result<PostgresPlace, String> {
    let host = decoded(text)?;
    if host.starts_with('/') {
        return Ok(PostgresPlace::Socket(host.into(), default_port));
    }
    let (host, port) = match host.rsplit_once(':') {
        // An IPv6 address has colons itself, and is in brackets where it has a port.
        Some((before, number)) if before.ends_with(']') || !before.contains(':') => (before, port(number)?),
        _ => (host.as_str(), default_port),
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse() {
        Ok(address) => Ok(PostgresPlace::Tcp(Host::Address(address), port)),
        Err(_) if bare.is_empty() => Ok(PostgresPlace::Tcp(Host::Name("localhost".to_owned()), port)),
        Err(_) if bare.bytes().all(|c| c.is_ascii_alphanumeric() || b"-._".contains(&c)) => {
            Ok(PostgresPlace::Tcp(Host::Name(bare.to_ascii_lowercase()), port))
        }
        Err(_) => Err("the host must be a name in ASCII, an address, or the folder of a Unix socket".to_owned()),
    }
}

fn port(text: &str) -> Result<u16, String> {
    let port = text.parse().ok().filter(|port| *port != 0);
    port.ok_or_else(|| "the port must be a number from 1 to 65535".to_owned())
}

fn decoded(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| "percent-encoded text must be UTF-8")?;
    if decoded.contains('\0') { Err("must not contain %00".to_owned()) } else { Ok(decoded.into_owned()) }
}

impl fmt::Display for PostgresPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Socket(folder, port) => write!(f, "{}/.s.PGSQL.{port}", folder.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<PostgresServer, String> {
        let password = Some(Secret::new("from elsewhere".to_owned()));
        PostgresServer::parse(
            url,
            &PostgresCredentials { user: Some("ada".to_owned()), password, ..PostgresCredentials::default() },
        )
    }

    fn shown(url: &str) -> String {
        let server = parse(url).unwrap();
        let places: Vec<_> = server.places.iter().map(ToString::to_string).collect();
        let password = server.password.as_ref().map_or("", Secret::expose);
        format!("{}:{password}@{}/{}", server.user, places.join(","), server.database)
    }

    #[test]
    fn the_roots_of_the_system_prove_nothing_without_the_name() {
        let encryption =
            |parameters: &str| parse(&format!("postgres://db.example/?{parameters}")).map(|s| s.encryption);
        let full = Ok(Some(PostgresEncryption::VerifyFull));
        assert_eq!(encryption("sslrootcert=system"), full);
        assert_eq!(encryption("sslrootcert=system&sslmode=verify-full"), full);
        for mode in ["disable", "prefer", "require", "verify-ca"] {
            let refused = encryption(&format!("sslmode={mode}&sslrootcert=system"));
            assert_eq!(refused, Err("sslrootcert=system needs sslmode=verify-full".to_owned()));
        }
    }

    #[test]
    fn every_part_of_a_url_may_be_absent() {
        assert_eq!(shown("postgres://"), "ada:from elsewhere@localhost:5432/ada");
        assert_eq!(shown("postgresql://eve@db.example"), "eve:from elsewhere@db.example:5432/eve");
        assert_eq!(shown("postgres://eve:p%40s%2Fs@Db.example:6432/shop"), "eve:p@s/s@db.example:6432/shop");
        assert_eq!(
            shown("postgres:///shop?host=/run/postgresql"),
            "ada:from elsewhere@/run/postgresql/.s.PGSQL.5432/shop"
        );
        assert_eq!(shown("postgres://%2Frun%2Fpg/shop?port=5433"), "ada:from elsewhere@/run/pg/.s.PGSQL.5433/shop");
        let many = "postgres://one:5433,[::1]:5434,10.0.0.3/shop?user=bi&password=x";
        assert_eq!(shown(many), "bi:x@one:5433,[::1]:5434,10.0.0.3:5432/shop");
    }

    #[test]
    fn a_fault_names_the_place_and_never_the_password() {
        for (url, fault) in [
            ("mysql://a:secret@b/c", "must begin with postgres://"),
            ("postgres://a:secret@b:0/c", "the port must be a number from 1 to 65535"),
            (
                "postgres://a:secret@b/c?sslmode=maybe",
                "sslmode must be disable, prefer, require, verify-ca or verify-full",
            ),
            ("postgres://a:secret@b/c?port=1,2", "port must be one number, or as many as there are hosts"),
            (
                "postgres://a:secret@b c/d",
                "the host must be a name in ASCII, an address, or the folder of a Unix socket",
            ),
        ] {
            assert_eq!(parse(url).unwrap_err(), fault);
        }
        let fault = parse("postgres://a:secret@b/c?colour=red").unwrap_err();
        assert!(fault.starts_with("there is no parameter \"colour\"") && !fault.contains("secret"), "{fault}");
        let server = parse("postgres://a:secret@b/c").unwrap();
        assert!(!format!("{server:?}").contains("secret"), "{server:?}");
    }

    #[test]
    fn other_machines_have_to_prove_who_they_are_unless_the_url_says_otherwise() {
        let encryption = |url: &str| parse(url).map(|server| server.encryption_to(&server.places[0])).unwrap();
        assert_eq!(encryption("postgres://db.example/shop"), PostgresEncryption::VerifyFull);
        assert_eq!(encryption("postgres://db.example/shop?sslmode=require"), PostgresEncryption::Require);
        assert_eq!(
            encryption("postgres://db.example/shop?sslmode=require&sslrootcert=ca.pem"),
            PostgresEncryption::VerifyCa
        );
        assert_eq!(encryption("postgres://127.0.0.1/shop"), PostgresEncryption::Prefer);
        assert_eq!(encryption("postgres://localhost/shop?sslmode=verify-full"), PostgresEncryption::VerifyFull);
        assert_eq!(encryption("postgres:///shop?host=/run"), PostgresEncryption::Disable);
    }
}
