//! Collects the values of a credentials file.

use super::super::{SecretBytes, Value};
use super::keys::{can_be_value, names_public, names_secret};
use crate::censor::likeness::looks_random;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// Minimum length in bytes of a value that is taken for its look alone.
const MIN_UNNAMED_BYTES: usize = 24;

/// Maximum length of the user and the password of a URL.
const MAX_URL_BYTES: usize = 1024;

/// Maximum number of values of one file; a document with more contains data.
pub(super) const MAX_VALUES: usize = 10_000;

/// Values of one file, each once, in the order in which they were found.
#[derive(Default)]
pub(super) struct Values {
    found: Vec<SecretBytes>,
    known: BTreeSet<Value>,
}

impl Values {
    /// Looks at a value and its key; an empty key has no meaning.
    pub(super) fn consider(&mut self, key: &str, value: &str) {
        let value = value.trim();
        if value.is_empty() || self.found.len() >= MAX_VALUES {
            return;
        }
        if names_secret(key) {
            if can_be_value(key, value) {
                self.add(value);
                self.decoded(value);
            }
        } else if value.len() >= MIN_UNNAMED_BYTES && !names_public(key) && looks_random(value.as_bytes()) {
            self.add(value);
        }
        self.inside(value);
    }

    /// Adds a value for certain.
    pub(super) fn add(&mut self, value: &str) {
        let bytes = Zeroizing::new(value.trim().as_bytes().to_vec());
        if self.found.len() < MAX_VALUES && self.known.insert(Value(bytes.clone())) {
            self.found.push(bytes);
        }
    }

    /// Adds the text that a value is the base64 of: a key in PEM, or the user and the
    /// password of a registry, which count alone, too.
    fn decoded(&mut self, value: &str) {
        let bare = value.trim_end_matches('=');
        let decoded = STANDARD.decode(value).or_else(|_| STANDARD_NO_PAD.decode(bare)).map(Zeroizing::new);
        let Ok(decoded) = decoded else { return };
        let Ok(text) = std::str::from_utf8(&decoded) else { return };
        if text.trim().len() < super::keys::MIN_BYTES
            || text.chars().any(|c| c.is_control() && !c.is_whitespace())
        {
            return;
        }
        self.add(text);
        if let Some((_, password)) = text.split_once(':').filter(|_| !text.contains('\n')) {
            self.password(password);
        }
    }

    /// Adds a password that stands where passwords stand.
    pub(super) fn password(&mut self, password: &str) {
        if can_be_value("password", password) {
            self.add(password);
        }
    }

    /// Looks for secrets inside a value: the password of a URL, and the pairs of a
    /// connection string or a query.
    fn inside(&mut self, value: &str) {
        if value.len() > 16 * 1024 {
            return;
        }
        self.of_urls(value);
        let separator = if value.contains(';') { ';' } else { '&' };
        let query = value.split_once('?').map_or(value, |(_, query)| query);
        for pair in query.split(separator) {
            if let Some((key, value)) = pair.split_once('=')
                && !key.contains(char::is_whitespace)
                && value.len() < query.len()
                && names_secret(key)
                && can_be_value(key, value)
            {
                self.add(value);
                self.add(&percent_decoded(value));
            }
        }
    }

    /// Adds the passwords of all URLs in a text.
    pub(super) fn of_urls(&mut self, text: &str) {
        for (at, _) in text.match_indices("://") {
            let rest = beginning(&text[at + 3..], MAX_URL_BYTES);
            let end = rest.find(|c: char| c.is_whitespace() || "/?#\"'<>`".contains(c)).unwrap_or(rest.len());
            // A password can contain a slash that nobody encoded.
            let end = rest[..end].rfind('@').or_else(|| {
                let line = rest.split_whitespace().next().unwrap_or_default();
                line.find('@').filter(|at| !line[..*at].contains("://"))
            });
            let Some((user, password)) = end.and_then(|end| rest[..end].split_once(':')) else {
                // A token alone in the place of the user.
                if let Some(end) = end
                    && looks_random(&rest.as_bytes()[..end])
                {
                    self.add(&rest[..end]);
                }
                continue;
            };
            if user.contains('/') {
                continue;
            }
            self.password(password);
            self.password(&percent_decoded(password));
            if looks_random(user.as_bytes()) {
                self.add(user);
            }
        }
    }

    pub(super) fn into_found(self) -> Vec<SecretBytes> {
        self.found
    }
}

/// Returns at most so many bytes of the beginning of a text.
fn beginning(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

/// Returns the text that a percent-encoded one stands for.
fn percent_decoded(text: &str) -> Zeroizing<String> {
    let bytes = text.as_bytes();
    let mut decoded = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte =
            digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| bytes[at] == b'%');
        decoded.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    Zeroizing::new(String::from_utf8_lossy(&decoded).into_owned())
}
