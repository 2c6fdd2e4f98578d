//! `orders.import`: each line of the request gets a line of the response, and each order is created once.

mod past;
mod round_trip;

use crate::support::{Answer, Client, PASSWORD, Service, order_of, with};
use axum::{body::Body, http::Method};
use futures_util::stream;
use serde_json::{Value, json};
use std::io;
use tokio::{sync::mpsc, task::JoinHandle};

const NDJSON: &str = "application/x-ndjson";

async fn import(who: &Client, body: impl Into<Body>) -> Answer {
    who.call(Method::POST, "/v1/orders/import").body(NDJSON, body).await
}

fn answers(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.header("content-type"), NDJSON);
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn results(answers: &[Value]) -> Vec<(u64, &str, &str)> {
    fn result(answer: &Value) -> (u64, &str, &str) {
        let (line, result, code) = (&answer["line"], &answer["result"], &answer["problem"]["code"]);
        (line.as_u64().unwrap(), result.as_str().unwrap(), code.as_str().unwrap_or_default())
    }
    answers.iter().map(result).collect()
}

fn order(reference: &str, amount: u64) -> Value {
    with(order_of(&[("tea", 1, amount)]), "external_ref", reference)
}

#[tokio::test]
async fn each_line_succeeds_or_fails_on_its_own() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let unknown_user = with(order("f", 1), "user_id", "usr_00000000000000000000000000");
    let body = [
        order("a", 100).to_string(),
        String::new(),
        "  \t\r".to_owned(),
        format!("  {}\r", order("b", 200)),
        "{not json".to_owned(),
        order_of(&[("tea", 1, 1)]).to_string(),
        order("a", 999).to_string(),
        json!({"external_ref": "a", "nonsense": true}).to_string(),
        json!({"external_ref": "c", "nonsense": true}).to_string(),
        json!({"external_ref": 7}).to_string(),
        "[]".to_owned(),
        unknown_user.to_string(),
        with(order("draft", 5), "draft", true).to_string(),
        order("last", 300).to_string(),
    ];
    let found = answers(&import(&staff, body.join("\n")).await.ok());
    let expected = [
        (1, "created", ""),
        (4, "created", ""),
        (5, "failed", "invalid_json"),
        (6, "failed", "validation_failed"),
        (7, "exists", ""),
        (8, "exists", ""),
        (9, "failed", "validation_failed"),
        (10, "failed", "validation_failed"),
        (11, "failed", "validation_failed"),
        (12, "failed", "validation_failed"),
        (13, "created", ""),
        (14, "created", ""),
    ];
    assert_eq!(results(&found), expected);
    assert_eq!((&found[4]["id"], &found[5]["id"]), (&found[0]["id"], &found[0]["id"]));
    assert_eq!(found[3]["problem"]["errors"][0]["pointer"], "#/external_ref");
    assert_eq!(found[0].as_object().unwrap().len(), 3, "{}", found[0]);
    let made = staff.walk("/v1/orders?sort=created_at").await;
    let made: Vec<_> = made.iter().map(|o| (o["external_ref"].clone(), o["number"].clone())).collect();
    assert_eq!(
        made,
        [("a", json!(1)), ("b", json!(2)), ("draft", Value::Null), ("last", json!(3))].map(|(r, n)| (json!(r), n))
    );
}

#[tokio::test]
async fn an_interrupted_import_can_be_sent_again() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let lines: Vec<_> = (0..700).map(|n| format!("{}\n", order(&format!("r{n}"), n))).collect();
    // The connection breaks within a line.
    let whole = lines[..300].concat();
    let chunks: Vec<Result<String, std::io::Error>> =
        vec![Ok(whole), Ok(lines[300][..20].to_owned()), Err(std::io::Error::other("gone"))];
    let first = answers(&import(&staff, Body::from_stream(stream::iter(chunks))).await.ok());
    assert_eq!(first.len(), 300);
    let again = answers(&import(&staff, lines.concat()).await.ok());
    assert!(again[..300].iter().zip(&first).all(|(a, f)| a["result"] == "exists" && a["id"] == f["id"]));
    assert!(again[300..].iter().all(|a| a["result"] == "created"));
    assert_eq!(staff.get("/v1/orders?count=true").await.ok()["page"]["total"], 700);
}

#[tokio::test]
async fn customers_import_only_their_own_orders() {
    let service = Service::start().await;
    let (staff, ada) = (service.staff().await, service.customer().await);
    import(&staff, order("taken", 1).to_string()).await.ok();
    let for_another = with(order("mine2", 1), "user_id", staff.id.as_str());
    let body = [order("taken", 1), order("mine", 1), for_another].map(|line| line.to_string()).join("\n");
    let found = answers(&import(&ada, body).await.ok());
    assert_eq!(results(&found), [(1, "exists", ""), (2, "created", ""), (3, "failed", "forbidden")]);
    assert_eq!(found[0].get("id"), None);
    assert_eq!(ada.walk("/v1/orders").await.len(), 1);
    import(&service.analyst().await, "{}").await.status(403).problem("forbidden");
}

