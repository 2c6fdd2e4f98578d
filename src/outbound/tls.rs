//! TLS of outbound connections: TLS 1.2 and 1.3, HTTP/1.1 only inside. A certificate has to be valid for the host of
//! the URL and to lead to a root certificate of this machine.

use super::OutboundError;
use crate::domain::url::Host;
use std::{io, sync::Arc};
use tokio::{net::TcpStream, sync::OnceCell, task::spawn_blocking};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, ServerName, UnixTime},
    },
};

/// Starts TLS over connections. What is trusted stays as it was at the first connection.
pub(super) struct Tls {
    trust: Trust,
    config: OnceCell<Arc<ClientConfig>>,
}

/// The certificates that are accepted.
pub(super) enum Trust {
    /// Those that lead to a root certificate of this machine: of the files that `SSL_CERT_FILE` and `SSL_CERT_DIR`
    /// name, or of the operating system. Where there are none at all, as in an empty container, those of Mozilla are
    /// used.
    MachineRoots,
    /// Every certificate.
    Anything,
}

impl Tls {
    pub(super) fn new(trust: Trust) -> Self {
        Self { trust, config: OnceCell::new() }
    }

    /// Performs the handshake, as a client of `host`.
    pub(super) async fn connect(&self, host: &Host, stream: TcpStream) -> Result<TlsStream<TcpStream>, OutboundError> {
        let name = match host {
            Host::Name(name) => {
                ServerName::try_from(name.clone()).map_err(|e| OutboundError::Tls(io::Error::other(e)))?
            }
            Host::Address(address) => ServerName::from(*address),
        };
        let config = self.config.get_or_try_init(|| self.trust.config()).await?;
        TlsConnector::from(Arc::clone(config)).connect(name, stream).await.map_err(OutboundError::Tls)
    }
}

impl Trust {
    async fn config(&self) -> Result<Arc<ClientConfig>, OutboundError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|e| OutboundError::Tls(io::Error::other(e)))?;
        let mut config = match self {
            // Reads some hundred kilobytes from the disk.
            Self::MachineRoots => {
                let roots = spawn_blocking(machine_roots).await.map_err(|e| OutboundError::Roots(e.to_string()))??;
                builder.with_root_certificates(roots).with_no_client_auth()
            }
            Self::Anything => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
                .with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// The root certificates of this machine. A file that is named and cannot be read is an error: others must not be
/// trusted in its place.
pub(super) fn machine_roots() -> Result<RootCertStore, OutboundError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (used, unusable) = roots.add_parsable_certificates(found.certs);
    tracing::debug!(tls.roots = used, tls.unusable_roots = unusable, "{used} root certificates of this machine");
    if !roots.is_empty() {
        return Ok(roots);
    }
    match found.errors.first() {
        Some(e) => Err(OutboundError::Roots(e.to_string())),
        None => Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }),
    }
}

/// Accepts every certificate. A server that may show any certificate need not prove that it has the key of one, so
/// signatures are not checked either.
#[derive(Debug)]
pub(super) struct AnyCertificate(pub(super) Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
impl Tls {
    /// Trusts these root certificates and no others.
    pub(super) fn trusting(certificates: Vec<CertificateDer<'static>>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates);
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Self { trust: Trust::MachineRoots, config: OnceCell::new_with(Some(Arc::new(config))) }
    }
}
