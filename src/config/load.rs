//! Loads the settings from all sources, in ascending precedence: defaults, TOML file, environment, flags. It reports
//! every fault of every source. The keys and the meaning of their values are in the table in `config.rs`.

use super::{
    Bootstrap, Config, KEYS, Proxies,
    bootstrap::read_secret,
    defaults,
    layers::{Layers, PREFIX},
    proxies,
};
use figment::{Figment, value::Value};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The files that are looked for if none is named; the first that exists is read.
const DEFAULT_FILES: [&str; 2] = ["orderd.toml", "/etc/orderd/orderd.toml"];
/// The most symbolic links that are followed, as by the system (`path_resolution(7)`).
const MAX_LINKS: usize = 40;
/// The keys whose values are never shown.
const SECRETS: &[&str] = &["oidc.client_secret", "db.url", "db.password"];

/// The sources of settings besides the defaults. A later source overrides an earlier one.
#[derive(Debug, Default)]
pub struct Sources {
    /// A TOML file, which must exist.
    pub file: Option<PathBuf>,
    /// Environment variables: those with the prefix `ORDERD_`, and those that name proxies. Others are ignored.
    pub environment: Vec<(String, String)>,
    /// Flags of the command line. If two set the same key, the last one wins.
    pub flags: Vec<Flag>,
}

/// A setting from the command line.
#[derive(Debug)]
pub struct Flag {
    name: &'static str,
    key: String,
    value: String,
}

impl Flag {
    /// The flag `name` (`--listen`) that sets `key` to `value`.
    pub fn new(name: &'static str, key: &str, value: &str) -> Self {
        Self { name, key: key.to_owned(), value: value.to_owned() }
    }
}

/// The configuration and the origin of each setting.
#[derive(Debug)]
pub struct Loaded {
    /// All settings, validated.
    pub config: Config,
    /// The proxies for outbound requests; none unless the configuration asks for them.
    pub proxies: Proxies,
    /// The first administrator, if the environment names one.
    pub bootstrap: Bootstrap,
    /// Environment variables with the prefix of settings that are none.
    pub passed_over: Vec<String>,
    /// All settings as they were written, in the order of the table.
    pub settings: Vec<Setting>,
}

/// One setting as it was written.
#[derive(Debug)]
pub struct Setting {
    /// The key, such as `server.listen`.
    pub key: &'static str,
    /// The value in TOML.
    pub value: String,
    /// `default`, the path of the file, the name of the environment variable, or the flag.
    pub origin: String,
}

/// The environment variables that [`Sources`] needs.
///
/// # Errors
/// Names a variable whose value is not UTF-8.
pub fn environment() -> Result<Vec<(String, String)>, String> {
    let ours = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        let is_ours = name.starts_with(PREFIX) || proxies::is_variable(&name);
        is_ours.then(|| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(format!("environment variable {name} is not UTF-8")),
        })
    });
    ours.collect()
}

/// The file to read: the requested file, or the first of `orderd.toml` in the working directory and
/// `/etc/orderd/orderd.toml` that exists.
pub fn find_file(requested: Option<PathBuf>) -> Option<PathBuf> {
    requested.or_else(|| first_of(&DEFAULT_FILES.map(Path::new)))
}

fn first_of(files: &[&Path]) -> Option<PathBuf> {
    files.iter().find(|file| file.exists()).map(|file| file.to_path_buf())
}

/// Loads the configuration.
///
/// # Errors
/// One line for each fault of each source.
pub fn load(sources: Sources) -> Result<Loaded, Vec<String>> {
    let mut layers = Layers::default();
    for (key, value) in KEYS.iter().zip(defaults()) {
        layers.add(key, value, "default");
    }
    if let Some(path) = &sources.file {
        layers.add_file(path);
    }
    for (name, value) in &sources.environment {
        layers.add_variable(name, value);
    }
    for Flag { name, key, value } in sources.flags {
        layers.add(&key, value.into(), name);
    }

    let passed_over = layers.passed_over;
    let mut reader = Reader { figment: layers.figment, settings: vec![], faults: layers.faults };
    let mut config = Config::read(&mut reader);
    let Reader { settings, mut faults, .. } = reader;
    let bootstrap = Bootstrap::read(&sources.environment, &mut faults);
    let uses_proxies = config.as_ref().is_some_and(|config| config.outbound.proxy_from_environment);
    let proxies = if uses_proxies { Proxies::read(&sources.environment, &mut faults) } else { Proxies::default() };
    faults.extend(config.iter().flat_map(Config::contradictions));
    if let Some(oidc) = config.as_mut().map(|config| &mut config.oidc)
        && let Some(path) = &oidc.client_secret_file
    {
        match read_secret("oidc.client_secret_file", path) {
            Ok(secret) => oidc.client_secret = Some(secret),
            Err(fault) => faults.push(fault),
        }
    }
    if let Some(db) = config.as_mut().map(|config| &mut config.db)
        && let Some(path) = &db.password_file
    {
        match read_secret("db.password_file", path) {
            Ok(secret) => db.password = Some(secret),
            Err(fault) => faults.push(fault),
        }
    }
    if let Some(db) = config.as_mut().map(|config| &mut config.db)
        && db.url.is_some()
    {
        // What the server does with its file, it does with the copy.
        db.path.clone_from(&db.copy);
    }
    if let Some(db) = config.as_mut().map(|config| &mut config.db) {
        db.path = followed(&db.path);
    }
    match config {
        Some(config) if faults.is_empty() => Ok(Loaded { config, proxies, bootstrap, passed_over, settings }),
        _ => Err(faults),
    }
}

