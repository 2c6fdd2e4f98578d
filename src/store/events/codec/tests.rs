use super::*;
use crate::domain::id::{Identifier, Ids, TransactionId};
use proptest::prelude::*;

const ORDER: &str = r#"{"id":"<order>","number":7,"status":"pending","payment_status":"unpaid","currency":"EUR","prices_include_tax":true,"user_id":null,"external_ref":null,"items":[{"id":"itm_<id time>fpnrx43h492b1vjp","sku":"TEA","name":"Grüner Tee","quantity":1,"returned_quantity":0,"unit_amount":1990,"discount_amount":0,"allocated_discount_amount":0,"tax_rate":"19","tax_amount":318,"total_amount":1990}],"fees":[],"subtotal_amount":1990,"order_discount_amount":0,"discount_amount":0,"fee_amount":0,"tax_amount":318,"taxes":[{"tax_rate":"19","net_amount":1672,"tax_amount":318}],"total_amount":1990,"paid_amount":0,"refunded_amount":0,"credited_amount":0,"credited_tax_amount":0,"balance_amount":1990,"customer":null,"note":null,"metadata":{},"version":1,"allowed_transitions":["confirm","cancel"],"created_by":"<actor>","created_at":"<time>","updated_at":"<time>","placed_at":"<time>","confirmed_at":null,"fulfilled_at":null,"cancelled_at":null,"cancel_reason":null}"#;

fn context(millis: i64) -> Context {
    Context::new(OrderId::from_bytes([7; 16]), Timestamp::from_millis(millis), "usr_01")
}

/// A document as it is at this time.
fn at(document: &str, context: &Context) -> String {
    let names = ["<order>", "<time>", "<id time>", "<actor>"];
    (0..).zip(names).fold(document.to_owned(), |text, (index, name)| text.replace(name, context.given(index)))
}

/// The document that is decoded from `stored`, behind what is in the text already.
fn decode(stored: &str, context: &Context, first: Option<&str>) -> Option<String> {
    let mut text = "{".to_owned();
    super::decode(&mut text, stored, context, first).map(|()| text.split_off(1))
}

#[test]
fn an_order_takes_few_bytes_and_a_step_of_it_fewer() {
    let (placed, confirmed) = (context(1_700_000_000_000), context(1_700_000_360_123));
    let first = at(ORDER, &placed);
    let step = first
        .replace("\"pending\"", "\"confirmed\"")
        .replace("\"version\":1", "\"version\":2")
        .replace("\"confirmed_at\":null", &at("\"confirmed_at\":\"<time>\"", &confirmed));
    let (stored_first, stored_step) = (encode(&first, &placed, None), encode(&step, &confirmed, Some(&first)));
    assert!((stored_first.len(), stored_step.len()) < (110, 12), "{} and {}", stored_first.len(), stored_step.len());
    assert_eq!((needs_first(&stored_first), needs_first(&stored_step)), (false, true));
    assert_eq!(decode(&stored_first, &placed, None), Some(first.clone()));
    assert_eq!(decode(&stored_step, &confirmed, Some(&first)), Some(step));
    assert_eq!(decode(&stored_step, &confirmed, None), None, "it depends on the first document");
    assert_ne!(decode(&stored_first, &confirmed, None), Some(first), "it depends on the row");
}

#[test]
fn every_changed_byte_changes_the_document() {
    let context = context(1_700_000_000_000);
    let first = at(ORDER, &context);
    let step = first.replace("\"version\":1", "\"version\":2").replace("\"TEA\"", "\"TEE\"");
    for (document, first) in [(&first, None), (&step, Some(first.as_str()))] {
        let stored = encode(document, &context, first).into_bytes();
        for at in 0..stored.len() {
            for byte in 0..128 {
                let mut changed = stored.clone();
                changed[at] = byte;
                let Ok(changed) = String::from_utf8(changed) else { continue };
                let decoded = decode(&changed, &context, first);
                assert_eq!(decoded.as_ref() == Some(document), changed.as_bytes() == stored, "byte {at} as {byte}");
            }
        }
    }
}

