//! Downloads of a backup, and scheduled backups.

use crate::support::{Service, order_of};
use base64::{Engine, prelude::BASE64_STANDARD};
use orderd::{domain::digest::Running, service::backups::Schedule};
use serde_json::{Value, json};
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

/// Asserts that SQLite's check passes. The tests of the executable cover the other checks of a copy.
fn assert_integrity(file: &Path) {
    let connection = rusqlite::Connection::open(file).unwrap();
    let found: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_download_is_a_verified_copy_of_the_current_state() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    ada.places(order_of(&[("tea", 2, 1250)])).await.created();
    let before = names(service.folder());
    let answer = admin.get("/v1/system/backup").await.ok();
    assert_eq!(names(service.folder()), before, "the temporary files are removed");
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
    assert_integrity(&file);
    assert_eq!(orders_in(&file), 1);
    let audit = admin.get("/v1/audit?action=system.backup").await.ok();
    assert_eq!(audit["data"][0]["actor"], admin.id);
    assert_eq!(audit["data"][0]["changes"]["bytes"], answer.bytes().len());
}

#[tokio::test]
async fn a_download_needs_its_permission_and_is_exclusive() {
    let service = Service::start().await;
    service.manager().await.get("/v1/system/backup").await.status(403).problem("forbidden");
    let admin = service.admin().await;
    let app = service.app();
    let permit = app.backups.download.try_acquire().unwrap();
    let refused = admin.get("/v1/system/backup").await.status(503).problem("overloaded");
    assert_eq!(refused.header("retry-after"), "10");
    drop(permit);
    admin.get("/v1/system/backup").await.ok();
    admin.get("/v1/system/backup?now=1").await.status(400).problem("invalid_parameter");
}

/// The files in the default folder of backups.
fn scheduled(service: &Service) -> Vec<PathBuf> {
    let folder = service.folder().join("orders.db.backups");
    names(&folder).iter().map(|name| folder.join(name)).collect()
}

#[tokio::test]
async fn a_backup_is_made_when_one_is_due_and_something_has_changed() {
    let service = Service::start().await;
    let (app, ada) = (service.app(), service.customer().await);
    let mut schedule = Schedule::resume(&app);
    service.pass(HOUR);
    schedule.make_if_due(&app).await;
    assert_eq!((scheduled(&service), app.backups.latest()), (vec![], None), "there is no order to back up yet");
    ada.places(order_of(&[("tea", 2, 1250)])).await.created();
    schedule.make_if_due(&app).await;
    let [first] = scheduled(&service).try_into().unwrap();
    assert_eq!(first.file_name().unwrap(), "orders.db.20260615T130000.000Z");
    assert_integrity(&first);
    assert_eq!(orders_in(&first), 1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&first), mode(first.parent().unwrap())), (0o600, 0o700));
    let admin = service.admin().await;
    let bytes = fs::metadata(&first).unwrap().len();
    let shown = json!({
        "every_seconds": 3600,
        "next_at": "2026-06-15T14:00:00.000Z",
        "latest": {"made_at": "2026-06-15T13:00:00.000Z", "current_at": "2026-06-15T13:00:00.000Z", "bytes": bytes},
        "failure": null,
    });
    assert_eq!(*admin.get("/v1/system/backup-schedule").await.ok().json(), shown);
    let good = app.backups.latest().unwrap();
    assert_eq!((&good.path, good.made_at, good.current_at), (&first, service.now(), service.now()));
    assert_eq!(good.bytes, fs::metadata(&first).unwrap().len());

    service.pass(HOUR);
    schedule.make_if_due(&app).await;
    assert_eq!(scheduled(&service), std::slice::from_ref(&first), "nothing has changed");
    assert_eq!(app.backups.latest().unwrap().current_at, service.now());
    let unchanged = admin.get("/v1/system/backup-schedule").await.ok();
    assert_eq!(unchanged["latest"]["current_at"], "2026-06-15T14:00:00.000Z");
    assert_eq!(unchanged["next_at"], shown["next_at"], "it is due and waits for a change");
    ada.places(order_of(&[("tea", 2, 1250)])).await.created();
    schedule.make_if_due(&app).await;
    assert_eq!(scheduled(&service).len(), 2);
    ada.places(order_of(&[("tea", 2, 1250)])).await.created();
    service.pass(HOUR / 2);
    schedule.make_if_due(&app).await;
    assert_eq!(scheduled(&service).len(), 2, "none is due");

    let mut again = Schedule::resume(&app);
    assert_eq!(
        app.backups.latest().unwrap().path,
        scheduled(&service)[1],
        "after a start the schedule knows the existing backups"
    );
    again.make_if_due(&app).await;
    service.pass(HOUR / 2);
    again.make_if_due(&app).await;
    assert_eq!(scheduled(&service).len(), 3);
}

