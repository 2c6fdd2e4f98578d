//! Reading and writing as a file grows: single orders, the first and a late page of a list, and new orders, in files of
//! 10,000, 100,000 and a million orders.
//!
//! Run it with `cargo bench --bench sizes`, or with other numbers of orders after `--`. It makes the files one after
//! the other in a folder under `TMPDIR`: a million orders take some minutes and 2.5 GB. Every operation is a call of a
//! use case on one thread, without HTTP. New orders are placed 64 at a time and synced, alternately in the file and in
//! an empty one, and the last column is the ratio.

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
        page::PageRequest,
    },
};
use shop::{Outcome, Throughput, percentile};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

// The same allocator as in the executable.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];
/// The number of single orders to read.
const READS: u32 = 100_000;
/// Entries of a page, pages to read, and pages at each end whose time is reported.
const PAGE: usize = 50;
const PAGES: usize = 1_000;
const ENDS: usize = 50;
/// Concurrent orders, the time of one turn, and the number of turns of each file.
const CLIENTS: usize = 64;
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
    let made = fill(&file, size).await?.per_second();
    let app = shop::open(&file)?;
    let (reads, p99) = read(&app, size).await?;
    let (first, last) = walk(&app).await?;
    let empty = shop::open(&folder.path().join("empty.db"))?;
    let (mut here, mut there) = (vec![], vec![]);
    for _ in 0..TURNS {
        here.push(shop::place_orders(&app, CLIENTS, TURN).await?.per_second());
        there.push(shop::place_orders(&empty, CLIENTS, TURN).await?.per_second());
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

/// Makes a file of this many orders.
async fn fill(file: &Path, orders: usize) -> Outcome<Throughput> {
    let plan = Plan { orders, days: 365, until: Clock::system().now(), accounts: orders / 40, seed: 1 };
    let begun = Instant::now();
    let app = demo::open(&shop::settings(file)?, &plan).map_err(|e| e.to_string())?;
    demo::fill(&app, &plan, |_| {}).await?;
    app.store.close().await;
    Ok(Throughput { done: u32::try_from(orders)?, time: begun.elapsed() })
}

/// Reads random orders: the number per second, and the 99th percentile.
async fn read(app: &App, size: usize) -> Outcome<(f64, f64)> {
    let (mut random, mut times, actor) = (fastrand::Rng::with_seed(1), vec![], shop::system());
    let begun = Instant::now();
    for _ in 0..READS {
        let number = OrderName::Number(random.i64(1..=i64::try_from(size)?));
        let begun = Instant::now();
        orders::get(app, &actor, &number).await?;
        times.push(begun.elapsed());
    }
    let throughput = Throughput { done: READS, time: begun.elapsed() };
    Ok((throughput.per_second(), percentile(&mut times, 99)))
}

/// Reads the default list page by page: the median of the first pages and of the last ones.
async fn walk(app: &App) -> Outcome<(f64, f64)> {
    let (mut times, mut after) = (vec![], None);
    while times.len() < PAGES {
        let sort = Sort { key: SortKey::Created, direction: Direction::Descending };
        let query = OrderQuery { filter: Filter::default(), sort };
        let begun = Instant::now();
        let page = orders::list(app, &shop::system(), query, PageRequest::uncounted(after, PAGE)).await?;
        times.push(begun.elapsed());
        after = page.info.next;
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
