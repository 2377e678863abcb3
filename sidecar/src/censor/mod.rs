//! Masking of secrets in everything that leaves.
//!
//! ```text
//! secret files ─▶ secrets ─▶ encodings ─▶ patterns ─▶ engine
//!                                                        │
//! bytes of a file ─────────▶ stream ◀────────────────────┘
//! containers ──────────────▶ archive
//! ```
//!
//! | module | contents |
//! | --- | --- |
//! | `options` | `censoring_options` |
//! | `secrets` | the known values, read from files of several kinds |
//! | `encodings` | the encoded forms of a value |
//! | `engine` | the matching engine |
//! | `stream` | masking of a stream through a sliding window |
//! | `archive` | looking into containers, and rewriting them |
//! | `explain` | which secret was found where, for people |
//! | `likeness` | whether a derived value looks like a secret |
//! | `globs` | selection of an item's files |
//! | `budget` | processor time and unpacked bytes that files share |
//! | `once`, `scans`, `packs` | what was found in a file that has several names, and what it became |

pub mod archive;
mod budget;
pub mod encodings;
pub use censor_engine as engine;
mod explain;
mod globs;
mod likeness;
mod once;
mod options;
mod packs;
mod scans;
mod secrets;
mod stream;
#[cfg(test)]
mod tests;

pub use budget::{Budget, BudgetExceeded};
pub use explain::{Explained, Explainer};
pub use globs::Globs;
pub use once::Identity;
pub use options::{ArchiveOptions, CensoringOptions};
pub use secrets::{Secrets, Source};
pub use stream::StreamMask;

use archive::{ArchiveError, Archives, ReadAt, Rewritten, Verdict, WalkContext};
use engine::Matcher;
use scans::Scans;
use std::fmt;
use std::io::Write;
use std::sync::Arc;

/// The secrets of one pass, ready to mask.
pub struct Censor {
    matcher: Option<Arc<Matcher>>,
    globs: Arc<Globs>,
    archives: Archives,
    budget: Option<Arc<Budget>>,
    scans: Arc<Scans>,
    secrets: usize,
    generation: u64,
    problems: Arc<[LoadProblem]>,
    unmasked: Arc<[String]>,
    sources: Arc<[Source]>,
    withheld: Option<String>,
    /// The reason why nothing can be looked for, and everything must be masked.
    blind: Option<String>,
}

