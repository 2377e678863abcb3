//! The pump: moves bytes from the child's pipe to our stdout, then to the process log.

use super::process_log::ProcessLog;
use super::records::QueuedRecord;
use super::stdout::{Flushed, Stdout};
use crate::options::RecordFormat;
use common::report;
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

/// Capacity of a busy pipe, and size of a read from it. Measured: 64 to 256 KiB are
/// equally fast, more is slower, and many short reads of a 64 KiB pipe are slowest.
const MAX_READ_BYTES: usize = 256 * 1024;

/// Size of a read while the job prints little.
const MIN_READ_BYTES: usize = 4 * 1024;

/// The child's output on its way.
#[derive(Debug)]
pub(super) struct Pump {
    pipe: Option<OwnedFd>,
    stdout: Stdout,
    log: Option<ProcessLog>,
    buffer: Vec<u8>,
    /// Size of the next read: few jobs print much.
    read_size: usize,
    child_bytes: u64,
    /// Records on stdout are for people.
    plain_records: bool,
}

/// Result of one round of the pump.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pumped {
    Bytes,
    Nothing,
    Closed,
}

impl Pump {
    pub(super) fn new(format: RecordFormat) -> Self {
        let plain_records = match format {
            RecordFormat::Auto => rustix::termios::isatty(rustix::stdio::stdout()),
            RecordFormat::Plain => true,
            RecordFormat::Json => false,
        };
        Self {
            pipe: None,
            stdout: Stdout::new(),
            log: None,
            buffer: Vec::new(),
            read_size: MIN_READ_BYTES,
            child_bytes: 0,
            plain_records,
        }
    }

    /// Sends output to this log too from here on.
    pub(super) fn set_log(&mut self, log: ProcessLog) {
        self.log = Some(log);
    }

    /// Makes the pipe and returns its write end, for the child.
    pub(super) fn open_pipe(&mut self) -> io::Result<OwnedFd> {
        let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&reader, true)?;
        self.pipe = Some(reader);
        Ok(writer)
    }

    /// Returns the descriptor to poll for reading, none while stdout has to catch up.
    pub(super) fn wants_read(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().filter(|_| !self.stdout.is_busy()).map(AsFd::as_fd)
    }

    /// Returns the descriptor to poll for writing.
    pub(super) fn wants_write(&self) -> Option<BorrowedFd<'_>> {
        self.stdout.wants_poll()
    }

    /// Returns the time at which a wait for stdout's reader ends.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.stdout.deadline()
    }

    /// Moves the bytes of one read.
    pub(super) fn pump(&mut self) -> Pumped {
        self.pump_up_to(MAX_READ_BYTES)
    }

    fn pump_up_to(&mut self, limit: usize) -> Pumped {
        let Some(pipe) = &self.pipe else { return Pumped::Nothing };
        // Most jobs print so little that the large buffer is never mapped.
        let mut small = [const { MaybeUninit::uninit() }; MIN_READ_BYTES];
        let room = if self.read_size > small.len() {
            self.buffer.reserve_exact(self.read_size);
            self.buffer.spare_capacity_mut()
        } else {
            &mut small
        };
        let limit = limit.min(room.len());
        match rustix::io::read(pipe, &mut room[..limit]) {
            Ok(([], _)) => {
                self.pipe = None;
                Pumped::Closed
            }
            Ok((bytes, _)) => {
                if bytes.len() == self.read_size && self.read_size < MAX_READ_BYTES {
                    self.read_size = MAX_READ_BYTES;
                    // The kernel refuses when the user's pipes have reached their
                    // limit; then the pump is slower.
                    let _ = rustix::pipe::fcntl_setpipe_size(pipe, MAX_READ_BYTES);
                }
                self.child_bytes += bytes.len() as u64;
                self.stdout.write(bytes);
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

    /// Moves the bytes that are in the pipe now, even if stdout cannot keep up.
    pub(super) fn drain(&mut self) {
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

    /// Closes the pipe: the report counts the bytes that are in the log by now.
    pub(super) fn close_pipe(&mut self) {
        self.pipe = None;
    }

    /// Writes pending bytes to stdout.
    pub(super) fn flush(&mut self, now: Instant) -> Flushed {
        self.stdout.flush(now)
    }

    /// Writes a record to stdout and, as long as it is open, to the log.
    pub(super) fn record(&mut self, record: &QueuedRecord) {
        self.record_live(record);
        if let Some(log) = &mut self.log {
            log.write_record(&record.json);
        }
    }

    /// Writes a record to stdout only.
    pub(super) fn record_live(&mut self, record: &QueuedRecord) {
        self.stdout.write_record(if self.plain_records { &record.plain } else { &record.json });
    }

    /// Writes a text to the log only.
    pub(super) fn log_text(&mut self, text: &[u8]) {
        if let Some(log) = &mut self.log {
            log.write_record(text);
        }
    }

    /// Returns the number of bytes that a full volume kept out of the log since the last call.
    pub(super) fn newly_dropped(&mut self) -> u64 {
        self.log.as_mut().map_or(0, ProcessLog::newly_dropped)
    }

    /// Returns the number of bytes read from the child.
    pub(super) fn child_bytes(&self) -> u64 {
        self.child_bytes
    }

    /// Returns the log's descriptor.
    pub(super) fn log_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.log.as_ref().map(AsFd::as_fd)
    }

    /// Returns the end of the log, at most `limit` bytes.
    pub(super) fn log_tail(&self, limit: usize) -> Vec<u8> {
        self.log.as_ref().map_or_else(Vec::new, |log| log.tail(limit))
    }

    /// Restores a deleted log.
    pub(super) fn restore_log(&self) -> io::Result<()> {
        self.log.as_ref().map_or(Ok(()), ProcessLog::restore)
    }

    /// Returns the figures for the report.
    pub(super) fn totals(&self) -> report::Output {
        let (log_bytes, crc32c, dropped_bytes) = self.log.as_ref().map_or((0, 0, 0), ProcessLog::totals);
        report::Output {
            child_bytes: self.child_bytes,
            dropped_bytes,
            live_dropped_bytes: self.stdout.dropped(),
            log_bytes,
            log_crc32c: report::crc32c_text(crc32c),
            silent_ns: None,
        }
    }
}
