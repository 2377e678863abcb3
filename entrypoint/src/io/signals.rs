//! Signals as data: all of them are blocked and read from one descriptor.

use super::sys;
use common::signal::Signal;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The blocked signals, one after the other.
#[derive(Debug)]
pub(super) struct Signals {
    fd: OwnedFd,
}

/// The length of one `struct signalfd_siginfo` (signalfd(2)); the signal's
/// number is its first field.
const RECORD: usize = 128;

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { fd: sys::signal_descriptor()? })
    }

    /// What has come since the last look, in the kernel's order.
    pub(super) fn read(&self) -> Vec<Signal> {
        let mut signals = Vec::new();
        let mut buffer = [0_u8; 8 * RECORD];
        // An error can only be that nothing is waiting.
        while let Ok(length @ 1..) = rustix::io::read(&self.fd, &mut buffer) {
            let records = buffer[..length].chunks_exact(RECORD);
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
