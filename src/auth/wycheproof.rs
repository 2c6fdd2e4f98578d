//! The vectors of Wycheproof, with which tests try how signatures are verified. `.ci/vectors.sh` fetches them.

use serde_json::Value;
use std::{fs, path::Path};

/// One vector: its group has the key.
pub struct Vector<'a> {
    pub group: &'a Value,
    test: &'a Value,
}

impl Vector<'_> {
    /// A field of the vector.
    pub fn bytes(&self, field: &str) -> Vec<u8> {
        bytes(&self.test[field])
    }
}

/// Decodes a value of the vectors: text in hexadecimal.
pub fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Compares the verdict of `is_good` on each vector of `file` with the one that it should have. Vectors without a
/// verdict, and those that may be accepted or refused, are left out. Answers how many were good and how many were not,
/// or `None` if the vectors are not here.
pub fn judge(file: &str, is_good: impl Fn(&Vector<'_>) -> Option<bool>) -> Option<(usize, usize)> {
    let Some(folder) = std::env::var_os("ORDERD_WYCHEPROOF") else {
        println!("skipped: ORDERD_WYCHEPROOF does not name the folder of the vectors");
        return None;
    };
    let document: Value = serde_json::from_slice(&fs::read(Path::new(&folder).join(file)).unwrap()).unwrap();
    let (mut good, mut bad) = (0, 0);
    for group in document["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            let Some(verdict) = is_good(&Vector { group, test }) else { continue };
            match test["result"].as_str().unwrap() {
                "valid" => good += usize::from(verdict),
                "invalid" => bad += usize::from(!verdict),
                _ => continue,
            }
            assert_eq!(verdict, test["result"] == "valid", "{file}: {test}");
        }
    }
    Some((good, bad))
}
