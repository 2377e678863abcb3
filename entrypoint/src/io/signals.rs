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

/// Size of `struct signalfd_siginfo` (signalfd(2)); its first field is the signal's
/// number.
const RECORD_BYTES: usize = 128;

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { fd: sys::signal_descriptor()? })
    }

    /// Returns the signals that arrived since the last call, in the kernel's order.
    pub(super) fn read(&self) -> Vec<Signal> {
        let mut signals = Vec::new();
        let mut buffer = [0_u8; 8 * RECORD_BYTES];
        // The only possible error is that none is pending.
        while let Ok(length @ 1..) = rustix::io::read(&self.fd, &mut buffer) {
            let records = buffer[..length].chunks_exact(RECORD_BYTES);
            signals.extend(records.filter_map(|record| {
                let number: [u8; 4] = record.first_chunk().copied()?;
                Signal::from_raw(i32::from_ne_bytes(number))
            }));
            if length < buffer.len() {
                break;
            }
        }
        signals
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
