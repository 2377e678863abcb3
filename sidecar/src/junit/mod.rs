//! Reading of test reports in the XML of `JUnit`, in the dialects of many runners.
//!
//! ```text
//!  bytes ─▶ Reader ── tags, texts ──▶ Cases ── one by one ──▶ TestFile ─┐
//!           (quick-xml on a window)   (what a test came to)             ├─▶ TestSummary
//!                                                     other files ──────┘
//! ```
//!
//! A report is written by the job and therefore hostile: a [`Reader`] takes it in
//! pieces of any size, in bounded memory and linear time, and never fails; what it
//! cannot read makes the file incomplete. There is no DTD, and no entity but the
//! predefined ones and references to characters.

mod cases;
mod reader;
mod reports;
mod reruns;
mod summary;
mod text;

#[cfg(test)]
mod tests;

pub use reader::Reader;
pub use reports::Reports;
pub use summary::TestSummary;

/// Upper bound on the bytes that are read of one file.
pub const MAX_FILE_BYTES: u64 = 64 << 20;

/// Upper bound on the test cases that are counted of one file.
pub const MAX_CASES: u64 = 200_000;

/// Upper bound on the nesting of elements.
pub const MAX_DEPTH: usize = 64;

/// At most this many failures of a file are kept; all are counted.
pub const MAX_FAILURES: usize = 500;

/// Upper bound on the texts of a file's failures that are kept, in bytes: many files
/// are read at a time.
pub const MAX_KEPT_BYTES: usize = 128 << 10;

/// At most this many of a file's slowest tests are kept.
pub const MAX_SLOWEST: usize = 10;

/// Upper bound on a name, in bytes.
const MAX_NAME_BYTES: usize = 300;

/// Upper bound on a message and on the output of a failure, in bytes.
const MAX_TEXT_BYTES: usize = 4 << 10;

/// The content of one report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestFile {
    /// The counts.
    pub counts: Counts,
    /// The failures, in their order, and the tests that passed only when they ran again.
    pub failures: Vec<Failure>,
    /// The slowest tests, slowest first.
    pub slowest: Vec<Timed>,
    /// The file ends too early, or holds what cannot be read.
    pub is_incomplete: bool,
}

/// Numbers of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// All of them.
    pub tests: u64,
    /// Those that failed, or ended in an error.
    pub failed: u64,
    /// Those that were skipped.
    pub skipped: u64,
    /// Those that failed at first and passed when they ran again.
    pub flaky: u64,
    /// The sum of their times, in seconds.
    pub seconds: f64,
}

impl TestFile {
    /// Drops what does not fit into `room` bytes: the output of failures, from the last
    /// one on, then failures, then the slowest tests. Counts stay. Returns the bytes that are kept.
    pub fn shrink(&mut self, room: usize) -> usize {
        let mut kept = self.failures.iter().map(Failure::bytes).sum::<usize>()
            + self.slowest.iter().map(Timed::bytes).sum::<usize>();
        for failure in self.failures.iter_mut().rev() {
            if kept <= room {
                break;
            }
            kept -= failure.output.len();
            failure.output = String::new();
        }
        while kept > room {
            let Some(failure) = self.failures.pop() else { break };
            kept -= failure.bytes();
        }
        while kept > room {
            let Some(timed) = self.slowest.pop() else { break };
            kept -= timed.bytes();
        }
        kept
    }
}

impl Failure {
    fn bytes(&self) -> usize {
        [&self.suite, &self.name, &self.file, &self.message, &self.output]
            .iter()
            .map(|text| text.len())
            .sum::<usize>()
            + size_of::<Self>()
    }
}

impl Timed {
    fn bytes(&self) -> usize {
        self.suite.len() + self.name.len() + size_of::<Self>()
    }
}

/// A test that failed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Failure {
    /// The name of its suite, or its class.
    pub suite: String,
    /// Its own name.
    pub name: String,
    /// Its source file, where the report names it.
    pub file: String,
    /// The message of its failure.
    pub message: String,
    /// The runner's text about its failure, else the test's own output.
    pub output: String,
    /// Its time, in seconds.
    pub seconds: f64,
    /// It passed when it ran again.
    pub flaky: bool,
}

/// A test and its time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timed {
    /// The name of its suite, or its class.
    pub suite: String,
    /// Its own name.
    pub name: String,
    /// Its time, in seconds.
    pub seconds: f64,
}
