//! Lines for people, on stderr because stdout is the test's; and stdout itself.

use common::duration::GoDuration;
use std::fmt::Display;
use std::io::Write;
use std::time::Duration;

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

/// A time as people read it: Go's form, in milliseconds below a minute, else in seconds.
pub(crate) fn time(duration: Duration) -> impl Display {
    let unit = if duration < Duration::from_mins(1) { 1_000_000 } else { 1_000_000_000 };
    let nanos = GoDuration::from_std(duration).as_nanos();
    GoDuration::from_nanos(nanos - nanos % unit)
}

/// A size as people read it.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut tenths = bytes.saturating_mul(10) / 1024;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if tenths >= 10 * 1024 {
            tenths /= 1024;
            unit = larger;
        }
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// A hostile text made harmless for a terminal.
pub(crate) fn harmless(text: &str) -> String {
    crate::escape::visible(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_short() {
        assert_eq!(size(0), "0 bytes");
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(1024), "1.0 KiB");
        assert_eq!(size(300 << 20), "300.0 MiB");
        assert_eq!(size(5 << 40), "5.0 TiB");
        assert_eq!(time(Duration::from_nanos(1_234_567_891)).to_string(), "1.234s");
        assert_eq!(time(Duration::from_millis(61_900)).to_string(), "1m1s");
        assert_eq!(time(Duration::ZERO).to_string(), "0s");
    }
}
