//! The files that the webhook serves with: its options and its certificate. Changed ones are
//! read again, because the kubelet replaces those of `ConfigMap`s and Secrets in place.

use super::metrics::{Metrics, Source};
use super::tls::{Current, Pair};
use crate::inject::Admission;
use crate::terminal::Problem;
use common::records::tracing::{error, info, warn};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// Upper bound on each file; a `ConfigMap` or Secret has at most 1 MiB.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Where the files are.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    pub(super) options: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// The files as they were read last, used or not.
#[derive(Debug, PartialEq, Eq)]
struct Texts {
    options: Vec<u8>,
    pair: (Vec<u8>, Vec<u8>),
}

/// The files as they were parsed.
#[derive(Debug)]
pub(super) struct Files {
    paths: Paths,
    admission: RwLock<Arc<Admission>>,
    pub(super) certificate: Arc<Current>,
    last: Texts,
}

fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    let refuse = |error: &dyn std::fmt::Display| Problem::new(format!("{}: {error}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| refuse(&error))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| refuse(&error))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(refuse(&"longer than 1 MiB"));
    }
    Ok(bytes)
}

impl Paths {
    fn options(&self, bytes: &[u8]) -> Result<Admission, Problem> {
        let about = |text: &str| Problem::new(format!("{}: {text}", self.options.display()));
        let text = std::str::from_utf8(bytes).map_err(|_| about("not UTF-8, so not YAML"))?;
        let (admission, doubts) = Admission::parse(text).map_err(|problem| about(&problem.text))?;
        for doubt in doubts {
            warn!("{}: {}", self.options.display(), doubt.trim_start_matches("warning: "));
        }
        Ok(admission)
    }

    fn pair(&self, (certificate, key): &(Vec<u8>, Vec<u8>)) -> Result<Pair, Problem> {
        let about = |error: &anyhow::Error| {
            Problem::new(format!("{}, {}: {error:#}", self.certificate.display(), self.key.display()))
        };
        Pair::parse(certificate, key).map_err(|error| about(&error))
    }
}

impl Files {
    /// Reads the files for the first time; the error is one line.
    pub(super) fn load(paths: Paths) -> Result<Self, Problem> {
        let last =
            Texts { options: read(&paths.options)?, pair: (read(&paths.certificate)?, read(&paths.key)?) };
        let admission = paths.options(&last.options)?;
        let pair = paths.pair(&last.pair)?;
        let admission = RwLock::new(Arc::new(admission));
        Ok(Self { paths, admission, certificate: Current::new(pair), last })
    }

    /// The options in force.
    pub(super) fn admission(&self) -> Arc<Admission> {
        Arc::clone(&self.admission.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads changed files again. One that cannot be used leaves what was there in force, and is
/// recorded once.
#[derive(Debug)]
pub(super) struct Reloader {
    files: Arc<Files>,
    last: Texts,
}

impl Reloader {
    pub(super) fn new(files: Arc<Files>) -> Self {
        let last = Texts { options: files.last.options.clone(), pair: files.last.pair.clone() };
        Self { files, last }
    }

    /// Looks at the files once.
    pub(super) fn look(&mut self, metrics: &Metrics) {
        let paths = &self.files.paths;
        let pair = read(&paths.certificate).and_then(|certificate| Ok((certificate, read(&paths.key)?)));
        // A file that is being replaced may be absent for a moment.
        if let Ok(pair) = pair
            && pair != self.last.pair
        {
            let parsed = paths.pair(&pair);
            report(Source::Certificate, metrics, &parsed);
            if let Ok(parsed) = parsed {
                metrics.not_after(parsed.validity.not_after);
                self.files.certificate.replace(parsed);
            }
            self.last.pair = pair;
        }
        if let Ok(options) = read(&paths.options)
            && options != self.last.options
        {
            let parsed = paths.options(&options);
            report(Source::Options, metrics, &parsed);
            if let Ok(parsed) = parsed {
                *self.files.admission.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(parsed);
            }
            self.last.options = options;
        }
    }
}

fn report<T>(source: Source, metrics: &Metrics, outcome: &Result<T, Problem>) {
    let what = match source {
        Source::Options => "options",
        Source::Certificate => "certificate",
    };
    metrics.reload(source, outcome.is_ok());
    match outcome {
        Ok(_) => info!("Changed {what} are in force"),
        Err(problem) => error!(error = %problem.text, "Changed {what} cannot be used, the old ones stay"),
    }
}
