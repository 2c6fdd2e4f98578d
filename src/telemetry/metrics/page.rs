//! The page of metrics in Prometheus's text format, version 0.0.4.

use super::table::{Family, Kind};
use crate::telemetry::histogram::HistogramSnapshot;
use std::fmt::Write as _;

/// The media type of the page.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page under construction.
#[derive(Default)]
pub struct Page(String);

impl Page {
    /// Writes the head of a family; its values have to follow.
    pub fn family(&mut self, family: &'static Family) -> Series<'_> {
        let Family { name, kind, help, .. } = family;
        // Writing to a string cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {}\n", kind.name());
        Series { page: &mut self.0, family }
    }

    /// Returns the page.
    pub fn finish(self) -> String {
        self.0
    }
}

/// Writes the values of one family.
pub struct Series<'p> {
    page: &'p mut String,
    family: &'static Family,
}

impl Series<'_> {
    /// Writes the value of one series; `labels` are the values of the family's labels, in their order.
    pub fn value(&mut self, labels: &[&str], value: impl std::fmt::Display) {
        debug_assert_ne!(self.family.kind, Kind::Histogram);
        self.sample("", labels, None, value);
    }

    /// Writes the histogram of one series; `labels` as in [`Self::value`].
    pub fn histogram(&mut self, labels: &[&str], snapshot: &HistogramSnapshot) {
        debug_assert_eq!(self.family.kind, Kind::Histogram);
        for (bound, count) in &snapshot.up_to {
            self.sample("_bucket", labels, Some(&bound.to_string()), count);
        }
        self.sample("_bucket", labels, Some("+Inf"), snapshot.count);
        self.sample("_sum", labels, None, snapshot.sum);
        self.sample("_count", labels, None, snapshot.count);
    }

    fn sample(&mut self, suffix: &str, labels: &[&str], bound: Option<&str>, value: impl std::fmt::Display) {
        debug_assert_eq!(labels.len(), self.family.labels.len(), "{}", self.family.name);
        self.page.push_str(self.family.name);
        self.page.push_str(suffix);
        let named = self.family.labels.iter().copied().zip(labels.iter().copied());
        let mut before = '{';
        for (name, value) in named.chain(bound.map(|bound| ("le", bound))) {
            let _ = write!(self.page, "{before}{name}=\"");
            value.chars().for_each(|c| escape(c, self.page));
            self.page.push('"');
            before = ',';
        }
        if before == ',' {
            self.page.push('}');
        }
        let _ = writeln!(self.page, " {value}");
    }
}

/// Escapes a character of a label value as the format demands.
fn escape(c: char, page: &mut String) {
    match c {
        '\\' => page.push_str("\\\\"),
        '"' => page.push_str("\\\""),
        '\n' => page.push_str("\\n"),
        c => page.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::table, *};
    use crate::telemetry::histogram::Histogram;
    use std::time::Duration;

    #[test]
    fn values_are_written_with_their_labels() {
        let mut page = Page::default();
        let mut requests = page.family(&table::HTTP_REQUESTS);
        requests.value(&["orders.get", "200"], 3);
        requests.value(&["a\"b\\c\nd", "404"], 1);
        page.family(&table::HTTP_IN_FLIGHT).value(&[], 2);
        let expected = format!(
            "# HELP orderd_http_requests_total {}\n# TYPE orderd_http_requests_total counter\n\
             orderd_http_requests_total{{operation=\"orders.get\",status=\"200\"}} 3\n\
             orderd_http_requests_total{{operation=\"a\\\"b\\\\c\\nd\",status=\"404\"}} 1\n\
             # HELP orderd_http_requests_in_flight Requests in progress.\n\
             # TYPE orderd_http_requests_in_flight gauge\norderd_http_requests_in_flight 2\n",
            table::HTTP_REQUESTS.help
        );
        assert_eq!(page.finish(), expected);
    }

    #[test]
    fn a_histogram_has_buckets_a_sum_and_a_count() {
        let histogram = Histogram::of_durations();
        histogram.observe_duration(Duration::from_micros(300));
        let mut page = Page::default();
        page.family(&table::READ_WAIT).histogram(&["scan"], &histogram.read());
        let page = page.finish();
        for line in [
            "orderd_read_wait_seconds_bucket{lane=\"scan\",le=\"0.00025\"} 0\n",
            "orderd_read_wait_seconds_bucket{lane=\"scan\",le=\"0.0005\"} 1\n",
            "orderd_read_wait_seconds_bucket{lane=\"scan\",le=\"+Inf\"} 1\n",
            "orderd_read_wait_seconds_sum{lane=\"scan\"} 0.0003\n",
            "orderd_read_wait_seconds_count{lane=\"scan\"} 1\n",
        ] {
            assert!(page.contains(line), "{line}{page}");
        }
    }
}
