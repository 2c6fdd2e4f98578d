//! Where connections come from: a TCP port, or a Unix socket for a proxy on the same machine.

use crate::config::Listen;
use std::{
    fs::{self, Permissions},
    io::{self, ErrorKind},
    net::{Ipv4Addr, SocketAddr},
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::UnixStream as BlockingStream,
    },
    path::{Path, PathBuf},
};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};

/// Connections that the system queues until they are accepted.
const BACKLOG: u32 = 4096;
/// Bytes of responses that the system buffers for each client. A larger buffer would let slow readers use up memory.
const SEND_BUFFER: u32 = 128 * 1024;
/// The owner and the group may connect: the proxy joins the group of the server.
const SOCKET_MODE: u32 = 0o660;
/// What the clients of a Unix socket count as, since they have no address.
const SOCKET_PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Accepts connections.
pub enum Listener {
    /// On an IP address and a port.
    Tcp(TcpListener),
    /// On a Unix socket.
    Unix(UnixListener, SocketFile),
}

/// A connection that has just been accepted.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The file of a Unix socket. It is removed when this is dropped.
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // If this fails, the next server finds that nobody listens there any more.
        let _ = fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Listens at this place. The file of a socket at which nobody listens any more is replaced.
    pub fn at(place: &Listen) -> io::Result<Self> {
        match place {
            Listen::Address(address) => tcp(*address).map(Self::Tcp),
            Listen::Socket(path) => unix(path),
        }
    }

    /// Where it listens: with port 0 the port that the system has chosen.
    pub fn place(&self) -> io::Result<Listen> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Listen::Address),
            Self::Unix(_, file) => Ok(Listen::Socket(file.0.clone())),
        }
    }

    /// The next connection, and the address that it counts as.
    pub(super) async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        match self {
            Self::Tcp(listener) => listener.accept().await.map(|(stream, peer)| (Stream::Tcp(stream), peer)),
            Self::Unix(listener, _) => listener.accept().await.map(|(stream, _)| (Stream::Unix(stream), SOCKET_PEER)),
        }
    }
}

fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit it.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn unix(path: &Path) -> io::Result<Listener> {
    remove_stale(path)?;
    let listener = UnixListener::bind(path)?;
    let file = SocketFile(path.to_owned());
    fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE))?;
    Ok(Listener::Unix(listener, file))
}

/// Removes a socket that a killed server has left. One at which somebody listens stays, and so does any other file.
fn remove_stale(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "there is a file that is no socket"));
        }
        Ok(_) => {}
    }
    match BlockingStream::connect(path) {
        Err(e) if e.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(e) => Err(e),
        Ok(_) => Err(ErrorKind::AddrInUse.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_for_owner_and_group_and_goes_with_its_listener() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("http.sock");
        let place = Listen::Socket(path.clone());
        let first = Listener::at(&place).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, SOCKET_MODE);
        assert_eq!(first.place().unwrap(), place);
        assert_eq!(Listener::at(&place).map(drop).unwrap_err().kind(), ErrorKind::AddrInUse);
        let client = UnixStream::connect(&path).await.unwrap();
        let (_, peer) = first.accept().await.unwrap();
        assert_eq!(peer, SOCKET_PEER);
        drop((client, first));
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_socket_that_was_left_is_replaced_and_another_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let [left, other] = ["left.sock", "notes.txt"].map(|name| folder.path().join(name));
        drop(std::os::unix::net::UnixListener::bind(&left).unwrap());
        assert!(left.exists());
        Listener::at(&Listen::Socket(left)).unwrap();
        fs::write(&other, "kept").unwrap();
        let refused = Listener::at(&Listen::Socket(other.clone())).map(drop).unwrap_err();
        assert_eq!((refused.kind(), fs::read_to_string(other).unwrap()), (ErrorKind::AlreadyExists, "kept".to_owned()));
    }
}