/// A secret that could not be loaded; one line without its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoadProblem {
    /// The file or directory.
    pub path: String,
    /// The problem.
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
    /// Reads all secrets, none of them written by the job.
    pub fn load(options: &CensoringOptions) -> Self {
        let mut secrets = Secrets::new(options, &[]);
        secrets.read();
        Self::new(&secrets, options, 1)
    }

    /// Builds a censor of these values alone, such as sidecar's own credentials.
    pub fn of_values<V: AsRef<[u8]>>(values: &[V]) -> Self {
        let options = CensoringOptions::default();
        Self::new(&Secrets::of_values(values, &options), &options, 1)
    }

    /// Builds a censor of all known values. `generation` distinguishes sets of values.
    pub fn new(secrets: &Secrets, options: &CensoringOptions, generation: u64) -> Self {
        let forms = secrets.forms().map(|(_, encoding, pattern)| (pattern, encoding.is_text()));
        let (matcher, blind) = if secrets.are_too_many() {
            (None, Some("there are more secrets than can be looked for".to_owned()))
        } else {
            let (patterns, is_value): (Vec<_>, Vec<_>) = forms.unzip();
            match Matcher::with_views(patterns, &is_value) {
                Ok(matcher) if matcher.is_empty() => (None, None),
                Ok(matcher) => (Some(Arc::new(matcher)), None),
                Err(error) => (None, Some(format!("the secrets cannot be looked for: {error}"))),
            }
        };
        let censor = Self {
            matcher,
            globs: Arc::new(Globs::new(&options.include_directories, &options.exclude_directories)),
            archives: Archives::new(options.archives.limits()),
            budget: None,
            scans: Arc::default(),
            secrets: 0,
            generation,
            problems: Arc::default(),
            unmasked: Arc::default(),
            sources: Arc::default(),
            withheld: None,
            blind,
        };
        censor.unchanged(secrets, options)
    }

    /// Returns a censor of the same values with the current problems.
    #[must_use]
    pub fn unchanged(&self, secrets: &Secrets, options: &CensoringOptions) -> Self {
        let strict = (options.strict && !secrets.problems().is_empty())
            .then(|| "a secret could not be loaded, and censoring is strict".to_owned());
        Self {
            matcher: self.matcher.clone(),
            globs: Arc::clone(&self.globs),
            archives: self.archives.clone(),
            budget: self.budget.clone(),
            scans: Arc::clone(&self.scans),
            secrets: secrets.count(),
            generation: self.generation,
            problems: secrets.problems().into(),
            unmasked: secrets.unmasked().map(str::to_owned).collect(),
            sources: secrets.sources().into(),
            withheld: self.blind.clone().or(strict),
            blind: self.blind.clone(),
        }
    }

    /// Returns the number of known values (the `secrets` of C-71).
    pub fn secrets(&self) -> usize {
        self.secrets
    }

    /// Returns a number that grows whenever a value is added.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the secrets that could not be loaded.
    pub fn problems(&self) -> &[LoadProblem] {
        &self.problems
    }

    /// Returns the files with a value that is too short to mask, or a boolean.
    pub fn unmasked(&self) -> &[String] {
        &self.unmasked
    }

    /// Returns how the files with more than one value were read.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Masks secrets in a text.
    pub fn text(&self, text: &str) -> String {
        // A secret that is not text can begin within a character.
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    /// Masks secrets in bytes, such as a name.
    pub fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        if self.blind.is_some() {
            return vec![engine::MASK; bytes.len()];
        }
        let mut bytes = bytes.to_vec();
        // Names and documents are masked whatever else has cost.
        if let Some(mut mask) = self.mask_within(None) {
            mask.mask(&mut bytes, true);
        }
        bytes
    }

    /// Returns whether an item's file is censored, by its path relative to the item
    /// (`.` for an item that is a file; C-32 … C-35).
    pub fn selects(&self, path: &[u8]) -> bool {
        self.globs.select(path)
    }

    /// Returns the reason why everything but the result is withheld, if it is.
    pub fn withholds_everything(&self) -> Option<&str> {
        self.withheld.as_deref()
    }

    /// Returns the mask for an artifact, within the budget of the pass; `None` when there
    /// are no secrets. Not to be called on a censor that withholds everything.
    pub fn stream(&self) -> Option<StreamMask> {
        self.mask_within(self.budget.clone())
    }

    /// Returns the mask for a process log, which has as much processor time as all artifacts
    /// together; otherwise as [`stream`](Self::stream).
    pub fn stream_of_log(&self) -> Option<StreamMask> {
        self.mask_within(self.budget.as_ref().map(|budget| Arc::new(budget.of_stream())))
    }

    /// Returns the mask for a document of sidecar's own, which is masked whatever else has
    /// cost; otherwise as [`stream`](Self::stream).
    pub fn stream_of_document(&self) -> Option<StreamMask> {
        self.mask_within(None)
    }

    /// Returns whether something was given up for this reason because the pass's budget is
    /// used up.
    pub fn is_over_limit(&self, reason: &str) -> bool {
        self.budget.as_ref().is_some_and(|budget| budget.explains(reason))
    }

    fn mask_within(&self, budget: Option<Arc<Budget>>) -> Option<StreamMask> {
        self.matcher.as_ref().map(|matcher| StreamMask::new(Arc::clone(matcher)).within(budget))
    }

    /// Returns a censor of the same values for one pass: its artifacts share a budget, and
    /// what is found in a file holds for its other names.
    #[must_use]
    pub fn with_budget(&self, budget: Arc<Budget>) -> Self {
        Self {
            matcher: self.matcher.clone(),
            globs: Arc::clone(&self.globs),
            archives: self.archives.clone(),
            budget: Some(budget),
            scans: Arc::default(),
            secrets: self.secrets,
            generation: self.generation,
            problems: Arc::clone(&self.problems),
            unmasked: Arc::clone(&self.unmasked),
            sources: Arc::clone(&self.sources),
            withheld: self.withheld.clone(),
            blind: self.blind.clone(),
        }
    }

    /// Looks into a file that may be a container. Gives up once `is_stopped`
    /// returns true.
    pub fn look_into(
        &self,
        source: &dyn ReadAt,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Verdict, ArchiveError> {
        match &self.matcher {
            Some(matcher) => {
                let budget = self.budget.as_deref();
                self.archives.look(source, WalkContext { matcher, is_stopped, budget })
            }
            None => Ok(Verdict::Plain { note: None }),
        }
    }

    /// As [`look_into`](Self::look_into), once for all names of the file. What reads it must
    /// compare: [`Verdict::Clean`] says with what.
    pub fn look_into_once(
        &self,
        identity: Identity,
        source: &dyn ReadAt,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Verdict, ArchiveError> {
        self.scans.once(identity, is_stopped, || self.look_into(source, is_stopped))
    }

    /// Remembers that a file that is no container holds no secret.
    pub fn is_clean(&self, identity: Identity, bytes: u64, crc32c: u32) {
        self.scans.is_clean(identity, bytes, crc32c);
    }

    /// As [`rewrite`](Self::rewrite), once for all names of the file.
    pub fn rewrite_once(
        &self,
        identity: Identity,
        source: &dyn ReadAt,
        output: &mut dyn Write,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Rewritten, ArchiveError> {
        let mut rewrite = |output: &mut dyn Write| self.rewrite(source, output, is_stopped);
        self.scans.packs.once(identity, is_stopped, output, &mut rewrite)
    }

    /// Rewrites a container without its secrets.
    pub fn rewrite(
        &self,
        source: &dyn ReadAt,
        output: &mut dyn Write,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Rewritten, ArchiveError> {
        let Some(matcher) = &self.matcher else {
            return Err(ArchiveError::Withheld("no secret is in force".to_owned()));
        };
        let budget = self.budget.as_deref();
        self.archives.rewrite(source, output, WalkContext { matcher, is_stopped, budget })
    }
}
