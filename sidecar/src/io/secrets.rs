//! Keeps the secrets for all passes: reads them again, says what is new about
//! them, and gives what is in force.

use super::own_log::OwnLog;
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
    said: Said,
}

/// What records have told.
#[derive(Debug, Default)]
struct Said {
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
        let mut said = Said::default();
        said.say_news(&censor);
        let state = Mutex::new(State { secrets, censor, said });
        Some(Arc::new(Self { options, own_log: own_log.clone(), state }))
    }

    /// Reads all secrets again. What has been known before still is. Blocks.
    pub fn renew(&self) -> Arc<Censor> {
        let mut state = self.state();
        let State { secrets, censor, said } = &mut *state;
        let generation = censor.generation();
        *censor = Arc::new(if secrets.read() {
            Censor::new(secrets, &self.options, generation + 1)
        } else {
            censor.unchanged(secrets, &self.options)
        });
        // What is said is masked with what was just read.
        self.own_log.censor_with(censor);
        said.say_news(censor);
        Arc::clone(censor)
    }

    /// What is in force.
    pub fn current(&self) -> Arc<Censor> {
        Arc::clone(&self.state().censor)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Said {
    fn say_news(&mut self, censor: &Censor) {
        for problem in censor.problems() {
            if self.problems.insert(problem.clone()) {
                tracing::error!(error = %problem, "A secret cannot be loaded, what it holds is not censored");
            }
        }
        for path in censor.unmasked() {
            if self.unmasked.insert(path.clone()) {
                tracing::warn!(path = %path, "A value in this secret is not masked: it is too short, or a boolean");
            }
        }
    }
}

/// The directories that a job writes to: those that hold the files of its
/// entries, and the items.
fn written_by_job(settings: &Settings) -> Vec<PathBuf> {
    let files = settings.entries.iter().flat_map(|entry| {
        [&entry.process_log, &entry.marker_file, &entry.metadata_file].map(|file| Path::new(file).parent())
    });
    let items = settings.upload.items.iter().map(|item| Some(Path::new(item)));
    let directories = files.chain(items).flatten().filter(|path| !path.as_os_str().is_empty());
    directories.filter_map(|path| std::path::absolute(path).ok()).collect()
}
