//! Signals that tell the pod to stop.

use common::signal::Signal;
use std::io;
use tokio::signal::unix::{self, SignalKind};

/// INT and TERM, caught from the moment of creation on.
#[derive(Debug)]
pub struct Interrupts {
    int: unix::Signal,
    term: unix::Signal,
}

impl Interrupts {
    /// Catches both. To be called inside the runtime, before anything else.
    pub fn new() -> io::Result<Self> {
        Ok(Self { int: unix::signal(SignalKind::interrupt())?, term: unix::signal(SignalKind::terminate())? })
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.term.recv() => Signal::TERM,
            _ = self.int.recv() => Signal::INT,
        }
    }
}
