//! The phrases of documents, and where they are found in a text.

use super::{Context, GIVEN};
use std::{cmp::Reverse, sync::LazyLock};

/// What stands in phrases for what the context of an event has: in the order of [`GIVEN`].
const NAMES: [&str; GIVEN.len()] = ["<order>", "<time>", "<id time>", "<actor>"];

/// The phrases, those with codes of one byte first. Stored documents refer to them by their numbers: a phrase does not
/// change, and a new one is added at the end. The table `event_phrases` has the same ones.
pub(super) const PHRASES: &[&str] = &[
    // Nearly every order or transaction has these.
    r#"{"id":"<order>","number":"#,
    r#","discount_amount":0,"allocated_discount_amount":0,"tax_rate":""#,
    r#"","sku":""#,
    r#"","name":""#,
    r#"","quantity":1,"returned_quantity":0,"unit_amount":"#,
    r#"","tax_amount":"#,
    r#","total_amount":"#,
    r#"},{"id":"itm_<id time>"#,
    r#","order_discount_amount":0,"discount_amount":0,"fee_amount":0,"tax_amount":"#,
    r#","taxes":[{"tax_rate":""#,
    r#"","net_amount":"#,
    r#","paid_amount":0,"refunded_amount":0,"credited_amount":0,"credited_tax_amount":0,"balance_amount":"#,
    r#"},"version":1,"allowed_transitions":["confirm","cancel"],"created_by":"<actor>","created_at":"<time>","updated_at":"<time>","placed_at":"<time>","confirmed_at":null,"fulfilled_at":null,"cancelled_at":null,"cancel_reason":null}"#,
    r#","customer":null,"note":null,"metadata":{"#,
    r#"{"id":"txn_<id time>"#,
    r#"","order_id":"<order>","order_number":"#,
    r#","reason":null,"occurred_at":"<time>","recorded_at":"<time>","reversed_at":null,"order":{"id":"<order>","version":"#,
    r#"","provider_ref":null,"payment_id":null"#,
    // Orders.
    r#","status":"pending","payment_status":"unpaid","currency":"EUR","prices_include_tax":true,"user_id":null"#,
    r#","status":"pending","payment_status":"unpaid","currency":""#,
    r#"null,"status":"draft","payment_status":"unpaid","currency":""#,
    r#"","prices_include_tax":true,"user_id":null"#,
    r#"","prices_include_tax":false,"user_id":null"#,
    r#"","prices_include_tax":true,"user_id":"<actor>""#,
    r#"","prices_include_tax":false,"user_id":"<actor>""#,
    r#"","prices_include_tax":true,"user_id":"usr_"#,
    r#"","prices_include_tax":false,"user_id":"usr_"#,
    r#","external_ref":null,"items":[{"id":"itm_<id time>"#,
    r#"","external_ref":null,"items":[{"id":"itm_<id time>"#,
    r#","external_ref":""#,
    r#"","items":[{"id":"itm_<id time>"#,
    r#"","quantity":"#,
    r#","returned_quantity":0,"unit_amount":"#,
    r#","returned_quantity":"#,
    r#","unit_amount":"#,
    r#","discount_amount":0,"allocated_discount_amount":0,"tax_rate":null,"tax_amount":0,"total_amount":"#,
    r#","allocated_discount_amount":0,"tax_rate":""#,
    r#","discount_amount":"#,
    r#","allocated_discount_amount":"#,
    r#","tax_rate":""#,
    r#","tax_rate":null,"tax_amount":0,"total_amount":"#,
    r#"}],"fees":[],"subtotal_amount":"#,
    r#"}],"fees":[{"name":"Shipping","amount":"#,
    r#"}],"fees":[{"name":""#,
    r#"","amount":"#,
    r#"}],"subtotal_amount":"#,
    r#","order_discount_amount":0,"discount_amount":"#,
    r#","order_discount_amount":"#,
    r#","fee_amount":0,"tax_amount":"#,
    r#","fee_amount":"#,
    r#","tax_amount":"#,
    r#","taxes":[],"total_amount":"#,
    r#","taxes":[{"tax_rate":null,"net_amount":"#,
    r#"},{"tax_rate":""#,
    r#"}],"total_amount":"#,
    r#","paid_amount":"#,
    r#","refunded_amount":"#,
    r#","credited_amount":"#,
    r#","credited_tax_amount":"#,
    r#","balance_amount":"#,
    r#","refunded_amount":0,"credited_amount":0,"credited_tax_amount":0,"balance_amount":"#,
    r#"},"version":1,"allowed_transitions":["place","cancel"],"created_by":"<actor>","created_at":"<time>","updated_at":"<time>","placed_at":null"#,
    r#","confirmed_at":null,"fulfilled_at":null,"cancelled_at":null,"cancel_reason":null}"#,
    // Steps of an order.
    r#""status":"confirmed""#,
    r#""status":"fulfilled""#,
    r#""status":"cancelled""#,
    r#","payment_status":"paid","paid_amount":"#,
    r#""payment_status":""#,
    r#","payment_status":""#,
    r#""metadata":{"#,
    r#","version":"#,
    r#""version":"#,
    r#","allowed_transitions":["fulfil","cancel"],"updated_at":"<time>""#,
    r#","allowed_transitions":[],"updated_at":"<time>""#,
    r#","allowed_transitions":["confirm","cancel"],"updated_at":"<time>""#,
    r#","updated_at":"<time>""#,
    r#","placed_at":"<time>""#,
    r#","confirmed_at":"<time>""#,
    r#","confirmed_at":""#,
    r#","fulfilled_at":"<time>""#,
    r#"","fulfilled_at":"<time>""#,
    r#","fulfilled_at":""#,
    r#","cancelled_at":"<time>""#,
    r"partially_paid",
    // Transactions.
    r#","kind":"payment","status":"succeeded","amount":"#,
    r#","kind":"refund","status":"succeeded","amount":"#,
    r#","kind":"payment","status":""#,
    r#","kind":"refund","status":""#,
    r#","credit_amount":0,"credit_tax_amount":0,"credit_taxes":[],"items":null,"currency":""#,
    r#","credit_amount":"#,
    r#","credit_tax_amount":"#,
    r#","credit_taxes":[],"items":null,"currency":""#,
    r#","credit_taxes":[{"tax_rate":""#,
    r#"}],"items":null,"currency":""#,
    r#"}],"items":[{"item_id":"itm_"#,
    r#"},{"item_id":"itm_"#,
    r#"}],"currency":""#,
    r#"","provider":""#,
    r#"","provider":null,"provider_ref":null,"payment_id":null"#,
    r#"","provider_ref":""#,
    r#"","payment_id":null"#,
    r#"","payment_id":"txn_"#,
    r#"","provider_ref":null,"payment_id":"txn_"#,
    r#","reason":null,"occurred_at":""#,
    r#"","recorded_at":"<time>","reversed_at":null,"order":{"id":"<order>","version":"#,
    r#","payment_status":"partially_refunded","paid_amount":"#,
    r#"","paid_amount":"#,
    r#","refunded_amount":0,"credited_amount":0,"balance_amount":0}}"#,
    r#","refunded_amount":0,"credited_amount":0,"balance_amount":"#,
];

