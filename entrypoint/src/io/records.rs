//! Where our own log records go: to stderr until there is a process log, then
//! through the driver, which keeps them in order with the child's output.

use common::records::{Records, Sink, to_stderr};
use std::sync::{Arc, Mutex, PoisonError};

/// Crates whose events become records.
const TARGETS: &[&str] = &["entrypoint"];

/// Takes finished records until the driver collects them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    route: Arc<Mutex<Route>>,
}

#[derive(Debug, Default)]
enum Route {
    #[default]
    Stderr,
    Queued(Vec<Vec<u8>>),
}

impl Queue {
    /// Makes this the program's logging.
    pub(crate) fn install(&self) {
        let records = Records::new("entrypoint", TARGETS, tracing::Level::INFO, self.clone())
            .zone(super::sys::local_zone);
        // Only a second installation fails, and then the first one works.
        let _ = records.install();
    }

    /// From here on records wait for the driver.
    pub(crate) fn hold(&self) {
        *self.lock() = Route::Queued(Vec::new());
    }

    /// What waits.
    pub(crate) fn take(&self) -> Vec<Vec<u8>> {
        match &mut *self.lock() {
            Route::Queued(lines) => std::mem::take(lines),
            Route::Stderr => Vec::new(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Route> {
        self.route.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Queue {
    fn write_line(&self, line: &[u8]) {
        match &mut *self.lock() {
            Route::Stderr => to_stderr(line),
            Route::Queued(lines) => lines.push(line.to_vec()),
        }
    }
}
