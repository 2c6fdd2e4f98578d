use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

const fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp::from_seconds(1_600_000_000 + seconds))
}

fn history(
    status: OrderStatus,
    [placed_at, confirmed_at, fulfilled_at, cancelled_at]: [Option<Timestamp>; 4],
) -> History {
    History {
        number: None,
        status,
        times: Times { placed_at, confirmed_at, fulfilled_at, cancelled_at },
        cancelled_as_draft: false,
        cancel_reason: None,
        transactions: vec![],
    }
}

#[test]
fn a_time_that_is_not_known_is_the_one_before_it() {
    use OrderStatus::{Cancelled, Confirmed, Draft, Fulfilled, Pending};
    let now = Some(NOW);
    for (status, given, expected) in [
        (Draft, [None; 4], [None; 4]),
        (Pending, [None; 4], [now, None, None, None]),
        (Pending, [at(1), None, None, None], [at(1), None, None, None]),
        (Confirmed, [at(1), None, None, None], [at(1), at(1), None, None]),
        (Fulfilled, [at(1), None, None, None], [at(1), at(1), at(1), None]),
        (Fulfilled, [at(1), at(2), None, None], [at(1), at(2), at(2), None]),
        (Fulfilled, [at(1), None, at(3), None], [at(1), at(1), at(3), None]),
        (Fulfilled, [None; 4], [now, now, now, None]),
        (Cancelled, [at(1), None, None, None], [at(1), None, None, at(1)]),
        (Cancelled, [at(1), at(2), None, None], [at(1), at(2), None, at(2)]),
        (Cancelled, [None; 4], [now, None, None, now]),
    ] {
        let history = history(status, given);
        assert_eq!(history.faults(NOW), [], "{status} {given:?}");
        let Times { placed_at, confirmed_at, fulfilled_at, cancelled_at } = history.times(NOW);
        assert_eq!([placed_at, confirmed_at, fulfilled_at, cancelled_at], expected, "{status} {given:?}");
    }
}

#[test]
fn times_that_cannot_be_are_named() {
    use OrderStatus::{Cancelled, Confirmed, Draft, Fulfilled, Pending};
    let (early, late) =
        (Some(Timestamp::from_millis(EARLIEST.millis() - 1)), Some(Timestamp::from_millis(NOW.millis() + 1)));
    for (status, given, expected) in [
        (Draft, [at(1), None, None, None], vec![(Field::PlacedAt, "unexpected")]),
        (
            Pending,
            [at(1), at(2), at(3), at(4)],
            vec![
                (Field::ConfirmedAt, "unexpected"),
                (Field::FulfilledAt, "unexpected"),
                (Field::CancelledAt, "unexpected"),
            ],
        ),
        (Confirmed, [at(2), at(1), None, None], vec![(Field::ConfirmedAt, "out_of_range")]),
        (Fulfilled, [at(2), None, at(1), None], vec![(Field::FulfilledAt, "out_of_range")]),
        (Cancelled, [at(1), at(3), None, at(2)], vec![(Field::CancelledAt, "out_of_range")]),
        (Confirmed, [None, at(1), None, None], vec![(Field::PlacedAt, "required")]),
        (Pending, [early, None, None, None], vec![(Field::PlacedAt, "out_of_range")]),
        (Pending, [late, None, None, None], vec![(Field::PlacedAt, "out_of_range")]),
    ] {
        let faults = history(status, given).faults(NOW);
        let found: Vec<_> = faults.into_iter().map(|fault| (fault.at, fault.code)).collect();
        let expected: Vec<_> =
            expected.into_iter().map(|(field, code)| (crate::error::FaultLocation::Field(field), code)).collect();
        assert_eq!(found, expected, "{status} {given:?}");
    }
    let limits = [Some(EARLIEST), Some(NOW), None, None];
    assert_eq!(history(Confirmed, limits).faults(NOW), []);
}

#[test]
fn a_draft_that_was_cancelled_has_neither_number_nor_figures() {
    let cancelled = History { cancelled_as_draft: true, ..history(OrderStatus::Cancelled, [None, None, None, at(1)]) };
    assert!(!cancelled.was_placed() && cancelled.faults(NOW).is_empty());
    assert_eq!(cancelled.times(NOW), Times { cancelled_at: at(1), ..Times::default() });
    let numbered = History { number: Some(7), ..cancelled };
    assert_eq!(numbered.faults(NOW)[0].at, crate::error::FaultLocation::Field(Field::Number));
}
