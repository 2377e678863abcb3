//! Google's credentials files.

use super::federation::ExternalAccount;
use super::google_tokens::User;
use super::setting::{Kind, checked};
use super::{StoreError, setup};
use reqwest::header::HeaderName;
use serde_json::Value;
use std::path::Path;

/// The keys that go into requests, as paths within the file. A private key, which has
/// lines, does not: requests are signed with it.
const KEYS: &[(&str, Kind)] = &[
    ("/type", Kind::Text),
    ("/gcs_base_url", Kind::Base("https")),
    ("/client_email", Kind::Text),
    ("/private_key_id", Kind::Text),
    ("/client_id", Kind::Text),
    ("/client_secret", Kind::Text),
    ("/refresh_token", Kind::Text),
    ("/audience", Kind::Text),
    ("/subject_token_type", Kind::Text),
    ("/token_url", Kind::Address),
    ("/service_account_impersonation_url", Kind::Address),
    ("/credential_source/file", Kind::Path),
    ("/credential_source/url", Kind::Address),
    ("/credential_source/format/type", Kind::Text),
    ("/credential_source/format/subject_token_field_name", Kind::Path),
    ("/credential_source/environment_id", Kind::Text),
    ("/credential_source/region_url", Kind::Address),
    ("/credential_source/imdsv2_session_token_url", Kind::Address),
    ("/credential_source/regional_cred_verification_url", Kind::Regional),
];

/// The headers with which a token is asked for.
const HEADERS: &str = "/credential_source/headers";

const ALLOWED: &str = "allowed are files of the types service_account, authorized_user and external_account";

/// A credentials file that can be used.
#[derive(Debug)]
pub(super) struct CredentialsFile {
    pub(super) account: Account,
    /// The store's address, where the file names one.
    pub(super) address: Option<String>,
}

/// An account of a credentials file.
pub(super) enum Account {
    /// The file's text.
    Service(String),
    User(User),
    External(Box<ExternalAccount>),
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Service(_) => f.write_str("Service"),
            Self::User(user) => user.fmt(f),
            Self::External(account) => account.fmt(f),
        }
    }
}

impl CredentialsFile {
    /// Reads and checks a file, which `source` names.
    pub(super) fn read(source: &str, path: &Path) -> Result<Self, StoreError> {
        let source = format!("{source} {:?}", path.display().to_string());
        let fail = |reason: &str| setup(format!("{source}: {reason}"));
        let text = std::fs::read_to_string(path).map_err(|error| fail(&error.to_string()))?;
        let untyped = || fail(&format!("it is not a JSON object with a `type`; {ALLOWED}"));
        let mut file: Value = serde_json::from_str(&text).map_err(|_| untyped())?;
        clean(&source, &mut file)?;
        let member = |key: &str| file.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let address = member("gcs_base_url").map(str::to_owned);
        let account = match member("type").ok_or_else(untyped)? {
            "service_account" => Account::Service(file.to_string()),
            "authorized_user" => match serde_json::from_value(file) {
                Ok(user) => Account::User(user),
                Err(_) => return Err(fail("client_id, client_secret or refresh_token is missing")),
            },
            "external_account" => match ExternalAccount::parse(&file.to_string()) {
                Ok(account) => Account::External(Box::new(account)),
                Err(error) => return Err(fail(&error.to_string())),
            },
            other => {
                return Err(fail(&format!("credentials of type {other:?} are not supported; {ALLOWED}")));
            }
        };
        Ok(Self { account, address })
    }
}

/// Drops white space around what goes into requests, and refuses what cannot.
fn clean(source: &str, file: &mut Value) -> Result<(), StoreError> {
    let named = |path: &str| format!("{source}: {}", path.trim_start_matches('/').replace('/', "."));
    for (path, kind) in KEYS {
        if let Some(Value::String(text)) = file.pointer_mut(path) {
            *text = checked(&named(path), *kind, text)?;
        }
    }
    let Some(Value::Object(headers)) = file.pointer_mut(HEADERS) else { return Ok(()) };
    for (name, value) in headers {
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(StoreError::Setting(format!("{}: {name:?} is no name of a header", named(HEADERS))));
        }
        if let Value::String(text) = value {
            *text = checked(&format!("{}.{name}", named(HEADERS)), Kind::Text, text)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Result<CredentialsFile, String> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key.json");
        std::fs::write(&path, text).expect("written");
        CredentialsFile::read("gcs_credentials_file", &path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        let error = read(r#"{"type":"impersonated_service_account"}"#).expect_err("refused");
        assert!(error.contains("gcs_credentials_file") && error.contains("impersonated"), "{error}");
        assert!(read(r#"{"type":"external_account"}"#).expect_err("refused").contains("audience"));
        assert!(read(r#"{"type":"authorized_user"}"#).expect_err("refused").contains("refresh_token"));
        assert!(!read("private").expect_err("refused").contains("private"));
        assert!(CredentialsFile::read("option", Path::new("/none")).is_err());
        let file = read(r#"{"type":"service_account","gcs_base_url":"http://h/ "}"#).expect("allowed");
        assert!(matches!(file.account, Account::Service(_)));
        assert_eq!(file.address.as_deref(), Some("http://h"));
    }

    /// A file with every key, each of the right kind.
    fn whole() -> Value {
        let mut file = json!({
            "type": "external_account",
            "credential_source": {"format": {}, "headers": {"x-token": "text"}},
        });
        for (path, kind) in KEYS.iter().filter(|(path, _)| *path != "/type") {
            let (parent, key) = path.rsplit_once('/').expect("a path");
            let value = match kind {
                Kind::Text
                | Kind::Path
                | Kind::Label
                | Kind::Host
                | Kind::Route
                | Kind::Proxy
                | Kind::List => "text",
                Kind::Base(_) | Kind::Address => "https://h",
                Kind::Regional => "https://h.{region}.x",
            };
            file.pointer_mut(parent).expect("there")[key] = json!(value);
        }
        file["credential_source"]["environment_id"] = json!("aws1");
        file
    }

    #[test]
    fn white_space_around_every_value_goes() {
        let (right, mut padded) = (whole(), whole());
        for (path, _) in KEYS.iter().chain([&("/credential_source/headers/x-token", Kind::Text)]) {
            let value = padded.pointer_mut(path).expect("there");
            *value = json!(format!(" {}\r\n", value.as_str().expect("text")));
        }
        clean("source", &mut padded).expect("allowed");
        assert_eq!(padded, right);
    }

    #[test]
    fn what_no_request_can_hold_is_refused_without_its_value() {
        for (path, _) in KEYS.iter().chain([&("/credential_source/headers/x-token", Kind::Text)]) {
            let mut file = whole();
            *file.pointer_mut(path).expect("there") = json!("hunter\u{1}2");
            let error = read(&file.to_string()).expect_err("refused");
            let key = path[1..].replace('/', ".");
            assert!(error.contains(&key) && !error.contains("hunter"), "{key}: {error}");
        }
        let mut file = whole();
        file["credential_source"]["headers"] = json!({"x token": "text"});
        assert!(read(&file.to_string()).expect_err("refused").contains("x token"));
    }
}
