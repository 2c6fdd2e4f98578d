//! From the sources to the settings: defaults < TOML file < environment < flags. Every fault of every source is
//! found. Which keys there are and what their values mean is said by the table in `config.rs`, not here.

use super::{
    Bootstrap, Config, KEYS, defaults,
    layers::{Layers, PREFIX},
};
use figment::{Figment, value::Value};
use std::path::{Path, PathBuf};

/// The file that is read where none is named, if it is there.
const DEFAULT_FILE: &str = "orderd.toml";

/// Where settings come from besides the defaults; the later ones win.
#[derive(Debug, Default)]
pub struct Sources {
    /// A TOML file, which must be there.
    pub file: Option<PathBuf>,
    /// Environment variables; names that do not begin with `ORDERD_` are none of ours.
    pub environment: Vec<(String, String)>,
    /// Flags of the command line; of two for the same key the last wins.
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

/// The configuration, and where each part of it came from.
#[derive(Debug)]
pub struct Loaded {
    /// Every setting, valid.
    pub config: Config,
    /// Who the first administrator shall be.
    pub bootstrap: Bootstrap,
    /// Every setting as it was written, in the order of the table.
    pub settings: Vec<Setting>,
}

/// A setting as it was written.
#[derive(Debug)]
pub struct Setting {
    /// Such as `server.listen`.
    pub key: &'static str,
    /// In TOML.
    pub value: String,
    /// `default`, the path of the file, the environment variable, or the flag.
    pub origin: String,
}

/// The variables of this process that are ours; an error names one that is not UTF-8.
pub fn environment() -> Result<Vec<(String, String)>, String> {
    let ours = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| name.starts_with(PREFIX))?;
        Some(match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(format!("environment variable {name} is not UTF-8")),
        })
    });
    ours.collect()
}

/// The file to read: the one that was asked for, or `orderd.toml` in the working directory if there is one.
pub fn find_file(asked_for: Option<PathBuf>) -> Option<PathBuf> {
    asked_for.or_else(|| Path::new(DEFAULT_FILE).exists().then(|| DEFAULT_FILE.into()))
}

/// The configuration that `sources` give, or every fault in them.
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

    let mut reader = Reader { figment: layers.figment, settings: vec![], faults: layers.faults };
    let config = Config::read(&mut reader);
    let Reader { settings, mut faults, .. } = reader;
    let bootstrap = Bootstrap::read(&sources.environment, &mut faults);
    faults.extend(config.iter().flat_map(Config::contradictions));
    match config {
        Some(config) if faults.is_empty() => Ok(Loaded { config, bootstrap, settings }),
        _ => Err(faults),
    }
}

/// Takes the settings one by one and notes what each was, where it came from, and what is wrong with it.
pub(super) struct Reader {
    figment: Figment,
    settings: Vec<Setting>,
    faults: Vec<String>,
}

impl Reader {
    /// The value of `key`, or a fault is noted.
    pub(super) fn get<T>(&mut self, key: &'static str, parse: impl Fn(&Value) -> Result<T, String>) -> Option<T> {
        let value = self.figment.find_value(key).ok()?;
        let origin = self.figment.get_metadata(value.tag()).map(|found| found.name.to_string()).unwrap_or_default();
        // JSON's notation of texts, numbers, booleans and lists is TOML's too.
        let written = serde_json::to_string(&value).ok()?;
        let parsed = parse(&value).map_err(|fault| {
            self.faults.push(format!("bad value {written} for `{key}` ({origin}): {fault}"));
        });
        self.settings.push(Setting { key, value: written, origin });
        parsed.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loads with a file of this content, these variables and these flags.
    fn load_all(content: &str, variables: &[(&str, &str)], flags: Vec<Flag>) -> Result<Loaded, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orderd.toml");
        std::fs::write(&path, content).unwrap();
        let environment = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        load(Sources { file: Some(path), environment, flags })
    }

    #[test]
    fn later_layers_win_and_each_value_knows_its_own() {
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
    fn numbers_in_variables_stay_text_where_text_is_wanted() {
        let loaded = load_all("", &[("ORDERD_DB__PATH", "123456")], vec![]).unwrap();
        assert_eq!(loaded.config.db.path, PathBuf::from("123456"));
    }

    #[test]
    fn a_table_is_no_value() {
        let [fault] = <[String; 1]>::try_from(load_all("[log.level]\nis = 1\n", &[], vec![]).unwrap_err()).unwrap();
        assert!(fault.starts_with("bad value {\"is\":1} for `log.level` ("), "{fault}");
        assert!(fault.ends_with("/orderd.toml): must be a single value"), "{fault}");
    }

    #[test]
    fn a_file_that_was_asked_for_must_be_there() {
        let missing = Sources { file: Some("/no/such.toml".into()), ..Sources::default() };
        let [fault] = <[String; 1]>::try_from(load(missing).unwrap_err()).unwrap();
        assert!(fault.starts_with("cannot read /no/such.toml: "), "{fault}");
    }

    #[test]
    fn a_bad_value_that_a_later_layer_replaces_does_no_harm() {
        let variable = ("ORDERD_DB__DURABILITY", "normal");
        let loaded = load_all("[db]\ndurability = 7\n", &[variable], vec![]).unwrap();
        assert_eq!(loaded.config.db.durability, crate::config::Durability::Normal);
    }
}
