//! How documents of events are stored: as text in which codes stand for phrases that nearly all of them have, and for what
//! the row of the event says already. A later document of an order is stored as its members that differ from those of the
//! first one. The decoded text is the same to the byte.
//!
//! Codes are control characters, which JSON never contains outside of escapes. So the text can be decoded in plain SQL too:
//! by `replace`, and by members put into the first document. The view `v_events` does that.

mod members;
mod phrases;

use crate::domain::{base32, id::OrderId, time::Timestamp};
use members::{changes, merge};
use phrases::{EXPANSIONS, Part};

/// The first character of a document of which only the changed members are stored.
const CHANGES: char = '\u{1}';
/// The first character of a document that is stored as it is, because it has control characters.
const AS_IT_IS: char = '\u{6}';
/// The codes of what a [`Context`] has, in the same order.
const GIVEN: [char; 4] = ['\u{2}', '\u{3}', '\u{4}', '\u{5}'];
/// The first code of one byte. All bytes from here to the space are codes.
const SHORT: u8 = 0x0e;
/// The number of phrases with codes of one byte.
const SHORTS: usize = (b' ' - SHORT) as usize;
/// The first byte of codes of two bytes, and their first second byte.
const LONG: u8 = 7;
const SECOND: u8 = b'!';
/// The most bytes of a document; more come of damage alone.
const MOST: usize = 64 * 1024 * 1024;
/// The digits of an identifier that tell its time.
const TIME_DIGITS: usize = 10;

/// What the row of an event says already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context([String; GIVEN.len()]);

impl Context {
    /// The context of an event of this order, at this time, by this actor.
    pub fn new(order: OrderId, at: Timestamp, actor: &str) -> Self {
        let millis = u128::from(at.millis().max(0).unsigned_abs());
        let time_of_ids = base32::encode_u128(millis << 80).into_iter().take(TIME_DIGITS).map(char::from).collect();
        Self([order.to_string(), at.to_string(), time_of_ids, actor.to_owned()])
    }

    /// What a text begins with: its index. Identifiers, times and actors follow a quotation mark, and the digits of a time
    /// follow the prefix of an identifier.
    fn starting(&self, text: &[u8], after: u8) -> Option<usize> {
        let candidates: &[usize] = if after == b'"' { &[0, 1, 3] } else { &[2] };
        let starts = |given: &&usize| {
            let given = self.0[**given].as_bytes();
            !given.is_empty() && text.first() == given.first() && text.starts_with(given)
        };
        candidates.iter().find(starts).copied()
    }
}

/// Encodes the document of an event. `first` is the first document of the order, unless this is that one.
pub fn encode(document: &str, context: &Context, first: Option<&str>) -> String {
    if document.bytes().any(|byte| byte < b' ') {
        return format!("{AS_IT_IS}{document}");
    }
    match first.and_then(|first| changes(document, first)) {
        Some(changes) => pack(&changes, context, CHANGES.into()),
        None => pack(document, context, String::new()),
    }
}

/// Decodes a document; `None` if it is damaged.
pub fn decode(stored: &str, context: &Context, first: Option<&str>) -> Option<String> {
    match stored.chars().next() {
        Some(AS_IT_IS) => stored.get(1..).map(str::to_owned),
        Some(CHANGES) => merge(&unpack(stored.get(1..)?, context)?, first?),
        _ => unpack(stored, context),
    }
}

/// Whether a document is decoded with the first one of its order.
pub fn needs_first(stored: &str) -> bool {
    stored.starts_with(CHANGES)
}

/// Appends `text` with codes to `packed`.
fn pack(text: &str, context: &Context, mut packed: String) -> String {
    let text = with_given_codes(text, context);
    let (mut at, mut copied) = (0, 0);
    while let Some(start) = text.as_bytes().get(at..).filter(|rest| !rest.is_empty()) {
        let Some((phrase, number)) = phrases::starting(start) else {
            at += 1;
            continue;
        };
        packed.push_str(&text[copied..at]);
        push_code(&mut packed, number);
        at += phrase.len();
        copied = at;
    }
    packed.push_str(&text[copied..]);
    packed
}

fn push_code(packed: &mut String, number: u8) {
    let shorts = u8::try_from(SHORTS).unwrap_or(u8::MAX);
    if number < shorts {
        packed.push(char::from(SHORT + number));
    } else {
        packed.push(char::from(LONG));
        packed.push(char::from(SECOND + (number - shorts)));
    }
}

/// The text with codes for what the context has.
fn with_given_codes(text: &str, context: &Context) -> String {
    let bytes = text.as_bytes();
    let mut coded = String::with_capacity(text.len());
    let (mut at, mut copied) = (0, 0);
    while at < bytes.len() {
        let before = bytes[at];
        at += 1;
        if before != b'"' && before != b'_' {
            continue;
        }
        if let Some(given) = context.starting(&bytes[at..], before) {
            coded.push_str(&text[copied..at]);
            coded.push(GIVEN[given]);
            at += context.0[given].len();
            copied = at;
        }
    }
    coded.push_str(&text[copied..]);
    coded
}

/// Replaces the codes in `packed`; `None` if there is no such code, or the text grows too long.
fn unpack(packed: &str, context: &Context) -> Option<String> {
    let bytes = packed.as_bytes();
    let mut text = String::with_capacity(1536);
    let (mut at, mut copied) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        if byte >= b' ' {
            continue;
        }
        text.push_str(&packed[copied..at - 1]);
        if let Some(given) = GIVEN.iter().position(|code| *code == char::from(byte)) {
            text.push_str(&context.0[given]);
        } else {
            let number = if byte == LONG {
                at += 1;
                usize::from(bytes.get(at - 1)?.checked_sub(SECOND)?) + SHORTS
            } else {
                usize::from(byte.checked_sub(SHORT)?)
            };
            for part in EXPANSIONS.get(number)? {
                text.push_str(match part {
                    Part::Text(text) => text,
                    Part::Given(given) => &context.0[*given],
                });
            }
        }
        copied = at;
        if text.len() > MOST {
            return None;
        }
    }
    text.push_str(packed.get(copied..)?);
    Some(text)
}

#[cfg(test)]
mod tests;
