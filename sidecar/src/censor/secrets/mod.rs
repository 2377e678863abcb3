//! The values to mask.
//!
//! Every pass reads the directories again. Values once seen stay known, so that a
//! value that is rotated during a job is masked before and after.
//!
//! | module | reads |
//! | --- | --- |
//! | `files` | the operator's directories |
//! | `job` | directories that the job can write to |
//! | `docker`, `ini`, `structured` | files that the contract or an option names |
//! | `credentials` | other files with more than one value |

mod credentials;
mod docker;
mod files;
mod ini;
mod job;
mod structured;

use super::encodings::{Encoding, encodings, rare_encodings};
use super::engine::Pattern;
use super::{CensoringOptions, LoadProblem};
use files::FileKinds;
use job::{Allowance, MIN_BYTES, is_written_by_job};
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

/// Maximum number of files for which the manifest says how they were read.
const MAX_SOURCES: usize = 1000;

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

/// The result of reading all directories once.
#[derive(Default)]
struct Round {
    values: Vec<Found>,
    sources: Vec<Source>,
    problems: Vec<LoadProblem>,
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

    fn of_job(&mut self, path: &Path, content: Zeroizing<Vec<u8>>) {
        self.add(path.display().to_string().into(), content, ValueKind::OfJob);
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

    /// Returns whether the limits are exceeded.
    fn is_full(&self) -> bool {
        self.bytes > MAX_BYTES || self.values.len() > MAX_VALUES
    }
}

/// All values ever seen. Zeroed when dropped.
pub struct Secrets {
    directories: Vec<(PathBuf, bool)>,
    kinds: FileKinds,
    minimum: usize,
    known: BTreeMap<Value, Arc<str>>,
    bytes: usize,
    allowance: Allowance,
    problems: Vec<LoadProblem>,
    sources: Vec<Source>,
    unmasked: BTreeSet<String>,
    too_many: bool,
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
        let directory = |path: &String| {
            let path = PathBuf::from(path);
            let absolute = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
            let of_job = is_written_by_job(&absolute, volumes);
            (path, of_job)
        };
        let minimum = options.minimum_secret_length.unwrap_or(0);
        Self {
            directories: options.secret_directories.iter().map(directory).collect(),
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

    /// Reads all directories, and returns whether there is a new value.
    pub fn read(&mut self) -> bool {
        let mut round = Round::default();
        for (directory, of_job) in &self.directories {
            if *of_job {
                job::read_directory(directory, &mut round);
            } else {
                files::read_directory(directory, &self.kinds, &mut round);
            }
        }
        self.take(round)
    }

    fn take(&mut self, round: Round) -> bool {
        self.too_many |= round.is_full();
        self.problems = round.problems;
        self.sources = round.sources;
        self.unmasked.clear();
        let mut refused = BTreeSet::new();
        let before = self.known.len();
        for Found { bytes, file, kind } in round.values {
            if !self.is_masked(&bytes, kind) {
                // A setting that is `true` beside the secrets is not worth a warning.
                if kind != ValueKind::Derived
                    && !trim(&bytes).is_empty()
                    && (kind == ValueKind::Whole || !is_boolean(trim(&bytes)))
                {
                    self.unmasked.insert(file.to_string());
                }
                continue;
            }
            let (length, value) = (bytes.len(), Value(bytes));
            if self.known.contains_key(&value) {
                continue;
            }
            if kind == ValueKind::OfJob && !self.allowance.take(length) {
                refused.insert(file.to_string());
                continue;
            }
            self.bytes += length;
            self.known.insert(value, Arc::from(&*file));
        }
        self.too_many |= self.bytes > MAX_BYTES || self.known.len() > MAX_VALUES;
        let reason = "the job has added more values than it may, this one is not masked";
        let refused = refused.into_iter().map(|path| LoadProblem { path, reason: reason.to_owned() });
        self.problems.extend(refused);
        self.known.len() > before
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
        self.known.iter().flat_map(move |(value, file)| {
            let trimmed = trim(&value.0);
            let rare = if has_rare { rare_encodings(trimmed) } else { Vec::new() };
            let forms = encodings(&value.0, trimmed);
            forms.into_iter().chain(rare).map(move |(encoding, pattern)| (&**file, encoding, pattern))
        })
    }

    /// Returns whether a value can be masked (C-21).
    fn is_masked(&self, value: &[u8], kind: ValueKind) -> bool {
        let trimmed = trim(value);
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
        secrets.take(round);
        secrets
    }
}

#[cfg(test)]
mod tests;
