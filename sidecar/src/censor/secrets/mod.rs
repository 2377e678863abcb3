//! The values that are to be masked.
//!
//! Directories are read again at the start of every pass. What was seen before
//! stays known, so that a value that is rotated while a job runs leaves neither
//! as it was nor as it is.
//!
//! | module | what it reads |
//! | --- | --- |
//! | `files` | directories of the operator's |
//! | `job` | directories that the job writes to |
//! | `docker`, `ini`, `structured` | files that hold more than one value |

mod docker;
mod files;
mod ini;
mod job;
mod structured;

use super::encodings::{Encoding, encodings};
use super::engine::Pattern;
use super::{CensoringOptions, LoadProblem};
use files::Kinds;
use job::{Allowance, LEAST_BYTES, is_written_by_job};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A value inside a file.
type Part = Zeroizing<Vec<u8>>;

/// Values of one directory tree and all others may have so many bytes together,
/// and be so many; with all their forms they take about eight times as much.
const MOST_BYTES: usize = 64 << 20;
const MOST_VALUES: usize = 200_000;

/// Of a document with much else in it, shorter values would be found everywhere
/// (`v1`, `tcp`).
const LEAST_SCALAR: usize = 4;

/// What was read at one time.
#[derive(Default)]
struct Round {
    values: Vec<Found>,
    problems: Vec<LoadProblem>,
    bytes: usize,
}

struct Found {
    bytes: Zeroizing<Vec<u8>>,
    file: Rc<str>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The content of a file.
    Whole,
    /// A value of an INI file, a password of a registry.
    Part,
    /// A value of a document that holds much else.
    Scalar,
    /// What a job has added.
    OfJob,
}

impl Round {
    fn whole(&mut self, path: &Path, content: Zeroizing<Vec<u8>>) {
        self.add(path.display().to_string().into(), content, Kind::Whole);
    }

    fn parts(&mut self, path: &Path, parts: Vec<Part>, kind: Kind) {
        let file: Rc<str> = path.display().to_string().into();
        for part in parts {
            self.add(Rc::clone(&file), part, kind);
        }
    }

    fn of_job(&mut self, path: &Path, content: Zeroizing<Vec<u8>>) {
        self.add(path.display().to_string().into(), content, Kind::OfJob);
    }

    fn add(&mut self, file: Rc<str>, bytes: Zeroizing<Vec<u8>>, kind: Kind) {
        self.bytes += bytes.len();
        self.values.push(Found { bytes, file, kind });
    }

    /// Whether there are more values than can be looked for.
    fn is_full(&self) -> bool {
        self.bytes > MOST_BYTES || self.values.len() > MOST_VALUES
    }
}

/// All values that were ever seen. Zeroed when dropped.
pub struct Secrets {
    directories: Vec<(PathBuf, bool)>,
    kinds: Kinds,
    minimum: usize,
    known: BTreeMap<Value, Arc<str>>,
    bytes: usize,
    allowance: Allowance,
    problems: Vec<LoadProblem>,
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
    /// Nothing is read yet. A directory at or below one of `volumes`, which are
    /// absolute paths of directories that the job writes to, is the job's.
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
            kinds: Kinds {
                ini: options.ini_filenames.clone(),
                structured: options.structured_filenames.clone(),
            },
            minimum: usize::try_from(minimum).unwrap_or(0),
            known: BTreeMap::new(),
            bytes: 0,
            allowance: Allowance::default(),
            problems: Vec::new(),
            unmasked: BTreeSet::new(),
            too_many: false,
        }
    }

    /// Reads all directories. Whether there is a value that was not known.
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
        self.unmasked.clear();
        let mut refused = BTreeSet::new();
        let before = self.known.len();
        for Found { bytes, file, kind } in round.values {
            if !self.is_masked(&bytes, kind) {
                // That a setting beside the secrets is `true` is not worth a word.
                if !trim(&bytes).is_empty() && (kind == Kind::Whole || !is_boolean(trim(&bytes))) {
                    self.unmasked.insert(file.to_string());
                }
                continue;
            }
            let (length, value) = (bytes.len(), Value(bytes));
            if self.known.contains_key(&value) {
                continue;
            }
            if kind == Kind::OfJob && !self.allowance.take(length) {
                refused.insert(file.to_string());
                continue;
            }
            self.bytes += length;
            self.known.insert(value, Arc::from(&*file));
        }
        self.too_many |= self.bytes > MOST_BYTES || self.known.len() > MOST_VALUES;
        let reason = "the job has added more values than it may, this one is not masked";
        let refused = refused.into_iter().map(|path| LoadProblem { path, reason: reason.to_owned() });
        self.problems.extend(refused);
        self.known.len() > before
    }

    /// How many values are known.
    pub fn count(&self) -> usize {
        self.known.len()
    }

    /// What could not be read the last time.
    pub fn problems(&self) -> &[LoadProblem] {
        &self.problems
    }

    /// Files with a value that is too short to be masked, or a boolean.
    pub fn unmasked(&self) -> impl Iterator<Item = &str> {
        self.unmasked.iter().map(String::as_str)
    }

    /// Whether there are more values than can be looked for.
    pub fn are_too_many(&self) -> bool {
        self.too_many
    }

    /// All forms of all values (C-20 … C-22, and more encodings), each with the
    /// file that its value was first seen in.
    pub fn forms(&self) -> impl Iterator<Item = (&str, Encoding, Pattern)> {
        self.known.iter().flat_map(|(value, file)| {
            let forms = encodings(&value.0, trim(&value.0));
            forms.into_iter().map(move |(encoding, pattern)| (&**file, encoding, pattern))
        })
    }

    /// Whether a value can be masked (C-21).
    fn is_masked(&self, value: &[u8], kind: Kind) -> bool {
        let trimmed = trim(value);
        let least = match kind {
            Kind::Whole | Kind::Part => 1,
            Kind::Scalar => LEAST_SCALAR,
            Kind::OfJob => LEAST_BYTES,
        };
        trimmed.len() >= least.max(self.minimum) && !is_boolean(trimmed)
    }
}

/// Removes white space around a value: that of Unicode where it is text (C-20).
fn trim(value: &[u8]) -> &[u8] {
    match std::str::from_utf8(value) {
        Ok(text) => text.trim().as_bytes(),
        Err(_) => value.trim_ascii(),
    }
}

fn is_boolean(trimmed: &[u8]) -> bool {
    [&b"true"[..], b"false"].iter().any(|word| trimmed.eq_ignore_ascii_case(word))
}

#[cfg(test)]
impl Secrets {
    /// Values as if they had been read.
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
