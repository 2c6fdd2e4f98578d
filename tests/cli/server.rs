//! A running `orderd serve`, and a small client of it over real sockets.

use crate::support::{Workplace, bare};
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
        let started = Self::try_start(place, "", variables, &format!("--db orders.db {arguments}"));
        started.unwrap_or_else(|(code, log)| panic!("it ended with {code:?}: {log}"))
    }

    /// Starts one under another program, such as `prlimit --nofile=100`, which becomes it; its exit code and its log if it
    /// ends before it listens.
    pub fn try_start(
        place: &Workplace,
        under: &str,
        variables: &[(&str, &str)],
        arguments: &str,
    ) -> Result<Self, (Option<i32>, String)> {
        let log = place.path().join("log");
        let words: Vec<_> = under.split_whitespace().chain([env!("CARGO_BIN_EXE_orderd")]).collect();
        let mut command = Command::new(words[0]);
        bare(&mut command).args(&words[1..]).current_dir(place.path()).envs(variables.iter().copied());
        command.args("serve --listen 127.0.0.1:0 --set limits.requests_per_minute=0".split(' '));
        command.args(arguments.split_whitespace());
        command.stdout(Stdio::piped()).stderr(File::options().create(true).append(true).open(&log).unwrap());
        let mut process = command.spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut server = Self { process, output, address: String::new(), secure: false, log };
        let first = server.line();
        match first.strip_prefix("listening on ").and_then(|url| url.split_once("://")) {
            Some((scheme, address)) => {
                (server.address, server.secure) = (address.to_owned(), scheme == "https");
                Ok(server)
            }
            None => Err((server.wait(), server.log())),
        }
    }

    /// Waits until it ends by itself and gives its exit code; none if a signal ended it.
    pub fn wait(&mut self) -> Option<i32> {
        self.process.wait().unwrap().code()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
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

    /// Ends it at once.
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
        // It may have ended already.
        let _ = kill_process(self.pid(), Signal::TERM);
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
        self.try_admin().unwrap_or_else(|| panic!("cannot log in: {}", self.log()))
    }

    /// The administrator of [`ADMIN`], if it is possible to log in.
    pub fn try_admin(&self) -> Option<Client> {
        self.log_in(ADMIN[0].1, ADMIN[1].1)
    }

    /// Somebody with an e-mail address and a password, if it is possible to log in.
    pub fn log_in(&self, email: &str, password: &str) -> Option<Client> {
        let body = json!({"email": email, "password": password});
        let session = self.client().send("POST /v1/auth/login", &[], &body)?;
        let token = session.body["access_token"].as_str()?.to_owned();
        Some(Client { token: Some(token), ..self.client() })
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
    /// The lines before the document.
    head: String,
    /// The JSON document.
    pub body: Value,
}

impl Answer {
    /// The value of a header, whose name is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
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

    /// The body of `GET` of this path, which is text.
    pub fn text(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// Sends a request such as `POST /v1/orders`; none if the connection broke before the whole answer was there.
    pub fn send(&self, request: &str, headers: &[(&str, &str)], body: &Value) -> Option<Answer> {
        let headers: Vec<_> = headers.iter().copied().chain([("Content-Type", "application/json")]).collect();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut answer = String::new();
        self.open(request, &headers, &body)?.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length: usize = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())?;
        let body = (body.len() == length).then(|| serde_json::from_str(body).unwrap_or_default())?;
        Some(Answer { status, head: head.to_owned(), body })
    }

    /// Sends a request and leaves its answer to be read.
    pub fn open(&self, request: &str, headers: &[(&str, &str)], body: &str) -> Option<TcpStream> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut text =
            format!("{request} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let bearer = bearer.as_deref().map(|bearer| ("Authorization", bearer));
        for (name, value) in headers.iter().copied().chain(bearer) {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        stream.write_all((text + "\r\n" + body).as_bytes()).ok()?;
        Some(stream)
    }
}
