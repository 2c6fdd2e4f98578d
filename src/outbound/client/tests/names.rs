//! Hosts that lead inside, by each of their spellings and by names: none reaches a server on this machine.

use super::*;
use crate::domain::url::UrlFault;
use std::{
    io,
    net::IpAddr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Public by its form, and assigned to nobody (RFC 3701), so no connection to it succeeds.
const PUBLIC: &str = "3ffe::1";

/// A resolver that gives its first look-up the first answer, and so on, and the number of look-ups. The last answer is
/// repeated.
fn answering(answers: &'static [&'static [&'static str]]) -> (Resolver, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let resolver = Resolver::from_fn(move |_| {
        let index = counted.fetch_add(1, Relaxed).min(answers.len() - 1);
        answers[index].iter().map(|text| text.parse::<IpAddr>().map_err(io::Error::other)).collect()
    });
    (resolver, count)
}

fn public() -> Client {
    Client::new(Addresses::Public)
}

#[tokio::test]
async fn an_inside_address_is_refused_in_every_spelling() {
    let server = Server::answering(OK).await;
    for host in [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::FFFF:7F00:1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[2001::7f00:1]",
        "[fd00::1]",
        "[fe80::1]",
        "[ff02::1]",
        "localhost",
        "LOCALHOST",
    ] {
        for scheme in ["http", "https"] {
            let failed = public().get(&server.url(scheme, host), &[], LIMITS).await.unwrap_err();
            assert!(matches!(failed, OutboundError::RefusedAddress(_)), "{host}: {failed}");
        }
    }
    assert!(server.requests().is_empty());
}

#[test]
fn spellings_that_only_some_programs_read_are_no_hosts() {
    for host in [
        "2130706433",                     // decimal
        "0x7f000001",                     // hexadecimal
        "0x7f.0.0.1",                     // hexadecimal parts
        "017700000001",                   // octal
        "0177.0.0.1",                     // octal parts
        "127.1",                          // short
        "127.0.0.1.",                     // with the dot of the root
        "localhost.",                     // the same
        "127。0。0。1",                   // ideographic full stops
        "127\u{ff0e}0\u{ff0e}0\u{ff0e}1", // wide full stops
        "①②⑦.0.0.1",                      // digits that IDNA maps to others
        "loc𝐚lhost",                      // a letter that it maps to another
        "127.0.0.1%00.a",                 // a name after a NUL
        "[::1%25lo]",                     // a zone
        "[127.0.0.1]",                    // IPv4 in brackets
        "a@127.0.0.1",                    // a user before it
        "127.0.0.1\\.a",                  // a backslash, which browsers read as a slash
        " 127.0.0.1",                     // a space
    ] {
        let fault = Url::parse(&format!("http://{host}/")).unwrap_err();
        assert!(matches!(fault, UrlFault::Host | UrlFault::UserInformation | UrlFault::Target), "{host}: {fault}");
    }
}

#[tokio::test]
async fn a_name_for_an_inside_address_is_refused() {
    let server = Server::answering(OK).await;
    for address in [
        "127.0.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.168.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "fd00::1",
        "fe80::1",
    ] {
        let resolver = Resolver::from_fn(move |_| Ok(vec![address.parse().unwrap()]));
        let client = public().resolving_by(resolver);
        let failed = client.get(&server.url("http", "public.example"), &[], LIMITS).await.unwrap_err();
        assert!(matches!(failed, OutboundError::RefusedAddress(_)), "{address}: {failed}");
    }
    assert!(server.requests().is_empty());
    let (resolver, _) = answering(&[&["127.0.0.1"]]);
    let reached = any().resolving_by(resolver).get(&server.url("http", "public.example"), &[], LIMITS).await;
    assert_eq!(reached.unwrap().status, 200, "the name leads to the server where private addresses are allowed");
}

#[tokio::test]
async fn a_name_that_turns_inside_is_looked_up_once_and_never_followed() {
    let server = Server::answering(OK).await;
    let (resolver, look_ups) = answering(&[&[PUBLIC], &["127.0.0.1"]]);
    let client = public().resolving_by(resolver);
    let (url, limits) = (server.url("http", "public.example"), Limits { time: Duration::from_millis(300), ..LIMITS });
    let failed = client.get(&url, &[], limits).await.unwrap_err();
    assert!(matches!(failed, OutboundError::Connect(..) | OutboundError::Timeout), "{failed}");
    assert_eq!(look_ups.load(Relaxed), 1, "the address that was checked is the one that is connected to");
    let failed = client.get(&url, &[], limits).await.unwrap_err();
    assert!(matches!(failed, OutboundError::RefusedAddress(_)), "{failed}");
    assert_eq!(look_ups.load(Relaxed), 2, "each exchange looks the name up again");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_name_with_a_public_and_an_inside_address_is_refused() {
    const BOTH: [&[&[&str]]; 3] =
        [&[&[PUBLIC, "127.0.0.1"]], &[&["127.0.0.1", PUBLIC]], &[&[PUBLIC, PUBLIC, PUBLIC, PUBLIC, "::1"]]];
    let server = Server::answering(OK).await;
    for answers in BOTH {
        let (resolver, _) = answering(answers);
        let client = public().resolving_by(resolver);
        let failed = client.get(&server.url("http", "public.example"), &[], LIMITS).await.unwrap_err();
        assert!(matches!(failed, OutboundError::RefusedAddress(_)), "{answers:?}: {failed}");
    }
    assert!(server.requests().is_empty());
}
