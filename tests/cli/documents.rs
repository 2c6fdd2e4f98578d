//! What the executable prints about itself: the OpenAPI document, manual pages, completion scripts.

use crate::support::TestDir;
use serde_json::Value;
use std::{fs, process::Command};

#[test]
fn the_openapi_document_is_printed() {
    let printed = TestDir::new().run("openapi");
    assert_eq!((printed.code, printed.err.as_str()), (0, ""));
    let document: Value = serde_json::from_str(&printed.out).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/v1/orders"].is_object());
}

/// The names of all commands.
fn commands(dir: &TestDir) -> Vec<String> {
    let help = dir.run("--help").out;
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // Lines that are indented further continue a description.
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).filter(|name| !name.is_empty());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_command_is_in_the_manual() {
    let chapter = include_str!("../../assets/guide/08-operations.md");
    for name in commands(&TestDir::new()) {
        assert!(chapter.contains(&format!("`orderd {name}`")), "{name}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let dir = TestDir::new();
    assert_eq!(dir.run("man --out pages").code, 0);
    let pages = |name: &str| fs::read_to_string(dir.path().join("pages").join(name)).unwrap();
    let names = commands(&dir);
    assert!(names.len() >= 13, "{names:?}");
    for name in names {
        assert!(pages(&format!("orderd-{name}.1")).contains(".SH SYNOPSIS"), "{name}");
    }
    assert!(pages("orderd-user-create.1").contains("password\\-stdin"));
    assert_eq!(dir.run("man").out, pages("orderd.1"));
    assert!(pages("orderd.1").contains("Exit codes"));
}

#[test]
fn completion_scripts_load_in_their_shells() {
    let dir = TestDir::new();
    for shell in ["bash", "zsh", "fish"] {
        let printed = dir.run(&format!("completions {shell}"));
        assert_eq!(printed.code, 0, "{}", printed.err);
        assert!(printed.out.contains("healthcheck") && printed.out.contains("password-stdin"), "{shell}");
        dir.write(shell, &printed.out);
    }
    let loaded = Command::new("bash").args(["-eu", "bash"]).current_dir(dir.path()).status().unwrap();
    assert!(loaded.success());
    assert_eq!(dir.run("completions cmd.exe").code, 2);
}
