//! Requests through a real proxy on this machine.

use super::*;
use crate::config::{Flag, Sources, load};
use tokio::{io::copy_bidirectional, net::TcpStream};

/// A proxy that connects to one port, whatever it is asked for, or answers as it is told.
struct Proxy {
    port: u16,
    /// The first lines of what it was asked.
    asked: Arc<Mutex<Vec<String>>>,
    _task: JoinSet<()>,
}

impl Proxy {
    async fn to(port: u16) -> Self {
        Self::start(port, "HTTP/1.1 200 Connected\r\n\r\n").await
    }

    async fn start(to: u16, answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(vec![]));
        let seen = Arc::clone(&asked);
        let mut task = JoinSet::new();
        task.spawn(async move {
            loop {
                let mut stream = listener.accept().await.unwrap().0;
                let mut head = vec![];
                while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.unwrap_or(0) > 0 {}
                let head = String::from_utf8(head).unwrap();
                let is_connect = head.starts_with("CONNECT ");
                seen.lock().unwrap().push(head);
                stream.write_all(answer.as_bytes()).await.unwrap();
                if is_connect && answer.contains("200") {
                    let mut host = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                    let _ = copy_bidirectional(&mut stream, &mut host).await;
                }
            }
        });
        Self { port, asked, _task: task }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// What a configuration gives where the environment names this proxy.
    fn configured(&self, uses: &'static str) -> Proxies {
        let environment = vec![
            ("HTTPS_PROXY".to_owned(), format!("http://127.0.0.1:{}", self.port)),
            ("HTTP_PROXY".to_owned(), format!("http://ada:a%20b@127.0.0.1:{}", self.port)),
            ("NO_PROXY".to_owned(), "direct.example".to_owned()),
        ];
        let flags = vec![Flag::new("--set", "outbound.proxy_from_environment", uses)];
        load(Sources { file: None, environment, flags }).unwrap().proxies
    }
}

/// A client that finds every name at this address.
fn at(client: Client, address: &'static str) -> Client {
    client.resolving_by(Resolver::from_fn(move |_| Ok(vec![address.parse().unwrap()])))
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_used_only_if_it_is_configured() {
    let server = Server::with_tls(OK).await;
    let proxy = Proxy::to(server.port).await;
    for (uses, expected) in [("false", 0), ("true", 1)] {
        let client = at(trusting(FIRST.0), "127.0.0.1").through(proxy.configured(uses));
        let response = client.get(&server.url("https", "first.example"), &[], LIMITS).await.unwrap();
        assert_eq!((response.status, proxy.asked().len()), (200, expected));
    }
    let client = at(trusting(FIRST.0), "127.0.0.1").through(proxy.configured("true"));
    let failed = client.get(&server.url("https", "direct.example"), &[], LIMITS).await.unwrap_err();
    assert!(matches!(failed, OutboundError::Tls(_)), "{failed}");
    assert_eq!(client.get(&server.url("https", "localhost"), &[], LIMITS).await.unwrap().status, 200);
    assert_eq!(proxy.asked().len(), 1, "exceptions are reached without it");
}

#[tokio::test]
async fn a_proxy_is_given_the_name_where_all_addresses_are_allowed() {
    let server = Server::with_tls(OK).await;
    let proxy = Proxy::to(server.port).await;
    let client = trusting(FIRST.0).through(proxy.configured("true"));
    let response = client.get(&server.url("https", "first.example"), &[], LIMITS).await.unwrap();
    assert_eq!(response.body, b"ok");
    let [asked] = proxy.asked().try_into().unwrap();
    let target = format!("first.example:{}", server.port);
    assert!(asked.starts_with(&format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n")), "{asked}");
    assert!(!asked.to_lowercase().contains("authorization"), "{asked}");
    assert_eq!(server.requests()[0], "first.example", "the certificate has to be the host's, not the proxy's");
}

#[tokio::test]
async fn a_proxy_is_given_a_checked_address_where_private_ones_are_refused() {
    let server = Server::with_tls(OK).await;
    let proxy = Proxy::to(server.port).await;
    let url = server.url("https", "first.example");
    let roots = vec![CertificateDer::from_pem_slice(FIRST.0.as_bytes()).unwrap()];
    let public = || Client::trusting(Tls::trusting(roots.clone()), Addresses::Public).through(proxy.configured("true"));
    assert_eq!(at(public(), "3ffe::1").get(&url, &[], LIMITS).await.unwrap().status, 200);
    assert!(proxy.asked()[0].starts_with(&format!("CONNECT [3ffe::1]:{} ", server.port)), "{:?}", proxy.asked());
    for address in ["127.0.0.1", "10.0.0.1", "::1"] {
        let failed = at(public(), address).get(&url, &[], LIMITS).await.unwrap_err();
        assert!(matches!(failed, OutboundError::RefusedAddress(_)), "{address}: {failed}");
    }
    let failed = public().get(&server.url("http", "10.0.0.1"), &[], LIMITS).await.unwrap_err();
    assert!(matches!(failed, OutboundError::RefusedAddress(_)), "{failed}");
    assert_eq!(proxy.asked().len(), 1);
}

#[tokio::test]
async fn plain_http_is_forwarded_by_the_proxy() {
    let proxy = Proxy::start(0, OK).await;
    let client = any().through(proxy.configured("true"));
    let url = Url::parse("http://hooks.example:81/path?query").unwrap();
    assert_eq!(client.post(&url, &[("x-a", "b")], b"hi".to_vec(), LIMITS).await.unwrap().body, b"ok");
    let [asked] = proxy.asked().try_into().unwrap();
    assert!(asked.starts_with("POST http://hooks.example:81/path?query HTTP/1.1\r\n"), "{asked}");
    for line in ["host: hooks.example:81", "x-a: b", "proxy-authorization: Basic YWRhOmEgYg=="] {
        assert!(asked.contains(&format!("{line}\r\n")), "{line}: {asked}");
    }
}

#[tokio::test]
async fn a_proxy_that_does_not_connect_is_the_reason() {
    let server = Server::with_tls(OK).await;
    let url = server.url("https", "first.example");
    for (answer, reason) in [
        ("HTTP/1.1 407 Who?\r\nContent-Length: 0\r\n\r\n", "the proxy: it answered 407"),
        ("HTTP/1.1 302 There\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "the proxy: it answered 302"),
        ("SSH-2.0-OpenSSH\r\n\r\n", "the proxy: "),
    ] {
        let proxy = Proxy::start(server.port, answer).await;
        let failed = trusting(FIRST.0).through(proxy.configured("true")).get(&url, &[], LIMITS).await.unwrap_err();
        assert!(failed.to_string().starts_with(reason), "{failed}");
    }
    assert!(server.requests().is_empty());
    let away = Proxy::to(server.port).await.configured("true");
    let failed = trusting(FIRST.0).through(away).get(&url, &[], LIMITS).await.unwrap_err();
    assert!(matches!(failed, OutboundError::Proxy(_)), "{failed}");
}
