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

/// A record in both of its forms, each one line.
#[derive(Debug)]
pub(crate) struct QueuedRecord {
    /// For the process log, and for machines that read stdout.
    pub(crate) json: Vec<u8>,
    /// For people.
    pub(crate) plain: Vec<u8>,
}

#[derive(Debug, Default)]
enum Route {
    #[default]
    Stderr,
    Queued(Vec<QueuedRecord>),
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
    pub(crate) fn take(&self) -> Vec<QueuedRecord> {
        match &mut *self.lock() {
            Route::Queued(records) => std::mem::take(records),
            Route::Stderr => Vec::new(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Route> {
        self.route.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Queue {
    fn write_line(&self, line: &[u8]) {
        self.write_record(line, &|| line.to_vec());
    }

    fn write_record(&self, json: &[u8], plain: &dyn Fn() -> Vec<u8>) {
        match &mut *self.lock() {
            Route::Stderr if rustix::termios::isatty(rustix::stdio::stderr()) => to_stderr(&plain()),
            Route::Stderr => to_stderr(json),
            Route::Queued(records) => records.push(QueuedRecord { json: json.to_vec(), plain: plain() }),
        }
    }
}
