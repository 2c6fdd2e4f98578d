//! The time that reports on 90 days take inside the program: the use case and its queries, without HTTP.
//!
//! Run it on a file that no server has open, such as one made by `orderd demo`: `cargo bench --bench reports -- FILE`.
//! Each report is requested repeatedly. A line has its 50th and 99th percentile in microseconds, and the 50th
//! percentile of 90 days that were not requested before, for which no ranking is cached. `benches/analytics.py` runs
//! this bench and compares the results with other databases.

#[path = "../shop/mod.rs"]
#[allow(dead_code, reason = "the other benches need more of it")]
mod shop;

use orderd::{
    app::App,
    domain::{
        calendar::{Days, Zone, parse_date},
        listing::Direction,
        time::{Clock, Timestamp},
    },
    service::{
        analytics::{self, Basis, Question, RevenueKey, RevenueSort},
        page::PageRequest,
    },
};
use shop::{Outcome, percentile};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

// The same allocator as in the executable.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ZONES: [&str; 2] = ["UTC", "Asia/Kathmandu"];
const BASES: [Basis; 2] = [Basis::Cash, Basis::Booked];
/// The most repetitions of each report, and the time after which they end.
const TIMES: usize = 500;
const TIME: Duration = Duration::from_secs(5);
/// The number of ranges that were not requested before.
const NEW: u32 = 15;
/// Rows of a page of revenue by user.
const PAGE: usize = 50;

fn main() -> Outcome<()> {
    let file = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let file = file.ok_or("usage: cargo bench --bench reports -- FILE")?;
    if !Path::new(&file).exists() {
        return Err(format!("{file}: there is no such file").into());
    }
    Runtime::new()?.block_on(async {
        let app = shop::open(Path::new(&file))?;
        println!("{:<16} {:<15} {:<7} {:>9} {:>9} {:>9}", "question", "zone", "basis", "p50 µs", "p99 µs", "new µs");
        for (name, zone, basis) in questions() {
            let mut new = vec![];
            for days in (1..=NEW).rev() {
                new.push(ask(&app, name, &question(zone, basis, days)?).await?);
            }
            let mut times = repeat(&app, name, &question(zone, basis, 0)?).await?;
            let [p50, p99] = [50, 99].map(|part| percentile(&mut times, part));
            let new = percentile(&mut new, 50);
            println!("{name:<16} {zone:<15} {:<7} {p50:>9.0} {p99:>9.0} {new:>9.0}", basis.name());
        }
        app.store.close().await;
        Ok(())
    })
}

/// Every report in every zone and basis. Status counts, top items and taxes have only one basis.
fn questions() -> impl Iterator<Item = (&'static str, &'static str, Basis)> {
    let of = |name| ZONES.iter().flat_map(move |zone| BASES.iter().map(move |basis| (name, *zone, *basis)));
    let booked = |name| ZONES.iter().map(move |zone| (name, *zone, Basis::Booked));
    of("daily")
        .chain(of("revenue-by-user"))
        .chain(booked("status-counts"))
        .chain(booked("top-items"))
        .chain(booked("taxes"))
}

/// The 90 days that end `ago` days ago.
fn question(zone: &str, basis: Basis, ago: u32) -> Outcome<Question> {
    let date = |days: u32| {
        let at: Timestamp = Clock::system().now().minus(Duration::from_hours(24 * u64::from(days)));
        parse_date(&at.to_string()[..10]).ok_or("a date")
    };
    let (from, to) = (date(ago + 89)?, date(ago)?);
    Ok(Question { days: Days { from, to, zone: Zone::parse(zone).ok_or("a zone")? }, currency: None, basis })
}

async fn repeat(app: &App, name: &str, question: &Question) -> Outcome<Vec<Duration>> {
    let (started, mut times) = (Instant::now(), vec![]);
    while times.len() < TIMES && started.elapsed() < TIME {
        times.push(ask(app, name, question).await?);
    }
    Ok(times)
}

/// The time that one report takes.
async fn ask(app: &App, name: &str, question: &Question) -> Outcome<Duration> {
    let (actor, question, started) = (shop::system(), question.clone(), Instant::now());
    match name {
        "daily" => drop(analytics::daily(app, &actor, question).await?),
        "status-counts" => drop(analytics::status_counts(app, &actor, question).await?),
        "taxes" => drop(analytics::taxes(app, &actor, question).await?),
        "top-items" => drop(analytics::top_items(app, &actor, question, PAGE).await?),
        _ => {
            let order = RevenueSort { key: RevenueKey::Net, direction: Direction::Descending };
            drop(analytics::revenue_by_user(app, &actor, question, order, PageRequest::uncounted(None, PAGE)).await?);
        }
    }
    Ok(started.elapsed())
}
