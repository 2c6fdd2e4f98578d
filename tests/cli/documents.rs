//! What the executable prints about itself: the API, its parts, its manual pages, completions.

use crate::support::Workplace;
use serde_json::Value;
use std::{fs, process::Command};

#[test]
fn the_document_of_the_api_is_printed() {
    let printed = Workplace::new().run("openapi");
    assert_eq!((printed.code, printed.err.as_str()), (0, ""));
    let document: Value = serde_json::from_str(&printed.out).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/v1/orders"].is_object());
}

#[test]
fn the_parts_of_the_program_are_printed() {
    let printed = Workplace::new().run("sbom");
    assert_eq!((printed.code, printed.err.as_str()), (0, ""));
    let document: Value = serde_json::from_str(&printed.out).unwrap();
    assert_eq!((&document["bomFormat"], &document["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    assert!(document["components"].as_array().unwrap().len() > 100);
}

/// The names of all commands.
fn commands(place: &Workplace) -> Vec<String> {
    let help = place.run("--help").out;
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What begins further to the right continues a description.
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).filter(|name| !name.is_empty());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_command_is_in_the_manual() {
    let chapter = include_str!("../../assets/guide/08-operations.md");
    for name in commands(&Workplace::new()) {
        assert!(chapter.contains(&format!("`orderd {name}`")), "{name}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let place = Workplace::new();
    assert_eq!(place.run("man --out pages").code, 0);
    let pages = |name: &str| fs::read_to_string(place.path().join("pages").join(name)).unwrap();
    let names = commands(&place);
    assert!(names.len() >= 13, "{names:?}");
    for name in names {
        assert!(pages(&format!("orderd-{name}.1")).contains(".SH SYNOPSIS"), "{name}");
    }
    assert!(pages("orderd-user-create.1").contains("password\\-stdin"));
    assert_eq!(place.run("man").out, pages("orderd.1"));
    assert!(pages("orderd.1").contains("Exit codes"));
}

#[test]
fn shells_take_their_completions() {
    let place = Workplace::new();
    for shell in ["bash", "zsh", "fish"] {
        let printed = place.run(&format!("completions {shell}"));
        assert_eq!(printed.code, 0, "{}", printed.err);
        assert!(printed.out.contains("healthcheck") && printed.out.contains("password-stdin"), "{shell}");
        place.write(shell, &printed.out);
    }
    let loaded = Command::new("bash").args(["-eu", "bash"]).current_dir(place.path()).status().unwrap();
    assert!(loaded.success());
    assert_eq!(place.run("completions cmd.exe").code, 2);
}
