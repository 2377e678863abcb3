//! The values to mask.
//!
//! Every pass reads the directories again. Values once seen stay known, so that a
//! value that is rotated during a job is masked before and after.
//!
//! | module | reads |
//! | --- | --- |
//! | `files` | the operator's directories |
//! | `job` | directories that the job can write to |
//! | `allowance` | nothing: it bounds what the job adds |
//! | `docker`, `ini`, `structured` | files that the contract or an option names |
//! | `credentials` | other files with more than one value |

mod allowance;
mod credentials;
mod docker;
mod files;
mod ini;
mod job;
mod structured;

use super::encodings::Encoding;
use super::engine::Pattern;
use super::{CensoringOptions, LoadProblem};
use allowance::{Allowance, Extent, Room};
use files::FileKinds;
use job::{MIN_BYTES, is_written_by_job};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use zeroize::Zeroizing;

/// One value of a file.
type SecretBytes = Zeroizing<Vec<u8>>;

/// Upper bound on the total size and number of secret values; their encodings
/// take about eight times as much.
const MAX_BYTES: usize = 64 << 20;
const MAX_VALUES: usize = 200_000;

/// Maximum number of values that are also looked for in rare encodings.
const MAX_VALUES_WITH_RARE_FORMS: usize = 1000;

/// Minimum length of a value of a document with much else in it; shorter ones
/// (`v1`, `tcp`) would match everywhere.
const MIN_SCALAR_BYTES: usize = 4;

/// Minimum length of a value of a file that was recognized by its content.
const MIN_DERIVED_BYTES: usize = 8;

/// Maximum number of files for which the manifest says how they were read, and of problems
/// that are kept; the others are counted.
const MAX_SOURCES: usize = 1000;
const MAX_PROBLEMS: usize = 1000;

/// How a file with more than one value was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub path: String,
    /// The format.
    pub format: &'static str,
    /// The number of values in it, beside its whole text.
    pub values: usize,
}

/// The result of reading all directories once. The job's values are known as soon as they
/// are read, and not among these.
#[derive(Default)]
struct Round {
    values: Vec<Found>,
    sources: Vec<Source>,
    problems: Vec<LoadProblem>,
    /// Problems of the directory at hand beyond those that are kept.
    more_problems: usize,
    bytes: usize,
}

struct Found {
    bytes: Zeroizing<Vec<u8>>,
    file: Rc<str>,
    kind: ValueKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ValueKind {
    /// The content of a file.
    Whole,
    /// A value of an INI file, or a password of a registry.
    Member,
    /// A value of a document with much else in it.
    Scalar,
    /// A value of a file that was recognized by its content.
    Derived,
    /// A value that the job added.
    OfJob,
}

/// The result of adding a value.
struct Added {
    is_new: bool,
    extent: Extent,
}

impl Round {
    fn whole(&mut self, path: &Path, content: Zeroizing<Vec<u8>>) {
        self.add(path.display().to_string().into(), content, ValueKind::Whole);
    }

    fn parts(&mut self, path: &Path, parts: Vec<SecretBytes>, kind: ValueKind) {
        let file: Rc<str> = path.display().to_string().into();
        for part in parts {
            self.add(Rc::clone(&file), part, kind);
        }
    }

    fn problem(&mut self, path: &Path, reason: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(LoadProblem { path: path.display().to_string(), reason: reason.into() });
        } else {
            self.more_problems += 1;
        }
    }

    /// Ends the reading of a directory, with a problem that counts those beyond what is kept.
    fn end(&mut self, directory: &Path) {
        let more = std::mem::take(&mut self.more_problems);
        if more > 0 {
            let reason = format!("{more} more of its files could not be loaded");
            self.problems.push(LoadProblem { path: directory.display().to_string(), reason });
        }
    }

    /// Notes how a file was read.
    fn source(&mut self, path: &Path, format: &'static str, values: usize) {
        if self.sources.len() < MAX_SOURCES {
            self.sources.push(Source { path: path.display().to_string(), format, values });
        }
    }

    fn add(&mut self, file: Rc<str>, bytes: Zeroizing<Vec<u8>>, kind: ValueKind) {
        self.bytes += bytes.len();
        self.values.push(Found { bytes, file, kind });
    }

    /// Returns whether the limits of the operator's values are exceeded.
    fn is_full(&self) -> bool {
        self.bytes > MAX_BYTES || self.values.len() > MAX_VALUES
    }
}

/// All values ever seen. Zeroed when dropped.
pub struct Secrets {
    /// The operator's come first: no file of the job takes the place of their problems, and a
    /// value of both is theirs.
    operators: Vec<PathBuf>,
    jobs: Vec<PathBuf>,
    kinds: FileKinds,
    minimum: usize,
    known: BTreeMap<Value, Known>,
    /// The size of the operator's values.
    bytes: usize,
    allowance: Allowance,
    problems: Vec<LoadProblem>,
    sources: Vec<Source>,
    unmasked: BTreeSet<String>,
    too_many: bool,
}

/// The file where a value was first seen, and the forms in which it is looked for.
struct Known {
    file: Arc<str>,
    extent: Extent,
}

#[derive(PartialEq, Eq)]
struct Value(Zeroizing<Vec<u8>>);

impl Ord for Value {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.as_slice().cmp(&other.0)
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("known", &self.known.len()).finish_non_exhaustive()
    }
}

