//! Statements of the guide about the code are checked against the code: rules, problems, indexes, and the names of
//! files and tests. `BLESS=1 cargo test --test api guide` writes the configuration reference.

use orderd::{
    auth::policy,
    config::{Key, Section, reference},
    domain::{
        order::{OrderStatus, Transition, TransitionResult},
        permission::Permission,
    },
    error::ALL,
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const ARCHITECTURE: &str = include_str!("../../assets/guide/01-architecture.md");
const ORDERS: &str = include_str!("../../assets/guide/06-orders.md");
const ACCESS: &str = include_str!("../../assets/guide/07-access.md");

/// The numbered sentences under this heading.
fn numbered(text: &str, head: &str) -> Vec<String> {
    let (_, after) = text.split_once(head).unwrap_or_else(|| panic!("no heading {head}"));
    let mut sentences: Vec<String> = vec![];
    for line in after.lines().map(|line| line.trim_start_matches("//! ").trim_end()) {
        if line.starts_with(&format!("{}. ", sentences.len() + 1)) {
            sentences.push(line.to_owned());
        } else if let (Some(last), Some(more)) = (sentences.last_mut(), line.strip_prefix("   ")) {
            *last += " ";
            *last += more;
        } else if line.starts_with('#') {
            break;
        }
    }
    sentences
}

#[test]
fn the_invariants_equal_those_of_the_source() {
    let source = include_str!("../../src/lib.rs").replace("[`", "`").replace("`]", "`");
    let written = numbered(ARCHITECTURE, "## The invariants");
    assert_eq!((written.len(), written), (10, numbered(&source, "# The invariants")));
}

/// The rows of the table with this header row.
fn table<'a>(chapter: &'a str, head: &str) -> Vec<&'a str> {
    let (_, after) = chapter.split_once(head).unwrap_or_else(|| panic!("the guide has no table {head}"));
    after.lines().skip(2).take_while(|line| line.starts_with('|')).collect()
}

/// Continuous integration runs the files; readers have the chapter.
#[test]
fn the_examples_of_the_chapter_on_webhooks_are_the_files_that_run() {
    let chapter = include_str!("../../assets/guide/16-webhooks.md");
    for (language, example) in [
        ("python", include_str!("../../.ci/webhooks/receiver.py")),
        ("typescript", include_str!("../../.ci/webhooks/receiver.ts")),
        ("python", include_str!("../../.ci/webhooks/relay.py")),
        ("python", include_str!("../../.ci/webhooks/follow.py")),
    ] {
        assert!(chapter.contains(&format!("```{language}\n{example}```\n")), "{example}");
    }
}

#[test]
fn the_state_machine_matches_the_guide() {
    let names: Vec<_> = Transition::ALL.iter().map(|t| format!("`{}`", t.name())).collect();
    let row = |status: OrderStatus| {
        let cells = Transition::ALL.iter().map(|&transition| match status.after(transition) {
            TransitionResult::To(next) => format!("→ `{}`", next.name()),
            TransitionResult::AlreadyThere => "200, unchanged".to_owned(),
            TransitionResult::NotAllowed => "409".to_owned(),
        });
        format!("| `{}` | {} |", status.name(), cells.collect::<Vec<_>>().join(" | "))
    };
    let expected: Vec<_> = OrderStatus::ALL.iter().map(|&status| row(status)).collect();
    assert_eq!(table(ORDERS, &format!("| status | {} |", names.join(" | "))), expected);
}

