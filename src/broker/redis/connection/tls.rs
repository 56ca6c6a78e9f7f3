//! How tracelink checks the peer of a TLS connection, in the terms of redis-py's `ssl_…`
//! parameters.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::broker::redis::error::BrokerError;
use crate::broker::redis::url::{PeerCheck, Tls};

/// The configuration for one connection.
pub fn config(tls: &Tls, shown: &str) -> Result<ClientConfig, BrokerError> {
    let failed = |error: &dyn std::fmt::Display| BrokerError::tls(shown, &error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?;
    let builder = match tls.check {
        PeerCheck::Full => builder.with_root_certificates(roots(tls, shown)?),
        PeerCheck::Chain => {
            let roots = Arc::new(roots(tls, shown)?);
            let chain = WebPkiServerVerifier::builder_with_provider(roots, provider)
                .build()
                .map_err(|error| failed(&error))?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyName(chain)))
        }
        PeerCheck::Nothing => {
            // A bad file is an error even where nothing is checked against it.
            roots(tls, shown)?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyPeer(provider)))
        }
    };
    match &tls.client {
        None => Ok(builder.with_no_client_auth()),
        Some((certificate, key)) => {
            let chain = certificates(certificate, shown)?;
            let key = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| failed(&error))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| failed(&error))
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, BrokerError> {
    std::fs::read(path).map_err(|source| BrokerError::File { path: path.to_owned(), source })
}

fn certificates(path: &Path, shown: &str) -> Result<Vec<CertificateDer<'static>>, BrokerError> {
    let pem = read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    certificates.map_err(|error| BrokerError::tls(shown, &format!("{}: {error}", path.display())))
}

/// The certificate authorities that the URL names, or those of this machine.
fn roots(tls: &Tls, shown: &str) -> Result<RootCertStore, BrokerError> {
    let mut roots = RootCertStore::empty();
    match &tls.authorities {
        Some(path) => {
            for certificate in certificates(path, shown)? {
                let added = roots.add(certificate);
                added.map_err(|error| BrokerError::tls(shown, &format!("{}: {error}", path.display())))?;
            }
        }
        // A certificate that cannot be read is not trusted.
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(roots)
}

/// `ssl_check_hostname=false`: checks that an authority signed the certificate, whatever
/// its name.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The name is checked last, when all else is right.
            Err(Error::InvalidCertificate(
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
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// `ssl_cert_reqs=none`: accepts any peer.
#[derive(Debug)]
struct AnyPeer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyPeer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
