//! Judges by its key whether a value is a secret.

/// Words of a key that say so.
const SECRET_WORDS: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "token",
    "secret",
    "key",
    "auth",
    "credential",
    "credentials",
    "private",
    "apikey",
    "pat",
];

/// Ends of words that are written without a separator, such as `identitytoken`.
const SECRET_ENDS: [&str; 9] =
    ["password", "passwd", "passphrase", "token", "secret", "apikey", "privatekey", "accesskey", "secretkey"];

/// Last words of keys whose value describes the secret, and is none.
const DESCRIBING_WORDS: [&str; 39] = [
    "id",
    "ids",
    "type",
    "uri",
    "url",
    "urls",
    "endpoint",
    "host",
    "name",
    "names",
    "file",
    "filename",
    "path",
    "dir",
    "expiry",
    "expires",
    "expiration",
    "ttl",
    "timeout",
    "algorithm",
    "alg",
    "version",
    "scope",
    "scopes",
    "length",
    "size",
    "enabled",
    "required",
    "method",
    "mode",
    "provider",
    "user",
    "username",
    "email",
    "policy",
    "format",
    "fingerprint",
    "usages",
    "helper",
];

/// Words in keys whose values are public, however random they look.
const PUBLIC_WORDS: [&str; 16] = [
    "public",
    "pub",
    "certificate",
    "cert",
    "certs",
    "crt",
    "ca",
    "digest",
    "checksum",
    "hash",
    "sha1",
    "sha256",
    "sha512",
    "fingerprint",
    "integrity",
    "uid",
];

/// Words of keys whose values are texts that people choose, with blanks in them.
const PASSPHRASE_WORDS: [&str; 7] = ["password", "passwd", "passphrase", "pass", "pwd", "secret", "private"];

/// Values that stand for a secret, and are none.
const PLACEHOLDERS: [&str; 10] = [
    "password",
    "changeme",
    "change-me",
    "undefined",
    "redacted",
    "********",
    "required",
    "disabled",
    "optional",
    "anonymous",
];

/// Minimum length in bytes of a value that is taken because of its key.
pub(super) const MIN_BYTES: usize = 8;

/// The words of a key, in lower case: `awsSecret_accessKey` has four.
fn words(key: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut is_new, mut was_lower) = (true, false);
    for c in key.chars() {
        if !c.is_alphanumeric() {
            is_new = true;
            continue;
        }
        if is_new || (c.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
        (is_new, was_lower) = (false, c.is_lowercase() || c.is_numeric());
    }
    words
}

/// Returns whether the value of a key is a secret.
pub(super) fn names_secret(key: &str) -> bool {
    let words = words(key);
    let is_secret = |word: &String| {
        SECRET_WORDS.contains(&word.as_str()) || SECRET_ENDS.iter().any(|end| word.ends_with(end))
    };
    let describes = words.last().is_some_and(|last| DESCRIBING_WORDS.contains(&last.as_str()));
    words.iter().any(is_secret) && !describes && !names_public(key)
}

/// Returns whether the value of a key is public.
pub(super) fn names_public(key: &str) -> bool {
    words(key).iter().any(|word| PUBLIC_WORDS.contains(&word.as_str()))
}

/// Returns whether a value can be the secret that its key names: long enough, no
/// placeholder, no path, and of one word unless people choose it.
pub(super) fn can_be_value(key: &str, value: &str) -> bool {
    let is_chosen = || words(key).iter().any(|word| PASSPHRASE_WORDS.contains(&word.as_str()));
    let is_reference = (value.starts_with("${") || value.starts_with("{{") || value.starts_with("$("))
        && value.ends_with(['}', ')']);
    let is_path = value.starts_with(['/', '~'])
        && value.contains('/')
        && value.len() < 64
        && value.bytes().all(|byte| byte.is_ascii_lowercase() || b"/._-~".contains(&byte));
    value.len() >= MIN_BYTES
        && !PLACEHOLDERS.iter().any(|placeholder| value.eq_ignore_ascii_case(placeholder))
        && !is_reference
        && !is_path
        && (!value.contains(char::is_whitespace) || value.starts_with("-----BEGIN ") || is_chosen())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_secrets() {
        for key in [
            "password",
            "DB_PASSWORD",
            "aws_secret_access_key",
            "//registry.npmjs.org/:_authToken",
            "identitytoken",
            "registrytoken",
            "auth",
            "client-key-data",
            "private_key",
            "apiKey",
            "sshPrivateKey",
            "github.token",
            "CREDENTIALS",
            "pass",
        ] {
            assert!(names_secret(key), "{key}");
        }
        for key in [
            "author",
            "token_type",
            "key_id",
            "private_key_id",
            "aws_access_key_id",
            "token_uri",
            "auth_uri",
            "certificate-authority-data",
            "keyboard",
            "public_key",
            "monkey",
            "authorName",
            "host",
            "tokenizer",
            "auth_provider_x509_cert_url",
            "secretName",
        ] {
            assert!(!names_secret(key), "{key}");
        }
    }

    #[test]
    fn values_that_are_none() {
        for value in ["short", "${PASSWORD}", "changeme", "/run/secrets/db-password", "two words here"] {
            assert!(!can_be_value("token", value), "{value}");
        }
        assert!(can_be_value("password", "two words here"));
        assert!(can_be_value("token", "abcd1234"));
    }
}
