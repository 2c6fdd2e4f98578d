//! The tables of the guide that state rules of the code are held to the code. The reference of the configuration is written
//! by `BLESS=1 cargo test --test api guide`.

use orderd::{
    auth::policy,
    config::{Key, Section, reference},
    domain::{
        order::{OrderStatus, Step, Transition},
        permission::Permission,
    },
};
use std::{collections::BTreeSet, fs};

const ORDERS: &str = include_str!("../../assets/guide/06-orders.md");
const ACCESS: &str = include_str!("../../assets/guide/07-access.md");

/// The rows of the table under this head.
fn table<'a>(chapter: &'a str, head: &str) -> Vec<&'a str> {
    let (_, after) = chapter.split_once(head).unwrap_or_else(|| panic!("the guide has no table {head}"));
    after.lines().skip(2).take_while(|line| line.starts_with('|')).collect()
}

#[test]
fn the_state_machine_is_as_the_guide_has_it() {
    let names: Vec<_> = Transition::ALL.iter().map(|t| format!("`{}`", t.name())).collect();
    let row = |status: OrderStatus| {
        let cells = Transition::ALL.iter().map(|&transition| match status.step(transition) {
            Step::To(next) => format!("→ `{}`", next.name()),
            Step::Already => "200, unchanged".to_owned(),
            Step::Impossible => "409".to_owned(),
        });
        format!("| `{}` | {} |", status.name(), cells.collect::<Vec<_>>().join(" | "))
    };
    let expected: Vec<_> = OrderStatus::ALL.iter().map(|&status| row(status)).collect();
    assert_eq!(table(ORDERS, &format!("| status | {} |", names.join(" | "))), expected);
}

#[test]
fn the_permissions_of_the_roles_are_as_the_guide_has_them() {
    let names: Vec<_> = policy::BUILT_IN.iter().map(|(role, _)| format!("`{role}`")).collect();
    let row = |permission: Permission| {
        let holds = policy::BUILT_IN.iter().map(|(_, set)| match (set.contains(permission), set.holds(permission)) {
            (true, _) => "yes",
            (false, true) => "(yes)",
            (false, false) => "",
        });
        format!("| `{permission}` | {} |", holds.collect::<Vec<_>>().join(" | "))
    };
    let expected: BTreeSet<_> = Permission::ALL.iter().map(|&permission| row(permission)).collect();
    let written: BTreeSet<_> = table(ACCESS, &format!("| permission | {} |", names.join(" | ")))
        .into_iter()
        .map(|row| row.replace("|  |", "| |"))
        .collect();
    assert_eq!(written, expected.into_iter().map(|row| row.replace("|  |", "| |")).collect());
}

const CONFIGURATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/guide/04-configuration.md");

/// The chapter's part about every key, as the code has it.
fn reference_in_words() -> String {
    let row = |key: &Key| {
        let Key { name, variable, takes, default, meaning } = key;
        format!("| `{name}`, `{variable}` | {takes} | `{default}` | {meaning} |\n")
    };
    let section = |section: &Section| {
        let Section { name, about, keys } = section;
        let head = "| key, and its environment variable | takes | default | meaning |\n|---|---|---|---|\n";
        format!("### {name}\n\n{about}\n\n{head}{}\n", keys.iter().map(row).collect::<String>())
    };
    reference().iter().map(section).collect()
}

#[test]
fn the_configuration_is_as_the_guide_has_it() {
    let chapter = fs::read_to_string(CONFIGURATION).unwrap();
    let (before, rest) = chapter.split_once("## Every key\n\n").unwrap();
    let (written, after) = rest.split_at(rest.find("\n## ").unwrap() + 1);
    let expected = reference_in_words();
    if std::env::var_os("BLESS").is_some() {
        fs::write(CONFIGURATION, format!("{before}## Every key\n\n{expected}{after}")).unwrap();
    } else {
        assert_eq!(written, expected, "changed; if that is meant, run with BLESS=1 and review the difference");
    }
}
