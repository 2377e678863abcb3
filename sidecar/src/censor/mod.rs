//! Masking of secrets in everything that leaves.
//!
//! ```text
//! secret files ─▶ secrets ─▶ encodings ─▶ patterns ─▶ engine
//!                 (ini, docker)                          │
//! bytes of a file ─────────▶ stream ◀────────────────────┘
//! containers ──────────────▶ archive
//! ```
//!
//! | module | what it is |
//! | --- | --- |
//! | `options` | what was asked for |
//! | `secrets`, `docker`, `ini` | reading of values, each by itself |
//! | `encodings` | the forms of a value |
//! | `engine` | finding the places of all patterns |
//! | `stream` | the interface of a transfer: a window that slides over a stream |
//! | `archive` | looking into containers, and packing them anew |
//! | `globs` | which files of an item are censored |

pub mod archive;
mod docker;
mod encodings;
pub mod engine;
mod globs;
mod ini;
mod options;
mod secrets;
mod stream;
#[cfg(test)]
mod tests;

pub use options::{ArchiveOptions, CensoringOptions};
pub use stream::Mask;

use archive::{ArchiveError, Archives, ReadAt, Rewritten, Verdict, With};
use engine::Matcher;
use globs::Globs;
use secrets::Loaded;
use std::fmt;
use std::io::Write;
use std::sync::Arc;
use stream::WindowMask;

/// The secrets in force.
pub struct Censor {
    matcher: Option<Arc<Matcher>>,
    globs: Globs,
    archives: Archives,
    secrets: usize,
    withheld: Option<String>,
}

/// A secret that could not be loaded; one line without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadProblem {
    /// The file or directory.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for LoadProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret {}: {}", self.path, self.reason)
    }
}

impl fmt::Debug for Censor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Censor").field("secrets", &self.secrets).finish_non_exhaustive()
    }
}

impl Censor {
    /// Loads the secrets; what cannot be loaded disables only itself.
    pub fn load(options: &CensoringOptions) -> (Self, Vec<LoadProblem>) {
        let loaded = Loaded::from_directories(&options.secret_directories, &options.ini_filenames);
        Self::new(loaded, options)
    }

    fn new(loaded: Loaded, options: &CensoringOptions) -> (Self, Vec<LoadProblem>) {
        let minimum = options.minimum_secret_length.unwrap_or(0);
        let minimum = usize::try_from(minimum).unwrap_or(0);
        let mut withheld = (options.strict && !loaded.problems.is_empty())
            .then(|| "a secret could not be loaded, and censoring is strict".to_owned());
        let matcher = match Matcher::new(loaded.patterns(minimum)) {
            Ok(matcher) if matcher.is_empty() => None,
            Ok(matcher) => Some(Arc::new(matcher)),
            Err(error) => {
                withheld = Some(format!("the secrets cannot be looked for: {error}"));
                None
            }
        };
        let globs = Globs::new(&options.include_directories, &options.exclude_directories);
        let archives = Archives::new(options.archives.limits());
        (Self { matcher, globs, archives, secrets: loaded.count(), withheld }, loaded.problems)
    }

    /// How many values were loaded (the `secrets` of C-71).
    pub fn secrets(&self) -> usize {
        self.secrets
    }

    /// Masks secrets in a text of a document that we write.
    pub fn text(&self, text: &str) -> String {
        let Some(mut mask) = self.stream() else {
            return text.to_owned();
        };
        let mut bytes = text.as_bytes().to_vec();
        mask.mask(&mut bytes, true);
        // A secret that is no text can begin within a character.
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether an item's file is to be censored, by its path relative to the
    /// item (`.` for an item that is a file; C-32 … C-35).
    pub fn selects(&self, path: &[u8]) -> bool {
        self.globs.select(path)
    }

    /// Why everything but the result must be withheld, if so.
    pub fn withholds_everything(&self) -> Option<&str> {
        self.withheld.as_deref()
    }

    /// A fresh mask for one stream; `None` when no secret is in force.
    pub fn stream(&self) -> Option<Box<dyn Mask>> {
        self.matcher.as_ref().map(|matcher| fresh(matcher))
    }

    /// Looks into a file that may be a container, until nobody waits for that.
    pub fn look_into(
        &self,
        source: &dyn ReadAt,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Verdict, ArchiveError> {
        match &self.matcher {
            Some(matcher) => self.archives.look(source, With { fresh: &|| fresh(matcher), is_stopped }),
            None => Ok(Verdict::Plain { note: None }),
        }
    }

    /// Writes a container anew, without the secrets in it.
    pub fn rewrite(
        &self,
        source: &dyn ReadAt,
        output: &mut dyn Write,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Rewritten, ArchiveError> {
        let Some(matcher) = &self.matcher else {
            return Err(ArchiveError::Withheld("no secret is in force".to_owned()));
        };
        self.archives.rewrite(source, output, With { fresh: &|| fresh(matcher), is_stopped })
    }
}

fn fresh(matcher: &Arc<Matcher>) -> Box<dyn Mask> {
    Box::new(WindowMask::new(Arc::clone(matcher)))
}
