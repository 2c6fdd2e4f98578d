//! Bodies: our parser accepts what `serde_json` accepts, except what our rules refuse, and does not change any value.
//! An order that passes the schema is read by serde, and its price adds up.

#![no_main]

use libfuzzer_sys::fuzz_target;
use orderd::{
    api::{
        input::{json, schema},
        orders::{CreateOrder, PatchOrder},
    },
    domain::money::MAX_AMOUNT,
    error::{Error, problem},
    service::orders::NewOrder,
};
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let theirs = serde_json::from_slice::<Value>(data).ok();
    let ours = json::parse(data);
    let rule = theirs.as_ref().and_then(|theirs| broken_rule(theirs, data));
    match (&ours, &theirs) {
        (Err(error), _) => {
            assert!(error.is(&problem::INVALID_JSON), "{error}");
            assert!(theirs.is_none() || rule.is_some(), "refused: {error}");
        }
        (Ok(_), None) => panic!("it is not JSON"),
        (Ok(ours), Some(theirs)) => {
            assert_eq!(rule, None);
            assert!(same(ours, theirs), "{ours} is not {theirs}");
        }
    }
    let Ok(value) = ours else { return };
    let canonical = json::canonical(&value).expect("a value that was read");
    assert_eq!(json::parse(&canonical).expect("a value that was written"), value);
    known(schema::valid::<PatchOrder>(value.clone()).and_then(PatchOrder::into_change));
    if let Some(new) = known(schema::valid::<CreateOrder>(value).and_then(CreateOrder::into_order)) {
        adds_up(&new);
    }
});

/// The value if it was accepted. A refusal is never an internal error.
fn known<T>(read: Result<T, Error>) -> Option<T> {
    read.inspect_err(|error| assert!(error.is(&problem::VALIDATION_FAILED) && !error.faults().is_empty(), "{error}"))
        .ok()
}

/// The rule that a well-formed JSON document breaks.
fn broken_rule(value: &Value, written: &[u8]) -> Option<&'static str> {
    if depth(value) > json::MAX_DEPTH {
        return Some("too deep");
    }
    if has_nul(value) {
        return Some("NUL");
    }
    // serde_json keeps the last of two members with one key, so fewer members remain than were written.
    (members(value) != colons(written)).then_some("a key twice")
}

fn inside(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(elements) => elements.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => vec![],
    }
}

fn depth(value: &Value) -> usize {
    let deepest = inside(value).into_iter().map(depth).max().unwrap_or(0);
    deepest + usize::from(value.is_array() || value.is_object())
}

fn has_nul(value: &Value) -> bool {
    let here = match value {
        Value::String(text) => text.contains('\0'),
        Value::Object(members) => members.keys().any(|key| key.contains('\0')),
        _ => false,
    };
    here || inside(value).into_iter().any(has_nul)
}

fn members(value: &Value) -> usize {
    value.as_object().map_or(0, serde_json::Map::len) + inside(value).into_iter().map(members).sum::<usize>()
}

/// The number of colons outside of strings, one for each member.
fn colons(written: &[u8]) -> usize {
    let (mut colons, mut in_text, mut escaped) = (0, false, false);
    for &byte in written {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b':' if !in_text => colons += 1,
            _ => {}
        }
    }
    colons
}

/// Whether two documents are the same except for the spelling of numbers.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => {
            ours == theirs || (ours.as_f64() == theirs.as_f64() && (ours.is_f64() || theirs.is_f64()))
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(key, ours)| theirs.get(key).is_some_and(|it| same(ours, it)))
        }
        _ => ours == theirs,
    }
}

fn adds_up(new: &NewOrder) {
    let (draft, wide) = (&new.draft, i128::from);
    let (priced, totals) = (&draft.priced, draft.priced.totals);
    let lines: i128 = priced.lines.iter().map(|line| wide(line.total_amount)).sum();
    let fees: i128 = priced.fees.iter().map(|fee| wide(fee.total_amount)).sum();
    assert_eq!(lines + fees, wide(totals.total), "{new:?}");
    let added = if draft.prices_include_tax { 0 } else { wide(totals.tax) };
    assert_eq!(wide(totals.subtotal) - wide(totals.discount) + wide(totals.fee) + added, wide(totals.total), "{new:?}");
    let allocated: i128 = priced.lines.iter().map(|line| wide(line.allocated_discount_amount)).sum();
    assert_eq!(allocated, wide(draft.order_discount_amount), "{new:?}");
    let taxes: i128 = priced.taxes.iter().map(|tax| wide(tax.net_amount) + wide(tax.tax_amount)).sum();
    assert_eq!(taxes, wide(totals.total), "{new:?}");
    let least = priced.lines.iter().flat_map(|line| [line.tax_amount, line.total_amount - line.tax_amount]).min();
    assert!(totals.total >= 0 && totals.total <= MAX_AMOUNT && least >= Some(0), "{new:?}");
    assert!((1..=500).contains(&draft.lines.len()) && draft.metadata.len() <= 50, "{new:?}");
}
