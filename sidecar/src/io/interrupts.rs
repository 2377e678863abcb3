//! Signals that tell the pod to stop.

use common::signal::Signal;
use nix::sys::signal::{self, SigSet};
use std::io;
use tokio::signal::unix::{self, SignalKind};

/// INT and TERM, caught from the moment of creation on.
#[derive(Debug)]
pub struct Interrupts {
    int: unix::Signal,
    term: unix::Signal,
}

/// Keeps both waiting in the kernel until they are caught. The first thing of
/// the program: a pod can be told to stop as soon as it has started.
pub fn hold() -> io::Result<()> {
    Ok(both().thread_block()?)
}

fn both() -> SigSet {
    [signal::Signal::SIGINT, signal::Signal::SIGTERM].into_iter().collect()
}

impl Interrupts {
    /// Catches both, also what came since [`hold`]. To be called inside the
    /// runtime and on the thread that holds them.
    ///
    /// They are held meanwhile: a signal that comes when its handler is in place
    /// but does not know yet whom to tell would be lost.
    pub fn new() -> io::Result<Self> {
        hold()?;
        let caught = Self {
            int: unix::signal(SignalKind::interrupt())?,
            term: unix::signal(SignalKind::terminate())?,
        };
        both().thread_unblock()?;
        Ok(caught)
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.term.recv() => Signal::TERM,
            _ = self.int.recv() => Signal::INT,
        }
    }
}
