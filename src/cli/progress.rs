//! Progress of long commands: a bar on a terminal, otherwise one line for each stage. Both go to standard error, so
//! that standard output contains only results.

use crate::store::backup::{OnProgress, Progress};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::{self, IsTerminal, Read, Write},
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

/// How often a spinner moves.
const TICK: Duration = Duration::from_millis(100);
/// The number of orders is shown after this many.
const ORDERS_OF_A_STEP: u64 = 256;

/// Shows the progress of a copy, and never cancels it.
pub(super) fn of_copy() -> OnProgress {
    if io::stderr().is_terminal() { on_terminal() } else { in_lines() }
}

/// Shows a spinner until the returned value is dropped, on a terminal only.
pub(super) fn spinner(message: &'static str) -> Spinner {
    let bar = ProgressBar::new_spinner().with_message(message);
    if io::stderr().is_terminal() {
        bar.enable_steady_tick(TICK);
    }
    Spinner(bar)
}

/// Shows how many of `count` orders are placed until the returned function is dropped, on a terminal only.
pub(super) fn of_orders(count: usize) -> impl FnMut(usize) {
    let style = ProgressStyle::with_template("{pos} of {len} orders {wide_bar} {elapsed}");
    let bar =
        Spinner(ProgressBar::new(count as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
    let is_shown = io::stderr().is_terminal();
    move |placed| {
        if is_shown {
            bar.0.set_position(placed as u64);
        }
    }
}

/// Shows how much of a file of `length` bytes is read and how many orders are done, on a terminal only. Returns the
/// bar, and the input that moves it.
pub(super) fn of_file(length: Option<u64>, input: impl Read + Send + 'static) -> (OfFile, Box<dyn Read + Send>) {
    let template = match length {
        Some(_) => "{msg} {wide_bar} {bytes}/{total_bytes} {eta}",
        None => "{msg} {bytes} {elapsed}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = if io::stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
    if let Some(length) = length {
        bar.set_length(length);
    }
    let bar = bar.with_style(style);
    let input = bar.wrap_read(input);
    (OfFile(Spinner(bar)), Box::new(input))
}

/// A bar that shows how much of a file is read.
pub(super) struct OfFile(Spinner);

impl OfFile {
    /// Shows how many orders are done.
    pub(super) fn show(&self, orders: u64) {
        if orders.is_multiple_of(ORDERS_OF_A_STEP) {
            self.0.0.set_message(format!("{orders} orders"));
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.0.0.finish_and_clear();
    }
}

/// A bar that disappears when it is dropped.
pub(super) struct Spinner(ProgressBar);

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn on_terminal() -> OnProgress {
    // The template is constant; if it were wrong, the bar would look like the default.
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = Spinner(ProgressBar::new(0).with_style(style));
    Arc::new(move |stage| {
        match stage {
            Progress::Copying { done, total } => {
                bar.0.set_message("copying");
                bar.0.set_length(total);
                bar.0.set_position(done);
            }
            Progress::Upgrading => bar.0.set_message("upgrading"),
            Progress::Verifying => {
                bar.0.set_message("verifying");
                bar.0.tick();
            }
        }
        ControlFlow::Continue(())
    })
}

fn in_lines() -> OnProgress {
    let last_stage = AtomicU8::new(0);
    Arc::new(move |stage| {
        let (number, line) = match stage {
            Progress::Copying { total, .. } => (1, format!("copying {total} bytes")),
            Progress::Upgrading => (2, "upgrading the copy from an earlier version".to_owned()),
            Progress::Verifying => (3, "verifying the copy".to_owned()),
        };
        if last_stage.swap(number, Ordering::Relaxed) != number {
            // A closed standard error must not stop the work.
            let _ = writeln!(io::stderr(), "{line}");
        }
        ControlFlow::Continue(())
    })
}
