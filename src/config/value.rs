//! Parses single values. Each function returns the typed value, or a text that says which values are valid ("must be
//! …"). The key and the origin of the value are not known here.

use super::Secret;
use figment::value::Value;
use jiff::tz::TimeZone;
use std::{fmt::Display, ops::RangeInclusive, path::PathBuf, str::FromStr, time::Duration};

/// The units of durations and the milliseconds in each, largest first.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// The examples in the fault of a duration.
pub(super) const EXAMPLES: &str = ", such as 500ms, 10s, 15m, 24h or 30d";

/// A single value as text. In a TOML file the value may also be a number or a boolean.
pub(super) fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(_, text) => Ok(text.clone()),
        Value::Num(..) | Value::Bool(..) => serde_json::to_string(value).map_err(|error| error.to_string()),
        _ => Err("must be a single value".to_owned()),
    }
}

/// A list: a TOML array, text with a JSON array, or comma-separated text.
pub(super) fn list<T>(item: fn(&str) -> Result<T, String>) -> impl Fn(&Value) -> Result<Vec<T>, String> {
    move |value| {
        let items = match value {
            Value::Array(_, values) => values.iter().map(text).collect::<Result<Vec<_>, _>>()?,
            _ => split(&text(value)?)?,
        };
        items.iter().map(|text| item(text)).collect()
    }
}

fn split(text: &str) -> Result<Vec<String>, String> {
    if text.starts_with('[') {
        return serde_json::from_str(text).map_err(|_| "must be a list, such as [\"a\", \"b\"] or a,b".to_owned());
    }
    Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
}

/// A whole number in `range`.
pub(super) fn number<T>(range: RangeInclusive<T>) -> impl Fn(&Value) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display,
{
    move |value| {
        let number = text(value)?.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("must be a whole number from {} to {}", range.start(), range.end()))
    }
}

/// A duration in `range`: a whole number and a unit.
pub(super) fn duration(range: RangeInclusive<Duration>) -> impl Fn(&Value) -> Result<Duration, String> {
    move |value| {
        let duration = parse_duration(&text(value)?).filter(|duration| range.contains(duration));
        let (least, most) = (format_duration(*range.start()), format_duration(*range.end()));
        duration.ok_or_else(|| format!("must be a duration from {least} to {most}{EXAMPLES}"))
    }
}

/// The time before a further attempt: from a millisecond to thirty days.
pub(super) fn retry(text: &str) -> Result<Duration, String> {
    let range = Duration::from_millis(1)..=Duration::from_hours(30 * 24);
    let delay = parse_duration(text).filter(|delay| range.contains(delay));
    delay.ok_or_else(|| format!("must be durations from 1ms to 30d{EXAMPLES}, and {text:?} is none"))
}

/// The name of a role, whether there is such a role or not.
pub(super) fn role(text: &str) -> Result<String, String> {
    let is_name = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
    if is_name {
        Ok(text.to_owned())
    } else {
        Err(format!("must be names of roles, such as admin, and {text:?} is none"))
    }
}

/// The name of a role; empty text gives none.
pub(super) fn optional_role(value: &Value) -> Result<Option<String>, String> {
    let name = text(value)?;
    if name.is_empty() { Ok(None) } else { role(&name).map(Some) }
}

/// A secret; empty text gives none.
pub(super) fn secret(value: &Value) -> Result<Option<Secret>, String> {
    let text = text(value)?;
    Ok((!text.is_empty()).then(|| Secret::new(text)))
}

/// The URL of a PostgreSQL server, which may contain a password.
pub(super) fn postgres_url(value: &Value) -> Result<Option<Secret>, String> {
    let url = secret(value)?;
    match &url {
        Some(url) if !is_postgres_url(url.expose()) => Err("must begin with postgres://".to_owned()),
        _ => Ok(url),
    }
}

/// Whether this is the URL of a PostgreSQL server and not the path of a file.
pub fn is_postgres_url(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*millis).map(Duration::from_millis)
}

/// The duration in the largest unit that gives a whole number.
fn format_duration(duration: Duration) -> String {
    let total = duration.as_millis();
    let exact = UNITS.iter().find(|(_, millis)| total.is_multiple_of(u128::from(*millis)));
    exact.map_or_else(String::new, |(unit, millis)| format!("{}{unit}", total / u128::from(*millis)))
}

