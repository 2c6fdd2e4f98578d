//! TLS with a certificate from two PEM files, which can be reloaded without closing connections. Only HTTP/1.1 is
//! offered inside, so that a connection has one request at a time.

use std::{
    fmt, fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
    server::TlsStream,
};

/// Mode bits that let every user of the machine read, write or execute a file.
const OTHERS: u32 = 0o007;

/// The server's certificate with the files that it is read from.
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    current: RwLock<TlsAcceptor>,
}

impl Certificate {
    /// Reads both files.
    ///
    /// # Errors
    /// One line that names the file and the fault.
    pub fn read(chain: &Path, key: &Path) -> Result<Self, String> {
        let current = RwLock::new(acceptor(chain, key)?);
        Ok(Self { chain: chain.to_owned(), key: key.to_owned(), current })
    }

    /// Reads both files again, for later connections.
    ///
    /// # Errors
    /// One line that names the file and the fault; the previous certificate stays in use.
    pub fn reload(&self) -> Result<(), String> {
        let fresh = acceptor(&self.chain, &self.key)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        acceptor.accept(stream).await
    }
}

fn acceptor(chain: &Path, key: &Path) -> Result<TlsAcceptor, String> {
    let fault = |path: &Path, reason: &dyn fmt::Display| format!("{}: {reason}", path.display());
    let certificates = fs::read(chain).map_err(|e| fault(chain, &e))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificates).collect();
    let certificates = certificates.map_err(|e| fault(chain, &e))?;
    if certificates.is_empty() {
        return Err(fault(chain, &"has no certificate in PEM form"));
    }
    let mode = fs::metadata(key).map_err(|e| fault(key, &e))?.permissions().mode();
    if mode & OTHERS != 0 {
        let reason = format!("every user may read or change this key (mode {:o}); run chmod o= on it", mode & 0o777);
        return Err(fault(key, &reason));
    }
    let private = fs::read(key).map_err(|e| fault(key, &e))?;
    let private = PrivateKeyDer::from_pem_slice(&private).map_err(|e| fault(key, &e))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|versions| versions.with_no_client_auth().with_single_cert(certificates, private))
        .map_err(|e| fault(chain, &format!("with {}: {e}", key.display())))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
