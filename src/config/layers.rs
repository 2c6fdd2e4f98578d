//! Merges layers of settings. A later layer overrides an earlier one, and an unknown key in any layer is a fault that
//! names the most similar known key. The values are not interpreted here.

use super::{KEYS, bootstrap};
use figment::{
    Error, Figment, Metadata, Profile, Provider,
    providers::{Format, Toml},
    util::nest,
    value::{Dict, Map, Value},
};
use std::{fs, path::Path};

/// The prefix of the environment variables that are settings.
pub(super) const PREFIX: &str = "ORDERD_";

/// The layers merged so far, and their faults.
#[derive(Default)]
pub(super) struct Layers {
    /// The known keys with their values and origins.
    pub(super) figment: Figment,
    /// One line for each fault.
    pub(super) faults: Vec<String>,
    /// Environment variables that begin like settings and are none.
    pub(super) passed_over: Vec<String>,
}

impl Layers {
    /// Adds a TOML file as the next layer.
    pub(super) fn add_file(&mut self, path: &Path) {
        let origin = path.display().to_string();
        match fs::read_to_string(path) {
            Ok(text) => self.add_toml(&text, &origin),
            Err(error) => self.faults.push(format!("cannot read {origin}: {error}")),
        }
    }

    fn add_toml(&mut self, text: &str, origin: &str) {
        match Toml::from_str::<Dict>(text) {
            Ok(table) => self.add_table("", table, origin),
            Err(error) => {
                let line = 1 + error.span().map_or(0, |span| text[..span.start].matches('\n').count());
                let message = error.message().replace('\n', ", ");
                self.faults.push(format!("{origin}, line {line}: {message}"));
            }
        }
    }

    fn add_table(&mut self, section: &str, table: Dict, origin: &str) {
        for (name, value) in table {
            let key = if section.is_empty() { name } else { format!("{section}.{name}") };
            match value {
                // An empty table that is not a known section falls through: its header is the unknown key.
                Value::Dict(_, inner) if !is_key(&key) && (is_section(&key) || !inner.is_empty()) => {
                    self.add_table(&key, inner, origin);
                }
                value => self.add(&key, value, origin),
            }
        }
    }

    /// Adds an environment variable as the next layer, if it is a setting. Only names with `__` are: `ORDERD_PORT` and
    /// its like are made by Kubernetes for a Service called `orderd`, and are passed over.
    pub(super) fn add_variable(&mut self, name: &str, value: &str) {
        let Some(rest) = name.strip_prefix(PREFIX).filter(|_| !bootstrap::VARIABLES.contains(&name)) else { return };
        if !rest.contains("__") {
            return self.passed_over.push(name.to_owned());
        }
        let key = rest.replace("__", ".").to_lowercase();
        let origin = format!("environment variable {name}");
        if is_key(&key) {
            return self.add(&key, value.into(), &origin);
        }
        let nearest = nearest(&key, KEYS.iter().copied());
        let variable = nearest.to_uppercase().replace('.', "__");
        self.faults.push(format!("unknown key `{key}` in {origin}; did you mean `{nearest}` ({PREFIX}{variable})?"));
    }

    /// Adds one setting as the next layer.
    pub(super) fn add(&mut self, key: &str, value: Value, origin: &str) {
        if is_key(key) {
            let entry = Entry { key: key.to_owned(), value, origin: origin.to_owned() };
            self.figment = std::mem::take(&mut self.figment).merge(entry);
        } else {
            let nearest = nearest(key, KEYS.iter().copied());
            self.faults.push(format!("unknown key `{key}` in {origin}; did you mean `{nearest}`?"));
        }
    }
}

fn is_key(name: &str) -> bool {
    KEYS.contains(&name)
}

fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.split('.').next() == Some(name))
}