#[tokio::test]
async fn old_backups_are_removed_and_other_files_are_kept() {
    let service = Service::with(&[("backup.keep", "2")]).await;
    let (app, ada) = (service.app(), service.customer().await);
    let mut schedule = Schedule::resume(&app);
    let folder = service.folder().join("orders.db.backups");
    fs::create_dir(&folder).unwrap();
    for other in ["notes", "orders.db.20260101", "other.db.20200101T000000.000Z"] {
        fs::write(folder.join(other), "").unwrap();
    }
    fs::write(folder.join("orders.db.partial"), "left by a killed server").unwrap();
    for _ in 0..5 {
        service.pass(HOUR * 10);
        ada.places(order_of(&[("tea", 2, 1250)])).await.created();
        schedule.make_if_due(&app).await;
    }
    let backups: Vec<_> = names(&folder).into_iter().filter(|name| name.starts_with("orders.db.2026061")).collect();
    // They were made at 22:00, 08:00, 18:00, 04:00 and 14:00. The newest of two hours and two days are kept; the newest
    // of the week is among them.
    assert_eq!(
        backups,
        ["orders.db.20260616T180000.000Z", "orders.db.20260617T040000.000Z", "orders.db.20260617T140000.000Z"]
    );
    assert_eq!(names(&folder).len(), 6);
}

#[tokio::test]
async fn a_failure_is_reported_until_a_backup_succeeds() {
    let service = Service::start().await;
    let (app, ada) = (service.app(), service.customer().await);
    let mut schedule = Schedule::resume(&app);
    ada.places(order_of(&[("tea", 2, 1250)])).await.created();
    let folder = service.folder().join("orders.db.backups");
    fs::write(&folder, "in the way").unwrap();
    service.pass(HOUR);
    schedule.make_if_due(&app).await;
    let failure = app.backups.failure().unwrap();
    assert_eq!((failure.at, app.backups.latest()), (service.now(), None));
    assert!(failure.reason.contains("orders.db.backups"), "{}", failure.reason);
    let admin = service.admin().await;
    let told = admin.get("/v1/system/backup-schedule").await.ok();
    assert_eq!((&told["latest"], &told["next_at"]), (&Value::Null, &json!("2026-06-15T13:05:00.000Z")));
    assert_eq!(told["failure"]["failed_at"], "2026-06-15T13:00:00.000Z");
    assert!(
        told["failure"]["remedy"].as_str().unwrap().contains("may write to `backup.dir`")
            && !told.text().contains(".db")
    );
    fs::remove_file(&folder).unwrap();
    schedule.make_if_due(&app).await;
    assert!(!folder.exists(), "the next attempt is not made at once");
    service.pass(HOUR);
    schedule.make_if_due(&app).await;
    assert_eq!((scheduled(&service).len(), app.backups.failure()), (1, None));
    assert_eq!(admin.get("/v1/system/backup-schedule").await.ok()["failure"], Value::Null);
}

#[tokio::test]
async fn the_schedule_says_that_there_is_none_and_needs_its_permission() {
    let service = Service::with(&[("backup.every", "0")]).await;
    let none = json!({"every_seconds": 0, "next_at": null, "latest": null, "failure": null});
    assert_eq!(*service.admin().await.get("/v1/system/backup-schedule").await.ok().json(), none);
    service.manager().await.get("/v1/system/backup-schedule").await.status(403).problem("forbidden");
}
