//! The server's certificate, which is replaced while the server runs.

use anyhow::{Context, Result, bail};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use std::sync::{Arc, PoisonError, RwLock};

/// A certificate with its key, and the end of its validity.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    key: Arc<CertifiedKey>,
    /// Seconds since 1970.
    pub(super) not_after: i64,
}

impl Pair {
    /// Reads a certificate with its chain and its key from PEM; refuses a key of another certificate.
    pub(super) fn parse(certificate: &[u8], key: &[u8]) -> Result<Self> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| anyhow::anyhow!("the certificate cannot be read: {error}"))?;
        let Some(first) = chain.first() else { bail!("the certificate file holds no certificate") };
        let not_after = not_after(first)?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| anyhow::anyhow!("the key cannot be read: {error}"))?;
        let key = CertifiedKey::from_der(chain, key, &provider()).context("certificate and key")?;
        Ok(Self { key: Arc::new(key), not_after })
    }
}

fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

/// Returns the end of a certificate's validity, in seconds since 1970 (RFC 5280, 4.1).
pub(super) fn not_after(certificate: &[u8]) -> Result<i64> {
    let parsed = yasna::parse_der(certificate, |reader| {
        reader.read_sequence(|reader| {
            let not_after = reader.next().read_sequence(|reader| {
                // version, serialNumber, signature, issuer
                reader.read_optional(|reader| reader.read_tagged(yasna::Tag::context(0), any))?;
                for _ in 0..3 {
                    reader.next().read_der()?;
                }
                let not_after = reader.next().read_sequence(|reader| {
                    reader.next().read_der()?;
                    let not_after = reader.next();
                    match not_after.lookahead_tag()? {
                        yasna::tags::TAG_UTCTIME => {
                            not_after.read_utctime().map(|time| time.datetime().unix_timestamp())
                        }
                        _ => not_after.read_generalized_time().map(|time| time.datetime().unix_timestamp()),
                    }
                })?;
                skip(reader)?;
                Ok(not_after)
            })?;
            skip(reader)?;
            Ok(not_after)
        })
    });
    parsed.map_err(|error| anyhow::anyhow!("the certificate cannot be read: {error}"))
}

/// Reads a value of any kind.
fn any(reader: yasna::BERReader<'_, '_>) -> yasna::ASN1Result<Vec<u8>> {
    reader.read_der()
}

/// Skips what is left of a sequence.
fn skip(reader: &mut yasna::BERReaderSeq<'_, '_>) -> yasna::ASN1Result<()> {
    while reader.read_optional(any)?.is_some() {}
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::certificate::issue::{Issued, issue};

    fn issued() -> Issued {
        issue(&["webhook.ns.svc".to_owned()], 1_800_000_000, 1_900_000_000).expect("issued")
    }

    #[test]
    fn the_end_of_validity_is_read() {
        let issued = issued();
        let pair = Pair::parse(issued.certificate.as_bytes(), issued.key.as_bytes()).expect("a pair");
        assert_eq!(pair.not_after, 1_900_000_000);
        // After 2049 the form of the time is another one.
        let late = issue(&["a".to_owned()], 1_800_000_000, 4_000_000_000).expect("issued");
        let pair = Pair::parse(late.certificate.as_bytes(), late.key.as_bytes()).expect("a pair");
        assert_eq!(pair.not_after, 4_000_000_000);
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
