//! Entity tags (RFC 9110, section 8.8.3) as `If-Match` and `If-None-Match` list them. Whether the tagged resource
//! exists, and which version it has, is not known here.

use crate::error::{Error, Fault, Result, problem};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// The form of such a header, as a sender writes it. A recipient also accepts empty elements (RFC 9110, section 5.6.1).
pub(crate) const LIST_PATTERN: &str = r#"^(\*|(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*")*)$"#;

/// The value of `If-Match` or `If-None-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntityTags {
    /// `*`: any version that exists.
    Any,
    /// The opaque tags without their quotes. A weak tag counts as its strong one, because proxies that compress an
    /// answer weaken its tag.
    Listed(Vec<Vec<u8>>),
}

impl EntityTags {
    /// Reads the header `name`, or `None` if it was not sent. Several lines count as one list.
    ///
    /// # Errors
    /// `invalid_header` for anything but `*` or a list of quoted tags.
    pub fn of(headers: &HeaderMap, name: &HeaderName, shown: &'static str) -> Result<Option<Self>> {
        let lines: Vec<_> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        if lines.is_empty() {
            return Ok(None);
        }
        let detail = "must be * or a list of quoted tags, such as \"3\" or \"3\", \"4\"";
        let faults = || vec![Fault::header(shown, "invalid_format", detail)];
        let parsed = Self::parse(&lines.join(&b","[..]));
        parsed.map(Some).ok_or_else(|| Error::new(&problem::INVALID_HEADER).with_faults(faults()))
    }

    fn parse(text: &[u8]) -> Option<Self> {
        if text.trim_ascii() == b"*" {
            return Some(Self::Any);
        }
        let (mut tags, mut rest) = (vec![], text);
        loop {
            rest = skip(rest, b" \t,");
            if rest.is_empty() {
                return (!tags.is_empty()).then_some(Self::Listed(tags));
            }
            let opened = rest.strip_prefix(b"W/").unwrap_or(rest).strip_prefix(b"\"")?;
            let length = opened.iter().position(|&byte| !is_tag_character(byte))?;
            tags.push(opened[..length].to_vec());
            rest = skip(opened[length..].strip_prefix(b"\"")?, b" \t");
            if !rest.is_empty() && !rest.starts_with(b",") {
                return None;
            }
        }
    }

    /// Whether the tag of this version is among them.
    pub fn matches(&self, version: i64) -> bool {
        self.lists(version.to_string().as_bytes())
    }

    /// Whether the tag with this content is among them.
    pub fn lists(&self, opaque: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tags) => tags.iter().any(|tag| tag == opaque),
        }
    }
}

/// The version whose tag this is; `None` for a tag that this service does not issue, such as `07` or `x`.
pub(crate) fn version_of(tag: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(tag).ok()?;
    text.parse().ok().filter(|version: &i64| version.to_string() == text)
}

/// `etagc`: anything but spaces, quotes and control characters.
fn is_tag_character(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'~' | 0x80..)
}

fn skip<'a>(text: &'a [u8], skipped: &[u8]) -> &'a [u8] {
    let length = text.iter().position(|byte| !skipped.contains(byte)).unwrap_or(text.len());
    &text[length..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header::IF_MATCH;

    fn read(lines: &[&str]) -> Result<Option<EntityTags>> {
        let headers: HeaderMap =
            lines.iter().map(|line| (IF_MATCH, HeaderValue::from_bytes(line.as_bytes()).unwrap())).collect();
        EntityTags::of(&headers, &IF_MATCH, "If-Match")
    }

    fn listed(tags: &[&str]) -> EntityTags {
        EntityTags::Listed(tags.iter().map(|tag| tag.as_bytes().to_vec()).collect())
    }

    #[test]
    fn lists_of_quoted_tags_and_a_star_are_read() {
        for (lines, tags) in [
            (&[][..], None),
            (&["*"], Some(EntityTags::Any)),
            (&[" * "], Some(EntityTags::Any)),
            (&["\"3\""], Some(listed(&["3"]))),
            (&["W/\"3\""], Some(listed(&["3"]))),
            (&["\"3\",\"4\"", "W/\"5\" ,\t\"x,y\""], Some(listed(&["3", "4", "5", "x,y"]))),
            (&[", \"3\", ,"], Some(listed(&["3"]))),
            (&["\"\""], Some(listed(&[""]))),
            (&["\"ä\\\""], Some(listed(&["ä\\"]))),
        ] {
            assert_eq!(read(lines).unwrap(), tags, "{lines:?}");
        }
    }

    #[test]
    fn anything_else_is_refused_and_the_right_form_is_shown() {
        for lines in [
            &[""][..],
            &[","],
            &["3"],
            &["\"3"],
            &["3\""],
            &["\"3\" \"4\""],
            &["\"3\"x"],
            &["w/\"3\""],
            &["W/ \"3\""],
            &["\"a b\""],
            &["*, \"3\""],
            &["*", "*"],
            &["\"3\"", "4"],
        ] {
            let error = read(lines).unwrap_err();
            assert!(error.is(&problem::INVALID_HEADER), "{lines:?}");
            assert_eq!(
                error.faults(),
                [Fault::header(
                    "If-Match",
                    "invalid_format",
                    "must be * or a list of quoted tags, such as \"3\" or \"3\", \"4\""
                )]
            );
        }
    }

    #[test]
    fn only_the_canonical_spelling_of_a_version_matches() {
        let tags = read(&["\"06\", \"+7\", \"8\""]).unwrap().unwrap();
        assert_eq!([6, 7, 8].map(|version| tags.matches(version)), [false, false, true]);
        assert_eq!([&b"06"[..], b"+7", b"x", b"", b"8"].map(version_of), [None, None, None, None, Some(8)]);
    }
}
