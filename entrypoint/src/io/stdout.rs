//! Writing to our own stdout without ever blocking for long.
//!
//! Stdout is inherited, and other processes may share its open file description, so
//! `O_NONBLOCK` is never set on it.

use super::process_log::Line;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;
use std::cell::OnceCell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Time without an accepted byte after which stdout counts as stalled: far longer
/// than a container runtime takes to rotate a log, and shorter than a grace period.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes that a pipe takes without blocking once poll reports it writable
/// (`PIPE_BUF`, pipe(7)).
const PIPE_BUF: usize = 4096;

/// Capacity requested for a stdout pipe that has been full: the most an unprivileged
/// process may ask for (`/proc/sys/fs/pipe-max-size`). Throughput depends on it
/// (measured: a third more than with 64 KiB).
const MAX_PIPE_BYTES: usize = 1024 * 1024;

/// Method of writing to stdout.
#[derive(Debug)]
enum WriteMode {
    /// A regular file: it never blocks.
    Plain,
    /// A private, non-blocking description of the same pipe or terminal.
    Private(OwnedFd),
    /// A pipe that cannot be opened again: at most what certainly fits, at a time.
    Careful,
    /// A socket: a flag on each call prevents blocking.
    Socket,
}

/// State of the reader.
#[derive(Clone, Copy, Debug)]
enum Backpressure {
    Free,
    /// Bytes are pending; holds the time of the last accepted byte.
    Waiting(Instant),
    /// Nobody reads: bytes are dropped until somebody does.
    Stalled,
    /// The reader is gone for good.
    Closed,
}

/// Our stdout.
#[derive(Debug)]
pub(super) struct Stdout {
    /// Determined on first use: many jobs print nothing.
    mode: OnceCell<WriteMode>,
    backpressure: Backpressure,
    /// Bytes that did not fit, from `sent` on.
    pending: Vec<u8>,
    sent: usize,
    /// A larger pipe has been requested.
    enlarged: bool,
    dropped: u64,
    reported: u64,
    line: Line,
}

/// Result of a flush.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flushed {
    /// Bytes were accepted.
    Some,
    /// None were.
    Nothing,
    /// A stalled stdout is read again; holds the number of bytes dropped meanwhile.
    Resumed(u64),
}

impl Stdout {
    pub(super) fn new() -> Self {
        Self {
            mode: OnceCell::new(),
            backpressure: Backpressure::Free,
            pending: Vec::new(),
            sent: 0,
            enlarged: false,
            dropped: 0,
            reported: 0,
            line: Line::Start,
        }
    }

