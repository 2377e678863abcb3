//! The command line as C passes it.

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;

/// The command line.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    /// The program's name as the caller gave it; may be empty.
    pub program: OsString,
    /// The words after it.
    pub args: Vec<OsString>,
}

impl CommandLine {
    /// Copies the arguments that the C runtime passes to `main`.
    ///
    /// # Safety
    /// `words` must hold `count` C strings.
    pub unsafe fn of(count: c_int, words: *const *const c_char) -> Self {
        let mut all = (0..usize::try_from(count).unwrap_or(0)).map(|index| {
            // SAFETY: as the caller promises.
            let word = unsafe { CStr::from_ptr(*words.add(index)) };
            OsStr::from_bytes(word.to_bytes()).to_owned()
        });
        Self { program: all.next().unwrap_or_default(), args: all.collect() }
    }
}
