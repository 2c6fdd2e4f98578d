//! How names and comments look.

use super::*;

/// The most characters of a line. rustfmt breaks code there, but neither comments nor strings.
const LONGEST_LINE: usize = 120;

#[test]
fn comments_are_no_wider_than_code() {
    let (mut paths, mut broken) = (["src", "tests", "benches"].map(|folder| root().join(folder)).to_vec(), vec![]);
    paths.push(root().join("schema.sql"));
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "sql") {
            let text = fs::read_to_string(&path).unwrap();
            let comments = text
                .lines()
                .enumerate()
                .filter(|(_, line)| line.trim_start().starts_with("//") || line.trim_start().starts_with("--"));
            // A row of a table cannot be broken.
            let wide = comments.filter(|(_, line)| line.chars().count() > LONGEST_LINE && !line.ends_with('|'));
            broken.extend(wide.map(|(number, _)| format!("{}:{}", path.display(), number + 1)));
        }
    }
    holds("a line of a comment has at most 120 characters", broken);
}

/// Words of earlier versions, each with the word that replaced it. They are looked for in code, comments and messages.
const WORDS: &[(&str, &str)] = &[
    ("tally", "histogram"),
    ("desk", "permit"),
    ("desks", "permits"),
    ("crowd", "connection limits"),
    ("farewell", "shutdown"),
    ("lasting", "revalidate"),
    ("allowance", "rate limit"),
    ("exactly_once", "idempotency"),
];

/// Names of earlier versions. They are looked for in code only, since some are plain words.
const NAMES: &[(&str, &str)] = &[
    ("Ledger", "Rollup"),
    ("Deaf", "ReadClosed"),
    ("Talk", "ConnectionState"),
    ("Standing", "RateLimitState"),
    ("Settled", "StoredResponse"),
    ("Attempt", "IdempotentRequest"),
    ("Kept", "CachedDocument"),
    ("Shown", "AsText"),
    ("Wanted", "PageRequest"),
    ("Asked", "PageRequest"),
    ("Paging", "PageRequest"),
];

#[test]
fn words_are_those_of_the_field() {
    let words_of =
        |line: &str| line.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned).collect::<Vec<_>>();
    let mut broken = vec![];
    for source in sources() {
        for (text, replaced) in [(source.text.to_lowercase(), WORDS), (source.code.clone(), NAMES)] {
            for (number, line) in text.lines().enumerate() {
                let words = words_of(line);
                let found = replaced.iter().filter(|(word, _)| words.iter().any(|w| w == word));
                broken.extend(found.map(|(word, by)| format!("{}:{}: `{word}`: say {by}", source.path, number + 1)));
            }
        }
    }
    holds("one word for one thing, and the field's own", broken);
}