/// The candidate that is most similar to `name`, as a whole or in the part after the section.
fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> &'a str {
    let similarity = |key: &str| {
        let whole = strsim::jaro_winkler(name, key);
        let part = strsim::jaro_winkler(last(name), last(key));
        whole.max((whole + 2.0 * part) / 3.0)
    };
    candidates.max_by(|a, b| similarity(a).total_cmp(&similarity(b))).unwrap_or_default()
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// One setting as a layer of its own, so that figment records the origin of each. Values from outside a TOML file stay
/// text: guessing their types would turn a path such as `123456` into a number.
struct Entry {
    key: String,
    value: Value,
    origin: String,
}

impl Provider for Entry {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let dict = nest(&self.key, self.value.clone()).into_dict().unwrap_or_default();
        Ok([(Profile::Default, dict)].into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of_file(text: &str) -> Vec<String> {
        let mut layers = Layers::default();
        layers.add_toml(text, "FILE");
        layers.faults
    }

    fn faults_of_variable(name: &str) -> Vec<String> {
        let mut layers = Layers::default();
        layers.add_variable(name, "x");
        layers.faults
    }

    #[test]
    fn an_unknown_key_in_a_file_is_reported_with_the_most_similar_key() {
        let text = "listen = 1\nserver = 2\n[databse]\npath = 3\n[logs]\n[metrics]\n[auth]\naccess_tll = 4\n";
        let expected = [
            "unknown key `auth.access_tll` in FILE; did you mean `auth.access_ttl`?",
            "unknown key `databse.path` in FILE; did you mean `db.path`?",
            "unknown key `listen` in FILE; did you mean `server.listen`?",
            "unknown key `logs` in FILE; did you mean `log.level`?",
            "unknown key `server` in FILE; did you mean `server.listen`?",
        ];
        assert_eq!(faults_of_file(text), expected);
    }

    #[test]
    fn an_unknown_variable_is_reported_with_the_most_similar_variable() {
        for (name, key, nearest, variable) in [
            ("ORDERD_SERVER__LISEN", "server.lisen", "server.listen", "ORDERD_SERVER__LISTEN"),
            ("ORDERD_DB__PTH", "db.pth", "db.path", "ORDERD_DB__PATH"),
        ] {
            let expected =
                format!("unknown key `{key}` in environment variable {name}; did you mean `{nearest}` ({variable})?");
            assert_eq!(faults_of_variable(name), [expected]);
        }
    }

    #[test]
    fn other_variables_and_those_of_the_first_administrator_are_not_settings() {
        for name in ["PATH", "ORDERDLY", "ORDERD_ADMIN_EMAIL", "ORDERD_ADMIN_PASSWORD", "ORDERD_ADMIN_PASSWORD_FILE"] {
            assert_eq!(faults_of_variable(name), Vec::<String>::new(), "{name}");
        }
    }

    #[test]
    fn variables_of_kubernetes_are_passed_over() {
        let mut layers = Layers::default();
        let names = ["ORDERD_PORT", "ORDERD_SERVICE_HOST", "ORDERD_PORT_8080_TCP_ADDR", "ORDERD_SERVER_LISTEN"];
        for name in names.into_iter().chain(["PATH", "ORDERD_ADMIN_EMAIL", "ORDERD_SERVER__LISTEN"]) {
            layers.add_variable(name, "tcp://10.0.0.1:8080");
        }
        assert_eq!((layers.passed_over, layers.faults), (names.map(str::to_owned).to_vec(), vec![]));
    }

    #[test]
    fn invalid_toml_is_reported_in_one_line() {
        for (text, start) in [
            ("[db]\npath = \n", "FILE, line 2: "),
            ("[db]\npath = 'a'\npath = 'b'\n", "FILE, line 3: duplicate key"),
            ("[db", "FILE, line 1: "),
        ] {
            let faults = faults_of_file(text);
            assert!(faults.len() == 1 && faults[0].starts_with(start) && !faults[0].contains('\n'), "{faults:?}");
        }
    }
}
