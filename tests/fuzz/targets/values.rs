//! Values in bodies, queries and paths: a value that is written again reads as the same value.

#![no_main]

use libfuzzer_sys::fuzz_target;
use orderd::domain::{
    id::{Identifier, OrderId, UserId},
    money::{Currency, TaxRate},
    time::Timestamp,
};

fuzz_target!(|text: &str| {
    if let Some(time) = Timestamp::parse(text) {
        assert_eq!(Timestamp::parse(&time.to_string()), Some(time), "{time}");
        assert!(time.to_string().ends_with('Z'));
    }
    if let Some(time) = Timestamp::from_stamp(text) {
        assert_eq!(time.stamp(), text);
    }
    if let Some(order) = OrderId::parse(text) {
        assert_eq!(order.to_string(), text, "an identifier has a second spelling");
        assert_eq!(UserId::parse(text), None);
    }
    if let Some(currency) = Currency::parse(text) {
        assert_eq!((currency.code(), text.len()), (text, 3));
        assert!(currency.exponent() <= 4);
    }
    if let Some(rate) = TaxRate::parse(text) {
        assert_eq!(TaxRate::parse(&rate.to_string()), Some(rate));
        let percent: f64 = text.parse().expect("a decimal");
        assert!((0.0..=100.0).contains(&percent));
        assert_eq!(rate.on(1_000_000), (percent * 10_000.0).round() as i64);
        assert_eq!(rate.included_in(1_000_000 + rate.parts()), rate.parts());
    }
});
