//! The files of `src/` as the rules read them: every line that ships, without comments and without unit tests.
//!
//! This is a reader of tokens, not a parser of Rust: it knows comments, strings, attributes, brackets and paths, which
//! is what the rules need.

mod shipped;

use shipped::{SAMPLE, Shipped, closing, is_word, shipped};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// A file of `src/`.
pub struct Source {
    /// Its path below the root of the repository, such as `src/api/orders.rs`.
    pub path: String,
    /// The first part of its path below `src/`, such as `api`.
    pub room: String,
    /// The module it holds: `["api", "orders"]`.
    pub module: Vec<String>,
    /// The whole text.
    pub text: String,
    /// What ships. Comments and unit tests are blanks; line numbers and strings are kept.
    pub shipped: String,
    /// What ships, with the contents of strings blanked too.
    pub code: String,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of `src/` that ships.
pub fn sources() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(read_all);
    &SOURCES
}

fn read_all() -> Vec<Source> {
    let (mut folders, mut sources, mut tests) = (vec![root().join("src")], vec![], BTreeSet::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let (source, test_modules) = read(&path);
                tests.extend(test_modules);
                sources.push(source);
            }
        }
    }
    sources.retain(|source| !tests.iter().any(|test: &Vec<String>| source.module.starts_with(test)));
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

/// A file, and the modules that it declares for tests only.
fn read(path: &PathBuf) -> (Source, Vec<Vec<String>>) {
    let text = fs::read_to_string(path).unwrap();
    let inside = path.strip_prefix(root().join("src")).unwrap().with_extension("");
    let mut module: Vec<_> = inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    let room = module[0].clone();
    module.retain(|part| !["lib", "main", "mod"].contains(&part.as_str()));
    let Shipped { text: shipped, code, test_modules } = shipped(&text);
    let test_modules = test_modules.into_iter().map(|name| [module.clone(), vec![name]].concat()).collect();
    let path = path.strip_prefix(root()).unwrap().display().to_string();
    (Source { path, room, module, text, shipped, code }, test_modules)
}

/// A path that a file names: `["crate", "store", "Store"]`, from a `use` line or from the middle of the code.
pub type NamedPath = Vec<String>;

/// Every path in `code`: what `use` lines bring in, written out, and what stands inline.
pub fn paths(code: &str) -> BTreeSet<NamedPath> {
    let mut paths = BTreeSet::new();
    let mut at = 0;
    while let Some(start) = code[at..].find(is_word).map(|start| at + start) {
        let end = code[start..].find(|c| !is_word(c)).map_or(code.len(), |length| start + length);
        let behind = code[end..].trim_start();
        if &code[start..end] == "use" && !behind.starts_with('<') && behind.len() < code[end..].len() {
            let end_of_use = end + code[end..].find(';').unwrap_or(code[end..].len());
            use_tree(&[], &code[end..end_of_use], &mut paths);
            at = end_of_use;
        } else {
            let (path, length) = inline_path(&code[start..]);
            paths.insert(path);
            at = start + length;
        }
    }
    paths
}

fn inline_path(code: &str) -> (NamedPath, usize) {
    let (mut path, mut at) = (vec![], 0);
    loop {
        let length = code[at..].find(|c| !is_word(c)).unwrap_or(code.len() - at);
        path.push(code[at..at + length].to_owned());
        at += length;
        match code[at..].strip_prefix("::") {
            Some(rest) if rest.starts_with(is_word) => at += 2,
            _ => return (path, at),
        }
    }
}

fn use_tree(prefix: &[String], tree: &str, paths: &mut BTreeSet<NamedPath>) {
    let tree = tree.trim().trim_start_matches("::");
    let (head, list) = tree.split_once('{').map_or((tree, None), |(head, list)| (head, Some(list)));
    let head = head.split(" as ").next().unwrap().split("::").map(str::trim).filter(|part| !part.is_empty());
    let path = [prefix.to_vec(), head.map(str::to_owned).collect()].concat();
    let Some(list) = list else {
        if !path.is_empty() {
            paths.insert(path);
        }
        return;
    };
    let (mut depth, mut start) = (0, 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                use_tree_of_list(&path, &list[start..at], paths);
                start = at + 1;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
}

fn use_tree_of_list(prefix: &[String], entry: &str, paths: &mut BTreeSet<NamedPath>) {
    if !entry.trim().is_empty() {
        use_tree(prefix, entry, paths);
    }
}

/// `path` from the root of the crate, if it leads there: what follows `crate`, or `super` from `module`.
pub fn from_the_root(path: &[String], module: &[String]) -> Option<NamedPath> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" | "orderd" => Some(rest.to_vec()),
        "super" => {
            let supers = path.iter().take_while(|part| *part == "super").count();
            let parent = module.get(..module.len().checked_sub(supers)?)?;
            Some([parent, &path[supers..]].concat())
        }
        _ => None,
    }
}

/// The functions of a file: name and number of lines that are not blank, from `fn` to the closing bracket.
pub fn functions(code: &str) -> Vec<(String, usize)> {
    let mut functions = vec![];
    for (at, _) in code.match_indices("fn ") {
        let name: String = code[at + 3..].chars().take_while(|c| is_word(*c)).collect();
        let starts_word = !code[..at].ends_with(is_word);
        let Some(stop) = code[at..].find(['{', ';']) else { continue };
        if !starts_word || name.is_empty() || code[at + stop..].starts_with(';') {
            continue;
        }
        let end = stop + closing(&code.as_bytes()[at + stop..]);
        functions.push((name, code[at..at + end].lines().filter(|line| !line.trim().is_empty()).count()));
    }
    functions
}

#[test]
fn paths_are_found_in_use_lines_and_inline() {
    let code = "use crate::{\n app::App,\n auth::{self, access::{Facts, A as B}},\n error,\n};
        use super::super::store as s; fn a() -> impl Fn() + use<'static> { std::fs::read(crate::cli::B::c::<u8>()) }";
    let named = paths(code);
    let has = |path: &str| named.contains(&path.split("::").map(str::to_owned).collect::<Vec<_>>());
    for path in ["crate::app::App", "crate::auth::self", "crate::auth::access::A", "crate::error", "std::fs::read"] {
        assert!(has(path), "{path}: {named:?}");
    }
    let module = ["api", "orders"].map(str::to_owned);
    let rooted: Vec<_> = named.iter().filter_map(|path| from_the_root(path, &module)).collect();
    assert!(
        rooted.contains(&vec!["store".to_owned()]) && rooted.contains(&["cli", "B", "c"].map(str::to_owned).into())
    );
}

#[test]
fn every_line_that_ships_is_read() {
    let Shipped { text, code, test_modules } = shipped(SAMPLE);
    assert_eq!(test_modules, ["forgeries"]);
    assert_eq!(code.lines().count(), SAMPLE.lines().count());
    let rooms: BTreeSet<_> =
        paths(&code).iter().filter_map(|path| from_the_root(path, &[])?.first().cloned()).collect();
    assert_eq!(rooms, ["app", "domain", "error", "store"].map(str::to_owned).into());
    assert!(text.contains(r#"const LAST: &str = "crate::string";"#));
    let absent = ["tests_only", "comment", "counted", "brackets"];
    assert_eq!(absent.map(|word| text.contains(word)), [false; 4]);
}
