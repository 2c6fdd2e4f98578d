//! How long the figures of 90 days take inside the program: the use case and its queries, without HTTP.
//!
//! Run it on a file that no server has, such as one that `orderd demo` made:
//! `cargo bench --bench figures -- FILE`. Each question is asked again and again; a line tells its 50th and 99th
//! percentile in microseconds, and the 50th of 90 days that were not asked for before: what is kept of a report from one
//! time to the next is of no use to those. `benches/analytics.py` runs it and sets what comes out beside other databases.

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
        page::Wanted,
    },
};
use shop::{Outcome, percentile};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

// The allocator of the executable.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ZONES: [&str; 2] = ["UTC", "Asia/Kathmandu"];
const BASES: [Basis; 2] = [Basis::Cash, Basis::Booked];
/// How often each question is asked at most, and for how long.
const TIMES: usize = 500;
const TIME: Duration = Duration::from_secs(5);
/// How many times 90 days that are new are asked for.
const NEW: u32 = 15;
/// Rows of a page of revenue by user.
const PAGE: usize = 50;

fn main() -> Outcome<()> {
    let file = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let file = file.ok_or("usage: cargo bench --bench figures -- FILE")?;
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
            let mut times = ask_again(&app, name, &question(zone, basis, 0)?).await?;
            let [p50, p99] = [50, 99].map(|part| percentile(&mut times, part));
            let new = percentile(&mut new, 50);
            println!("{name:<16} {zone:<15} {:<7} {p50:>9.0} {p99:>9.0} {new:>9.0}", basis.name());
        }
        app.store.close().await;
        Ok(())
    })
}

/// Everything that is asked; status counts and top items are of one basis.
fn questions() -> impl Iterator<Item = (&'static str, &'static str, Basis)> {
    let of = |name| ZONES.iter().flat_map(move |zone| BASES.iter().map(move |basis| (name, *zone, *basis)));
    let booked = |name| ZONES.iter().map(move |zone| (name, *zone, Basis::Booked));
    of("daily").chain(of("revenue-by-user")).chain(booked("status-counts")).chain(booked("top-items"))
}

/// 90 days that end so many days ago.
fn question(zone: &str, basis: Basis, ago: u32) -> Outcome<Question> {
    let date = |days: u32| {
        let at: Timestamp = Clock::system().now().minus(Duration::from_hours(24 * u64::from(days)));
        parse_date(&at.to_string()[..10]).ok_or("a date")
    };
    let (from, to) = (date(ago + 89)?, date(ago)?);
    Ok(Question { days: Days { from, to, zone: Zone::parse(zone).ok_or("a zone")? }, currency: None, basis })
}

async fn ask_again(app: &App, name: &str, question: &Question) -> Outcome<Vec<Duration>> {
    let (begun, mut times) = (Instant::now(), vec![]);
    while times.len() < TIMES && begun.elapsed() < TIME {
        times.push(ask(app, name, question).await?);
    }
    Ok(times)
}

/// How long a question takes.
async fn ask(app: &App, name: &str, question: &Question) -> Outcome<Duration> {
    let (actor, question, begun) = (shop::system(), question.clone(), Instant::now());
    match name {
        "daily" => drop(analytics::daily(app, &actor, question).await?),
        "status-counts" => drop(analytics::status_counts(app, &actor, question).await?),
        "top-items" => drop(analytics::top_items(app, &actor, question, PAGE).await?),
        _ => {
            let order = RevenueSort { key: RevenueKey::Net, direction: Direction::Descending };
            drop(analytics::revenue_by_user(app, &actor, question, order, Wanted::some(None, PAGE)).await?);
        }
    }
    Ok(begun.elapsed())
}
