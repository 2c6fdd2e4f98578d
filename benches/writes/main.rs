//! Orders per second: by SQLite alone, and through the use case and the single writer.
//!
//! Run it with `cargo bench --bench writes`, or with other numbers of orders after `--`. It takes two minutes, in a
//! folder under `TMPDIR`, which should be on the disk in question. Each line is for N orders together: N in a
//! transaction of bare SQLite, or N concurrent requests through the writer. All columns write the same orders and sync
//! before an order counts:
//!
//! - bare: bare SQLite, with usual tables: documents in full, and indexes over all orders
//! - compact: bare SQLite, with the program's tables: documents in short, and indexes in blocks
//! - rollups: the same, with the rows of the rollups
//! - writer: the program, which also checks, prices, serialises and hashes, between threads; without HTTP
//!
//! The last columns compare the writer with bare SQLite, and rows in the program's tables with and without rollups.

mod raw;
#[path = "../shop/mod.rs"]
#[allow(dead_code, reason = "the other benches need more of it")]
mod shop;

use raw::{Layout, Rollups, Sample};
use shop::{LINES, Outcome};
use std::{path::Path, time::Duration};
use tokio::runtime::Runtime;

// The same allocator as in the executable.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Orders together, one line of the table each.
const TOGETHER: [usize; 6] = [1, 8, 32, 64, 128, 256];
/// The time of each measurement.
const TIME: Duration = Duration::from_secs(5);

fn main() -> Outcome<()> {
    let (runtime, folder) = (Runtime::new()?, tempfile::tempdir()?);
    let file = |name: String| folder.path().join(name + ".db");
    let (sample, one) = (file("sample".to_owned()), file("one".to_owned()));
    let orders = runtime.block_on(write_orders(&sample, usize::MAX))?;
    runtime.block_on(write_orders(&one, 1))?;
    let take = |layout| Sample::take(&sample, &one, orders, layout);
    let (usual, compact) = (take(Layout::Usual)?, take(Layout::Compact)?);
    println!("orders of {LINES} lines a second, in {}", folder.path().display());
    let heads =
        ["together", "bare", "compact", "rollups", "writer", "writer/bare", "writer/compact", "rollups/compact"];
    println!("{}", heads.map(|head| format!("{head:>10}")).join(" "));
    for together in shop::sizes_or(&TOGETHER) {
        let alone = |name, sample, rollups| {
            let placed = raw::place_orders(&file(format!("{name}-{together}")), sample, together, rollups)?;
            Outcome::Ok(placed.per_second())
        };
        let bare = alone("bare", &usual, Rollups::Skipped)?;
        let short = alone("compact", &compact, Rollups::Skipped)?;
        let rollups = alone("rollups", &compact, Rollups::Maintained)?;
        let writer = runtime.block_on(through_writer(&file(format!("writer-{together}")), together))?;
        println!(
            "{together:>10} {bare:>10.0} {short:>10.0} {rollups:>10.0} {writer:>10.0} {:>11.2} {:>14.2} {:>15.2}",
            writer / bare,
            writer / short,
            rollups / short
        );
    }
    Ok(())
}

/// Writes at most `most` different orders to a new file at `path`, as the program does. Returns their number.
async fn write_orders(path: &Path, most: usize) -> Outcome<i64> {
    let (app, mut written) = (shop::open(path)?, 0);
    for order in shop::orders()?.into_iter().take(most) {
        written += 1;
        orderd::service::orders::create(&app, shop::system(), shop::request(written.to_string()), order).await?;
    }
    app.store.close().await;
    Ok(written)
}

async fn through_writer(path: &Path, clients: usize) -> Outcome<f64> {
    let app = shop::open(path)?;
    let throughput = shop::place_orders(&app, clients, TIME).await?;
    app.store.close().await;
    Ok(throughput.per_second())
}
