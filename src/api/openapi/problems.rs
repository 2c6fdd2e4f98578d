//! The problems that an operation can return: those that follow from its access, input and headers, and those that its
//! row lists.

use crate::{
    api::{
        operation::{Access, Body, Idempotency, Operation, Versioning},
        output::problem::status,
    },
    error::{Problem, problem},
};
use axum::http::Method;
use std::collections::BTreeMap;

/// Every problem that `operation` can return, by HTTP status.
pub(super) fn by_status(operation: &Operation) -> BTreeMap<u16, Vec<&'static Problem>> {
    let mut grouped: BTreeMap<u16, Vec<&'static Problem>> = BTreeMap::new();
    let implied = [always(operation), of_access(operation), of_input(operation), of_headers(operation)];
    for problem in implied.into_iter().flatten().chain(operation.problems.iter().copied()) {
        let group = grouped.entry(status(problem.category).as_u16()).or_default();
        if !group.iter().any(|known| known.code == problem.code) {
            group.push(problem);
        }
    }
    grouped
}

fn always(operation: &Operation) -> Vec<&'static Problem> {
    let mut problems: Vec<&'static Problem> = vec![
        &problem::MALFORMED_REQUEST,
        &problem::INVALID_HEADER,
        &problem::SLOW_HEAD,
        &problem::INTERNAL,
        &problem::OVERLOADED,
        &problem::DRAINING,
        &problem::TIMEOUT,
    ];
    if operation.in_api() {
        problems.extend([&problem::RATE_LIMITED, &problem::INVALID_PARAMETER]);
        if operation.method != Method::GET {
            problems.extend([&problem::STORAGE_FULL, &problem::STORAGE_BUSY, &problem::OUTCOME_UNKNOWN]);
        }
    }
    problems
}

fn of_access(operation: &Operation) -> Vec<&'static Problem> {
    let mut problems: Vec<&'static Problem> = match operation.access {
        Access::Anonymous => return vec![],
        Access::SignedIn => vec![&problem::UNAUTHENTICATED],
        Access::AnyOf(_) => vec![&problem::UNAUTHENTICATED, &problem::FORBIDDEN],
    };
    if !operation.before_second_factor {
        problems.push(&problem::SECOND_FACTOR_SETUP_REQUIRED);
    }
    problems
}

fn of_input(operation: &Operation) -> Vec<&'static Problem> {
    let mut problems: Vec<&'static Problem> = match operation.body {
        Body::None => vec![],
        Body::Stream(_) => vec![&problem::SLOW_BODY, &problem::UNSUPPORTED_MEDIA_TYPE],
        Body::Json { .. } => vec![
            &problem::INVALID_JSON,
            &problem::SLOW_BODY,
            &problem::BODY_TOO_LARGE,
            &problem::UNSUPPORTED_MEDIA_TYPE,
            &problem::VALIDATION_FAILED,
        ],
    };
    if operation.path.contains('{') {
        problems.push(&problem::NOT_FOUND);
    }
    if operation.query.is_some() {
        problems.push(&problem::INVALID_PARAMETER);
    }
    if operation.paged {
        problems.push(&problem::INVALID_CURSOR);
    }
    problems
}

fn of_headers(operation: &Operation) -> Vec<&'static Problem> {
    let mut problems: Vec<&'static Problem> = match operation.idempotency {
        Idempotency::Ignored => vec![],
        Idempotency::Optional => vec![&problem::INVALID_IDEMPOTENCY_KEY, &problem::IDEMPOTENCY_KEY_REUSED],
        Idempotency::Required => vec![
            &problem::IDEMPOTENCY_KEY_REQUIRED,
            &problem::INVALID_IDEMPOTENCY_KEY,
            &problem::IDEMPOTENCY_KEY_REUSED,
        ],
    };
    if operation.versioning == Versioning::ConditionalWrite {
        problems.extend([&problem::VERSION_MISMATCH, &problem::IF_MATCH_REQUIRED]);
    }
    problems
}
