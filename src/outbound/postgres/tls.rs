//! What a server of PostgreSQL has to prove, by the parameter `sslmode`.

use super::PostgresError;
use crate::{
    config::PostgresEncryption,
    outbound::tls::{AnyCertificate, machine_roots},
};
use std::{path::PathBuf, sync::Arc};
use tokio::task::spawn_blocking;
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};

/// How TLS is spoken; none if it is not.
pub(super) async fn config(
    encryption: PostgresEncryption,
    root_certificates: Option<PathBuf>,
) -> Result<Option<Arc<ClientConfig>>, PostgresError> {
    let provider = Arc::new(ring::default_provider());
    let fault = |e: rustls::Error| PostgresError::Tls(e.to_string());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(fault)?;
    let config = match encryption {
        PostgresEncryption::Disable => return Ok(None),
        PostgresEncryption::Prefer | PostgresEncryption::Require => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth(),
        PostgresEncryption::VerifyFull => {
            builder.with_root_certificates(roots(root_certificates).await?).with_no_client_auth()
        }
        PostgresEncryption::VerifyCa => {
            let roots = Arc::new(roots(root_certificates).await?);
            let chain = WebPkiServerVerifier::builder_with_provider(roots, provider)
                .build()
                .map_err(|e| PostgresError::Tls(e.to_string()))?;
            let verifier = Arc::new(AnyName(chain));
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        }
    };
    Ok(Some(Arc::new(config)))
}

/// The root certificates of the file, or else of this machine.
async fn roots(file: Option<PathBuf>) -> Result<RootCertStore, PostgresError> {
    let read = spawn_blocking(move || match file {
        None => machine_roots().map_err(|e| e.to_string()),
        Some(file) => {
            let fault = |e: &dyn std::fmt::Display| format!("sslrootcert: {}: {e}", file.display());
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_file_iter(&file).map_err(|e| fault(&e))? {
                roots.add(certificate.map_err(|e| fault(&e))?).map_err(|e| fault(&e))?;
            }
            if roots.is_empty() { Err(fault(&"there is no certificate in it")) } else { Ok(roots) }
        }
    });
    read.await.map_err(|e| PostgresError::Tls(e.to_string()))?.map_err(PostgresError::Tls)
}

/// Accepts certificates that lead to a trusted root, whatever host they are for.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.0.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
