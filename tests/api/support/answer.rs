//! A response and the assertions on it. A failed assertion panics with the whole response.

use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
};
use serde_json::Value;
use std::{fmt, ops::Index};

/// A response. `answer["id"]` is a member of its JSON body.
#[derive(Clone)]
pub struct Answer {
    request: String,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    json: Option<Value>,
}

impl Answer {
    pub(super) fn new(request: String, status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        let json = serde_json::from_slice(&body).ok();
        Self { request, status, headers, body, json }
    }

    /// Asserts status 200.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.status(200)
    }

    /// Asserts status 201.
    #[track_caller]
    pub fn created(self) -> Self {
        self.status(201)
    }

    /// Asserts status 204 and an empty body.
    #[track_caller]
    pub fn no_content(self) -> Self {
        let answer = self.status(204);
        assert!(answer.body.is_empty(), "expected no body: {answer}");
        answer
    }

    /// Asserts this status.
    #[track_caller]
    pub fn status(self, status: u16) -> Self {
        assert!(self.status.as_u16() == status, "expected {status}: {self}");
        self
    }

    /// Asserts a problem with this code, in the form that all problems share.
    #[track_caller]
    pub fn problem(self, code: &str) -> Self {
        assert!(self.header("content-type") == "application/problem+json", "expected a problem: {self}");
        assert!(self["code"] == code, "expected {code}: {self}");
        assert!(self["status"] == self.status.as_u16(), "expected the status in the body too: {self}");
        assert!(self["request_id"] == self.header("x-request-id"), "expected the request id in the body too: {self}");
        self
    }

    /// Asserts exactly these faults in any order, each as its place (a pointer, parameter or header) and its code.
    #[track_caller]
    pub fn faults(self, expected: &[(&str, &str)]) -> Self {
        let mut found: Vec<_> = self["errors"].as_array().into_iter().flatten().map(fault).collect();
        let mut expected: Vec<_> = expected.iter().map(|&(place, code)| (place.to_owned(), code.to_owned())).collect();
        found.sort();
        expected.sort();
        assert!(found == expected, "expected the faults {expected:?}: {self}");
        self
    }

    /// The status.
    pub fn code(&self) -> u16 {
        self.status.as_u16()
    }

    /// The code of the problem, if the response is one.
    pub fn problem_code(&self) -> Option<&str> {
        self.json.as_ref().filter(|_| self.status.as_u16() >= 400)?["code"].as_str()
    }

    /// The JSON body.
    #[track_caller]
    pub fn json(&self) -> &Value {
        self.json.as_ref().unwrap_or_else(|| panic!("expected JSON: {self}"))
    }

    /// The member `id` of the JSON body.
    #[track_caller]
    pub fn id(&self) -> String {
        self["id"].as_str().unwrap_or_else(|| panic!("expected an id: {self}")).to_owned()
    }

    /// The body as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body.
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The names of the headers, in lower case.
    pub fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.keys().map(axum::http::HeaderName::as_str)
    }

    /// All values of this header.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
    }

    /// The value of this header. Asserts that it occurs exactly once.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.maybe_header(name).unwrap_or_else(|| panic!("expected the header {name}: {self}"))
    }

    /// The value of this header, if present. Asserts that it occurs at most once.
    #[track_caller]
    pub fn maybe_header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        assert!(values.next().is_none(), "expected the header {name} once: {self}");
        value.to_str().ok()
    }
}

fn fault(value: &Value) -> (String, String) {
    let place = ["pointer", "parameter", "header"].iter().find_map(|kind| value[kind].as_str());
    (place.unwrap_or_default().to_owned(), value["code"].as_str().unwrap_or_default().to_owned())
}

impl Index<&str> for Answer {
    type Output = Value;

    #[track_caller]
    fn index(&self, member: &str) -> &Value {
        &self.json()[member]
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} answered {}", self.request, self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
        }
        write!(f, "\n{}", String::from_utf8_lossy(&self.body))
    }
}
