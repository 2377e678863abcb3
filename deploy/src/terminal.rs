//! Lines for people, on stderr because stdout is the test's; and stdout itself.

use std::io::Write;

pub(crate) use job_page::amounts::{size, time};

/// A user's mistake or a failure: one line, and the exit status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The line, without a prefix.
    pub(crate) text: String,
    /// The exit status.
    pub(crate) status: u8,
}

impl Problem {
    /// Something that cannot work.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), status: common::codes::EXIT_FAILURE }
    }

    /// A command line that is no command line.
    pub(crate) fn syntax(text: impl Into<String>) -> Self {
        Self { text: text.into(), status: common::codes::EXIT_USAGE }
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        Self::new(format!("{error:#}"))
    }
}

/// Writes one line of our own.
pub(crate) fn line(text: &str) {
    raw(&format!("podutils: {text}"));
}

/// Writes one line as it is.
pub(crate) fn raw(text: &str) {
    // There is nobody left to tell when stderr is gone.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Writes to stdout. A reader that has closed the pipe, such as a pager, has seen
/// enough, which is no error.
pub(crate) fn print(text: &[u8]) -> Result<(), Problem> {
    match std::io::stdout().write_all(text) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| Problem::new(format!("cannot write to stdout: {error}"))),
    }
}

/// A hostile text made harmless for a terminal.
pub(crate) fn harmless(text: &str) -> String {
    job_page::escape::visible(text).into_owned()
}
