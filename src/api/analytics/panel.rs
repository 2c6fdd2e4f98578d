//! The parts of a chart and the measures that they share. Lengths are tenths of a pixel.

use maud::Markup;

/// The width of every chart.
pub(super) const WIDTH: i64 = 9_600;
/// The margin on both sides.
pub(super) const MARGIN: i64 = 240;
/// The approximate width of a character.
pub(super) const CHARACTER: i64 = 66;

/// One part of a chart.
pub(super) struct Panel {
    pub(super) height: i64,
    /// The content in words, for readers who cannot see the drawing.
    pub(super) words: String,
    pub(super) drawing: Markup,
}

/// The approximate width of a label. Wide characters, such as Chinese ones, count twice.
pub(super) fn width(label: &str) -> i64 {
    label.chars().map(|c| if c < '\u{2e80}' { CHARACTER } else { 2 * CHARACTER }).sum()
}
