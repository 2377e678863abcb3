//! The clients of an S3 bucket: which of them its settings allow.

use super::StoreError;
use super::clients::Clients;
use super::profile::Profile;
use super::refusable::{Asks, Refusable};
use super::variables::Variables;
use object_store::ClientConfigKey;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use std::sync::Arc;

/// The variable of AWS SDKs, and the setting of a profile, about checksums of what is sent
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-dataintegrity.html>).
const CALCULATION: (&str, &str) = ("AWS_REQUEST_CHECKSUM_CALCULATION", "request_checksum_calculation");

/// Returns whether checksums are sent although nothing requires them, as by default.
pub(super) fn wants_checksums(variables: Variables<'_>, profile: &Profile) -> Result<bool, StoreError> {
    let (variable, key) = CALCULATION;
    let (source, value) = match (variables.get(variable)?, profile.request_checksum_calculation()) {
        (Some(value), _) => (variable.to_owned(), value),
        (None, Some(value)) => (format!("AWS profile: {key}"), value),
        (None, None) => return Ok(true),
    };
    match value.to_ascii_lowercase().as_str() {
        "when_supported" => Ok(true),
        "when_required" => Ok(false),
        _ => Err(StoreError::Setting(format!(
            "{source}: {value:?}; allowed are when_supported and when_required"
        ))),
    }
}

/// Opens the clients beside `store` that `builder` allows: one that sends a checksum with
/// everything, and one that sends parts with unsigned content.
pub(super) fn beside(store: AmazonS3, builder: AmazonS3Builder) -> object_store::Result<Clients> {
    let builder = builder.with_credentials(Arc::clone(store.credentials()));
    let clients = Clients::new(Arc::new(store));
    if !may_add_checksums(&builder) {
        return Ok(clients);
    }
    let is_guarded = is_guarded_by_tls(&builder);
    let builder = builder.with_checksum_algorithm(Checksum::CRC64NVME);
    let unsigned = if is_guarded {
        let client = builder.clone().with_unsigned_payload(true).build()?;
        Some(Refusable::new(Arc::new(client), Asks::UnsignedParts))
    } else {
        None
    };
    let checksums = Refusable::new(Arc::new(builder.build()?), Asks::Checksums);
    Ok(clients.with_checksums(checksums).with_unsigned_parts(unsigned))
}

fn value(builder: &AmazonS3Builder, key: AmazonS3ConfigKey) -> Option<String> {
    builder.get_config_value(&key).filter(|value| !value.is_empty())
}

/// Returns whether nobody has decided about checksums. The tokens of S3 Express belong to
/// one client.
fn may_add_checksums(builder: &AmazonS3Builder) -> bool {
    value(builder, AmazonS3ConfigKey::Checksum).is_none()
        && value(builder, AmazonS3ConfigKey::S3Express).is_none_or(|value| value == "false")
}

/// Returns whether TLS guards what is sent, so that signatures need not cover it, and
/// nobody has decided otherwise.
fn is_guarded_by_tls(builder: &AmazonS3Builder) -> bool {
    use AmazonS3ConfigKey as Key;
    let is_tls = [Key::S3Endpoint, Key::Endpoint]
        .into_iter()
        .filter_map(|key| value(builder, key))
        .all(|endpoint| endpoint.starts_with("https://"));
    let others =
        [Key::Client(ClientConfigKey::AllowInvalidCertificates), Key::SkipSignature, Key::UnsignedPayload];
    is_tls && others.into_iter().filter_map(|key| value(builder, key)).all(|value| value == "false")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::store::http::client_options;

    fn builder() -> AmazonS3Builder {
        AmazonS3Builder::new().with_client_options(client_options())
    }

    #[test]
    fn content_stays_signed_unless_tls_guards_it() {
        let may = |change: fn(AmazonS3Builder) -> AmazonS3Builder| is_guarded_by_tls(&change(builder()));
        assert!(may(|builder| builder), "AWS");
        assert!(may(|builder| builder.with_config(AmazonS3ConfigKey::S3Endpoint, "https://store")));
        assert!(!may(|builder| builder.with_config(AmazonS3ConfigKey::S3Endpoint, "http://store")));
        assert!(!may(|builder| builder.with_endpoint("http://store")));
        assert!(!may(|builder| {
            builder.with_client_options(client_options().with_allow_invalid_certificates(true))
        }));
        assert!(!may(|builder| builder.with_skip_signature(true)));
        assert!(!may(|builder| builder.with_unsigned_payload(true)));
    }

    #[test]
    fn checksums_are_added_unless_somebody_decided_about_them() {
        assert!(may_add_checksums(&builder()));
        assert!(may_add_checksums(&builder().with_s3_express(false)));
        assert!(!may_add_checksums(&builder().with_s3_express(true)));
        assert!(!may_add_checksums(&builder().with_checksum_algorithm(Checksum::SHA256)));
    }

    #[test]
    fn the_setting_of_aws_sdks_decides_about_checksums() {
        let wants = |value: Option<&str>| {
            let value = value.map(std::ffi::OsString::from);
            let environment =
                |name: &str| if name == "AWS_REQUEST_CHECKSUM_CALCULATION" { value.clone() } else { None };
            wants_checksums(Variables::new(&environment), &Profile::default())
        };
        assert_eq!(wants(None), Ok(true));
        assert_eq!(wants(Some("WHEN_SUPPORTED")), Ok(true));
        assert_eq!(wants(Some("when_required\n")), Ok(false));
        let error = wants(Some("never")).expect_err("refused").to_string();
        assert_eq!(
            error,
            "AWS_REQUEST_CHECKSUM_CALCULATION: \"never\"; allowed are when_supported and when_required"
        );
    }
}
