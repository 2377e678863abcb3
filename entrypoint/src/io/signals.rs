//! Signals as data: blocked, and read from one descriptor.

use crate::sys;
use common::signal::Signal;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Reads blocked signals one by one.
#[derive(Debug)]
pub(super) struct Signals {
    fd: OwnedFd,
}

/// Size of `struct signalfd_siginfo` (signalfd(2)).
const RECORD_BYTES: usize = 128;

/// Offset of the signal's number in it.
const SIGNAL_FIELD: usize = 0;

/// Offset of the sender's pid in it.
const SENDER_FIELD: usize = 12;

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { fd: sys::signal_descriptor()? })
    }

    /// Returns the signals that arrived since the last call, in the kernel's order,
    /// except those that the kernel sent for a write of our own.
    pub(super) fn read(&self) -> Vec<Signal> {
        let mut signals = Vec::new();
        let mut buffer = [0_u8; 8 * RECORD_BYTES];
        // The only possible error is that none is pending.
        while let Ok(length @ 1..) = rustix::io::read(&self.fd, &mut buffer) {
            let records = buffer[..length].chunks_exact(RECORD_BYTES);
            signals.extend(records.filter_map(|record| {
                let field = |at: usize| record.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
                let signal = Signal::from_raw(i32::try_from(field(SIGNAL_FIELD)?).ok()?)?;
                (!is_our_own(signal, field(SENDER_FIELD)?)).then_some(signal)
            }));
            if length < buffer.len() {
                break;
            }
        }
        signals
    }
}

/// Returns true for the signals that the kernel sends in our own name for a write of
/// ours, to a closed stdout or beyond the file size limit; the write's error reports
/// the same.
fn is_our_own(signal: Signal, sender: u32) -> bool {
    matches!(signal, Signal::PIPE | Signal::XFSZ) && sender == std::process::id()
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
