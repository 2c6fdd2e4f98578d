//! Orders per second: by SQLite alone, and through the use case and the single writer.
//!
//! Run it with `cargo bench --bench writes`, or with other numbers of orders after `--`. It takes two minutes, in a folder
//! under `TMPDIR`, which should be on the disk in question. Each line is for N orders together: N in a transaction of bare SQLite, or N concurrent requests
//! through the writer. All columns write the same rows to the same schema and sync before an order counts, so the last
//! column shows the cost of checks, prices, JSON, hashes, rollups and the handover between threads. HTTP is not
//! included. The middle column adds the rows of the rollups to those of the orders: the cost of maintaining rollups
//! alone.

mod raw;
#[path = "../shop/mod.rs"]
#[allow(dead_code, reason = "the other benches need more of it")]
mod shop;

use raw::{Rollups, Sample};
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
    let sample = runtime.block_on(sample(&folder.path().join("sample.db")))?;
    println!("orders of {LINES} lines, in {}", folder.path().display());
    let heads = ["together", "SQLite alone /s", "with rollups /s", "through writer /s", "rollups", "writer"];
    println!("{:>9} {:>17} {:>19} {:>19} {:>10} {:>8}", heads[0], heads[1], heads[2], heads[3], heads[4], heads[5]);
    for together in shop::sizes_or(&TOGETHER) {
        let file = |name| folder.path().join(format!("{name}-{together}.db"));
        let alone = raw::place_orders(&file("raw"), &sample, together, Rollups::Skipped)?.per_second();
        let with_rollups = raw::place_orders(&file("rollups"), &sample, together, Rollups::Maintained)?.per_second();
        let through = runtime.block_on(through_writer(&file("writer"), together))?;
        let (rollups, writer) = (with_rollups / alone, through / alone);
        println!("{together:>9} {alone:>17.0} {with_rollups:>19.0} {through:>19.0} {rollups:>10.2} {writer:>8.2}");
    }
    Ok(())
}

/// The rows of one order, as the program writes them.
async fn sample(path: &Path) -> Outcome<Sample> {
    let app = shop::open(path)?;
    let request = shop::request("the-one".to_owned());
    orderd::service::orders::create(&app, shop::system(), request, shop::order()?).await?;
    app.store.close().await;
    Sample::take(path)
}

async fn through_writer(path: &Path, clients: usize) -> Outcome<f64> {
    let app = shop::open(path)?;
    let throughput = shop::place_orders(&app, clients, TIME).await?;
    app.store.close().await;
    Ok(throughput.per_second())
}