impl Secrets {
    /// Reads nothing yet. `volumes` are absolute paths of directories that the job
    /// can write to; secret directories at or below them are the job's.
    pub fn new(options: &CensoringOptions, volumes: &[PathBuf]) -> Self {
        let is_jobs = |path: &PathBuf| {
            is_written_by_job(&std::path::absolute(path).unwrap_or_else(|_| path.clone()), volumes)
        };
        let (jobs, operators) = options.secret_directories.iter().map(PathBuf::from).partition(is_jobs);
        let minimum = options.minimum_secret_length.unwrap_or(0);
        Self {
            operators,
            jobs,
            kinds: FileKinds {
                ini: options.ini_filenames.clone(),
                structured: options.structured_filenames.clone(),
            },
            minimum: usize::try_from(minimum).unwrap_or(0),
            known: BTreeMap::new(),
            bytes: 0,
            allowance: Allowance::default(),
            problems: Vec::new(),
            sources: Vec::new(),
            unmasked: BTreeSet::new(),
            too_many: false,
        }
    }

    /// Reads all directories, and returns whether there is a new value, or more forms to look for.
    pub fn read(&mut self) -> bool {
        let mut round = Round::default();
        self.unmasked.clear();
        for directory in &self.operators {
            files::read_directory(directory, &self.kinds, &mut round);
            round.end(directory);
        }
        let mut is_new = self.take(&mut round);
        let mut room = Room::default();
        for directory in self.jobs.clone() {
            let mut added = |found| self.add(found);
            is_new |= job::read_directory(&directory, &mut room, &mut round, &mut added);
            round.end(&directory);
        }
        self.problems = round.problems;
        self.sources = round.sources;
        is_new
    }

    /// Takes over the operator's values, and returns whether there is a new one.
    fn take(&mut self, round: &mut Round) -> bool {
        self.too_many |= round.is_full();
        let mut is_new = false;
        for found in std::mem::take(&mut round.values) {
            is_new |= self.add(found).is_new;
        }
        let operators = self.known.len() - self.allowance.taken();
        self.too_many |= self.bytes > MAX_BYTES || operators > MAX_VALUES;
        is_new
    }

    /// Makes a value known, if it can be masked.
    fn add(&mut self, Found { bytes, file, kind }: Found) -> Added {
        let trimmed = trim(&bytes);
        if !self.is_masked(trimmed, kind) {
            // A setting that is `true` beside the secrets is not worth a warning.
            if kind != ValueKind::Derived
                && !trimmed.is_empty()
                && (kind == ValueKind::Whole || !is_boolean(trimmed))
            {
                self.unmasked.insert(file.to_string());
            }
            return Added { is_new: false, extent: Extent::All };
        }
        let value = Value(bytes);
        if let Some(known) = self.known.get_mut(&value) {
            let is_new = kind != ValueKind::OfJob && known.extent != Extent::All;
            if is_new {
                known.extent = Extent::All;
            }
            return Added { is_new, extent: known.extent };
        }
        let extent = if kind == ValueKind::OfJob {
            self.allowance.take(&value.0)
        } else {
            self.bytes += value.0.len();
            Extent::All
        };
        let is_new = extent != Extent::Nothing;
        if is_new {
            self.known.insert(value, Known { file: Arc::from(&*file), extent });
        }
        Added { is_new, extent }
    }

    /// Returns the number of known values.
    pub fn count(&self) -> usize {
        self.known.len()
    }

    /// Returns the problems of the last reading.
    pub fn problems(&self) -> &[LoadProblem] {
        &self.problems
    }

    /// Returns the files with a value that is too short to mask, or a boolean.
    pub fn unmasked(&self) -> impl Iterator<Item = &str> {
        self.unmasked.iter().map(String::as_str)
    }

    /// Returns how the files with more than one value were read the last time.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Returns whether there are too many values to look for.
    pub fn are_too_many(&self) -> bool {
        self.too_many
    }

    /// Returns all forms of all values (C-20 … C-22, and more encodings), each with
    /// the file where its value was first seen.
    pub fn forms(&self) -> impl Iterator<Item = (&str, Encoding, Pattern)> {
        let has_rare = self.known.len() <= MAX_VALUES_WITH_RARE_FORMS;
        self.known.iter().flat_map(move |(value, Known { file, extent })| {
            let forms = match extent {
                Extent::All if has_rare => extent.forms(&value.0),
                Extent::All => Extent::WithoutRare.forms(&value.0),
                Extent::WithoutRare | Extent::Least | Extent::Nothing => extent.forms(&value.0),
            };
            forms.into_iter().map(move |(encoding, pattern)| (&**file, encoding, pattern))
        })
    }

    /// Returns whether a value can be masked (C-21).
    fn is_masked(&self, trimmed: &[u8], kind: ValueKind) -> bool {
        let least = match kind {
            ValueKind::Whole | ValueKind::Member => 1,
            ValueKind::Scalar => MIN_SCALAR_BYTES,
            ValueKind::Derived => MIN_DERIVED_BYTES,
            ValueKind::OfJob => MIN_BYTES,
        };
        trimmed.len() >= least.max(self.minimum) && !is_boolean(trimmed)
    }
}

/// Removes surrounding white space, as defined by Unicode if the value is text (C-20).
fn trim(value: &[u8]) -> &[u8] {
    match std::str::from_utf8(value) {
        Ok(text) => text.trim().as_bytes(),
        Err(_) => value.trim_ascii(),
    }
}

fn is_boolean(trimmed: &[u8]) -> bool {
    [&b"true"[..], b"false"].iter().any(|word| trimmed.eq_ignore_ascii_case(word))
}

impl Secrets {
    /// Returns secrets as if these values had been read.
    pub(super) fn of_values<V: AsRef<[u8]>>(values: &[V], options: &CensoringOptions) -> Self {
        let mut secrets = Self::new(options, &[]);
        let mut round = Round::default();
        for value in values {
            round.whole(Path::new("value"), Zeroizing::new(value.as_ref().to_vec()));
        }
        secrets.take(&mut round);
        secrets
    }
}

#[cfg(test)]
mod tests;