#[test]
fn the_permissions_of_the_roles_match_the_guide() {
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

/// The configuration reference, generated from the code.
fn generated_reference() -> String {
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
fn the_configuration_matches_the_guide() {
    let chapter = fs::read_to_string(CONFIGURATION).unwrap();
    let (before, rest) = chapter.split_once("## Every key\n\n").unwrap();
    let (written, after) = rest.split_at(rest.find("\n## ").unwrap() + 1);
    let expected = generated_reference();
    if std::env::var_os("BLESS").is_some() {
        fs::write(CONFIGURATION, format!("{before}## Every key\n\n{expected}{after}")).unwrap();
    } else {
        assert_eq!(
            written, expected,
            "the reference differs; if the change is intended, run with BLESS=1 and review it"
        );
    }
}

/// The chapters and the README: each file and its text.
fn texts() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chapters = fs::read_dir(root.join("assets/guide")).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| (path.clone(), fs::read_to_string(path).unwrap());
    chapters.chain([root.join("README.md")]).map(read).collect()
}

#[test]
fn every_problem_is_in_the_guide() {
    let chapter = include_str!("../../assets/guide/12-errors.md");
    let row = |problem: &orderd::error::Problem| {
        format!("| [`{}`](/problems/{}) | {} |", problem.code, problem.slug(), problem.title)
    };
    let missing: Vec<_> = ALL.iter().map(|problem| row(problem)).filter(|row| !chapter.contains(row)).collect();
    assert_eq!(missing, Vec::<String>::new());
    assert_eq!(chapter.matches("](/problems/").count(), ALL.len());
}

#[test]
fn every_table_and_index_is_in_the_guide() {
    let chapter = include_str!("../../assets/guide/03-database.md");
    let named = |line: &'static str| {
        let made = ["CREATE TABLE ", "CREATE INDEX ", "CREATE UNIQUE INDEX "];
        made.iter().find_map(|made| line.strip_prefix(made)).and_then(|rest| rest.split(' ').next())
    };
    let names: Vec<_> = include_str!("../../schema.sql").lines().filter_map(named).collect();
    assert!(names.len() > 25, "{names:?}");
    for name in names {
        assert!(chapter.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn named_files_and_tests_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut named, mut wrong) = (0, vec![]);
    for (text, words) in texts() {
        for name in words.split('`').skip(1).step_by(2) {
            let (file, test) = name.split_once("::").map_or((name, None), |(file, test)| (file, Some(test)));
            let ours = ["src/", "tests/", "benches/", ".ci/"].iter().any(|folder| file.starts_with(folder));
            if !ours || file.contains(char::is_whitespace) || file.contains('*') {
                continue;
            }
            named += 1;
            let exists = match test {
                None => root.join(file).exists(),
                Some(test) => {
                    fs::read_to_string(root.join(file)).is_ok_and(|code| code.contains(&format!("fn {test}(")))
                }
            };
            if !exists {
                wrong.push(format!("{}: {name}", text.display()));
            }
        }
    }
    assert!(named > 100, "{named}");
    assert_eq!(wrong, Vec::<String>::new());
}

/// The path of every test function below `folder`, such as `orders::create::a_test`.
fn test_names(folder: &Path, module: &str) -> Vec<String> {
    let mut names = vec![];
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let stem = entry.file_stem().unwrap().to_str().unwrap();
        let module =
            if ["main", "mod", "lib"].contains(&stem) { module.to_owned() } else { format!("{module}{stem}::") };
        if entry.is_dir() {
            names.extend(test_names(&entry, &module));
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&entry).unwrap();
            let functions = text.split("fn ").skip(1).filter_map(|rest| rest.split('(').next());
            names.extend(functions.map(|name| format!("{module}{name}")));
        }
    }
    names
}

#[test]
fn every_named_test_command_selects_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let of_folder = |folder: &str| test_names(&root.join(folder), "");
    let names = [
        ("--test api ", of_folder("tests/api")),
        ("--test cli ", of_folder("tests/cli")),
        ("--lib ", of_folder("src")),
    ];
    let (mut commands, mut wrong) = (0, vec![]);
    for (text, words) in texts() {
        for command in words.split('`').skip(1).step_by(2).filter_map(|code| code.split_once("cargo test ")) {
            for (target, names) in &names {
                let Some(filter) = command.1.strip_prefix(target).and_then(|rest| rest.split(' ').next()) else {
                    continue;
                };
                commands += 1;
                if !names.iter().any(|name| name.contains(filter)) {
                    wrong.push(format!("{}: {filter}", text.display()));
                }
            }
        }
    }
    assert!(commands > 15, "{commands}");
    assert_eq!(wrong, Vec::<String>::new());
}
