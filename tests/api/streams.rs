//! The feed as a stream of server-sent events.

use crate::support::{Client, EventStream, Service, order_of};
use serde_json::json;
use std::time::Duration;

const STREAM: &str = "/v1/events.sse";

async fn order(client: &Client) -> String {
    client.places(order_of(&[("tea", 1, 1000)])).await.created().id()
}

#[tokio::test]
async fn a_stream_has_each_event_as_the_feed_has_it() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let id = order(&staff).await;
    let mut stream = staff.get("/v1/events.sse?after=0").stream().await;
    staff.moves(&id, "confirm").await.ok();
    let feed = staff.get("/v1/events").await.ok();
    for (seq, kind) in [(1, "order.created"), (2, "order.confirmed")] {
        let event = stream.event().await;
        let expected = &feed["data"][seq - 1];
        assert_eq!((event.0, event.1.as_str(), &event.2), (i64::try_from(seq).unwrap(), kind, expected));
    }
}

#[tokio::test]
async fn a_stream_begins_now_after_a_number_or_after_the_last_event_that_the_client_has() {
    let service = Service::start().await;
    let staff = service.staff().await;
    order(&staff).await;
    order(&staff).await;
    let mut now = staff.get(STREAM).stream().await;
    let mut after = staff.get("/v1/events.sse?after=1").stream().await;
    let mut resumed = staff.get("/v1/events.sse?after=0").header("last-event-id", "2").stream().await;
    let mut negotiated = staff.get("/v1/events?after=2").header("accept", "text/event-stream").stream().await;
    order(&staff).await;
    let mut firsts = vec![];
    for stream in [&mut now, &mut after, &mut resumed, &mut negotiated] {
        firsts.push(stream.event().await.0);
    }
    assert_eq!(firsts, [3, 2, 3, 3]);
    let mut later = staff.get("/v1/events.sse?after=4").stream().await;
    order(&staff).await;
    order(&staff).await;
    assert_eq!(later.event().await.0, 5);
}

#[tokio::test]
async fn parameters_of_pages_and_bad_numbers_are_refused() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let accept = |path: &str| staff.get(path).header("accept", "text/event-stream");
    for parameter in ["limit=5", "wait=1", "count=true", "order=desc"] {
        accept(&format!("/v1/events?{parameter}")).await.status(400).problem("invalid_parameter");
        staff.get(&format!("{STREAM}?{parameter}")).await.status(400).problem("invalid_parameter");
    }
    for number in ["", "-1", "1.0", "x", "99999999999999999999"] {
        for path in [STREAM, "/v1/events"] {
            staff.get(path).header("last-event-id", number).await.status(400).problem("invalid_header");
        }
    }
    staff.get(STREAM).header("last-event-id", "1").header("last-event-id", "2").await.status(400);
    service.customer().await.get(STREAM).await.status(403);
    service.anonymous().get(STREAM).await.status(401);
}

/// What a stream still brings after its caller's right has ended, when something happens.
async fn rest(mut stream: EventStream, other: &Client) -> Option<String> {
    order(other).await;
    stream.next().await
}

#[tokio::test]
async fn nothing_is_sent_after_the_callers_right_has_ended() {
    let service = Service::with(&[("auth.access_ttl", "15m")]).await;
    let (staff, admin) = (service.staff().await, service.admin().await);
    let key = admin.post("/v1/api-keys", json!({"name": "till", "permissions": ["orders:read"]})).await.created();
    let key_client = service.anonymous().bearing(key["secret"].as_str().unwrap());
    let with_key = key_client.get(STREAM).stream().await;
    admin.delete(&format!("/v1/api-keys/{}", key.id())).await.status(204);
    assert_eq!(rest(with_key, &staff).await, None);

    let analyst = service.analyst().await;
    let demoted = analyst.get(STREAM).stream().await;
    admin.patch(&format!("/v1/users/{}", analyst.id), json!({"role": "customer"})).await.ok();
    assert_eq!(rest(demoted, &staff).await, None);

    let expiring = admin.get(STREAM).stream().await;
    service.pass(Duration::from_mins(14));
    let mut expiring_later = expiring;
    order(&staff).await;
    assert_eq!(expiring_later.event().await.1, "order.created");
    service.pass(Duration::from_mins(2));
    let staff = service.anonymous().log_in("staff@example.com", crate::support::PASSWORD).await;
    assert_eq!(rest(expiring_later, &staff).await, None);
}

#[tokio::test]
async fn a_stream_ends_with_the_server() {
    let service = Service::start().await;
    let mut stream = service.staff().await.get(STREAM).stream().await;
    service.app().drain();
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn more_streams_than_there_are_permits_are_refused() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let app = service.app();
    let all = u32::try_from(app.event_streams.available_permits()).unwrap();
    let taken = app.event_streams.acquire_many(all - 1).await.unwrap();
    let last = staff.get(STREAM).stream().await;
    staff.get(STREAM).await.status(503).problem("overloaded");
    drop(last);
    staff.get(STREAM).await.ok();
    drop(taken);
}

#[tokio::test]
async fn an_idle_stream_has_a_comment_every_fifteen_seconds() {
    let service = Service::start().await;
    let mut stream = service.staff().await.get(STREAM).stream().await;
    // From here on, time passes as soon as there is nothing else to do.
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    for passed in [15.0, 30.0, 45.0] {
        assert_eq!(stream.next().await.unwrap(), ": still here");
        let elapsed = begun.elapsed().as_secs_f64();
        assert!((passed - 1.0..=passed + 0.1).contains(&elapsed), "{elapsed}");
    }
}

#[tokio::test]
async fn many_events_are_streamed_without_a_gap() {
    let service = Service::start().await;
    let staff = service.staff().await;
    for _ in 0..150 {
        order(&staff).await;
    }
    let mut streams = vec![];
    for after in [0, 60, 149] {
        streams.push((after, staff.get(&format!("{STREAM}?after={after}")).stream().await));
    }
    order(&staff).await;
    for (after, mut stream) in streams {
        for seq in after + 1..=151 {
            assert_eq!(stream.event().await.0, seq);
        }
    }
}
