//! The server's certificate, which is replaced while the server runs.

use super::validity::Validity;
use anyhow::{Context, Result, bail};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, ServerConfig, version};
use std::sync::{Arc, PoisonError, RwLock};

/// A certificate with its key, and the time in which it is good.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    key: Arc<CertifiedKey>,
    pub(super) validity: Validity,
}

impl Pair {
    /// Reads a certificate with its chain and its key from PEM; refuses a key of another certificate.
    pub(super) fn parse(certificate: &[u8], key: &[u8]) -> Result<Self> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| anyhow::anyhow!("the certificate cannot be read: {error}"))?;
        let Some(first) = chain.first() else { bail!("the certificate file holds no certificate") };
        let validity = Validity::of(first)?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| anyhow::anyhow!("the key cannot be read: {error}"))?;
        let key = CertifiedKey::from_der(chain, key, &provider()).context("certificate and key")?;
        Ok(Self { key: Arc::new(key), validity })
    }
}

fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

/// The certificate in use, which new connections get.
#[derive(Debug)]
pub(super) struct Current(RwLock<Pair>);

impl Current {
    pub(super) fn new(pair: Pair) -> Arc<Self> {
        Arc::new(Self(RwLock::new(pair)))
    }

    pub(super) fn get(&self) -> Pair {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn replace(&self, pair: Pair) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = pair;
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get().key)
    }
}

/// The TLS configuration of the server: HTTP/1.1, and nobody is asked for a certificate.
pub(super) fn config(current: Arc<Current>) -> Result<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .context("cannot speak TLS")?
        .with_no_client_auth()
        .with_cert_resolver(current);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Returns whether a handshake ended because the client does not accept the server's certificate.
/// Clients written in Go, such as the API server, say `BadCertificate` whatever the reason is.
pub(super) fn refuses_certificate(error: &std::io::Error) -> bool {
    let error = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(
        error,
        Some(rustls::Error::AlertReceived(
            AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
                // A CA of the same name with another key.
                | AlertDescription::DecryptError
        ))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::certificate::issue::{Issued, issue};

    fn issued() -> Issued {
        issue(&["webhook.ns.svc".to_owned()], 1_800_000_000, 1_900_000_000).expect("issued")
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let (one, other) = (issued(), issued());
        for (certificate, key, part) in [
            (one.certificate.as_str(), other.key.as_str(), "certificate and key"),
            ("", one.key.as_str(), "no certificate"),
            (one.certificate.as_str(), "", "the key cannot be read"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                one.key.as_str(),
                "cannot be read",
            ),
        ] {
            let error = Pair::parse(certificate.as_bytes(), key.as_bytes()).expect_err(part);
            let text = format!("{error:#}");
            assert!(text.contains(part) && text.lines().count() == 1, "{text}");
        }
    }
}
