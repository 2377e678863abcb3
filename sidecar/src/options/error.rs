//! Errors in options, each in one line.

use common::options::flags::FlagError;
use thiserror::Error;

/// An option that cannot work: its key, its value, what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct OptionError(String);

impl OptionError {
    /// The usual form.
    pub fn new(key: impl AsRef<str>, value: &str, allowed: &str) -> Self {
        Self(format!("{} {value:?}: allowed is {allowed}", key.as_ref()))
    }

    /// A text that names key, value and what is allowed itself.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The same error about a key inside the object `parent`.
    #[must_use]
    pub fn inside(self, parent: &str) -> Self {
        Self(format!("{parent}.{}", self.0))
    }
}

/// Why there are no options.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoadError {
    /// Options that cannot work.
    #[error("{0}")]
    Option(#[from] OptionError),
    /// A command line that is no command line, or one that asks for help.
    #[error("{0}")]
    Flags(#[from] FlagError),
}

impl From<common::options::LoadError> for LoadError {
    fn from(error: common::options::LoadError) -> Self {
        match error {
            common::options::LoadError::Flags(error) => Self::Flags(error),
            error @ (common::options::LoadError::Json { .. } | common::options::LoadError::JsonFlag(_)) => {
                Self::Option(OptionError::from_text(error.to_string()))
            }
        }
    }
}
