//! Keeps the secrets for all passes: reads them again, logs new problems with
//! them, and returns those in force.

use super::fault_injection;
use super::own_log::OwnLog;
use super::repeated::Repeated;
use crate::censor::{Censor, CensoringOptions, LoadProblem, Secrets};
use crate::settings::Settings;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The secrets of this program, shared with the threads that read them.
#[derive(Debug)]
pub struct SecretStore {
    options: CensoringOptions,
    own_log: OwnLog,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    secrets: Secrets,
    censor: Arc<Censor>,
    logged: Logged,
}

/// The problems of the last reading, which have been logged.
#[derive(Debug, Default)]
struct Logged {
    problems: BTreeSet<LoadProblem>,
    unmasked: BTreeSet<String>,
}

impl SecretStore {
    /// Reads the secrets for the first time; from then on records are masked.
    /// `None` when nothing is to be censored. Blocks.
    pub fn load(settings: &Settings, own_log: &OwnLog) -> Option<Arc<Self>> {
        let options = settings.censoring.clone()?;
        let mut secrets = Secrets::new(&options, &written_by_job(settings));
        secrets.read();
        let censor = Arc::new(Censor::new(&secrets, &options, 1));
        own_log.censor_with(&censor);
        let mut logged = Logged::default();
        logged.log_new_problems(&censor);
        let state = Mutex::new(State { secrets, censor, logged });
        Some(Arc::new(Self { options, own_log: own_log.clone(), state }))
    }

    /// Reads all secrets again; those known before stay in force. Blocks.
    pub fn renew(&self) -> Arc<Censor> {
        fault_injection::point(format_args!("renew"));
        let mut state = self.state();
        let State { secrets, censor, logged } = &mut *state;
        let generation = censor.generation();
        *censor = Arc::new(if secrets.read() {
            Censor::new(secrets, &self.options, generation + 1)
        } else {
            censor.unchanged(secrets, &self.options)
        });
        // Mask these log lines with the new secrets.
        self.own_log.censor_with(censor);
        logged.log_new_problems(censor);
        Arc::clone(censor)
    }

    /// Returns the secrets in force.
    pub fn current(&self) -> Arc<Censor> {
        Arc::clone(&self.state().censor)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Logged {
    /// Logs the problems that the reading before did not have; of equal ones a hundred, as a
    /// job can cause any number.
    fn log_new_problems(&mut self, censor: &Censor) {
        let mut repeated = Repeated::default();
        for problem in censor.problems().iter().filter(|problem| !self.problems.contains(*problem)) {
            if repeated.admits(&problem.reason) {
                tracing::error!(error = %problem, "A secret cannot be loaded, what it holds is not censored");
            }
        }
        for (reason, secrets) in repeated.take_unwritten() {
            tracing::error!(error = %reason, "{secrets} more secrets cannot be loaded, which the manifest names");
        }
        for path in censor.unmasked().iter().filter(|path| !self.unmasked.contains(*path)) {
            if repeated.admits("too short, or a boolean") {
                tracing::warn!(path = %path, "A value in this secret is not masked: it is too short, or a boolean");
            }
        }
        for (reason, secrets) in repeated.take_unwritten() {
            tracing::warn!(
                "Values in {secrets} more secrets are not masked: {reason}; the manifest names them"
            );
        }
        self.problems = censor.problems().iter().cloned().collect();
        self.unmasked = censor.unmasked().iter().cloned().collect();
    }
}

/// Returns the directories that a job writes to: those of its entries' files, and
/// the items.
fn written_by_job(settings: &Settings) -> Vec<PathBuf> {
    let files = settings.entries.iter().flat_map(|entry| {
        [&entry.process_log, &entry.marker_file, &entry.metadata_file].map(|file| Path::new(file).parent())
    });
    let items = settings.upload.items.iter().map(|item| Some(Path::new(item)));
    let directories = files.chain(items).flatten().filter(|path| !path.as_os_str().is_empty());
    directories.filter_map(|path| std::path::absolute(path).ok()).collect()
}
