//! Webhooks: endpoints that events are delivered to, and the rules of trying a delivery again. Pure: nothing is sent
//! here.

use super::{
    digest::sha256,
    id::{DeliveryId, Identifier},
    string_enum::string_enum,
    time::Timestamp,
};
use std::time::Duration;

/// The most endpoints that there can be.
pub const MOST_ENDPOINTS: usize = 50;
/// How long the previous secret of an endpoint signs beside the new one.
pub const ROTATION_OVERLAP: Duration = Duration::from_hours(24);
/// How long deliveries are kept.
pub const RETENTION: Duration = Duration::from_hours(30 * 24);
/// The longest wait that a receiver can ask for.
const LONGEST_WAIT: Duration = Duration::from_hours(24);
/// The type of a ping, which is no event.
pub const PING: &str = "ping";

/// Whether events are delivered to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookStatus {
    /// They are.
    Active,
    /// Nothing is sent.
    Disabled,
}

string_enum!(WebhookStatus { Active "active", Disabled "disabled" });

/// Why the server itself has disabled an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisabledReason {
    /// The receiver answered 410: it is gone for good.
    Gone,
    /// Nothing but failures for `webhooks.give_up_after`.
    Failing,
}

string_enum!(DisabledReason { Gone "gone", Failing "failing" });

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// It is tried again.
    Pending,
    /// The receiver has accepted it.
    Delivered,
    /// It was given up.
    Failed,
}

string_enum!(DeliveryStatus { Pending "pending", Delivered "delivered", Failed "failed" });

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The receiver accepted it.
    Accepted,
    /// It failed, and the receiver may have asked to wait.
    Failed {
        /// How long the receiver asked to wait.
        wait: Option<Duration>,
    },
    /// The receiver wants nothing any more.
    Gone,
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The delivery has arrived.
    Delivered,
    /// It is tried again at this time.
    TryAt(Timestamp),
    /// It is given up.
    GiveUp,
}

/// What follows the attempt number `tried`, from 1, of a delivery that ended at `now`.
pub fn after_attempt(
    outcome: AttemptOutcome,
    id: DeliveryId,
    tried: usize,
    retries: &[Duration],
    now: Timestamp,
) -> Next {
    let wait = match outcome {
        AttemptOutcome::Accepted => return Next::Delivered,
        AttemptOutcome::Gone => return Next::GiveUp,
        AttemptOutcome::Failed { wait } => wait.unwrap_or_default().min(LONGEST_WAIT),
    };
    let Some(&delay) = tried.checked_sub(1).and_then(|index| retries.get(index)) else { return Next::GiveUp };
    Next::TryAt(now.plus(spread(delay, id, tried).max(wait)))
}

/// The delay, a tenth more or less: so that deliveries that failed together are not all tried again at once. It follows
/// from the delivery and the attempt.
fn spread(delay: Duration, id: DeliveryId, tried: usize) -> Duration {
    let digest = sha256(&[id.bytes(), &tried.to_be_bytes()]);
    let part = u32::from(u16::from_be_bytes([digest[0], digest[1]]));
    delay * 9 / 10 + delay * part / (5 * u32::from(u16::MAX))
}

/// Since when nothing but failures is known of an endpoint, after an attempt at `at`.
pub fn failing_since(before: Option<Timestamp>, outcome: AttemptOutcome, at: Timestamp) -> Option<Timestamp> {
    match outcome {
        AttemptOutcome::Accepted => None,
        AttemptOutcome::Failed { .. } | AttemptOutcome::Gone => before.or(Some(at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_403_651_123);
    const RETRIES: [Duration; 2] = [Duration::from_secs(5), Duration::from_mins(5)];

    fn next(tried: usize, wait: Option<Duration>) -> Next {
        let id = DeliveryId::from_bytes([u8::try_from(tried).unwrap(); 16]);
        after_attempt(AttemptOutcome::Failed { wait }, id, tried, &RETRIES, NOW)
    }

    #[test]
    fn a_delay_is_spread_by_a_tenth() {
        let mut delays = vec![];
        for byte in 0..=255 {
            let id = DeliveryId::from_bytes([byte; 16]);
            delays.push(spread(Duration::from_secs(100), id, 1));
        }
        let (least, most) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
        assert!(*least >= Duration::from_secs(90) && *least < Duration::from_secs(91), "{least:?}");
        assert!(*most <= Duration::from_secs(110) && *most > Duration::from_secs(109), "{most:?}");
    }

    #[test]
    fn a_delivery_is_tried_by_the_schedule_and_then_given_up() {
        let Next::TryAt(at) = next(1, None) else { panic!() };
        assert!((4_500..=5_500).contains(&(at.millis() - NOW.millis())));
        let Next::TryAt(at) = next(2, None) else { panic!() };
        assert!((270_000..=330_000).contains(&(at.millis() - NOW.millis())));
        assert_eq!(next(3, None), Next::GiveUp);
        assert_eq!(
            after_attempt(AttemptOutcome::Accepted, DeliveryId::from_bytes([1; 16]), 3, &[], NOW),
            Next::Delivered
        );
        assert_eq!(
            after_attempt(AttemptOutcome::Gone, DeliveryId::from_bytes([1; 16]), 1, &RETRIES, NOW),
            Next::GiveUp
        );
    }

    #[test]
    fn a_receiver_can_ask_for_more_time_and_not_for_less() {
        assert_eq!(next(1, Some(Duration::from_mins(1))), Next::TryAt(NOW.plus(Duration::from_mins(1))));
        assert_eq!(next(1, Some(Duration::from_hours(48))), Next::TryAt(NOW.plus(Duration::from_hours(24))));
        assert_eq!(next(2, Some(Duration::from_secs(1))), next(2, None));
        assert_eq!(next(3, Some(Duration::from_secs(1))), Next::GiveUp);
    }

    #[test]
    fn failures_count_from_the_first_after_the_last_success() {
        let (failed, later) = (AttemptOutcome::Failed { wait: None }, NOW.plus(Duration::from_secs(1)));
        assert_eq!(failing_since(None, failed, NOW), Some(NOW));
        assert_eq!(failing_since(Some(NOW), failed, later), Some(NOW));
        assert_eq!(failing_since(Some(NOW), AttemptOutcome::Accepted, later), None);
        assert_eq!(failing_since(Some(NOW), AttemptOutcome::Gone, later), Some(NOW));
    }
}
