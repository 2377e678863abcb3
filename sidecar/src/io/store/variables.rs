//! The settings of stores as environments, files and editors give them.
//!
//! A value that a file or a shell left with white space at its end would otherwise
//! go into a header as it is, which the object store library answers with a panic at
//! the first request, after the test has run.

use super::StoreError;

/// Drops white space around a setting. Refuses one that could not be a header's value
/// (RFC 9110, 5.5); the error names the source, never the value.
pub(super) fn cleaned(source: &str, value: &str) -> Result<String, StoreError> {
    let value = value.trim();
    let position = value.chars().position(|letter| letter.is_control() || !letter.is_ascii());
    match position {
        None => Ok(value.to_owned()),
        Some(position) => Err(StoreError::Setting(format!(
            "{source}: character {} is a control character or not ASCII; allowed is printable ASCII",
            position + 1
        ))),
    }
}

/// Drops white space around the path of a file, which may be of any other characters.
fn path(source: &str, value: &str) -> Result<String, StoreError> {
    let value = value.trim();
    if value.chars().any(char::is_control) {
        return Err(StoreError::Setting(format!(
            "{source}: it contains a control character; allowed is a path without one"
        )));
    }
    Ok(value.to_owned())
}

/// Variables whose values are paths or names of profiles, not parts of requests.
const PATHS: [&str; 7] = [
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AZURE_FEDERATED_TOKEN_FILE",
    "GOOGLE_APPLICATION_CREDENTIALS",
];

/// Reads settings from an environment.
pub(super) struct Variables<F> {
    environment: F,
}

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    pub(super) fn new(environment: F) -> Self {
        Self { environment }
    }

    /// Returns a variable's value without white space around it; `None` when nothing
    /// is left.
    pub(super) fn get(&self, name: &str) -> Result<Option<String>, StoreError> {
        let Some(value) = (self.environment)(name) else { return Ok(None) };
        let value = if PATHS.contains(&name) { path(name, &value)? } else { cleaned(name, &value)? };
        Ok(Some(value).filter(|value| !value.is_empty()))
    }

    /// Returns the home directory as it is.
    pub(super) fn home(&self) -> Option<String> {
        (self.environment)("HOME").filter(|home| !home.is_empty())
    }

    /// Returns the first of these variables that is set.
    pub(super) fn first(&self, names: &[&str]) -> Result<Option<String>, StoreError> {
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

    fn value(name: &str, value: &str) -> Result<Option<String>, String> {
        Variables::new(|_: &str| Some(value.to_owned())).get(name).map_err(|error| error.to_string())
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
    fn what_no_header_can_hold_is_refused_without_its_value() {
        for inside in ["hunter\n2", "hunter\u{7f}2", "hünter2", "hunter\u{85}2"] {
            let error = value("AWS_SECRET_ACCESS_KEY", inside).expect_err("refused");
            assert!(error.contains("AWS_SECRET_ACCESS_KEY") && !error.contains("nter"), "{error}");
        }
        assert!(value("AWS_CONFIG_FILE", "/a\nb").is_err());
    }
}
