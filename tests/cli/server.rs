//! A running `orderd serve`, and a small client of it over real sockets.

use crate::support::Workplace;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

/// The environment that makes the first administrator.
pub const ADMIN: [(&str, &str); 2] =
    [("ORDERD_ADMIN_EMAIL", "admin@example.com"), ("ORDERD_ADMIN_PASSWORD", "a canary of a long phrase")];

/// A server on a free port. It is killed when it is dropped.
pub struct Server {
    process: Child,
    output: BufReader<ChildStdout>,
    /// Where it listens, as it says.
    pub address: String,
    /// Whether it says that it speaks TLS.
    pub secure: bool,
    /// The file that its log goes to.
    log: std::path::PathBuf,
}

impl Server {
    /// Starts one in `place` with these variables and further arguments, and waits until it listens.
    pub fn start(place: &Workplace, variables: &[(&str, &str)], arguments: &str) -> Self {
        let log = place.path().join("log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_orderd"));
        command.current_dir(place.path()).env_clear().envs(variables.iter().copied());
        command.args("serve --db orders.db --listen 127.0.0.1:0 --set limits.requests_per_minute=0".split(' '));
        command.args(arguments.split_whitespace());
        command.stdout(Stdio::piped()).stderr(File::options().create(true).append(true).open(&log).unwrap());
        let mut process = command.spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut server = Self { process, output, address: String::new(), secure: false, log };
        let first = server.line();
        let url = first.strip_prefix("listening on ").and_then(|url| url.split_once("://"));
        let (scheme, address) = url.unwrap_or_else(|| panic!("{first:?}: {}", server.log()));
        (server.address, server.secure) = (address.to_owned(), scheme == "https");
        server
    }

    /// The next line of its standard output.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Tells it to stop, waits until it has, and gives its exit code and what else it has printed.
    pub fn stop(mut self) -> (Option<i32>, String) {
        self.signal(Signal::TERM);
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        (self.process.wait().unwrap().code(), rest)
    }

    /// Somebody without credentials.
    pub fn client(&self) -> Client {
        Client { address: self.address.clone(), token: None }
    }

    /// The administrator of [`ADMIN`].
    pub fn admin(&self) -> Client {
        let body = json!({"email": ADMIN[0].1, "password": ADMIN[1].1});
        let session = self.client().send("POST /v1/auth/login", &[], &body).unwrap();
        assert_eq!(session.status, 200, "{session:?}");
        Client { token: Some(session.body["access_token"].as_str().unwrap().to_owned()), ..self.client() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The JSON document.
    pub body: Value,
}

/// Sends requests, each over a connection of its own.
#[derive(Clone)]
pub struct Client {
    address: String,
    /// The access token that it shows.
    pub token: Option<String>,
}

impl Client {
    /// `GET` of this path.
    pub fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), &[], &Value::Null).unwrap()
    }

    /// Sends a request such as `POST /v1/orders`; none if the connection broke before the whole answer was there.
    pub fn send(&self, request: &str, headers: &[(&str, &str)], body: &Value) -> Option<Answer> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut text =
            format!("{request} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let own = [("Content-Type", Some("application/json")), ("Authorization", bearer.as_deref())];
        let own = own.into_iter().filter_map(|(name, value)| Some((name, value?)));
        for (name, value) in headers.iter().copied().chain(own) {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        stream.write_all((text + "\r\n" + &body).as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length: usize = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())?;
        (body.len() == length).then(|| Answer { status, body: serde_json::from_str(body).unwrap_or_default() })
    }
}
