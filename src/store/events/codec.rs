//! How documents of events are stored: as text in which codes stand for phrases that nearly all of them have, and for
//! what the row of the event says already. A later document of an order is stored as its members that differ from those
//! of the first one. The decoded text is the same to the byte.
//!
//! Codes are control characters, which JSON never contains outside of escapes. So the text can be decoded in plain SQL
//! too: by `replace`, and by members put into the first document. The view `v_events` does that.

mod members;
mod phrases;

use crate::domain::{base32, id::OrderId, time::Timestamp};
use members::{changes, merge};
use phrases::{EXPANSIONS, Part};
use std::fmt::{Display, Write};

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

/// What the row of an event says already: the texts of [`GIVEN`], one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    texts: String,
    /// Where each of them ends.
    ends: [usize; GIVEN.len()],
}

impl Context {
    /// The context of an event of this order, at this time, by this actor.
    pub fn new(order: OrderId, at: Timestamp, actor: &str) -> Self {
        let millis = u128::from(at.millis().max(0).unsigned_abs());
        let time_of_ids = base32::encode_u128(millis << 80);
        let mut context = Self { texts: String::with_capacity(128), ends: [0; GIVEN.len()] };
        let texts: [&dyn Display; GIVEN.len()] =
            [&order, &at, &str::from_utf8(&time_of_ids[..TIME_DIGITS]).unwrap_or_default(), &actor];
        for (text, end) in texts.iter().zip(&mut context.ends) {
            // Writing to a string cannot fail.
            let _ = write!(context.texts, "{text}");
            *end = context.texts.len();
        }
        context
    }

    /// What this code stands for.
    fn given(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.texts[start..self.ends[index]]
    }

    /// What a text begins with: its index. Identifiers, times and actors follow a quotation mark, and the digits of a
    /// time follow the prefix of an identifier.
    fn starting(&self, text: &[u8], after: u8) -> Option<usize> {
        let candidates: &[usize] = if after == b'"' { &[0, 1, 3] } else { &[2] };
        let starts = |given: &&usize| {
            let given = self.given(**given).as_bytes();
            !given.is_empty() && text.first() == given.first() && text.starts_with(given)
        };
        candidates.iter().find(starts).copied()
    }
}

/// Encodes the document of an event. `first` is the first document of the order, unless this is that one.
pub fn encode(document: &str, context: &Context, first: Option<&str>) -> String {
    if first_code(document.as_bytes()).is_some() {
        return format!("{AS_IT_IS}{document}");
    }
    match first.and_then(|first| changes(document, first)) {
        Some(changes) => pack(&changes, context, CHANGES.into()),
        None => pack(document, context, String::new()),
    }
}

/// Appends the document that is decoded from `stored`; `None` if that is damaged.
pub fn decode(text: &mut String, stored: &str, context: &Context, first: Option<&str>) -> Option<()> {
    match stored.chars().next() {
        Some(AS_IT_IS) => text.push_str(stored.get(1..)?),
        Some(CHANGES) => {
            let mut changes = String::with_capacity(256);
            unpack(&mut changes, stored.get(1..)?, context)?;
            merge(text, &changes, first?)?;
        }
        _ => unpack(text, stored, context)?,
    }
    Some(())
}

/// Whether a document is decoded with the first one of its order.
pub fn needs_first(stored: &str) -> bool {
    stored.starts_with(CHANGES)
}

/// Appends `text` with codes to `packed`.
fn pack(text: &str, context: &Context, mut packed: String) -> String {
    packed.reserve(text.len() / 2);
    let bytes = text.as_bytes();
    let (mut at, mut copied) = (0, 0);
    while at < bytes.len() {
        if let Some((length, number)) = phrases::starting(&bytes[at..], context) {
            packed.push_str(&text[copied..at]);
            push_code(&mut packed, number);
            at += length;
            copied = at;
            continue;
        }
        let before = bytes[at];
        at += 1;
        if (before == b'"' || before == b'_')
            && let Some(given) = context.starting(&bytes[at..], before)
        {
            packed.push_str(&text[copied..at]);
            packed.push(GIVEN[given]);
            at += context.given(given).len();
            copied = at;
        }
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

/// Appends `packed` without codes; `None` if there is no such code, or the text grows too long.
fn unpack(text: &mut String, packed: &str, context: &Context) -> Option<()> {
    let (mut rest, expansions, longest) = (packed, &*EXPANSIONS, text.len() + MOST);
    while let Some(at) = first_code(rest.as_bytes()) {
        text.push_str(&rest[..at]);
        let byte = rest.as_bytes()[at];
        rest = &rest[at + 1..];
        if let Some(given) = GIVEN.iter().position(|code| *code == char::from(byte)) {
            text.push_str(context.given(given));
            continue;
        }
        let number = if byte == LONG {
            let second = rest.as_bytes().first()?.checked_sub(SECOND)?;
            rest = rest.get(1..)?;
            usize::from(second) + SHORTS
        } else {
            usize::from(byte.checked_sub(SHORT)?)
        };
        for part in expansions.get(number)? {
            text.push_str(match part {
                Part::Text(text) => text,
                Part::Given(given) => context.given(*given),
            });
        }
        if text.len() > longest {
            return None;
        }
    }
    text.push_str(rest);
    Some(())
}

/// Where the first code is. It looks at eight bytes at once, which halves the time that a document takes.
fn first_code(text: &[u8]) -> Option<usize> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = text.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        // A code has none of the three highest bits of a byte. The lowest byte of which all are zero is found by
        // borrowing from it; a byte above one may be taken for one too, but that is not the lowest.
        let high_bits = u64::from_le_bytes(*word) & (0xe0 * EACH);
        let codes = high_bits.wrapping_sub(EACH) & !high_bits & (0x80 * EACH);
        if codes != 0 {
            return Some(8 * number + codes.trailing_zeros() as usize / 8);
        }
    }
    let before = text.len() - rest.len();
    rest.iter().position(|byte| *byte < b' ').map(|at| before + at)
}

#[cfg(test)]
mod tests;
