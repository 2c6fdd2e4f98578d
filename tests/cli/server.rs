//! A running `orderd serve`, and a small HTTP client for it.

use crate::support::{TestDir, bare};
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

/// The environment variables that create the first administrator.
pub const ADMIN: [(&str, &str); 2] =
    [("ORDERD_ADMIN_EMAIL", "admin@example.com"), ("ORDERD_ADMIN_PASSWORD", "a canary of a long phrase")];

/// A server on a free port. Dropping it kills the process.
pub struct Server {
    process: Child,
    output: BufReader<ChildStdout>,
    /// The address and port that it printed, or the path of its socket.
    pub address: String,
    /// Whether it serves HTTPS.
    pub secure: bool,
    log: std::path::PathBuf,
}

impl Server {
    /// Starts a server on `orders.db` in `dir`, and waits until it listens.
    pub fn start(dir: &TestDir, variables: &[(&str, &str)], arguments: &str) -> Self {
        let started = Self::try_start(dir, "", variables, &format!("--db orders.db {arguments}"));
        started.unwrap_or_else(|(code, log)| panic!("the server exited with {code:?}: {log}"))
    }

    /// Starts a server through a wrapper such as `prlimit --nofile=100` that execs it. If the server exits before it
    /// listens, the error is its exit code and its log.
    pub fn try_start(
        dir: &TestDir,
        wrapper: &str,
        variables: &[(&str, &str)],
        arguments: &str,
    ) -> Result<Self, (Option<i32>, String)> {
        let log = dir.path().join("log");
        let words: Vec<_> = wrapper.split_whitespace().chain([env!("CARGO_BIN_EXE_orderd")]).collect();
        let mut command = Command::new(words[0]);
        bare(&mut command).args(&words[1..]).current_dir(dir.path()).envs(variables.iter().copied());
        command.args("serve --listen 127.0.0.1:0 --set limits.requests_per_minute=0".split(' '));
        command.args(arguments.split_whitespace());
        command.stdout(Stdio::piped()).stderr(File::options().create(true).append(true).open(&log).unwrap());
        let mut process = command.spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut server = Self { process, output, address: String::new(), secure: false, log };
        let first = server.line();
        match first.strip_prefix("listening on ").and_then(|url| url.split_once(':')) {
            Some((scheme, address)) => {
                (server.address, server.secure) = (address.trim_start_matches('/').to_owned(), scheme == "https");
                Ok(server)
            }
            None => Err((server.wait(), server.log())),
        }
    }

    /// Waits until the server exits by itself. Returns its exit code, or `None` if a signal killed it.
    pub fn wait(&mut self) -> Option<i32> {
        self.process.wait().unwrap().code()
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Reads the next line of standard output.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Sends SIGKILL.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Sends SIGTERM and waits. Returns the exit code and the rest of standard output.
    pub fn stop(mut self) -> (Option<i32>, String) {
        // The process may have exited already.
        let _ = kill_process(self.pid(), Signal::TERM);
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        (self.process.wait().unwrap().code(), rest)
    }

    /// A client without credentials.
    pub fn client(&self) -> Client {
        Client { address: self.address.clone(), token: None }
    }

    /// Logs in as [`ADMIN`].
    pub fn admin(&self) -> Client {
        self.try_admin().unwrap_or_else(|| panic!("cannot log in: {}", self.log()))
    }

    /// Logs in as [`ADMIN`]; `None` if that fails.
    pub fn try_admin(&self) -> Option<Client> {
        self.log_in(ADMIN[0].1, ADMIN[1].1)
    }

    /// Logs in; `None` if that fails.
    pub fn log_in(&self, email: &str, password: &str) -> Option<Client> {
        let body = json!({"email": email, "password": password});
        let session = self.client().send("POST /v1/auth/login", &[], &body)?;
        let token = session.body["access_token"].as_str()?.to_owned();
        Some(Client { token: Some(token), ..self.client() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process may have exited already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A response with a JSON body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Value,
}

impl Answer {
    /// The value of the header with this lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// A client that opens a connection for each request.
#[derive(Clone)]
pub struct Client {
    address: String,
    /// The access token or API key to send.
    pub token: Option<String>,
}

impl Client {
    pub fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), &[], &Value::Null).unwrap()
    }

    /// Returns the body of `GET path` as text.
    pub fn text(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// Sends a request such as `POST /v1/orders`. Returns `None` if the connection broke before the whole response
    /// arrived.
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

    /// Sends a request and returns the stream to read the response from.
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