#[tokio::test]
async fn lines_have_a_limit_and_a_media_type() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let padded = |length: usize| {
        let line = order(&length.to_string(), 1).to_string();
        format!("{line}{}", " ".repeat(length - line.len()))
    };
    let body = [padded(1 << 20), padded((1 << 20) + 1), order("after", 1).to_string()].join("\n");
    let found = answers(&import(&staff, body).await.ok());
    assert_eq!(results(&found), [(1, "created", ""), (2, "failed", "body_too_large"), (3, "created", "")]);
    let call = || staff.call(Method::POST, "/v1/orders/import");
    call().body("application/json", "{}").await.status(415).problem("unsupported_media_type");
    call().body(NDJSON, "{}").header("content-encoding", "gzip").await.status(415);
    call().await.status(415);
    assert_eq!(import(&staff, "").await.ok().text(), "");
}

#[tokio::test]
async fn lines_beyond_the_memory_limit_wait_for_each_other() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let padding = " ".repeat(1_000_000);
    let body: Vec<_> = (1..=20).map(|i| format!("{}{padding}\n", order(&format!("r{i}"), 100))).collect();
    let found = answers(&import(&staff, body.concat()).await.ok());
    let expected: Vec<_> = (1..=20).map(|line| (line, "created", "")).collect();
    assert_eq!(results(&found), expected);
}

/// An import whose lines are sent one at a time.
struct Slow {
    lines: mpsc::Sender<io::Result<String>>,
    answer: JoinHandle<Answer>,
}

impl Slow {
    fn begin(who: &Client) -> Self {
        let (lines, mut sent) = mpsc::channel(8);
        let body = Body::from_stream(stream::poll_fn(move |context| sent.poll_recv(context)));
        let call = who.call(Method::POST, "/v1/orders/import").body(NDJSON, body);
        Self { lines, answer: tokio::spawn(call.into_future()) }
    }

    async fn sends(&self, reference: &str) {
        self.lines.send(Ok(format!("{}\n", order(reference, 100)))).await.unwrap();
    }

    async fn ends(self) -> Answer {
        drop(self.lines);
        self.answer.await.unwrap()
    }
}

#[tokio::test]
async fn concurrent_imports_are_limited_separately_for_customers_and_staff() {
    let service = Service::start().await;
    let (staff, ada, app) = (service.staff().await, service.customer().await, service.app());
    for (who, places) in [(&ada, &app.imports.for_oneself), (&staff, &app.imports.for_anybody)] {
        let most = places.available_permits();
        let mut running: Vec<_> = (0..most).map(|_| Slow::begin(who)).collect();
        while places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = import(who, order("over", 1).to_string()).await.status(503).problem("overloaded");
        assert_eq!((refused.header("retry-after"), &refused["retryable"]), ("1", &json!(true)));
        running.pop().unwrap().ends().await.ok();
        while places.available_permits() == 0 {
            tokio::task::yield_now().await;
        }
        import(who, "").await.ok();
        for import in running {
            import.ends().await.ok();
        }
    }
    assert_eq!(staff.get("/v1/orders?count=true").await.ok()["page"]["total"], 0);
}

#[tokio::test]
async fn an_import_ends_when_its_caller_loses_the_right() {
    let service = Service::start().await;
    let (admin, staff) = (service.admin().await, service.staff().await);
    let key = json!({"name": "till", "permissions": ["orders:create"]});
    let key = admin.post("/v1/api-keys", key).await.created();
    let till = admin.bearing(key["secret"].as_str().unwrap());
    let elsewhere = service.anonymous().log_in("staff@example.com", PASSWORD).await;
    let user = format!("/v1/users/{}", staff.id);
    for (round, (who, code)) in [
        (&elsewhere, "unauthenticated"),
        (&till, "unauthenticated"),
        (&staff, "forbidden"),
        (&staff, "unauthenticated"),
    ]
    .into_iter()
    .enumerate()
    {
        let import = Slow::begin(who);
        import.sends(&format!("{round}-before")).await;
        service.app().store.event_after(i64::try_from(round).unwrap()).await;
        match round {
            0 => elsewhere.post("/v1/auth/logout", json!({})).await.no_content(),
            1 => admin.delete(&format!("/v1/api-keys/{}", key.id())).await.no_content(),
            2 => admin.patch(&user, json!({"role": "analyst"})).await.ok(),
            _ => admin.patch(&user, json!({"status": "disabled"})).await.ok(),
        };
        import.sends(&format!("{round}-after")).await;
        let answer = import.answer.await.unwrap().ok();
        assert_eq!(results(&answers(&answer)), [(1, "created", ""), (2, "failed", code)], "{round}");
        admin.patch(&user, json!({"role": "staff"})).await.ok();
    }
    assert_eq!(admin.get("/v1/orders?count=true").await.ok()["page"]["total"], 4);
}
