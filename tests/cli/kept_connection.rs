//! A connection to the server that is kept open for several requests.

use crate::server::Server;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};
use tokio::net::TcpSocket;

pub struct KeptConnection(BufReader<TcpStream>);

impl KeptConnection {
    pub fn to(server: &Server) -> Self {
        Self::over(TcpStream::connect(&server.address).unwrap())
    }

    /// Connects from this local address; Linux owns all of 127.0.0.0/8.
    pub fn from(address: &str, server: &Server) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let stream = runtime.block_on(async {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
            socket.connect(server.address.parse().unwrap()).await.unwrap().into_std().unwrap()
        });
        stream.set_nonblocking(false).unwrap();
        Self::over(stream)
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // Each `send` is a packet of its own.
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    pub fn send(&mut self, text: &str) {
        self.try_send(text).unwrap();
    }

    /// Sends, where the server may have closed the connection already.
    pub fn try_send(&mut self, text: &str) -> std::io::Result<()> {
        self.0.get_mut().write_all(text.as_bytes())
    }

    pub fn finish_sending(&self) {
        self.0.get_ref().shutdown(Shutdown::Write).unwrap();
    }

    /// The head and the body of the next response; `None` if the connection is closed.
    pub fn response(&mut self) -> Option<(String, String)> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        if head.contains("\r\ntransfer-encoding: chunked\r\n") {
            let mut body = String::new();
            while let Some(chunk) = self.chunk() {
                body += &chunk;
            }
            return Some((head, body));
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        Some((head, String::from_utf8(body).unwrap()))
    }

    /// The next chunk of a chunked body; `None` after the last one.
    fn chunk(&mut self) -> Option<String> {
        let mut size = String::new();
        self.0.read_line(&mut size).unwrap();
        let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        self.0.read_exact(&mut chunk).unwrap();
        chunk.truncate(size);
        (size > 0).then(|| String::from_utf8(chunk).unwrap())
    }

    pub fn get(&mut self, path: &str) -> Option<(String, String)> {
        self.try_send(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).ok()?;
        self.response()
    }

    pub fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0) | Err(_))
    }
}
