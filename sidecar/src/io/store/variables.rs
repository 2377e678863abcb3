//! The variables that the clients of stores read, ours and those of the libraries.

use super::StoreError;
use super::setting::{Kind, checked};
use std::ffi::OsString;
use std::path::PathBuf;

/// Scheme of addresses that leave it out.
const HTTPS: Kind = Kind::Base("https");

/// The uses of variables. Those that are not here are text.
const KINDS: &[(&str, Kind)] = &[
    ("AWS_CA_BUNDLE", Kind::Path),
    ("AWS_CONFIG_FILE", Kind::Path),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Kind::Path),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", Kind::Address),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", Kind::Route),
    ("AWS_DEFAULT_REGION", Kind::Label),
    ("AWS_ENDPOINT", HTTPS),
    ("AWS_ENDPOINT_URL", HTTPS),
    ("AWS_ENDPOINT_URL_S3", HTTPS),
    ("AWS_ENDPOINT_URL_STS", HTTPS),
    ("AWS_METADATA_ENDPOINT", Kind::Base("http")),
    ("AWS_PROFILE", Kind::Path),
    ("AWS_REGION", Kind::Label),
    ("AWS_SHARED_CREDENTIALS_FILE", Kind::Path),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", Kind::Path),
    ("AZURE_AUTHORITY_HOST", HTTPS),
    ("AZURE_FEDERATED_TOKEN_FILE", Kind::Path),
    ("AZURE_STORAGE_ACCOUNT", Kind::Label),
    ("AZURE_STORAGE_ACCOUNT_NAME", Kind::Label),
    ("AZURE_STORAGE_ENDPOINT", HTTPS),
    ("AZURE_STORAGE_SERVICE_ENDPOINT", HTTPS),
    ("AZURE_TENANT_ID", Kind::Label),
    ("IDENTITY_ENDPOINT", Kind::Address),
    ("MSI_ENDPOINT", Kind::Address),
    ("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", HTTPS),
    ("GCE_METADATA_HOST", Kind::Host),
    ("GCE_METADATA_IP", Kind::Host),
    ("GCE_METADATA_ROOT", Kind::Host),
    ("GOOGLE_APPLICATION_CREDENTIALS", Kind::Path),
    ("STORAGE_EMULATOR_HOST", Kind::Base("http")),
    ("ALL_PROXY", Kind::Proxy),
    ("HTTPS_PROXY", Kind::Proxy),
    ("HTTP_PROXY", Kind::Proxy),
    ("NO_PROXY", Kind::List),
];

fn kind_of(name: &str) -> Kind {
    KINDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or(Kind::Text, |(_, kind)| *kind)
}

/// Reads settings from an environment.
#[derive(Clone, Copy)]
pub(super) struct Variables<'a>(&'a dyn Fn(&str) -> Option<OsString>);

impl Variables<'static> {
    /// Those of this process.
    pub(super) fn of_process() -> Self {
        fn variable(name: &str) -> Option<OsString> {
            std::env::var_os(name)
        }
        Self::new(&variable)
    }
}

impl<'a> Variables<'a> {
    pub(super) fn new(environment: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self(environment)
    }

    /// Returns a variable's value without white space around it; `None` when nothing
    /// is left.
    pub(super) fn get(self, name: &str) -> Result<Option<String>, StoreError> {
        let Some(value) = (self.0)(name) else { return Ok(None) };
        let Ok(value) = value.into_string() else {
            return Err(StoreError::Setting(format!("{name}: it is not UTF-8")));
        };
        let value = checked(name, kind_of(name), &value)?;
        Ok(Some(value).filter(|value| !value.is_empty()))
    }

    /// Refuses a variable that a library reads by itself, so that nothing can be dropped.
    pub(super) fn require_clean(self, name: &str) -> Result<(), StoreError> {
        let value = (self.0)(name).unwrap_or_default();
        let value = value.to_string_lossy();
        if value.trim() == value && !value.chars().any(char::is_control) {
            return Ok(());
        }
        Err(StoreError::Setting(format!("{name}: white space at its begin or end, or a control character")))
    }

    /// Returns whether a variable is there, with any value.
    pub(super) fn is_set(self, name: &str) -> bool {
        (self.0)(name).is_some()
    }

    /// Returns the home directory as it is.
    pub(super) fn home(self) -> Option<PathBuf> {
        (self.0)("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
    }

    /// Returns the first of these variables that is set.
    pub(super) fn first(self, names: &[&str]) -> Result<Option<String>, StoreError> {
        for name in names {
            if let Some(value) = self.get(name)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn value(name: &str, value: &str) -> Result<Option<String>, String> {
        Variables::new(&|_: &str| Some(value.into())).get(name).map_err(|error| error.to_string())
    }

    #[test]
    fn white_space_around_a_value_goes() {
        for around in ["KEY", "KEY\n", " KEY\t", "\r\nKEY\r\n", "\u{a0}KEY"] {
            assert_eq!(value("AWS_ACCESS_KEY_ID", around), Ok(Some("KEY".to_owned())), "{around:?}");
        }
        assert_eq!(value("AWS_REGION", " \n"), Ok(None), "nothing is as good as unset");
        assert_eq!(value("AWS_CONFIG_FILE", "/größe\n"), Ok(Some("/größe".to_owned())));
    }

    #[test]
    fn what_no_request_can_hold_is_refused_without_its_value() {
        for (name, _) in KINDS {
            for inside in ["hunter\u{1}2", "hunter\u{7f}2", "hunter\u{85}2"] {
                let error = value(name, inside).expect_err("refused");
                assert!(error.contains(name) && !error.contains("nter"), "{error}");
            }
        }
        assert!(value("AWS_SECRET_ACCESS_KEY", "hünter2").is_err());
    }

    #[test]
    fn what_is_not_utf_8_is_refused_and_not_taken_for_unset() {
        let variables = |_: &str| Some(OsString::from_vec(b"hunter\xff2".to_vec()));
        let error = Variables::new(&variables).get("AWS_SECRET_ACCESS_KEY").expect_err("refused").to_string();
        assert_eq!(error, "AWS_SECRET_ACCESS_KEY: it is not UTF-8");
    }

    #[test]
    fn what_a_library_reads_must_be_clean() {
        let is_clean = |value: &str| {
            Variables::new(&|_: &str| Some(value.into())).require_clean("SSL_CERT_FILE").is_ok()
        };
        assert!(is_clean("/ca certificates.pem") && is_clean(""));
        assert!(!is_clean("/ca.pem\n") && !is_clean(" /ca.pem") && !is_clean("/ca\u{1}.pem"));
    }
}