    /// Returns the number of bytes that were dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Returns true if more bytes would only queue up, so that the child has to wait.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.backpressure, Backpressure::Waiting(_))
    }

    /// Returns the descriptor to poll for writing.
    pub(super) fn wants_poll(&self) -> Option<BorrowedFd<'_>> {
        match self.backpressure {
            Backpressure::Waiting(_) | Backpressure::Stalled => Some(self.descriptor()),
            Backpressure::Free | Backpressure::Closed => None,
        }
    }

    fn mode(&self) -> &WriteMode {
        self.mode.get_or_init(write_mode)
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        match self.mode() {
            WriteMode::Private(fd) => fd.as_fd(),
            WriteMode::Plain | WriteMode::Careful | WriteMode::Socket => rustix::stdio::stdout(),
        }
    }

    /// Returns the time at which the wait for a reader ends.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.backpressure {
            Backpressure::Waiting(since) => since.checked_add(STALL_TIMEOUT),
            Backpressure::Free | Backpressure::Stalled | Backpressure::Closed => None,
        }
    }

    /// Writes a record of our own, on a line of its own.
    pub(super) fn write_record(&mut self, line: &[u8]) {
        if self.line == Line::Inside {
            self.write(b"\n");
        }
        self.write(line);
    }

    /// Writes the bytes that fit and keeps the rest for later.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.line = self.line.after(bytes);
        match self.backpressure {
            Backpressure::Free => {
                let mut written = self.write_some(bytes);
                if written < bytes.len() && self.enlarge() {
                    written += self.write_some(&bytes[written..]);
                }
                if written < bytes.len() {
                    match self.backpressure {
                        Backpressure::Closed => self.dropped += (bytes.len() - written) as u64,
                        Backpressure::Free | Backpressure::Waiting(_) | Backpressure::Stalled => {
                            self.pending.extend_from_slice(&bytes[written..]);
                            self.backpressure = Backpressure::Waiting(Instant::now());
                        }
                    }
                }
            }
            Backpressure::Waiting(_) => self.pending.extend_from_slice(bytes),
            Backpressure::Stalled | Backpressure::Closed => self.dropped += bytes.len() as u64,
        }
    }

    /// Continues after poll reported stdout writable, or after the deadline.
    pub(super) fn flush(&mut self, now: Instant) -> Flushed {
        match self.backpressure {
            Backpressure::Free | Backpressure::Closed => Flushed::Nothing,
            Backpressure::Stalled => {
                self.backpressure = Backpressure::Free;
                let missing = self.dropped - self.reported;
                self.reported = self.dropped;
                Flushed::Resumed(missing)
            }
            Backpressure::Waiting(since) => {
                let pending = std::mem::take(&mut self.pending);
                let written = self.write_some(&pending[self.sent..]);
                self.pending = pending;
                self.sent += written;
                let left = self.pending.len() - self.sent;
                if matches!(self.backpressure, Backpressure::Closed) {
                    self.dropped += left as u64;
                    self.forget();
                    return Flushed::Nothing;
                }
                if left == 0 {
                    self.forget();
                    self.backpressure = Backpressure::Free;
                } else if written > 0 {
                    self.backpressure = Backpressure::Waiting(now);
                } else if now.saturating_duration_since(since) >= STALL_TIMEOUT {
                    self.backpressure = Backpressure::Stalled;
                    self.dropped += left as u64;
                    self.forget();
                }
                if written > 0 { Flushed::Some } else { Flushed::Nothing }
            }
        }
    }

    /// Forgets what was pending, but keeps its memory: it will be needed again.
    fn forget(&mut self) {
        self.pending.clear();
        self.sent = 0;
    }

    /// Enlarges a pipe, once; says whether it did.
    fn enlarge(&mut self) -> bool {
        if std::mem::replace(&mut self.enlarged, true) {
            return false;
        }
        match self.mode() {
            WriteMode::Private(_) | WriteMode::Careful => {
                rustix::pipe::fcntl_setpipe_size(self.descriptor(), MAX_PIPE_BYTES).is_ok()
            }
            WriteMode::Plain | WriteMode::Socket => false,
        }
    }

    /// Writes until stdout takes no more and returns the number of bytes it took.
    fn write_some(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() {
            match self.write_once(&bytes[written..]) {
                Ok(0) | Err(Errno::AGAIN) => break,
                Ok(count) => written += count,
                Err(Errno::INTR) => {}
                Err(_) => {
                    // EPIPE, a closed terminal or a full disk behind a file: nobody
                    // is left to tell, and the log has everything.
                    self.backpressure = if matches!(self.mode(), WriteMode::Plain) {
                        Backpressure::Free
                    } else {
                        Backpressure::Closed
                    };
                    if matches!(self.mode(), WriteMode::Plain) {
                        self.dropped += (bytes.len() - written) as u64;
                        return bytes.len();
                    }
                    break;
                }
            }
        }
        written
    }

    fn write_once(&self, bytes: &[u8]) -> Result<usize, Errno> {
        let stdout = rustix::stdio::stdout();
        match self.mode() {
            WriteMode::Plain => rustix::io::write(stdout, bytes),
            WriteMode::Private(fd) => rustix::io::write(fd, bytes),
            WriteMode::Socket => rustix::net::send(stdout, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
            WriteMode::Careful => {
                if !is_writable(stdout) {
                    return Err(Errno::AGAIN);
                }
                rustix::io::write(stdout, &bytes[..bytes.len().min(room(stdout))])
            }
        }
    }
}

/// Returns how many bytes a writable pipe takes without blocking: its whole capacity
/// when it is empty, else at least one page.
fn room(pipe: BorrowedFd<'_>) -> usize {
    match rustix::io::ioctl_fionread(pipe) {
        Ok(0) => rustix::pipe::fcntl_getpipe_size(pipe).unwrap_or(PIPE_BUF).max(PIPE_BUF),
        Ok(_) | Err(_) => PIPE_BUF,
    }
}

fn is_writable(fd: BorrowedFd<'_>) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    // After an error condition the write returns at once and reports it.
    matches!(poll(&mut fds, Some(&now)), Ok(1..))
}

fn write_mode() -> WriteMode {
    let Ok(stat) = rustix::fs::fstat(rustix::stdio::stdout()) else { return WriteMode::Plain };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Fifo | FileType::CharacterDevice => {
            let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            match rustix::fs::open("/proc/self/fd/1", flags, Mode::empty()) {
                Ok(fd) => WriteMode::Private(fd),
                Err(_) => WriteMode::Careful,
            }
        }
        FileType::Socket => WriteMode::Socket,
        FileType::RegularFile
        | FileType::Directory
        | FileType::Symlink
        | FileType::BlockDevice
        | FileType::Unknown => WriteMode::Plain,
    }
}
