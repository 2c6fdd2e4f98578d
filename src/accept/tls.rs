//! TLS from two PEM files, which can be read anew while connections go on. HTTP/1.1 only is spoken inside: what one
//! connection may do at once stays one request.

use std::{
    fs, io,
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

/// The permission of anybody to read, write or run a file.
const ANYBODY: u32 = 0o007;

/// The certificate that the server shows, and the files that it comes from.
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    current: RwLock<TlsAcceptor>,
}

impl Certificate {
    /// Reads both files.
    ///
    /// # Errors
    /// A line that names the file and what is wrong with it.
    pub fn read(chain: &Path, key: &Path) -> Result<Self, String> {
        let current = RwLock::new(acceptor(chain, key)?);
        Ok(Self { chain: chain.to_owned(), key: key.to_owned(), current })
    }

    /// Reads both files anew, for the connections to come.
    ///
    /// # Errors
    /// A line that names the file and what is wrong with it; what was good stays.
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
    let named = |path: &Path, what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    let certificates = fs::read(chain).map_err(|e| named(chain, &e))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificates).collect();
    let certificates = certificates.map_err(|e| named(chain, &e))?;
    if certificates.is_empty() {
        return Err(named(chain, &"has no certificate in PEM form"));
    }
    let mode = fs::metadata(key).map_err(|e| named(key, &e))?.permissions().mode();
    if mode & ANYBODY != 0 {
        return Err(named(key, &format!("anybody may read or change this key (mode {:o}); chmod o= it", mode & 0o777)));
    }
    let private = fs::read(key).map_err(|e| named(key, &e))?;
    let private = PrivateKeyDer::from_pem_slice(&private).map_err(|e| named(key, &e))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|versions| versions.with_no_client_auth().with_single_cert(certificates, private))
        .map_err(|e| named(chain, &format!("with {}: {e}", key.display())))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
