//! Tests of the delays and limits of failed log-ins.

use super::*;

const ADA: &str = "ada@example.com";
const HOME: &str = "192.0.2.1";
const STRANGER: &str = "198.51.100.7";

/// Log-in delays with a clock that the test moves.
struct Fixture {
    delays: LoginDelays,
    now: Timestamp,
}

impl Fixture {
    fn new(failures_per_minute: u32) -> Self {
        Self {
            delays: LoginDelays::new(Mac::with_key([7; 32]), failures_per_minute, None),
            now: Timestamp::from_millis(1_000_000),
        }
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now.plus(Duration::from_secs(seconds));
    }

    /// Seconds to wait; 0 if a log-in may be tried now.
    fn delay(&self, email: &str, address: &str) -> u64 {
        match self.delays.check(email, address.parse().unwrap(), self.now) {
            Ok(()) => 0,
            Err(error) => error.wait().unwrap().as_secs(),
        }
    }

    /// Fails a log-in and returns the problem code.
    fn fail(&self, email: &str, address: &str) -> &'static str {
        self.delays.record_failure(email, address.parse().unwrap(), self.now).problem().code
    }

    fn succeed(&self, email: &str, address: &str) -> Result<()> {
        self.delays.record_success(email, address.parse().unwrap(), self.now)
    }
}

#[test]
fn the_delay_grows_from_the_fifth_failure_up_to_a_maximum() {
    let mut logins = Fixture::new(0);
    let mut delays = vec![];
    for _ in 0..15 {
        assert_eq!(logins.fail(ADA, HOME), "invalid_credentials");
        delays.push(logins.delay(ADA, HOME));
        logins.wait(delays[delays.len() - 1]);
    }
    assert_eq!(delays, [0, 0, 0, 0, 1, 3, 5, 10, 30, 60, 120, 300, 900, 900, 900]);
}

#[test]
fn an_attempt_during_a_delay_does_not_lengthen_it() {
    let mut logins = Fixture::new(0);
    for _ in 0..8 {
        logins.fail(ADA, HOME);
        logins.wait(logins.delay(ADA, HOME));
    }
    logins.fail(ADA, HOME);
    assert_eq!(logins.delay(ADA, HOME), 30);
    logins.wait(10);
    for _ in 0..100 {
        assert_eq!(logins.fail(ADA, HOME), "login_delayed");
    }
    assert_eq!(logins.delay(ADA, HOME), 20);
    assert_eq!(logins.delay("bob@example.com", HOME), 0, "another account");
}

#[test]
fn a_success_resets_the_failures() {
    let logins = Fixture::new(0);
    for _ in 0..4 {
        logins.fail(ADA, HOME);
    }
    logins.succeed(ADA, HOME).unwrap();
    for _ in 0..4 {
        logins.fail(ADA, HOME);
    }
    assert_eq!(logins.delay(ADA, HOME), 0);
}

#[test]
fn case_and_surrounding_spaces_of_an_account_do_not_matter() {
    let logins = Fixture::new(0);
    for email in ["ada@example.com", "ADA@example.com", " Ada@Example.com ", "ada@EXAMPLE.com", ADA] {
        logins.fail(email, HOME);
    }
    assert_eq!(logins.delay(ADA, STRANGER), 1);
}

#[test]
fn a_stranger_does_not_delay_an_account_at_its_known_address() {
    let logins = Fixture::new(0);
    logins.succeed(ADA, HOME).unwrap();
    for _ in 0..5 {
        logins.fail(ADA, STRANGER);
    }
    assert_eq!(logins.delay(ADA, STRANGER), 1);
    assert_eq!(logins.delay(ADA, "203.0.113.9"), 1, "all strangers share one delay");
    assert_eq!(logins.delay(ADA, HOME), 0);
    for _ in 0..5 {
        logins.fail(ADA, HOME);
    }
    assert_eq!(logins.delay(ADA, HOME), 1, "the known address has a delay of its own");
}

#[test]
fn parallel_guesses_gain_nothing() {
    let logins = Fixture::new(0);
    let answers: Vec<_> = (0..7).map(|_| logins.fail(ADA, STRANGER)).collect();
    assert_eq!(answers[..5], ["invalid_credentials"; 5]);
    assert_eq!(answers[5..], ["login_delayed"; 2]);
    let right = logins.succeed(ADA, STRANGER).unwrap_err();
    assert!(right.is(&problem::LOGIN_DELAYED), "a right guess looks like a wrong one");
}

#[test]
fn an_address_may_fail_a_limited_number_of_log_ins_a_minute() {
    let mut logins = Fixture::new(3);
    for email in ["a@example.com", "b@example.com", "c@example.com"] {
        assert_eq!(logins.fail(email, STRANGER), "invalid_credentials");
        logins.wait(10);
    }
    assert_eq!(logins.delay("d@example.com", STRANGER), 30);
    assert_eq!(logins.fail("d@example.com", STRANGER), "rate_limited");
    assert_eq!(logins.delay("d@example.com", HOME), 0);
    logins.wait(30);
    assert_eq!(logins.delay("d@example.com", STRANGER), 0);
    assert_eq!(logins.fail("d@example.com", STRANGER), "invalid_credentials");
}

#[test]
fn successes_are_not_counted_and_zero_is_no_limit() {
    let logins = Fixture::new(1);
    for _ in 0..10 {
        logins.succeed(ADA, HOME).unwrap();
    }
    assert_eq!(logins.delay(ADA, HOME), 0);
    let unlimited = Fixture::new(0);
    for n in 0..1000 {
        assert_eq!(unlimited.fail(&format!("{n}@example.com"), HOME), "invalid_credentials");
    }
}

#[test]
fn an_ipv6_network_of_64_bits_counts_as_one_address() {
    let logins = Fixture::new(1);
    logins.fail(ADA, "2001:db8:1:2::1");
    assert_eq!(logins.delay("bob@example.com", "2001:db8:1:2:ffff::9"), 60);
    assert_eq!(logins.delay("bob@example.com", "2001:db8:1:3::1"), 0);
    logins.fail(ADA, "::ffff:192.0.2.1");
    assert_eq!(logins.delay("bob@example.com", HOME), 60);
}

#[test]
fn failures_at_one_process_delay_log_ins_at_another_until_one_succeeds() {
    let process = |id: u8| LoginDelays::new(Mac::with_key([7; 32]), 0, Some([id; 16]));
    let (one, two) = (process(1), process(2));
    let (now, stranger, home) = (Timestamp::from_millis(1_000_000), STRANGER.parse().unwrap(), HOME.parse().unwrap());
    let exchange = || {
        let news = [one.take_news(), two.take_news()].concat();
        // Each learns its own facts too, which it has counted already.
        for fact in &news {
            one.learn(fact);
            two.learn(fact);
        }
    };
    for _ in 0..2 {
        one.record_failure(ADA, stranger, now);
        two.record_failure(ADA, stranger, now);
    }
    exchange();
    assert!(two.check(ADA, stranger, now).is_ok(), "four failures");
    one.record_failure(ADA, stranger, now);
    exchange();
    let refused = two.check(ADA, stranger, now).unwrap_err();
    assert!(refused.is(&problem::LOGIN_DELAYED));
    assert_eq!(refused.wait(), Some(Duration::from_secs(1)));

    let later = now.plus(Duration::from_secs(2));
    one.record_success(ADA, home, later).unwrap();
    exchange();
    two.record_failure(ADA, home, later);
    assert!(two.check(ADA, home, later).is_ok(), "the count has begun anew, and the address is known here too");
    assert!(one.take_news().is_empty());
}
