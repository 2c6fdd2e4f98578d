//! How far a command is that takes long: a bar on a terminal, a plain line for each stage elsewhere. Both go to standard
//! error, so that standard output holds nothing but results.

use crate::store::backup::{OnProgress, Progress};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::{self, IsTerminal, Write},
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

/// How often a bar shows that something is going on.
const TICK: Duration = Duration::from_millis(100);

/// Shows how far a copy is, and never stops it.
pub(super) fn of_copy() -> OnProgress {
    if io::stderr().is_terminal() { on_terminal() } else { in_lines() }
}

/// Shows that `what` goes on, on a terminal alone, for as long as the returned bar is kept.
pub(super) fn spinner(what: &'static str) -> Spinner {
    let bar = ProgressBar::new_spinner().with_message(what);
    if io::stderr().is_terminal() {
        bar.enable_steady_tick(TICK);
    }
    Spinner(bar)
}

/// Shows how many of `count` orders are there, on a terminal alone, for as long as what is returned is kept.
pub(super) fn of_orders(count: usize) -> impl FnMut(usize) {
    let style = ProgressStyle::with_template("{pos} of {len} orders {wide_bar} {elapsed}");
    let bar =
        Spinner(ProgressBar::new(count as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
    let watched = io::stderr().is_terminal();
    move |placed| {
        if watched {
            bar.0.set_position(placed as u64);
        }
    }
}

/// A bar that is gone when it is dropped.
pub(super) struct Spinner(ProgressBar);

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn on_terminal() -> OnProgress {
    // The template is fixed; without it the bar has its default looks.
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
    let said = AtomicU8::new(0);
    Arc::new(move |stage| {
        let (number, line) = match stage {
            Progress::Copying { total, .. } => (1, format!("copying {total} bytes")),
            Progress::Upgrading => (2, "upgrading the copy, which an earlier version made".to_owned()),
            Progress::Verifying => (3, "verifying the copy".to_owned()),
        };
        if said.swap(number, Ordering::Relaxed) != number {
            // Without standard error the work goes on all the same.
            let _ = writeln!(io::stderr(), "{line}");
        }
        ControlFlow::Continue(())
    })
}
