//! A way to PostgreSQL on which the answer to one commit is lost.

use super::database::Database;
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{sleep, spawn},
    time::Duration,
};

/// What becomes of the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The server commits, and its answer is lost.
    Committed,
    /// The connection breaks, and what was sent arrives a second later.
    CommittedLater,
    /// The commit is lost too.
    Lost,
    /// The server commits. Its answer is lost, and after that nobody reaches it.
    CommittedAndUnreachable,
}

/// Stands before a server of PostgreSQL.
pub struct Cut {
    /// The URL of the database by this way.
    pub url: String,
    done: Arc<AtomicBool>,
}

impl Cut {
    /// Cuts the first connection that commits after a statement which begins with `statement`.
    pub fn new(database: &Database, statement: &'static str, fate: Fate) -> Self {
        let (user, place) = database.url.rsplit_once('@').unwrap();
        let (server, name) = place.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // Without TLS, which would hide the statements.
        let url = format!("{user}@{}/{name}?sslmode=disable", listener.local_addr().unwrap());
        let (server, done) = (server.to_owned(), Arc::new(AtomicBool::new(false)));
        let cut = Self { url, done: Arc::clone(&done) };
        spawn(move || {
            for client in listener.incoming() {
                if fate == Fate::CommittedAndUnreachable && done.load(Ordering::SeqCst) {
                    continue;
                }
                let way = Way { client: client.unwrap(), server: TcpStream::connect(&server).unwrap() };
                let done = Arc::clone(&done);
                spawn(move || way.serve(statement, fate, &done));
            }
        });
        cut
    }

    /// Whether a connection was cut.
    pub fn is_done(&self) -> bool {
        self.done.load(Ordering::SeqCst)
    }
}

/// One connection.
struct Way {
    client: TcpStream,
    server: TcpStream,
}

impl Way {
    fn serve(mut self, statement: &str, fate: Fate, done: &AtomicBool) {
        let (mut from, mut to) = (self.server.try_clone().unwrap(), self.client.try_clone().unwrap());
        let is_mute = Arc::new(AtomicBool::new(false));
        let mute = Arc::clone(&is_mute);
        // The end of either side ends the other one, and so does an answer that is to be lost.
        let back = spawn(move || {
            let mut chunk = [0; 16_384];
            while let Ok(count @ 1..) = from.read(&mut chunk) {
                if mute.load(Ordering::SeqCst) || to.write_all(&chunk[..count]).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Both);
        });
        let (mut chunk, mut is_marked) = ([0; 16_384], false);
        while let Ok(count @ 1..) = self.client.read(&mut chunk) {
            let sent = &chunk[..count];
            is_marked |= contains(sent, statement.as_bytes());
            let is_cut = is_marked && contains(sent, b"COMMIT\0") && !done.swap(true, Ordering::SeqCst);
            if is_cut && fate == Fate::Lost {
                break;
            }
            if is_cut && fate == Fate::CommittedLater {
                let _ = self.client.shutdown(Shutdown::Both);
                sleep(Duration::from_secs(1));
            }
            is_mute.store(is_cut, Ordering::SeqCst);
            if self.server.write_all(sent).is_err() || is_cut {
                break;
            }
        }
        if !is_mute.load(Ordering::SeqCst) {
            let _ = self.server.shutdown(Shutdown::Both);
        }
        // The server has committed when it answers.
        back.join().unwrap();
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
