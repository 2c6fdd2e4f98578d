//! The download of a copy, and backups on schedule.

use crate::support::{Service, order_of};
use base64::{Engine, prelude::BASE64_STANDARD};
use orderd::{domain::digest::Running, service::backups::Schedule};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

const HOUR: Duration = Duration::from_hours(1);

fn orders_in(file: &Path) -> i64 {
    let connection = rusqlite::Connection::open(file).unwrap();
    connection.query_row("SELECT count(*) FROM orders", [], |row| row.get(0)).unwrap()
}

/// That SQLite finds it sound; what else a copy is held to, the tests of the executable try.
fn assert_sound(file: &Path) {
    let connection = rusqlite::Connection::open(file).unwrap();
    let found: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_download_is_a_verified_copy_of_now() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    ada.places(order_of(&[("tea", 2, 1250)])).await.created();
    let before = names(service.folder());
    let answer = admin.get("/v1/system/backup").await.ok();
    assert_eq!(names(service.folder()), before, "what it was made of is gone");
    assert_eq!(answer.header("content-type"), "application/vnd.sqlite3");
    assert_eq!(answer.header("content-length"), answer.bytes().len().to_string());
    let name = "attachment; filename=\"orderd-20260615T120000.000Z.db\"";
    assert_eq!(answer.header("content-disposition"), name);
    let mut digest = Running::default();
    digest.update(answer.bytes());
    let expected = format!("sha-256=:{}:", BASE64_STANDARD.encode(digest.finish()));
    assert_eq!(answer.header("repr-digest"), expected);
    let file = service.folder().join("downloaded.db");
    fs::write(&file, answer.bytes()).unwrap();
    assert_sound(&file);
    assert_eq!(orders_in(&file), 1);
    let audit = admin.get("/v1/audit?action=system.backup").await.ok();
    assert_eq!(audit["data"][0]["actor"], admin.id);
    assert_eq!(audit["data"][0]["changes"]["bytes"], answer.bytes().len());
}

#[tokio::test]
async fn only_who_may_gets_one_and_one_at_a_time() {
    let service = Service::start().await;
    service.manager().await.get("/v1/system/backup").await.status(403).problem("forbidden");
    let admin = service.admin().await;
    let app = service.app();
    let place = app.backups.download.try_acquire().unwrap();
    let refused = admin.get("/v1/system/backup").await.status(503).problem("overloaded");
    assert_eq!(refused.header("retry-after"), "10");
    drop(place);
    admin.get("/v1/system/backup").await.ok();
    admin.get("/v1/system/backup?now=1").await.status(400).problem("invalid_parameter");
}

/// What is in the folder of backups that this service has if it is told of none.
fn scheduled(service: &Service) -> Vec<PathBuf> {
    let folder = service.folder().join("orders.db.backups");
    names(&folder).iter().map(|name| folder.join(name)).collect()
}

#[tokio::test]
async fn backups_are_made_on_schedule_once_there_is_something_new() {
    let service = Service::start().await;
    let (app, ada) = (service.app(), service.customer().await);
    let mut schedule = Schedule::resume(&app);
    service.pass(HOUR);
    schedule.make_if_due(&app).await;
    assert_eq!((scheduled(&service), app.backups.last_good()), (vec![], None), "there is no order yet");
    ada.places(order_of(&[("tea", 2, 1250)])).await.created();
    schedule.make_if_due(&app).await;
    let [first] = scheduled(&service).try_into().unwrap();
    assert_eq!(first.file_name().unwrap(), "orders.db.20260615T130000.000Z");
    assert_sound(&first);
    assert_eq!(orders_in(&first), 1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&first), mode(first.parent().unwrap())), (0o600, 0o700));
    let good = app.backups.last_good().unwrap();
    assert_eq!((&good.path, good.made_at, good.current_at), (&first, service.now(), service.now()));
    assert_eq!(good.bytes, fs::metadata(&first).unwrap().len());

    service.pass(HOUR);
    schedule.make_if_due(&app).await;
    assert_eq!(scheduled(&service), std::slice::from_ref(&first), "nothing has changed");
    assert_eq!(app.backups.last_good().unwrap().current_at, service.now());
    ada.places(order_of(&[("tea", 2, 1250)])).await.created();
    schedule.make_if_due(&app).await;
    assert_eq!(scheduled(&service).len(), 2);
    ada.places(order_of(&[("tea", 2, 1250)])).await.created();
    service.pass(HOUR / 2);
    schedule.make_if_due(&app).await;
    assert_eq!(scheduled(&service).len(), 2, "none is due");

    let mut again = Schedule::resume(&app);
    assert_eq!(app.backups.last_good().unwrap().path, scheduled(&service)[1], "after a start it knows what is there");
    again.make_if_due(&app).await;
    service.pass(HOUR / 2);
    again.make_if_due(&app).await;
    assert_eq!(scheduled(&service).len(), 3);
}

#[tokio::test]
async fn old_ones_are_rotated_away_and_strangers_left_alone() {
    let service = Service::with(&[("backup.keep", "2")]).await;
    let (app, ada) = (service.app(), service.customer().await);
    let mut schedule = Schedule::resume(&app);
    let folder = service.folder().join("orders.db.backups");
    fs::create_dir(&folder).unwrap();
    for stranger in ["notes", "orders.db.20260101", "other.db.20200101T000000.000Z"] {
        fs::write(folder.join(stranger), "").unwrap();
    }
    fs::write(folder.join("orders.db.partial"), "what a killed server has left").unwrap();
    for _ in 0..5 {
        service.pass(HOUR * 10);
        ada.places(order_of(&[("tea", 2, 1250)])).await.created();
        schedule.make_if_due(&app).await;
    }
    let mine: Vec<_> = names(&folder).into_iter().filter(|name| name.starts_with("orders.db.2026061")).collect();
    // 22:00, 08:00, 18:00, 04:00 and 14:00: two hours, two days; the week is one of them.
    assert_eq!(
        mine,
        ["orders.db.20260616T180000.000Z", "orders.db.20260617T040000.000Z", "orders.db.20260617T140000.000Z"]
    );
    assert_eq!(names(&folder).len(), 6);
}

#[tokio::test]
async fn a_failure_is_known_until_there_is_a_good_one() {
    let service = Service::start().await;
    let (app, ada) = (service.app(), service.customer().await);
    let mut schedule = Schedule::resume(&app);
    ada.places(order_of(&[("tea", 2, 1250)])).await.created();
    let folder = service.folder().join("orders.db.backups");
    fs::write(&folder, "in the way").unwrap();
    service.pass(HOUR);
    schedule.make_if_due(&app).await;
    let failure = app.backups.failure().unwrap();
    assert_eq!((failure.at, app.backups.last_good()), (service.now(), None));
    assert!(failure.reason.contains("orders.db.backups"), "{}", failure.reason);
    fs::remove_file(&folder).unwrap();
    schedule.make_if_due(&app).await;
    assert!(!folder.exists(), "it is not tried again at once");
    service.pass(HOUR);
    schedule.make_if_due(&app).await;
    assert_eq!((scheduled(&service).len(), app.backups.failure()), (1, None));
}
