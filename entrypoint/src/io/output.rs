//! The pump: the child's pipe, to our stdout first, then to the process log.

use super::live::{Flushed, Live};
use super::log::Log;
use common::report;
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

/// The capacity and the size of one read of a pipe that is busy. Measured: 64 to 256 KiB are
/// equally fast, larger ones slower, the default of 64 KiB with many short reads slowest.
const CAPACITY: usize = 256 * 1024;

/// The size of the reads of a job that prints little.
const FIRST_READ: usize = 4 * 1024;

/// Everything that comes out of the child.
#[derive(Debug)]
pub(super) struct Output {
    pipe: Option<OwnedFd>,
    live: Live,
    log: Option<Log>,
    buffer: Vec<u8>,
    /// The size of a read: few jobs print much.
    appetite: usize,
    child_bytes: u64,
}

/// What one round of the pump came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pumped {
    Bytes,
    Nothing,
    Closed,
}

impl Output {
    pub(super) fn new() -> Self {
        Self {
            pipe: None,
            live: Live::stdout(),
            log: None,
            buffer: Vec::new(),
            appetite: FIRST_READ,
            child_bytes: 0,
        }
    }

    /// From here on output goes to this log too.
    pub(super) fn set_log(&mut self, log: Log) {
        self.log = Some(log);
    }

    /// Makes the pipe and answers its writing end, for the child.
    pub(super) fn open_pipe(&mut self) -> io::Result<OwnedFd> {
        let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&reader, true)?;
        self.pipe = Some(reader);
        Ok(writer)
    }

    /// What to poll for reading: nothing while stdout has to catch up.
    pub(super) fn wants_read(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().filter(|_| !self.live.is_busy()).map(AsFd::as_fd)
    }

    /// What to poll for writing.
    pub(super) fn wants_write(&self) -> Option<BorrowedFd<'_>> {
        self.live.wants_poll()
    }

    /// When a wait for stdout's reader is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.live.deadline()
    }

    /// Moves what one read gives.
    pub(super) fn pump(&mut self) -> Pumped {
        self.pump_up_to(CAPACITY)
    }

    fn pump_up_to(&mut self, limit: usize) -> Pumped {
        let Some(pipe) = &self.pipe else { return Pumped::Nothing };
        self.buffer.reserve_exact(self.appetite);
        let room = self.buffer.spare_capacity_mut();
        let limit = limit.min(room.len());
        match rustix::io::read(pipe, &mut room[..limit]) {
            Ok(([], _)) => {
                self.pipe = None;
                Pumped::Closed
            }
            Ok((bytes, _)) => {
                if bytes.len() == self.appetite && self.appetite < CAPACITY {
                    self.appetite = CAPACITY;
                    // Refused when the user's pipes have reached their limit:
                    // then it is slower.
                    let _ = rustix::pipe::fcntl_setpipe_size(pipe, CAPACITY);
                }
                self.child_bytes += bytes.len() as u64;
                self.live.write(bytes);
                if let Some(log) = &mut self.log {
                    log.write_output(bytes);
                }
                Pumped::Bytes
            }
            Err(Errno::AGAIN | Errno::INTR) => Pumped::Nothing,
            Err(_) => {
                // A pipe has no other errors.
                self.pipe = None;
                Pumped::Closed
            }
        }
    }

    /// Moves what is in the pipe now, even if stdout cannot keep up.
    pub(super) fn last_look(&mut self) {
        let waiting = self.pipe.as_ref().and_then(|pipe| rustix::io::ioctl_fionread(pipe).ok());
        let mut rest = waiting.and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        while rest > 0 {
            let before = self.child_bytes;
            match self.pump_up_to(rest) {
                Pumped::Bytes => {
                    rest = rest.saturating_sub(usize::try_from(self.child_bytes - before).unwrap_or(rest));
                }
                Pumped::Nothing | Pumped::Closed => return,
            }
        }
    }

    /// Takes nothing out of the pipe any more: what is in the log by now is what
    /// its report counts.
    pub(super) fn close_pipe(&mut self) {
        self.pipe = None;
    }

    /// Gives stdout what is pending.
    pub(super) fn flush(&mut self, now: Instant) -> Flushed {
        self.live.flush(now)
    }

    /// Writes a record to stdout and, as long as it is open, to the log.
    pub(super) fn record(&mut self, line: &[u8]) {
        self.live.write(line);
        if let Some(log) = &mut self.log {
            log.write_record(line);
        }
    }

    /// Writes a record to stdout only.
    pub(super) fn record_live(&mut self, line: &[u8]) {
        self.live.write(line);
    }

    /// Writes a text to the log only.
    pub(super) fn log_text(&mut self, text: &str) {
        if let Some(log) = &mut self.log {
            log.write_record(text.as_bytes());
        }
    }

    /// Bytes that a full volume kept out of the log, if there are new ones.
    pub(super) fn newly_dropped(&mut self) -> u64 {
        self.log.as_mut().map_or(0, Log::newly_dropped)
    }

    /// Puts a deleted log back.
    pub(super) fn restore_log(&self) -> io::Result<()> {
        self.log.as_ref().map_or(Ok(()), Log::restore)
    }

    /// The numbers for the report.
    pub(super) fn totals(&self) -> report::Output {
        let (log_bytes, crc32c, dropped_bytes) = self.log.as_ref().map_or((0, 0, 0), Log::totals);
        report::Output {
            child_bytes: self.child_bytes,
            dropped_bytes,
            live_dropped_bytes: self.live.dropped(),
            log_bytes,
            log_crc32c: report::crc32c_text(crc32c),
        }
    }
}
