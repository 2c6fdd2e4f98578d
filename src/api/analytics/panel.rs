//! What drawings are put together from, and how wide they and their labels are. Lengths are tenths of a pixel.

use maud::Markup;

/// The width of every drawing.
pub(super) const WIDTH: i64 = 9_600;
/// The space left at both sides.
pub(super) const MARGIN: i64 = 240;
/// About how wide a character of a label is.
pub(super) const CHARACTER: i64 = 66;

/// A part of a drawing that is as high as it says.
pub(super) struct Panel {
    pub(super) height: i64,
    /// What it says in words, for those who do not see it.
    pub(super) words: String,
    pub(super) drawing: Markup,
}

/// About how wide a label is.
pub(super) fn width(label: &str) -> i64 {
    label.chars().map(|c| if c < '\u{2e80}' { CHARACTER } else { 2 * CHARACTER }).sum()
}
