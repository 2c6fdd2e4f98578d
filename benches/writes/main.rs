//! How many orders a second can be kept: by SQLite alone, and through the use case and the single writer.
//!
//! Run it with `cargo bench --bench writes`; it takes two minutes, in a folder under `TMPDIR`, which should be on the
//! disk in question. Each line is for N orders together: N in a transaction of bare SQLite, N requests at once through
//! the writer. All columns write the same rows of the same schema and sync before an order counts, so the last one is
//! what is spent on checks, prices, JSON, hashes, summaries and the way between threads. HTTP is not in it. The column
//! in the middle adds the rows of the summaries to those of the orders: what keeping figures costs, and nothing else.

mod raw;
#[path = "../shop/mod.rs"]
#[allow(dead_code, reason = "the other benches need more of it")]
mod shop;

use raw::{Sample, Summaries};
use shop::{LINES, Outcome};
use std::{path::Path, time::Duration};
use tokio::runtime::Runtime;

// The allocator of the executable.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many orders are together, one line of the table each.
const TOGETHER: [usize; 6] = [1, 8, 32, 64, 128, 256];
/// How long each figure is measured for.
const TIME: Duration = Duration::from_secs(5);

fn main() -> Outcome<()> {
    let (runtime, folder) = (Runtime::new()?, tempfile::tempdir()?);
    let sample = runtime.block_on(sample(&folder.path().join("sample.db")))?;
    println!("orders of {LINES} lines, in {}", folder.path().display());
    let heads = ["together", "SQLite alone /s", "with summaries /s", "through writer /s", "summaries", "writer"];
    println!("{:>9} {:>17} {:>19} {:>19} {:>10} {:>8}", heads[0], heads[1], heads[2], heads[3], heads[4], heads[5]);
    for together in TOGETHER {
        let file = |name| folder.path().join(format!("{name}-{together}.db"));
        let alone = raw::place_orders(&file("raw"), &sample, together, Summaries::Left)?.a_second();
        let kept = raw::place_orders(&file("kept"), &sample, together, Summaries::Kept)?.a_second();
        let through = runtime.block_on(through_writer(&file("writer"), together))?;
        let (summaries, writer) = (kept / alone, through / alone);
        println!("{together:>9} {alone:>17.0} {kept:>19.0} {through:>19.0} {summaries:>10.2} {writer:>8.2}");
    }
    Ok(())
}

/// The rows of one order, as the program writes them.
async fn sample(path: &Path) -> Outcome<Sample> {
    let app = shop::open(path)?;
    let attempt = shop::attempt("the-one".to_owned());
    orderd::service::orders::create(&app, shop::system(), attempt, shop::order()?).await?;
    app.store.close().await;
    Sample::take(path)
}

async fn through_writer(path: &Path, at_once: usize) -> Outcome<f64> {
    let app = shop::open(path)?;
    let histogram = shop::place_orders(&app, at_once, TIME).await?;
    app.store.close().await;
    Ok(histogram.a_second())
}
