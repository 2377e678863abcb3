//! Routing of our own log records: to stderr until the process log is open, then to
//! the driver, which keeps them in order with the child's output.

use common::records::{Records, Sink, to_stderr};
use std::sync::{Arc, Mutex, PoisonError};

/// Crates whose events become records.
const TARGETS: &[&str] = &["entrypoint"];

/// Holds finished records until the driver takes them.
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
    /// Installs this queue as the program's logger.
    pub(crate) fn install(&self) {
        let records = Records::new("entrypoint", TARGETS, tracing::Level::INFO, self.clone())
            .zone(crate::sys::local_zone);
        // Only a second installation fails, and then the first one is active.
        let _ = records.install();
    }

    /// Queues records from here on.
    pub(crate) fn hold(&self) {
        *self.lock() = Route::Queued(Vec::new());
    }

    /// Takes the queued records.
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
