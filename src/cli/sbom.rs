//! `orderd sbom`: what this program is made of, as CycloneDX, from the lock file of its build. Crates that only other
//! systems need are in it too, as they are in the lock file; what only tests need is not.

use super::{Failure, print};
use crate::app::App;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const LOCK: &str = include_str!("../../Cargo.lock");
const MANIFEST: &str = include_str!("../../Cargo.toml");
/// The version of the files in `assets/docs`.
const SWAGGER_UI: &str = "5.35.0";

/// What the lock file holds.
#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

/// A crate in the lock file.
#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

/// What the manifest says about what is built into the program.
#[derive(Deserialize)]
struct Manifest {
    dependencies: BTreeMap<String, toml::Value>,
}

impl Package {
    fn reference(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version)
    }

    /// How another crate names this one: with the version where the name alone would not do.
    fn is_named(&self, dependency: &str) -> bool {
        let mut words = dependency.split(' ');
        words.next() == Some(&self.name) && words.next().is_none_or(|version| version == self.version)
    }

    fn component(&self) -> Value {
        let mut component = json!({
            "type": "library",
            "bom-ref": self.reference(),
            "name": self.name,
            "version": self.version,
            "purl": self.reference(),
        });
        if let Some(checksum) = &self.checksum {
            component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
        }
        component
    }
}

/// Prints the document.
pub(super) fn run() -> Result<(), Failure> {
    let document =
        document().map_err(|e| Failure::failed(format!("the lock file of the build cannot be read: {e}")))?;
    print(format_args!("{document:#}\n"))
}

fn document() -> Result<Value, toml::de::Error> {
    let (lock, manifest): (Lock, Manifest) = (toml::from_str(LOCK)?, toml::from_str(MANIFEST)?);
    let find = |name: &str| lock.package.iter().find(|package| package.is_named(name));
    let itself = format!("pkg:cargo/orderd@{}", env!("CARGO_PKG_VERSION"));
    let direct: Vec<_> = lock.package.iter().filter(|package| package.name == "orderd").collect();
    let direct = direct.iter().flat_map(|package| &package.dependencies);
    let direct = direct.filter(|name| manifest.dependencies.contains_key(name.split(' ').next().unwrap_or_default()));
    let direct: Vec<&Package> = direct.filter_map(|name| find(name)).collect();

    let (mut found, mut waiting) = (BTreeSet::new(), direct.clone());
    let mut components = vec![];
    let mut edges = vec![edge(&itself, &direct)];
    while let Some(package) = waiting.pop() {
        if found.insert(package.reference()) {
            let needed: Vec<&Package> = package.dependencies.iter().filter_map(|name| find(name)).collect();
            components.push(package.component());
            edges.push(edge(&package.reference(), &needed));
            waiting.extend(needed);
        }
    }
    components.extend([bundled("sqlite", App::sqlite_version()), bundled("swagger-ui", SWAGGER_UI)]);
    components.sort_by_cached_key(|component| component["bom-ref"].to_string());
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {
            "type": "application",
            "bom-ref": itself,
            "name": "orderd",
            "version": env!("CARGO_PKG_VERSION"),
            "licenses": [{"license": {"id": env!("CARGO_PKG_LICENSE")}}],
        }},
        "components": components,
        "dependencies": edges,
    }))
}

/// Something that is no crate, and is part of the program all the same.
fn bundled(name: &str, version: &str) -> Value {
    let reference = format!("pkg:generic/{name}@{version}");
    json!({"type": "library", "bom-ref": reference, "name": name, "version": version, "purl": reference})
}

fn edge(from: &str, to: &[&Package]) -> Value {
    json!({"ref": from, "dependsOn": to.iter().map(|package| package.reference()).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_in_is_listed_and_what_only_tests_need_is_not() {
        let document = document().unwrap();
        let components = document["components"].as_array().unwrap();
        let named = |name: &str| components.iter().find(|component| component["name"] == name);
        for name in ["axum", "rusqlite", "libsqlite3-sys", "sqlite", "swagger-ui"] {
            assert!(named(name).is_some(), "{name}");
        }
        assert_eq!(named("axum").unwrap()["hashes"][0]["content"].as_str().unwrap().len(), 64);
        for name in ["proptest", "orderd"] {
            assert!(named(name).is_none(), "{name}");
        }
    }

    #[test]
    fn every_reference_is_listed_once() {
        let document = document().unwrap();
        let list = |pointer: &str| document.pointer(pointer).unwrap().as_array().unwrap().clone();
        let references: Vec<_> = list("/components").iter().map(|component| component["bom-ref"].clone()).collect();
        let distinct: BTreeSet<_> = references.iter().map(Value::to_string).collect();
        assert_eq!(distinct.len(), references.len());
        for edge in list("/dependencies") {
            for target in edge["dependsOn"].as_array().unwrap() {
                assert!(references.contains(target), "{target}");
            }
        }
    }

    #[test]
    fn the_version_of_swagger_ui_is_that_of_its_files() {
        let bundle = include_str!("../../assets/docs/swagger-ui-bundle.js");
        assert!(bundle.contains(&format!("PACKAGE_VERSION:\"{SWAGGER_UI}\"")));
    }
}
