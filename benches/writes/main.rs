//! How many orders a second can be kept: by SQLite alone, and through the use case and the single writer.
//!
//! Run it with `cargo bench --bench writes`; it takes a minute, in a folder under `TMPDIR`, which should be on the disk
//! in question. Each line is for N orders together: N in a transaction of bare SQLite, N requests at once through the
//! writer. Both columns write the same rows of the same schema and sync before an order counts, so their ratio is what
//! is spent on checks, prices, JSON, hashes, summaries and the way between threads. HTTP is not in it.

mod raw;
mod writer;

use std::{error::Error, time::Duration};

// The allocator of the executable.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How many orders are together, one line of the table each.
const TOGETHER: [usize; 4] = [1, 8, 64, 256];
/// How long each figure is measured for.
const TIME: Duration = Duration::from_secs(5);

/// How many were done, and how long that took.
struct Tally {
    orders: u32,
    time: Duration,
}

impl Tally {
    fn a_second(&self) -> f64 {
        f64::from(self.orders) / self.time.as_secs_f64()
    }
}

fn main() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let sample = raw::Sample::take(&writer::one_order(&folder.path().join("sample.db"))?)?;
    println!("orders of {} lines, in {}", writer::LINES, folder.path().display());
    println!("{:>9} {:>16} {:>20} {:>8}", "together", "SQLite alone /s", "through writer /s", "ratio");
    for together in TOGETHER {
        let file = |name| folder.path().join(format!("{name}-{together}.db"));
        let alone = raw::place_orders(&file("raw"), &sample, together)?.a_second();
        let through = writer::place_orders(&file("writer"), together)?.a_second();
        println!("{together:>9} {alone:>16.0} {through:>20.0} {:>8.2}", through / alone);
    }
    Ok(())
}
