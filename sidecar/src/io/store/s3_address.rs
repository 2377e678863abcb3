//! Addresses of S3 buckets.

use super::StoreError;
use super::setting::parsed;
use std::net::IpAddr;

/// The address under which a bucket is found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Where requests go; `None` for AWS.
    pub(super) endpoint: Option<String>,
    /// The bucket is a part of the host's name, not of the path.
    pub(super) virtual_hosted: bool,
}

impl Address {
    /// Finds the address of a bucket below an endpoint, which has a scheme.
    pub(super) fn of(bucket: &str, endpoint: Option<&str>, path_style: bool) -> Result<Self, StoreError> {
        let Some(endpoint) = endpoint else {
            // A dot in the name does not fit the wildcard certificate of the store.
            let virtual_hosted = !path_style && !bucket.contains('.');
            if virtual_hosted {
                as_host_name(bucket)?;
            }
            return Ok(Self { endpoint: None, virtual_hosted });
        };
        let (scheme, host) = endpoint.split_once("://").unwrap_or(("https", endpoint));
        let name = host_name(host);
        // Servers without a domain are not found under a name of the bucket.
        let one_name = !name.contains('.') || name.parse::<IpAddr>().is_ok() || name.starts_with('[');
        if path_style || one_name || bucket.contains('.') {
            return Ok(Self { endpoint: Some(endpoint.to_owned()), virtual_hosted: false });
        }
        as_host_name(bucket)?;
        Ok(Self { endpoint: Some(format!("{scheme}://{bucket}.{host}")), virtual_hosted: true })
    }
}

/// Refuses a bucket that cannot be a part of a host's name, as wrong Punycode.
fn as_host_name(bucket: &str) -> Result<(), StoreError> {
    match parsed(&format!("https://{bucket}.host")) {
        Some(_) => Ok(()),
        None => Err(StoreError::Setting(format!(
            "bucket {bucket:?}: it cannot be a part of a host's name; s3_force_path_style leaves it in the path"
        ))),
    }
}

fn host_name(host: &str) -> &str {
    let authority = host.split('/').next().unwrap_or(host);
    if authority.starts_with('[') {
        return authority;
    }
    authority.split(':').next().unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(endpoint: Option<&str>, path_style: bool) -> Address {
        Address::of("bucket", endpoint, path_style).expect("an address")
    }

    #[test]
    fn buckets_are_found_as_the_sdks_find_them() {
        assert_eq!(address(None, false), Address { endpoint: None, virtual_hosted: true });
        assert_eq!(address(None, true), Address { endpoint: None, virtual_hosted: false });
        let minio = address(Some("http://minio:9000"), false);
        assert_eq!(minio, Address { endpoint: Some("http://minio:9000".to_owned()), virtual_hosted: false });
        let numeric = address(Some("http://10.0.0.1:9000"), false);
        assert!(!numeric.virtual_hosted);
        assert!(!address(Some("http://[::1]:9000"), false).virtual_hosted);
        let hosted = address(Some("https://s3.example.com"), false);
        assert_eq!(hosted.endpoint.as_deref(), Some("https://bucket.s3.example.com"));
        assert!(hosted.virtual_hosted);
        assert!(Address::of("xn--a-b", Some("https://s3.example.com"), false).is_err());
        assert!(Address::of("xn--a-b", None, false).is_err());
        assert!(Address::of("xn--a-b", None, true).is_ok());
    }
}