/// Accepts the values that `parse` accepts, and `0`, which turns the setting off.
pub(super) fn or_off<T: Default>(parse: impl Fn(&Value) -> Result<T, String>) -> impl Fn(&Value) -> Result<T, String> {
    move |value| match text(value)?.as_str() {
        "0" => Ok(T::default()),
        _ => parse(value).map_err(|fault| format!("{fault}, or 0 to turn it off")),
    }
}

/// `true` or `false`.
pub(super) fn switch(value: &Value) -> Result<bool, String> {
    text(value)?.parse().map_err(|_| "must be true or false".to_owned())
}

/// One of these names.
pub(super) fn one_of<T: Copy>(choices: &[(&str, T)]) -> impl Fn(&Value) -> Result<T, String> {
    move |value| {
        let text = text(value)?;
        let chosen = choices.iter().find(|(name, _)| *name == text);
        let names = || choices.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        chosen.map(|(_, choice)| *choice).ok_or_else(|| format!("must be one of {}", names()))
    }
}

/// A path; empty text gives none.
pub(super) fn optional_path(value: &Value) -> Result<Option<PathBuf>, String> {
    let path = text(value)?;
    Ok((!path.is_empty()).then(|| path.into()))
}

/// The path of a database. The special names of SQLite are refused, because such a database does not outlive the
/// process.
pub(super) fn database(value: &Value) -> Result<PathBuf, String> {
    let path = text(value)?;
    if path.is_empty() || path == ":memory:" || path.starts_with("file:") {
        return Err("must be the path of a file".to_owned());
    }
    Ok(path.into())
}

/// A time zone from the IANA database.
pub(super) fn time_zone(value: &Value) -> Result<TimeZone, String> {
    let known = TimeZone::get(&text(value)?).ok().filter(|zone| !zone.is_unknown());
    known.ok_or_else(|| "must be an IANA time zone, such as UTC or Europe/Berlin".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        let any = duration(Duration::ZERO..=Duration::MAX);
        let read = |text: &str| any(&text.into()).ok();
        assert_eq!(read("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(read("10s"), Some(Duration::from_secs(10)));
        assert_eq!(read("15m"), Some(Duration::from_mins(15)));
        assert_eq!(read("24h"), Some(Duration::from_hours(24)));
        assert_eq!(read("30d"), Some(Duration::from_hours(720)));
        for text in ["", "10", "s", "-1s", "1.5h", "1h30m", "1 h", "1w", "99999999999999999d"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_fault_of_a_duration_names_its_bounds() {
        let bounded = or_off(duration(Duration::from_millis(1)..=Duration::from_hours(48)));
        assert_eq!(bounded(&"0".into()), Ok(Duration::ZERO));
        assert_eq!(
            bounded(&"3d".into()),
            Err("must be a duration from 1ms to 2d, such as 500ms, 10s, 15m, 24h or 30d, or 0 to turn it off"
                .to_owned())
        );
    }

    #[test]
    fn a_list_is_an_array_or_text() {
        let names = list(|name| Ok(name.to_owned()));
        let expected = Ok(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(names(&Value::from(vec!["a", "b"])), expected);
        assert_eq!(names(&"a, b".into()), expected);
        assert_eq!(names(&"[\"a\", \"b\"]".into()), expected);
        assert_eq!(names(&"".into()), Ok(vec![]));
        assert_eq!(names(&"[]".into()), Ok(vec![]));
        assert!(names(&"[a".into()).is_err());
    }

    #[test]
    fn numbers_and_booleans_can_be_typed_or_text() {
        let ten = number(1..=10_u32);
        assert_eq!((ten(&Value::from(10)), ten(&"10".into())), (Ok(10), Ok(10)));
        assert_eq!(ten(&Value::from(2.5)), Err("must be a whole number from 1 to 10".to_owned()));
        assert_eq!((switch(&Value::from(true)), switch(&"false".into())), (Ok(true), Ok(false)));
        assert_eq!(switch(&Value::from(vec![true])), Err("must be a single value".to_owned()));
    }

    #[test]
    fn a_database_must_be_a_file() {
        for special in ["", ":memory:", "file:orders?mode=memory"] {
            assert!(database(&special.into()).is_err(), "{special}");
        }
        assert_eq!(database(&"orders.db".into()), Ok("orders.db".into()));
    }
}