/// A part of a phrase.
pub(super) enum Part {
    Text(&'static str),
    /// The index of what the context has.
    Given(usize),
}

/// The parts of each phrase.
pub(super) static EXPANSIONS: LazyLock<Vec<Vec<Part>>> =
    LazyLock::new(|| PHRASES.iter().map(|phrase| parts(phrase)).collect());

fn parts(mut phrase: &'static str) -> Vec<Part> {
    let mut parts = vec![];
    while let Some((at, given)) = (0..NAMES.len()).filter_map(|n| Some((phrase.find(NAMES[n])?, n))).min() {
        parts.push(Part::Text(&phrase[..at]));
        parts.push(Part::Given(given));
        phrase = &phrase[at + NAMES[given].len()..];
    }
    parts.push(Part::Text(phrase));
    parts
}

/// Phrases and their numbers in buckets by some of their first bytes, the longest first in each.
static BY_START: LazyLock<Buckets> = LazyLock::new(Buckets::new);
const BUCKETS: usize = 256;
/// No phrase begins with a shorter text.
const SHORTEST: usize = 5;

struct Buckets {
    phrases: Vec<Vec<(&'static [Part], u8)>>,
    /// For each byte whether phrases begin with it.
    starts: [bool; 256],
}

impl Buckets {
    fn new() -> Self {
        let mut buckets = Self { phrases: vec![vec![]; BUCKETS], starts: [false; 256] };
        for (number, parts) in (0..).zip(EXPANSIONS.iter()) {
            let coded = coded(parts);
            buckets.starts[usize::from(coded.as_bytes()[0])] = true;
            buckets.phrases[bucket(coded.as_bytes())].push((parts, number));
        }
        buckets.phrases.iter_mut().for_each(|phrases| phrases.sort_by_key(|(parts, _)| Reverse(coded(parts).len())));
        buckets
    }
}

/// A phrase in which codes stand for what the context has.
fn coded(parts: &[Part]) -> String {
    let coded = |part: &Part| match part {
        Part::Text(text) => (*text).to_owned(),
        Part::Given(given) => GIVEN[*given].to_string(),
    };
    parts.iter().map(coded).collect()
}

/// Most phrases differ in these bytes.
fn bucket(text: &[u8]) -> usize {
    let sum = u16::from(text[0]) + 7 * u16::from(text[2]) + 31 * u16::from(text[3]) + 13 * u16::from(text[4]);
    usize::from(sum) % BUCKETS
}

/// The longest phrase that `text` begins with: the number of bytes that it takes there, and its number in [`PHRASES`].
pub(super) fn starting(text: &[u8], context: &Context) -> Option<(usize, u8)> {
    let buckets = &*BY_START;
    if text.len() < SHORTEST || !buckets.starts[usize::from(text[0])] {
        return None;
    }
    let length = |&(parts, number): &(&[Part], u8)| Some((length_in(text, parts, context)?, number));
    buckets.phrases[bucket(text)].iter().find_map(length)
}

/// The number of bytes that a phrase takes at the start of `text`, if `text` begins with it.
fn length_in(text: &[u8], parts: &[Part], context: &Context) -> Option<usize> {
    let mut rest = text;
    for part in parts {
        rest = rest.strip_prefix(match part {
            Part::Text(text) => text.as_bytes(),
            Part::Given(given) => context.given(*given).as_bytes(),
        })?;
    }
    Some(text.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::{
        super::{push_code, unpack},
        *,
    };
    use crate::{
        domain::{
            id::{Identifier, OrderId},
            time::Timestamp,
        },
        store::schema::SCHEMA,
    };
    use rusqlite::Connection;

    #[test]
    fn the_schema_has_the_same_phrases_and_codes() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let mut statement = connection.prepare("SELECT phrase, code FROM event_phrases ORDER BY n").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let rows: Vec<(String, String)> = rows.map(Result::unwrap).collect();
        let expected = (0..).zip(EXPANSIONS.iter()).map(|(number, parts)| {
            let mut code = String::new();
            push_code(&mut code, number);
            (coded(parts), code)
        });
        assert_eq!(rows, expected.collect::<Vec<_>>());
    }

    #[test]
    fn every_phrase_is_found_under_its_number() {
        let context = Context::new(OrderId::from_bytes([7; 16]), Timestamp::from_millis(1_790_000_000_000), "system");
        for (number, parts) in (0..).zip(EXPANSIONS.iter()) {
            assert!(matches!(parts[0], Part::Text(text) if text.len() >= SHORTEST), "{}", coded(parts));
            let mut text = String::new();
            let mut code = String::new();
            push_code(&mut code, number);
            unpack(&mut text, &code, &context).unwrap();
            assert_eq!(starting(text.as_bytes(), &context), Some((text.len(), number)), "{text}");
        }
    }
}
