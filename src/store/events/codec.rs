//! Documents of events as what differs from others: an order's document from a pattern that all documents share, and every
//! later document of an order from its first one. A document is a list of copies from these and of what is new; the decoded
//! text is the same to the byte.

use std::sync::LazyLock;

/// The first byte of an encoded document: the version of this form, of which [`PATTERN`] is a part.
const FORM: u8 = 1;
/// What documents look like. A change of it needs a new form, since stored documents refer to it.
const PATTERN: &str = concat!(
    r#""kind":"refund","status":"pending","credit_taxes":[{"tax_rate":"19","net_amount":1,"tax_amount":1}],"#,
    r#""items":[{"item_id":"itm_01","quantity":1}],"currency":"USD","provider":"stripe","provider_ref":""#,
    r#""payment_id":"txn_01","payment_status":"partially_paid","payment_status":"overpaid","#,
    r#""payment_status":"partially_refunded","status":"reversed","#,
    r#"},{"id":"itm_01","fees":[{"name":"Shipping","amount":490,"tax_rate":"19","tax_amount":1,"total_amount":1}],"#,
    r#""prices_include_tax":false,"external_ref":""allowed_transitions":["fulfil","cancel"],"#,
    r#""status":"fulfilled","status":"cancelled","allowed_transitions":[],"#,
    r#"{"id":"ord_01","number":1,"status":"pending","payment_status":"unpaid","currency":"EUR","#,
    r#""prices_include_tax":true,"user_id":null,"external_ref":null,"items":[{"id":"itm_01","sku":"","name":"","#,
    r#""quantity":1,"returned_quantity":0,"unit_amount":1,"discount_amount":0,"allocated_discount_amount":0,"#,
    r#""tax_rate":"19","tax_amount":1,"total_amount":1}],"fees":[],"subtotal_amount":1,"#,
    r#""order_discount_amount":0,"discount_amount":0,"fee_amount":0,"tax_amount":1,"#,
    r#""taxes":[{"tax_rate":"19","net_amount":1,"tax_amount":1}],"total_amount":1,"paid_amount":0,"#,
    r#""refunded_amount":0,"credited_amount":0,"credited_tax_amount":0,"balance_amount":1,"customer":null,"#,
    r#""note":null,"metadata":{},"version":1,"allowed_transitions":["confirm","cancel"],"created_by":"usr_01","#,
    r#""created_at":"2026-01-01T00:00:00.000Z","updated_at":"2026-01-01T00:00:00.000Z","#,
    r#""placed_at":"2026-01-01T00:00:00.000Z","confirmed_at":null,"fulfilled_at":null,"cancelled_at":null,"#,
    r#""cancel_reason":null}"#,
    r#"{"id":"txn_01","order_id":"ord_01","order_number":1,"kind":"payment","status":"succeeded","amount":1,"#,
    r#""credit_amount":0,"credit_tax_amount":0,"credit_taxes":[],"items":null,"currency":"EUR","provider":null,"#,
    r#""provider_ref":null,"payment_id":null,"reason":null,"occurred_at":"2026-01-01T00:00:00.000Z","#,
    r#""recorded_at":"2026-01-01T00:00:00.000Z","reversed_at":null,"order":{"id":"ord_01","version":2,"#,
    r#""payment_status":"paid","paid_amount":1,"refunded_amount":0,"credited_amount":0,"balance_amount":0}}"#
);
/// Where an order and a transaction begin in it.
static ORDER: LazyLock<usize> = LazyLock::new(|| PATTERN.find(r#"{"id":"ord_"#).unwrap_or_default());
static TRANSACTION: LazyLock<usize> = LazyLock::new(|| PATTERN.find(r#"{"id":"txn_"#).unwrap_or_default());

/// The shortest copy.
const SHORTEST: usize = 4;
/// Places that are compared for each copy. More of them find little more.
const CANDIDATES: usize = 8;
const BUCKET_BITS: u32 = 12;
const NOWHERE: u32 = u32::MAX;
/// The most bytes of a document; more come of damage alone.
const MOST: usize = 64 * 1024 * 1024;
/// The largest length in half a byte; longer ones go on in bytes of their own.
const HALF: usize = 15;

/// Where sequences of [`SHORTEST`] bytes were seen.
#[derive(Clone)]
struct Places {
    newest: Vec<u32>,
    /// For each place the one before it in the same bucket.
    older: Vec<u32>,
}

impl Places {
    fn new() -> Self {
        Self { newest: vec![NOWHERE; 1 << BUCKET_BITS], older: vec![] }
    }

    /// Adds the places of `text` up to `end`.
    fn add(&mut self, text: &[u8], end: usize) {
        for at in self.older.len()..end {
            let Some(four) = text.get(at..at + SHORTEST) else { return };
            let bucket = bucket(four);
            self.older.push(self.newest[bucket]);
            self.newest[bucket] = u32::try_from(at).unwrap_or(NOWHERE);
        }
    }
}

fn bucket(four: &[u8]) -> usize {
    let word = four.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
    // The upper bits of this product depend on all bits of the word (Knuth, multiplicative hashing).
    usize::try_from(word.wrapping_mul(0x9e37_79b1) >> (32 - BUCKET_BITS)).unwrap_or_default()
}

static PLACES: LazyLock<Places> = LazyLock::new(|| {
    let mut places = Places::new();
    places.add(PATTERN.as_bytes(), PATTERN.len());
    places
});

/// Encodes `document`, which is like `first`, the first document of the order; empty for that itself.
pub(super) fn encode(document: &str, first: &str) -> Vec<u8> {
    let text = [PATTERN.as_bytes(), first.as_bytes(), document.as_bytes()].concat();
    let mut places = PLACES.clone();
    let start = text.len() - document.len();
    let (mut at, mut new, mut expected) = (start, start, Expected::at_the_start_of(first));
    let mut out = vec![FORM];
    while at < text.len() {
        places.add(&text, at);
        let ends = expected.after(at - new);
        match best_copy(&text, &places, at, ends) {
            Some((from, length)) => {
                put(&mut out, &text[new..at], Some((length, Expected::distance(ends, from))));
                at += length;
                new = at;
                expected.copied(from, length);
            }
            None => at += 1,
        }
    }
    put(&mut out, &text[new..], None);
    out
}

/// Where the next copy may come from: where one of the last two ended. Between two parts of the pattern there is often a
/// value that was seen elsewhere.
struct Expected([usize; 2]);

impl Expected {
    fn at_the_start_of(first: &str) -> Self {
        Self(if first.is_empty() { [*ORDER, 0] } else { [PATTERN.len(), *TRANSACTION] })
    }

    /// The places after `new` bytes that replace as many.
    fn after(&self, new: usize) -> [usize; 2] {
        self.0.map(|place| place + new)
    }

    fn copied(&mut self, from: usize, length: usize) {
        self.0 = [from + length, self.0[0]];
    }

    /// The distance of `from` from the nearer place, as a number that is small for a small distance.
    fn distance(places: [usize; 2], from: usize) -> usize {
        let number = |which: usize| {
            let is_before = usize::from(from < places[which]);
            from.abs_diff(places[which]) << 2 | is_before << 1 | which
        };
        number(0).min(number(1))
    }

    /// The place that [`Expected::distance`] stands for.
    fn place(places: [usize; 2], number: usize) -> Option<usize> {
        let (place, distance) = (places[number & 1], number >> 2);
        if number & 2 == 0 { place.checked_add(distance) } else { place.checked_sub(distance) }
    }
}

/// The best copy for the bytes at `at`: its place and length. A copy from an expected place costs less than another one.
fn best_copy(text: &[u8], places: &Places, at: usize, expected: [usize; 2]) -> Option<(usize, usize)> {
    let common = |from: usize| text[from..].iter().zip(&text[at..]).take_while(|(a, b)| a == b).count();
    let price = |from: usize| match Expected::distance(expected, from) {
        0..128 => 2,
        128..16_384 => 3,
        _ => 4,
    };
    let (mut best, mut most) = (None, 1);
    let mut weigh = |from: usize| {
        let length = common(from);
        let saved = length.saturating_sub(price(from));
        if length >= SHORTEST && saved > most {
            (best, most) = (Some((from, length)), saved);
        }
    };
    expected.into_iter().filter(|from| *from < at).for_each(&mut weigh);
    let mut place = text.get(at..at + SHORTEST).map_or(NOWHERE, |four| places.newest[bucket(four)]);
    for _ in 0..CANDIDATES {
        let Ok(from) = usize::try_from(place) else { break };
        if place == NOWHERE {
            break;
        }
        weigh(from);
        place = places.older[from];
    }
    best
}

/// Writes new bytes and a copy: their lengths in one byte, or more; the new bytes; the distance of the copy from the place
/// where it is expected.
fn put(out: &mut Vec<u8>, new: &[u8], copy: Option<(usize, usize)>) {
    let length = copy.map_or(0, |(length, _)| length - SHORTEST);
    let halves = new.len().min(HALF) << 4 | length.min(HALF);
    out.push(u8::try_from(halves).unwrap_or(u8::MAX));
    put_rest(out, new.len());
    out.extend_from_slice(new);
    if let Some((_, distance)) = copy {
        put_rest(out, length);
        put_number(out, distance);
    }
}

fn put_rest(out: &mut Vec<u8>, length: usize) {
    if length >= HALF {
        put_number(out, length - HALF);
    }
}

/// Writes seven bits at a time, the lowest first. The highest bit of a byte says that more follow.
fn put_number(out: &mut Vec<u8>, mut number: usize) {
    loop {
        let byte = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            return out.push(byte);
        }
        out.push(byte | 0x80);
    }
}

/// Decodes a document; `None` if it was not encoded with this first document, or is damaged.
pub(super) fn decode(encoded: &[u8], first: &str) -> Option<String> {
    let mut text = [PATTERN.as_bytes(), first.as_bytes()].concat();
    let start = text.len();
    let (form, mut rest) = encoded.split_first()?;
    let mut expected = Expected::at_the_start_of(first);
    if *form != FORM {
        return None;
    }
    while let Some((halves, after)) = rest.split_first() {
        rest = after;
        let new = length(usize::from(halves >> 4), &mut rest)?;
        text.extend_from_slice(rest.split_off(..new)?);
        if rest.is_empty() {
            break;
        }
        let length = length(usize::from(halves & 15), &mut rest)? + SHORTEST;
        let from = Expected::place(expected.after(new), number(&mut rest)?).filter(|from| *from < text.len())?;
        if length > MOST - text.len().min(MOST) {
            return None;
        }
        // A copy may reach into what it adds.
        (from..from + length).for_each(|at| text.push(text[at]));
        expected.copied(from, length);
    }
    text.drain(..start);
    String::from_utf8(text).ok()
}

fn length(half: usize, rest: &mut &[u8]) -> Option<usize> {
    if half < HALF { Some(half) } else { number(rest)?.checked_add(HALF) }
}

fn number(rest: &mut &[u8]) -> Option<usize> {
    let (mut number, mut shift) = (0_usize, 0);
    loop {
        let byte = *rest.split_off_first()?;
        number |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(number);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_step_of_an_order_takes_few_bytes() {
        let order = PATTERN[*ORDER..*TRANSACTION].replace("ord_01", "ord_01kszr0nd0egqrybdxh7dp5p82");
        let first = encode(&order, "");
        let step = order.replace("\"pending\"", "\"confirmed\"").replace("\"version\":1", "\"version\":2");
        let second = encode(&step, &order);
        assert!((first.len(), second.len()) < (60, 40), "{} and {}", first.len(), second.len());
        assert_eq!((decode(&first, "").unwrap(), decode(&second, &order).unwrap()), (order.clone(), step));
        assert_ne!(decode(&second, ""), decode(&second, &order), "it depends on the first document");
    }

    #[test]
    fn damage_yields_no_text_that_is_too_long() {
        assert_eq!(decode(&[], ""), None);
        assert_eq!(decode(&[FORM + 1, 0], ""), None);
        assert_eq!(decode(&[FORM, 0x0f, 255, 255, 255, 255, 255, 255, 255, 255, 127, 0], ""), None);
        assert_eq!(decode(&[FORM, 0xf0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 127], ""), None);
    }

    proptest! {
        #[test]
        fn every_text_is_decoded_as_it_was(
            parts in prop::collection::vec(prop_oneof![".{0,40}", Just("\"total_amount\":".to_owned()), "[0-9]{1,12}"], 0..40),
            first in prop_oneof![Just(String::new()), ".{1,300}"],
        ) {
            let document = parts.concat();
            prop_assert_eq!(decode(&encode(&document, &first), &first), Some(document));
        }

        #[test]
        fn no_bytes_cause_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), first in ".{0,50}") {
            decode(&[&[FORM], bytes.as_slice()].concat(), &first);
        }
    }
}
