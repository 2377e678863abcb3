//! Excerpts of the entries' logs, taken while they are delivered.

use job_page::excerpt::Excerpt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Excerpts by the entry's index. Clones share them: logs are read on threads of their own.
#[derive(Clone, Debug, Default)]
pub struct Logs(Arc<Mutex<BTreeMap<usize, Excerpt>>>);

impl Logs {
    /// Keeps the excerpt of an entry's log in the place of an earlier one.
    pub fn keep(&self, entry: usize, excerpt: Excerpt) {
        self.excerpts().insert(entry, excerpt);
    }

    /// The excerpt of an entry's log, if it has been read.
    pub fn get(&self, entry: usize) -> Option<Excerpt> {
        self.excerpts().get(&entry).cloned()
    }

    fn excerpts(&self) -> MutexGuard<'_, BTreeMap<usize, Excerpt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