/// The file that `path` leads to if it is a symbolic link, whether that file exists or not. SQLite keeps the log beside
/// that file. What else belongs to it has to be there too, above all the lock.
fn followed(path: &Path) -> PathBuf {
    let mut file = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&file) else { break };
        file = file.parent().unwrap_or(Path::new("")).join(target);
    }
    file
}

/// Reads the settings one by one and records the value, the origin and the fault of each.
pub(super) struct Reader {
    figment: Figment,
    settings: Vec<Setting>,
    faults: Vec<String>,
}

impl Reader {
    /// The parsed value of `key`. If it is invalid, the fault is recorded and the result is none.
    pub(super) fn get<T>(&mut self, key: &'static str, parse: impl Fn(&Value) -> Result<T, String>) -> Option<T> {
        let value = self.figment.find_value(key).ok()?;
        let origin = self.figment.get_metadata(value.tag()).map(|found| found.name.to_string()).unwrap_or_default();
        // Strings, numbers, booleans and lists are written the same way in JSON and in TOML.
        let written = if SECRETS.contains(&key) && value.as_str().is_none_or(|text| !text.is_empty()) {
            "\"***\"".to_owned()
        } else {
            serde_json::to_string(&value).ok()?
        };
        let parsed = parse(&value).map_err(|fault| {
            self.faults.push(format!("invalid value {written} for `{key}` ({origin}): {fault}"));
        });
        self.settings.push(Setting { key, value: written, origin });
        parsed.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loads a file with this content, these variables and these flags.
    fn load_all(content: &str, variables: &[(&str, &str)], flags: Vec<Flag>) -> Result<Loaded, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orderd.toml");
        std::fs::write(&path, content).unwrap();
        let environment = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        load(Sources { file: Some(path), environment, flags })
    }

    #[test]
    fn later_sources_override_earlier_ones_and_each_value_has_its_origin() {
        let file = "[limits]\nconnections = 1\nlogin_per_minute = 1\nbody_bytes = 1\n";
        let variables = [("ORDERD_LIMITS__LOGIN_PER_MINUTE", "2"), ("ORDERD_LIMITS__BODY_BYTES", "2")];
        let flags = vec![
            Flag::new("--set", "limits.body_bytes", "3"),
            Flag::new("--set", "limits.body_bytes", "4"),
            Flag::new("--listen", "server.listen", "[::1]:0"),
        ];
        let loaded = load_all(file, &variables, flags).unwrap();
        let limits = &loaded.config.limits;
        assert_eq!(limits.requests_per_minute, 600);
        assert_eq!((limits.connections, limits.login_per_minute, limits.body_bytes), (1, 2, 4));

        let origin = |key| loaded.settings.iter().find(|setting| setting.key == key).unwrap().origin.clone();
        assert_eq!(origin("limits.requests_per_minute"), "default");
        assert!(origin("limits.connections").ends_with("/orderd.toml"));
        assert_eq!(origin("limits.login_per_minute"), "environment variable ORDERD_LIMITS__LOGIN_PER_MINUTE");
        assert_eq!((origin("limits.body_bytes"), origin("server.listen")), ("--set".into(), "--listen".into()));
    }

    #[test]
    fn every_setting_is_listed_once_in_the_order_of_the_table() {
        let loaded = load(Sources::default()).unwrap();
        assert_eq!(loaded.settings.iter().map(|setting| setting.key).collect::<Vec<_>>(), KEYS);
    }

    #[test]
    fn a_number_in_a_variable_stays_text_for_a_text_setting() {
        let loaded = load_all("", &[("ORDERD_DB__PATH", "123456")], vec![]).unwrap();
        assert_eq!(loaded.config.db.path, PathBuf::from("123456"));
    }

    #[test]
    fn a_table_is_not_a_value() {
        let [fault] = <[String; 1]>::try_from(load_all("[log.level]\nis = 1\n", &[], vec![]).unwrap_err()).unwrap();
        assert!(fault.starts_with("invalid value {\"is\":1} for `log.level` ("), "{fault}");
        assert!(fault.ends_with("/orderd.toml): must be a single value"), "{fault}");
    }

    #[test]
    fn the_first_file_that_exists_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (folder.path().join("orderd.toml"), folder.path().join("etc.toml"));
        let find = || first_of(&[&here, &there]);
        assert_eq!(find(), None);
        std::fs::write(&there, "").unwrap();
        assert_eq!(find(), Some(there.clone()));
        std::fs::write(&here, "").unwrap();
        assert_eq!(find(), Some(here.clone()));
        assert_eq!(find_file(Some("other.toml".into())), Some("other.toml".into()));
    }

    #[test]
    fn a_requested_file_must_exist() {
        let missing = Sources { file: Some("/no/such.toml".into()), ..Sources::default() };
        let [fault] = <[String; 1]>::try_from(load(missing).unwrap_err()).unwrap();
        assert!(fault.starts_with("cannot read /no/such.toml: "), "{fault}");
    }

    #[test]
    fn an_invalid_value_that_a_later_source_overrides_is_ignored() {
        let variable = ("ORDERD_DB__DURABILITY", "normal");
        let loaded = load_all("[db]\ndurability = 7\n", &[variable], vec![]).unwrap();
        assert_eq!(loaded.config.db.durability, crate::config::Durability::Normal);
    }
}
