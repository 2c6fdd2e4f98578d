//! What all tests together have reached: every operation with every status of success that is published, every problem of
//! the catalogue, and every problem that the row of an operation names, but for those of a service that cannot serve, which
//! are met wherever a request happens to be. `cargo test` runs this crate after those whose notes
//! it reads, since it goes by the alphabet. What unit tests meet does not count: no client sees it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use orderd::{
    api::{openapi, routes},
    error::{self, Category},
};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

/// An answer that was met: the operation, the status, the problem.
type Met = (String, u16, String);

/// What the tests of the other crates have met.
fn met() -> BTreeSet<Met> {
    let mut met = BTreeSet::new();
    for tests in ["api", "cli"] {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("met-by-{tests}"));
        let notes = fs::read_to_string(&file).unwrap_or_default();
        let mut lines = notes.lines();
        assert_eq!(lines.next(), Some("by all tests"), "this judges a run of all tests: run `cargo test`");
        met.extend(lines.map(|line| {
            let words: Vec<_> = line.split(' ').collect();
            (words[0].to_owned(), words[1].parse().unwrap(), words[2].to_owned())
        }));
    }
    met
}

#[test]
fn every_operation_has_been_answered_with_every_success_that_it_has() {
    let (document, met) = (serde_json::from_str::<Value>(openapi::json()).unwrap(), met());
    let mut missed = vec![];
    for operation in document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values())
    {
        let id = operation["operationId"].as_str().unwrap();
        let statuses = operation["responses"].as_object().unwrap().keys().map(|status| status.parse::<u16>().unwrap());
        let successes = statuses.filter(|status| *status < 400);
        missed.extend(
            successes.filter(|status| !met.contains(&(id.into(), *status, "-".into()))).map(|status| (id, status)),
        );
    }
    assert!(missed.is_empty(), "no test was answered so: {missed:?}");
}

#[test]
fn every_problem_has_been_met() {
    let met: BTreeSet<_> = met().into_iter().map(|(_, _, problem)| problem).collect();
    let missed: Vec<_> = error::ALL.iter().map(|problem| problem.code).filter(|code| !met.contains(*code)).collect();
    assert!(missed.is_empty(), "no test has met these problems: {missed:?}");
}

#[test]
fn every_operation_has_met_the_problems_of_its_row() {
    let met: BTreeSet<_> = met().into_iter().map(|(operation, _, problem)| (operation, problem)).collect();
    let mut missed = vec![];
    for operation in routes::operations() {
        let of_the_request = operation.problems.iter().filter(|problem| problem.category != Category::Unavailable);
        let codes = of_the_request.map(|problem| problem.code);
        missed.extend(
            codes.filter(|code| !met.contains(&(operation.id.into(), (*code).into()))).map(|code| (operation.id, code)),
        );
    }
    assert!(missed.is_empty(), "no test has met these problems there: {missed:?}");
}
