//! What becomes of reading and writing as a file grows: one order, the first page of a list and a page far down in it,
//! and new orders, in files of 10,000, 100,000 and a million orders.
//!
//! Run it with `cargo bench --bench sizes`, or with numbers of orders of your own after `--`. It makes the files in a
//! folder under `TMPDIR`, one after the other: a million orders take some minutes and 6 GB. Everything is a call of a use
//! case on one thread, as a request would make it; HTTP is not in it. New orders are placed 64 at once and synced, in
//! turn in the file and in an empty one beside it, and the last column is how the two compare.

#[path = "../shop/mod.rs"]
#[allow(dead_code, reason = "the other benches need more of it")]
mod shop;

use orderd::{
    app::App,
    domain::{
        listing::{Direction, Filter, OrderQuery, Sort, SortKey},
        time::Clock,
    },
    service::{
        demo::{self, Plan},
        orders::{self, OrderName},
        page::Wanted,
    },
};
use shop::{Histogram, Outcome, percentile};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

// The allocator of the executable.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];
/// Single orders that are read.
const READS: u32 = 100_000;
/// Entries of a page, how many pages are walked, and how many of them at each end are looked at.
const PAGE: usize = 50;
const PAGES: usize = 1_000;
const ENDS: usize = 50;
/// Orders at once, how long they are placed for in a turn, and how many turns each file has.
const AT_ONCE: usize = 64;
const TURN: Duration = Duration::from_secs(3);
const TURNS: usize = 5;

fn main() -> Outcome<()> {
    let runtime = Runtime::new()?;
    println!(
        "{:>9} {:>8} {:>9} {:>9} {:>13} {:>13} {:>12} {:>12} {:>7}",
        "orders", "made /s", "reads /s", "p99 µs", "first page µs", "last page µs", "new /s", "if empty /s", "ratio"
    );
    for size in shop::sizes_or(&SIZES) {
        runtime.block_on(measure(size))?;
    }
    Ok(())
}

async fn measure(size: usize) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("orders.db");
    let made = fill(&file, size).await?.a_second();
    let app = shop::open(&file)?;
    let (reads, p99) = read(&app, size).await?;
    let (first, last) = walk(&app).await?;
    let empty = shop::open(&folder.path().join("empty.db"))?;
    let (mut here, mut there) = (vec![], vec![]);
    for _ in 0..TURNS {
        here.push(shop::place_orders(&app, AT_ONCE, TURN).await?.a_second());
        there.push(shop::place_orders(&empty, AT_ONCE, TURN).await?.a_second());
    }
    app.store.close().await;
    empty.store.close().await;
    let (new, fresh) = (median(here), median(there));
    println!(
        "{size:>9} {made:>8.0} {reads:>9.0} {p99:>9.1} {first:>13.0} {last:>13.0} {new:>12.0} {fresh:>12.0} {:>7.2}",
        new / fresh
    );
    Ok(())
}

/// Makes a file of this many orders, and says how long that took.
async fn fill(file: &Path, orders: usize) -> Outcome<Histogram> {
    let plan = Plan { orders, days: 365, until: Clock::system().now(), accounts: orders / 40, seed: 1 };
    let begun = Instant::now();
    let app = demo::open(&shop::settings(file)?, &plan).map_err(|e| e.to_string())?;
    demo::fill(&app, &plan, |_| {}).await?;
    app.store.close().await;
    Ok(Histogram { done: u32::try_from(orders)?, time: begun.elapsed() })
}

/// Reads orders from anywhere in the file: how many a second, and the 99th percentile.
async fn read(app: &App, size: usize) -> Outcome<(f64, f64)> {
    let (mut random, mut times, actor) = (fastrand::Rng::with_seed(1), vec![], shop::system());
    let begun = Instant::now();
    for _ in 0..READS {
        let number = OrderName::Number(random.i64(1..=i64::try_from(size)?));
        let begun = Instant::now();
        orders::get(app, &actor, &number).await?;
        times.push(begun.elapsed());
    }
    let histogram = Histogram { done: READS, time: begun.elapsed() };
    Ok((histogram.a_second(), percentile(&mut times, 99)))
}

/// Walks the default list, and gives the median of its first pages and of the last ones it came to.
async fn walk(app: &App) -> Outcome<(f64, f64)> {
    let (mut times, mut after) = (vec![], None);
    while times.len() < PAGES {
        let sort = Sort { key: SortKey::Created, direction: Direction::Descending };
        let query = OrderQuery { filter: Filter::default(), sort };
        let begun = Instant::now();
        let page = orders::list(app, &shop::system(), query, Wanted::some(after, PAGE)).await?;
        times.push(begun.elapsed());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let ends = ENDS.min(times.len());
    let last = times.len() - ends;
    Ok((percentile(&mut times.clone()[..ends], 50), percentile(&mut times[last..], 50)))
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates[rates.len() / 2]
}
