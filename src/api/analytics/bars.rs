//! Panels of horizontal bars, each with a label and a note.

use super::{
    panel::{CHARACTER, MARGIN, Panel, WIDTH, width},
    scale::Scale,
};
use crate::domain::money::Currency;
use maud::{Markup, html};

/// The distance between the tops of two bars.
const ROW: i64 = 270;
/// The height of a bar.
const BAR_HEIGHT: i64 = 160;
/// The space above the first bar, for the name of the currency.
const HEAD: i64 = 380;
/// The space below the last bar, for the axis.
const FOOT: i64 = 480;
/// Where bars begin. Labels are to the left.
const LEFT: i64 = 2_600;
/// Where the longest bar ends. Notes are to the right.
const RIGHT: i64 = 6_900;

/// Half the width of the widest label at zero. The unit of the axis is to the left of it.
const HALF_A_MARK: i64 = 300;

/// One bar. Its segments are drawn in this order.
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) segments: Vec<Segment>,
    pub(super) note: String,
}

/// One part of a bar.
pub(super) struct Segment {
    pub(super) style: &'static str,
    pub(super) value: i128,
    pub(super) words: String,
}

/// Bars of amounts. The segments of a bar overlap: each begins at zero.
pub(super) fn overlaid(currency: Currency, bars: &[Bar]) -> Panel {
    let values = || bars.iter().flat_map(|bar| &bar.segments).map(|segment| segment.value);
    let axis = Scale::over(values().min().unwrap_or(0).min(0), values().max().unwrap_or(0).max(0), RIGHT - LEFT);
    let mark = |value| axis.amount(value, currency);
    panel(currency, bars, (&axis, currency.code()), mark, |bar| {
        bar.segments.iter().map(|segment| (0, segment)).collect()
    })
}

/// Bars of counts. The segments of a bar follow one another.
pub(super) fn stacked(currency: Currency, bars: &[Bar]) -> Panel {
    let longest = bars.iter().map(|bar| bar.segments.iter().map(|segment| segment.value).sum()).max().unwrap_or(0);
    let axis = Scale::over(0, longest, RIGHT - LEFT);
    panel(currency, bars, (&axis, "orders"), Scale::count, |bar| {
        let begin = |sum: &mut i128, segment| {
            let begins = *sum;
            *sum += Segment::value(segment);
            Some((begins, segment))
        };
        bar.segments.iter().scan(0, begin).collect()
    })
}

impl Segment {
    fn value(&self) -> i128 {
        self.value
    }
}

fn panel<'b>(
    currency: Currency,
    bars: &'b [Bar],
    (axis, unit): (&Scale, &str),
    mark: impl Fn(i128) -> String,
    parts: impl Fn(&'b Bar) -> Vec<(i128, &'b Segment)>,
) -> Panel {
    let rows = i64::try_from(bars.len()).unwrap_or(0) * ROW;
    let words: Vec<_> = bars.iter().map(|bar| format!("{}: {}", bar.label, bar.note)).collect();
    let drawing = html! {
        text class="currency" x=(MARGIN) y="170" { (currency) }
        @for value in axis.marks() {
            @let x = LEFT + axis.at(value);
            line class=(if value == 0 { "zero" } else { "grid" }) x1=(x) x2=(x) y1=(HEAD - 60) y2=(HEAD + rows) {}
            text class="quiet middle" x=(x) y=(HEAD + rows + 180) { (mark(value)) }
        }
        text class="quiet end" x=(LEFT - 120 - HALF_A_MARK) y=(HEAD + rows + 180) { (unit) }
        @for (bar, top) in bars.iter().zip((HEAD..).step_by(usize::try_from(ROW).unwrap_or(1))) {
            g {
                title { (bar.label) ": " (bar.note) }
                text class="end" x=(LEFT - 120) y=(top + 125) { (shortened(&bar.label)) }
                (parts_of(&parts(bar), axis, top))
                text class="quiet" x=(RIGHT + 120) y=(top + 125) { (bar.note) }
            }
        }
    };
    Panel { height: HEAD + rows + FOOT, words: format!("{currency}: {}.", words.join("; ")), drawing }
}

fn parts_of(parts: &[(i128, &Segment)], axis: &Scale, top: i64) -> Markup {
    html! {
        @for (begin, segment) in parts {
            @let ends = (axis.at(*begin), axis.at(begin + segment.value));
            rect class=(segment.style) x=(LEFT + ends.0.min(ends.1)) y=(top) width=((ends.1 - ends.0).abs())
                height=(BAR_HEIGHT) rx="20" {
                title { (segment.words) }
            }
        }
    }
}

/// The label, cut off where there is no room for more.
fn shortened(label: &str) -> String {
    let room = LEFT - MARGIN - 120;
    if width(label) <= room {
        return label.to_owned();
    }
    let mut taken = CHARACTER;
    let fits = |c: &char| {
        taken += width(c.encode_utf8(&mut [0; 4]));
        taken <= room
    };
    label.chars().take_while(fits).chain(['…']).collect()
}

const _: () = assert!(RIGHT < WIDTH);
