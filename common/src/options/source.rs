//! Where a program's options come from (contract O-1 to O-3, O-17).

use super::flags::{self, FlagError};
use super::value::{JsonFlagError, Options, fill};
use crate::json::{self, Document, JsonError, Notes};
use clap::Command;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Where a program takes its options from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The program's environment variable is there, even if empty: its text is
    /// the JSON, and the command line is ignored completely.
    Json(String),
    /// It is not: the command line counts.
    Flags,
}

/// Decides by the environment variable named `variable`.
pub fn source(variable: &str) -> Source {
    match std::env::var_os(variable) {
        Some(value) => Source::Json(lossy(&value)),
        None => Source::Flags,
    }
}

/// Why there are no options to work with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The JSON of the environment variable cannot be used.
    #[error("{variable}: {error}")]
    Json {
        /// The variable's name.
        variable: &'static str,
        /// The reason.
        error: JsonError,
    },
    /// The command line is wrong, or asks for help.
    #[error(transparent)]
    Flags(#[from] FlagError),
    /// A flag whose value is JSON cannot be used.
    #[error(transparent)]
    JsonFlag(#[from] JsonFlagError),
}

/// Loads `options` from the environment variable, else from the command line
/// `args` (without the program's name). Options in `more` have flags only.
pub fn load<T: Options + Document>(
    variable: &'static str,
    args: impl IntoIterator<Item = OsString>,
    command: fn() -> Command,
    options: &mut T,
    more: &mut [&mut dyn Options],
) -> Result<Notes, LoadError> {
    match source(variable) {
        Source::Json(text) => {
            json::decode(options, &text).map_err(|error| LoadError::Json { variable, error })
        }
        Source::Flags => {
            from_flags(&mut args.into_iter(), command, options, more)?;
            Ok(Notes::default())
        }
    }
}

/// Never part of its caller: clap's tables take 32 KiB of stack, and pods give JSON.
#[cold]
#[inline(never)]
pub fn from_flags(
    args: &mut dyn Iterator<Item = OsString>,
    command: fn() -> Command,
    options: &mut dyn Options,
    more: &mut [&mut dyn Options],
) -> Result<(), LoadError> {
    let matches = flags::parse(command(), args)?;
    fill(options, &matches)?;
    for others in more {
        fill(*others, &matches)?;
    }
    Ok(())
}

/// The text with U+FFFD for every byte that is no UTF-8: one for each byte, as
/// Go has it, not one for each sequence.
pub(crate) fn lossy(value: &OsStr) -> String {
    let mut text = String::with_capacity(value.len());
    for chunk in value.as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o_17_every_invalid_byte_is_one_replacement_character() {
        assert_eq!(lossy(OsStr::from_bytes(b"a\xffb\xe2\x82c")), "a\u{fffd}b\u{fffd}\u{fffd}c");
        assert_eq!(lossy(OsStr::from_bytes("ä{}".as_bytes())), "ä{}");
    }

    #[test]
    fn o_2_the_variable_decides() {
        // HOME and PATH are set for every test run; the other name is for nobody.
        assert!(matches!(source("PATH"), Source::Json(_)));
        assert_eq!(source("POD_UTILS_NO_SUCH_VARIABLE"), Source::Flags);
    }
}