#[test]
fn damage_yields_no_document() {
    let context = context(0);
    for stored in ["\u{7}", "\u{7} ", "\u{7}~", "\u{8}", "\u{b}", "\u{1}", "\u{1}\"none\":1"] {
        assert_eq!(decode(stored, &context, Some("[]")), None, "{stored:?}");
    }
    assert_eq!(decode("\u{1}\"none\":1", &context, Some("{\"some\":1}")), None);
    let longest = (0..EXPANSIONS.len()).map(|n| {
        let mut code = String::new();
        push_code(&mut code, u8::try_from(n).unwrap());
        code
    });
    let length = |code: &str| decode(code, &context, None).unwrap().len();
    let (length, longest) = longest.map(|code| (length(&code), code)).max().expect("there are phrases");
    assert!(decode(&longest.repeat(MOST / length + 1), &context, None).is_none(), "it would be too long");
}

#[test]
fn the_digits_of_a_time_begin_its_identifiers() {
    let (ids, now) = (Ids::seeded(1), Timestamp::from_millis(1_700_000_000_000));
    let id = ids.next::<TransactionId>(now).to_string();
    assert!(id.starts_with(&format!("txn_{}", context(now.millis()).given(2))), "{id}");
}

#[test]
fn names_that_come_twice_and_broken_objects_are_stored_whole() {
    let context = context(0);
    for (document, first) in [
        (r#"{"a":1,"a":2}"#, r#"{"a":1,"a":1}"#),
        (r#"{"a":1,}"#, r#"{"a":1}"#),
        (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#),
        (r#"{"a":"}"#, r#"{"a":1}"#),
        ("{", "{}"),
        ("", "{}"),
        ("{}", ""),
    ] {
        let stored = encode(document, &context, Some(first));
        assert_eq!(decode(&stored, &context, Some(first)).as_deref(), Some(document), "{stored:?}");
    }
}

proptest! {
    #[test]
    fn the_first_code_is_found(text in prop::collection::vec(prop_oneof![0..=255_u8, b' '..b'0', 0x1e..0x22_u8], 0..40)) {
        prop_assert_eq!(first_code(&text), text.iter().position(|byte| *byte < b' '));
    }

    #[test]
    fn every_text_is_decoded_as_it_was(
        parts in prop::collection::vec(part(), 0..40),
        first in prop::option::of(prop::collection::vec(part(), 0..40)),
    ) {
        let context = context(1_700_000_000_000);
        let document = at(&parts.concat(), &context);
        let first = first.map(|parts| at(&parts.concat(), &context));
        let stored = encode(&document, &context, first.as_deref());
        prop_assert_eq!(decode(&stored, &context, first.as_deref()), Some(document));
    }

    #[test]
    fn changed_members_are_put_into_the_first_document(
        members in prop::collection::vec(("[a-z]{1,3}", value(), prop::option::of(value())), 0..12),
    ) {
        let context = context(1_700_000_000_000);
        let object = |values: Vec<String>| format!("{{{}}}", values.join(","));
        let first = object(members.iter().map(|(name, value, _)| format!("\"{name}\":{value}")).collect());
        let changed = members.iter().map(|(name, value, new)| format!("\"{name}\":{}", new.as_ref().unwrap_or(value)));
        let document = object(changed.collect());
        let stored = encode(&document, &context, Some(&first));
        prop_assert_eq!(decode(&stored, &context, Some(&first)), Some(document));
    }

    #[test]
    fn no_text_causes_a_panic(stored in "[\\x01-\\x20\\PC]{0,60}", first in prop::option::of(".{0,50}")) {
        decode(&stored, &context(0), first.as_deref());
    }
}

/// What documents are made of, and other text.
fn part() -> impl Strategy<Value = String> {
    let known = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\"version\":",
        ORDER,
        "\"<order>\"",
        "_<id time>",
        "<time>",
        "<actor>",
        ",\"total_amount\":",
        "\"status\":\"confirmed\"",
    ];
    prop_oneof![prop::sample::select(known.to_vec()).prop_map(str::to_owned), ".{0,20}", "[0-9]{1,12}", "[\\x01-\\x1f]"]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        "[0-9]{1,6}",
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap_or_default()),
        Just(r#"[{"a":"],}\\\""},"x"]"#.to_owned()),
    ]
}
