//! Properties of the encoding, on random sums and random bytes.

use super::{super::padded, *};
use proptest::{collection::btree_map, prelude::*};
use std::collections::BTreeMap;

type Entries = BTreeMap<EntryKey, Values>;

fn entries() -> impl Strategy<Value = Entries> {
    let currency = prop_oneof![Just("EUR"), Just("JPY"), Just("KWD")];
    let key = (-5_i64..5, currency, prop_oneof![0_i64..9, Just(i64::from(u32::MAX))]).prop_map(
        |(bucket, code, dimension)| EntryKey { bucket, currency: Currency::stored(code).unwrap(), dimension },
    );
    let value = prop_oneof![-3_i128..3, any::<i64>().prop_map(i128::from), Just(1 << 64), Just(-1 << 64)];
    btree_map(key, [value.clone(), value].prop_map(|values| padded(&values)), 0..20)
}

fn encoded(entries: &Entries) -> Vec<u8> {
    encode(Rollup::Statuses, entries)
}

fn decoded(bytes: &[u8]) -> Result<Entries, Damaged> {
    let mut found = Entries::new();
    each(Rollup::Statuses, bytes, |key, part| add(found.entry(*key).or_default(), part))?;
    Ok(found)
}

fn without_zeros(mut entries: Entries) -> Entries {
    entries.retain(|_, values| *values != Values::default());
    entries
}

proptest! {
    #[test]
    fn encoded_entries_decode_to_the_same(entries in entries()) {
        prop_assert_eq!(decoded(&encoded(&entries)).unwrap(), without_zeros(entries));
    }

    #[test]
    fn merging_adds_the_sums(first in entries(), second in entries()) {
        let merged = merge(Rollup::Statuses, &encoded(&first), second.iter()).unwrap();
        let mut expected = first;
        for (key, values) in second {
            let sums = expected.entry(key).or_default();
            *sums = std::array::from_fn(|i| sums[i] + values[i]);
        }
        prop_assert_eq!(&merged, &encoded(&expected), "equal sums have one encoding");
        prop_assert_eq!(decoded(&merged).unwrap(), without_zeros(expected));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = each(Rollup::Sales, &bytes, |_, _| {});
    }

    #[test]
    fn truncated_bytes_are_damaged(entries in entries(), cut in 1_usize..40) {
        let whole = encoded(&without_zeros(entries));
        let rest = &whole[..whole.len().saturating_sub(cut)];
        prop_assert!(rest.is_empty() || decoded(rest).is_err() || whole.starts_with(&encoded(&decoded(rest).unwrap())));
    }
}
