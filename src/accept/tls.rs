//! TLS with a certificate from two PEM files, which can be reloaded without closing connections. Only HTTP/1.1 is
//! offered inside, so that a connection has one request at a time.

mod validity;

use crate::domain::time::Timestamp;
use std::{
    fmt, fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        Error as TlsError, ServerConfig,
        crypto::ring,
        pki_types::{
            CertificateDer, PrivateKeyDer,
            pem::{Error as PemError, PemObject},
        },
    },
    server::TlsStream,
};

/// Mode bits that let every user of the machine read, write or execute a file.
const OTHERS: u32 = 0o007;

/// Marks a private key in PEM form that only a passphrase opens.
const ENCRYPTED: &[u8] = b"ENCRYPTED";

/// The server's certificate with the files that it is read from.
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    current: RwLock<TlsAcceptor>,
    /// Until when it is valid, in milliseconds since 1970; 0 if that cannot be read.
    end: Arc<AtomicI64>,
}

impl Certificate {
    /// Reads both files.
    ///
    /// # Errors
    /// One line that names the file and the fault.
    pub fn read(chain: &Path, key: &Path) -> Result<Self, String> {
        let (current, end) = acceptor(chain, key)?;
        let (current, end) = (RwLock::new(current), Arc::new(AtomicI64::new(end)));
        Ok(Self { chain: chain.to_owned(), key: key.to_owned(), current, end })
    }

    /// Reads both files again, for later connections.
    ///
    /// # Errors
    /// One line that names the file and the fault; the previous certificate stays in use.
    pub fn reload(&self) -> Result<(), String> {
        let (fresh, end) = acceptor(&self.chain, &self.key)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        self.end.store(end, Relaxed);
        Ok(())
    }

    /// Until when it is valid.
    pub fn end(&self) -> Option<Timestamp> {
        let end = self.end.load(Relaxed);
        (end > 0).then(|| Timestamp::from_millis(end))
    }

    /// The same, for the metrics, which follow each reload.
    pub(super) fn shared_end(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.end)
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        acceptor.accept(stream).await
    }
}

/// What accepts connections with this certificate, and until when it is valid.
fn acceptor(chain: &Path, key: &Path) -> Result<(TlsAcceptor, i64), String> {
    let fault = |path: &Path, reason: &dyn fmt::Display| format!("{}: {reason}", path.display());
    let certificates = fs::read(chain).map_err(|e| fault(chain, &e))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificates).collect();
    let certificates = certificates.map_err(|e| fault(chain, &pem_fault(&e)))?;
    if certificates.is_empty() {
        let reason = "has no certificate in PEM form; it must have lines such as -----BEGIN CERTIFICATE-----, first the \
                      certificate of the server and then those of its issuers";
        return Err(fault(chain, &reason));
    }
    let end = certificates.first().and_then(|certificate| validity::end(certificate)).map_or(0, Timestamp::millis);
    let mode = fs::metadata(key).map_err(|e| fault(key, &e))?.permissions().mode();
    if mode & OTHERS != 0 {
        let reason = format!("every user may read or change this key (mode {:o}); run chmod o= on it", mode & 0o777);
        return Err(fault(key, &reason));
    }
    let private = fs::read(key).map_err(|e| fault(key, &e))?;
    if private.windows(ENCRYPTED.len()).any(|part| part == ENCRYPTED) {
        let reason = "the key is encrypted with a passphrase; write it without one: openssl pkey -in KEY -out NEW_KEY";
        return Err(fault(key, &reason));
    }
    let private = PrivateKeyDer::from_pem_slice(&private).map_err(|e| fault(key, &pem_fault(&e)))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|versions| versions.with_no_client_auth().with_single_cert(certificates, private))
        .map_err(|e| fault(chain, &format!("with {}: {}", key.display(), pair_fault(&e))))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((TlsAcceptor::from(Arc::new(config)), end))
}

/// What is wrong with a file in PEM form, and what it must have.
fn pem_fault(e: &PemError) -> String {
    match e {
        PemError::NoItemsFound => {
            "has no private key in PEM form; it must have a line such as -----BEGIN PRIVATE KEY-----".to_owned()
        }
        PemError::MissingSectionEnd { .. } => "is cut off: the last section has no line -----END …-----".to_owned(),
        PemError::IllegalSectionStart { .. } => "has a malformed line -----BEGIN …-----".to_owned(),
        PemError::Base64Decode(_) => "is damaged: a section is not base64".to_owned(),
        e => e.to_string(),
    }
}

/// Why a certificate and a key do not make a pair.
fn pair_fault(e: &TlsError) -> String {
    match e {
        TlsError::InconsistentKeys(_) => {
            "the private key does not belong to this certificate; the server's own certificate must come first"
                .to_owned()
        }
        e => e.to_string(),
    }
}
