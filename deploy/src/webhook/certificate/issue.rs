//! A certificate for the webhook's Service, by a CA that exists for it alone: the CA's key is
//! forgotten at once, so that nobody can issue another one.

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use time::OffsetDateTime;

/// A certificate, its key and its CA, as PEM.
#[derive(Debug)]
pub(in crate::webhook) struct Issued {
    pub(in crate::webhook) certificate: String,
    pub(in crate::webhook) key: String,
    pub(in crate::webhook) ca: String,
}

/// Issues a certificate for the hosts, valid between two times in seconds since 1970.
pub(in crate::webhook) fn issue(hosts: &[String], not_before: i64, not_after: i64) -> Result<Issued> {
    let time = |seconds| OffsetDateTime::from_unix_timestamp(seconds).context("a time beyond the calendar");
    let (not_before, not_after) = (time(not_before)?, time(not_after)?);
    let named = |name: String| {
        let mut named = DistinguishedName::new();
        named.push(DnType::CommonName, name);
        named
    };
    let ca_key = KeyPair::generate().context("cannot make a key")?;
    let mut ca = CertificateParams::default();
    // Two of them are trusted at once while one takes the place of the other.
    ca.distinguished_name = named(format!("pod-utils webhook {}", not_before.unix_timestamp()));
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (ca.not_before, ca.not_after) = (not_before, not_after);
    let ca_certificate = ca.self_signed(&ca_key).context("cannot sign the CA")?;
    let key = KeyPair::generate().context("cannot make a key")?;
    let mut leaf = CertificateParams::new(hosts).context("a host that no certificate can name")?;
    leaf.distinguished_name = named(hosts.first().cloned().unwrap_or_default());
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.use_authority_key_identifier_extension = true;
    (leaf.not_before, leaf.not_after) = (not_before, not_after);
    let certificate =
        leaf.signed_by(&key, &Issuer::new(ca, ca_key)).context("cannot sign the certificate")?;
    Ok(Issued { certificate: certificate.pem(), key: key.serialize_pem(), ca: ca_certificate.pem() })
}
