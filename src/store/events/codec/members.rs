//! A document as the members that differ from those of another document with the same members.

use crate::domain::text;

/// The members of `document` that differ from those of `first`, separated by commas; `None` unless [`merge`] makes the
/// document of them again.
pub(super) fn changes(document: &str, first: &str) -> Option<String> {
    let (mut members, mut firsts) = (Members::of(document)?, Members::of(first)?);
    let mut changes = String::new();
    loop {
        match (members.next(), firsts.next()) {
            (None, None) => break,
            (Some(member), Some(first)) if member.name == first.name => {
                if member.value != first.value {
                    if !changes.is_empty() {
                        changes.push(',');
                    }
                    changes.push_str(member.text);
                }
            }
            _ => return None,
        }
    }
    // Damaged JSON, or a name that comes twice or in another member too.
    let mut merged = String::with_capacity(document.len());
    merge(&mut merged, &changes, first)?;
    (merged == document).then_some(changes)
}

/// Appends `first` with these members in place of those with the same names; `None` if it has no such members in this
/// order. A name is found as text, not by parsing, which would take twice the time. So within a member before its own,
/// such as the amount of an item, it is taken for the sought one. [`changes`] stores no document for which that
/// happens.
pub(super) fn merge(whole: &mut String, changes: &str, first: &str) -> Option<()> {
    if changes.ends_with(',') {
        return None;
    }
    let mut rest = Members::of(first)?.rest;
    whole.reserve(first.len() + changes.len());
    whole.push('{');
    for member in (Members { rest: changes }) {
        // The name and its colon.
        let at = text::position(rest, member.text.get(..=member.name.len())?)?;
        let (_, length) = ends(&rest.as_bytes()[at..]);
        whole.push_str(&rest[..at]);
        whole.push_str(member.text);
        rest = &rest[at + length..];
    }
    whole.push_str(rest);
    whole.push('}');
    Some(())
}

/// A member as it is written: name, colon and value.
#[derive(Clone, Copy)]
struct Member<'a> {
    text: &'a str,
    name: &'a str,
    value: &'a str,
}

/// The members of an object without white space. Text of another form yields what is between its commas.
struct Members<'a> {
    rest: &'a str,
}

impl<'a> Members<'a> {
    fn of(object: &'a str) -> Option<Self> {
        Some(Self { rest: object.strip_prefix('{')?.strip_suffix('}')? })
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let (name, end) = ends(self.rest.as_bytes());
        let text = &self.rest[..end];
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        Some(Member { text, name: &text[..name], value: &text[name..] })
    }
}

/// Where the name of the first member ends, and where the member ends.
fn ends(text: &[u8]) -> (usize, usize) {
    let (mut depth, mut name) = (0_usize, None);
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'"' => at = end_of_string(text, at + 1),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b':' if depth == 0 && name.is_none() => name = Some(at),
            b',' if depth == 0 => break,
            _ => {}
        }
        at += 1;
    }
    let end = at.min(text.len());
    (name.unwrap_or(end), end)
}

/// Where the quotation mark is that ends the string whose content begins at `at`.
fn end_of_string(text: &[u8], mut at: usize) -> usize {
    while at < text.len() && text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    at
}
