//! Unit tests of [`super::Wire`] over an in-memory stream, on paused time.

use super::{Wire, deadlines::PARK_TIME};
use crate::{
    accept::connection_state::{Busy, ConnectionState},
    error::problem,
};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::Notify,
    time::{Instant, sleep, timeout},
};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// The client's end of a connection, the server's end, and its state.
fn connected() -> (DuplexStream, Wire<DuplexStream>, Arc<ConnectionState>) {
    let (client, server) = duplex(64);
    let state = Arc::new(ConnectionState::default());
    let wire = Wire::new(server, Arc::clone(&state), Arc::default());
    (client, wire, state)
}

/// The next bytes that the HTTP library gets, and after how many seconds. A parked connection is not read from.
async fn next(wire: &mut Wire<DuplexStream>) -> (Vec<u8>, u64) {
    let (begun, mut bytes) = (Instant::now(), vec![0; 1024]);
    while !wire.is_parked() || wire.wait_for_bytes().await {
        let length = wire.read(&mut bytes).await.unwrap();
        if length > 0 || !wire.is_parked() {
            return (bytes[..length].to_vec(), begun.elapsed().as_secs());
        }
    }
    (vec![], begun.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_request_is_closed() {
    let (mut client, mut wire, _) = connected();
    assert_eq!(next(&mut wire).await, (vec![], 10));
    let (mut kept, mut other, _) = connected();
    kept.write_all(REQUEST).await.unwrap();
    assert_eq!(next(&mut other).await, (REQUEST.to_vec(), 0));
    assert_eq!(next(&mut other).await, (vec![], 75));
    client.write_all(b"late").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_parked_and_goes_on_with_the_next_request() {
    let (mut client, mut wire, state) = connected();
    assert!(wire.is_parked(), "nothing has arrived yet");
    for head in [REQUEST, &REQUEST.repeat(2)] {
        client.write_all(&head[..9]).await.unwrap();
        assert!(
            timeout(Duration::from_millis(10), wire.wait_for_bytes()).await.is_err(),
            "half a head is not passed on"
        );
        client.write_all(&head[9..]).await.unwrap();
        assert!(wire.wait_for_bytes().await && !wire.is_parked());
        let mut bytes = vec![0; head.len()];
        wire.read_exact(&mut bytes).await.unwrap();
        assert_eq!(bytes, head);
        let busy = Busy::new(&state);
        assert!(timeout(5 * PARK_TIME, wire.read(&mut bytes)).await.is_err() && !wire.is_parked());
        drop(busy);
        let begun = Instant::now();
        assert_eq!((wire.read(&mut bytes).await.unwrap(), begun.elapsed().as_secs()), (0, 1));
        wire.shutdown().await.unwrap();
        assert!(wire.is_parked(), "only the HTTP library is done");
    }
    wire.close().await;
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_a_blocked_response_is_not_parked() {
    let (mut client, mut wire, _) = connected();
    client.write_all(REQUEST).await.unwrap();
    next(&mut wire).await;
    assert!(timeout(Duration::from_secs(5), wire.write_all(&[0; 1000])).await.is_err());
    assert!(timeout(Duration::from_secs(5), wire.read(&mut [0])).await.is_err());
    assert!(!wire.is_parked());
    assert!(timeout(Duration::from_mins(1), wire.write_all(&[0; 1000])).await.unwrap().is_err(), "the write fails");
}

#[tokio::test(start_paused = true)]
async fn a_head_has_one_deadline_however_slowly_it_arrives() {
    let (mut client, mut wire, state) = connected();
    client.write_all(REQUEST).await.unwrap();
    next(&mut wire).await;
    assert!(state.next_request().is_none());
    let drip = tokio::spawn(async move {
        for byte in b"GET / HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaa" {
            client.write_all(&[*byte]).await.unwrap();
            sleep(Duration::from_secs(1)).await;
        }
    });
    let (bytes, seconds) = next(&mut wire).await;
    assert!(bytes.starts_with(b"GET / HTTP/1.1\r\nhost: refused\r\n") && seconds <= 10, "{seconds}");
    assert!(state.next_request().is_some_and(|error| error.is(&problem::SLOW_HEAD)));
    assert!(timeout(Duration::from_secs(100), next(&mut wire)).await.is_err(), "nothing more is read");
    drip.abort();
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_not_idle_during_a_request_or_its_body() {
    let (mut client, mut wire, state) = connected();
    client.write_all(REQUEST).await.unwrap();
    next(&mut wire).await;
    let busy = Busy::new(&state);
    assert!(timeout(Duration::from_secs(1000), next(&mut wire)).await.is_err());
    drop(busy);
    assert_eq!(next(&mut wire).await, (vec![], 75));
    let (mut client, mut wire, _) = connected();
    client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n").await.unwrap();
    next(&mut wire).await;
    assert!(timeout(Duration::from_secs(1000), next(&mut wire)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_disconnected() {
    let (mut client, mut wire, _) = connected();
    let begun = Instant::now();
    let written = tokio::spawn(async move { wire.write_all(&[0; 1000]).await });
    for _ in 0..5 {
        sleep(Duration::from_secs(20)).await;
        client.read_exact(&mut [0; 64]).await.unwrap();
    }
    assert_eq!(written.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(begun.elapsed().as_secs(), 130);
}

#[tokio::test(start_paused = true)]
async fn the_connection_that_has_been_idle_for_longest_is_evicted() {
    let evictions = Arc::new(Notify::new());
    let idle = |order: u64| {
        let (client, server) = duplex(64);
        let mut wire = Wire::new(server, Arc::default(), Arc::clone(&evictions));
        tokio::spawn(async move {
            sleep(Duration::from_millis(order)).await;
            let left = next(&mut wire).await;
            drop(client);
            left
        })
    };
    let (second, first) = (idle(2), idle(1));
    sleep(Duration::from_secs(1)).await;
    evictions.notify_one();
    assert_eq!(first.await.unwrap(), (vec![], 0));
    sleep(Duration::from_secs(1)).await;
    assert!(!second.is_finished());
}
