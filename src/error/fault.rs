//! One fault in a request. A request is checked completely, so one error can carry many of them.

/// One fault in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where the fault is.
    pub at: FaultLocation,
    /// Stable machine-readable code, such as `too_large`.
    pub code: &'static str,
    /// What a correct value would be, for a person.
    pub detail: String,
}

/// The part of a request that is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultLocation {
    /// A member of the body, as a JSON pointer in URI-fragment form.
    Pointer(String),
    /// The query parameter of this name.
    Parameter(String),
    /// The header of this name.
    Header(&'static str),
}

impl Fault {
    /// A fault in the body at `pointer`, such as `#/amount`.
    pub fn body(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { at: FaultLocation::Pointer(pointer.into()), code, detail: detail.into() }
    }

    /// A fault in the query parameter `name`.
    pub fn parameter(name: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { at: FaultLocation::Parameter(name.into()), code, detail: detail.into() }
    }

    /// A fault in the header `name`.
    pub fn header(name: &'static str, code: &'static str, detail: impl Into<String>) -> Self {
        Self { at: FaultLocation::Header(name), code, detail: detail.into() }
    }
}
