//! Each type's schema and its parser accept the same texts.

use super::*;
use crate::{
    api::input::schema,
    domain::id::{TransactionId, UserId},
    error::problem,
};
use proptest::prelude::*;

/// A body of one field.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(bound = "T: FromText")]
#[serde(bound = "T: FromText")]
struct Body<T> {
    #[allow(dead_code, reason = "only whether it is read is of interest")]
    field: Parsed<T>,
}

/// Whether a body with this text is accepted. A schema that allows more than the parser would be an internal error.
fn accepts<T: FromText + 'static>(text: &str) -> bool {
    match schema::valid::<Body<T>>(serde_json::json!({"field": text})) {
        Ok(_) => true,
        Err(error) => {
            assert!(error.is(&problem::VALIDATION_FAILED), "{text}: {error}");
            false
        }
    }
}

/// The schema of `T` and its parser accept the same texts.
#[track_caller]
fn agree<T: FromText + 'static>(text: &str) {
    assert_eq!(accepts::<T>(text), T::from_text(text).is_some(), "{text}");
}

fn all_agree(text: &str) {
    agree::<UserId>(text);
    agree::<TransactionId>(text);
    agree::<Timestamp>(text);
    agree::<Date>(text);
    agree::<Zone>(text);
    agree::<Currency>(text);
    agree::<TaxRate>(text);
    agree::<OrderStatus>(text);
    agree::<Permission>(text);
    agree::<KeyPermission>(text);
    agree::<InitialStatus>(text);
    agree::<Sort>(text);
}

#[test]
fn schemas_and_parsers_agree_on_what_almost_is_a_value() {
    for text in [
        "",
        "usr_01h455vb4pex5vsknk084sn02q",
        "usr_81h455vb4pex5vsknk084sn02q",
        "usr_01h455vb4pex5vsknk084sn02q\n",
        "txn_01h455vb4pex5vsknk084sn02q",
        "2026-02-30T00:00:00Z",
        "2026-02-28T00:00:00Z",
        "2026-02-28T24:00:00Z",
        "2026-06-30T23:59:60Z",
        "2026-02-28 00:00:00Z",
        "2026-02-28T00:00:00",
        "9999-12-31T23:59:59.999999999+14:00",
        "-000001-01-01T00:00:00Z",
        "2026-02-30",
        "2026-02-28",
        "-02026-2-8",
        "Europe/Berlin",
        "europe/berlin",
        "EUR",
        "EUX",
        "eur",
        "100.0000",
        "100.0001",
        "07",
        "8.875",
        "pending",
        "failed",
        "orders:read",
        "orders:read_own",
        "-created_at",
        "-created",
    ] {
        all_agree(text);
    }
}

proptest! {
    #[test]
    fn schemas_and_parsers_agree(
        text in prop_oneof![
            "\\PC*",
            "(usr|txn)_[0-9a-hjkmnp-tv-z]{25,27}",
            "[0-9]{4}-[0-1][0-9]-[0-3][0-9]([Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,10})?(Z|[+-][0-2][0-9]:[0-6][0-9]))?",
            "[A-Z]{3}",
            "[0-9]{1,3}(\\.[0-9]{1,5})?",
        ]
    ) {
        all_agree(&text);
    }
}
