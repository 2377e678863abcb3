//! Live output: what the child writes, on our own stdout, without ever
//! blocking for long.
//!
//! Stdout is inherited, and its description may be shared with others, so
//! `O_NONBLOCK` is never set on it.

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;
use std::cell::OnceCell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// A stdout that accepts no byte for this long is stalled: far longer than a
/// container runtime rotates a log, and less than a grace period.
const STALL: Duration = Duration::from_secs(10);

/// What a pipe takes without blocking when poll says it takes anything
/// (`PIPE_BUF`, pipe(7)).
const PIPE_BUF: usize = 4096;

/// What a stdout pipe is enlarged to once it has been full: the largest size an
/// unprivileged process may ask for (`/proc/sys/fs/pipe-max-size`). Capacity is
/// what decides how fast bytes pass (measured: a third more than with 64 KiB).
const ENLARGED: usize = 1024 * 1024;

/// How stdout is written to.
#[derive(Debug)]
enum Way {
    /// A regular file: it never blocks.
    Plain,
    /// A private, non-blocking description of the same pipe or terminal.
    Private(OwnedFd),
    /// A pipe that cannot be opened again: no more at a time than surely fits.
    Careful,
    /// A socket: each call says that it must not block.
    Socket,
}

/// Whether bytes get through.
#[derive(Clone, Copy, Debug)]
enum Flow {
    Free,
    /// Something is pending; the time of the last accepted byte.
    Waiting(Instant),
    /// Nobody reads: what comes is dropped until somebody does.
    Stalled,
    /// The reader is gone for good.
    Closed,
}

/// Our stdout.
#[derive(Debug)]
pub(super) struct Live {
    /// Found out when it is first needed: many jobs print nothing.
    way: OnceCell<Way>,
    flow: Flow,
    /// What did not fit, from `sent` on.
    pending: Vec<u8>,
    sent: usize,
    /// Whether a larger pipe has been asked for.
    enlarged: bool,
    dropped: u64,
    reported: u64,
}

/// What a flush came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flushed {
    /// Bytes were accepted.
    Some,
    /// None were.
    Nothing,
    /// A stalled stdout is read again; so many bytes were left out.
    Resumed(u64),
}

impl Live {
    pub(super) fn stdout() -> Self {
        Self {
            way: OnceCell::new(),
            flow: Flow::Free,
            pending: Vec::new(),
            sent: 0,
            enlarged: false,
            dropped: 0,
            reported: 0,
        }
    }

    /// Bytes that were not written.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether more bytes would only queue up: the child has to wait.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.flow, Flow::Waiting(_))
    }

    /// What to poll for writing.
    pub(super) fn wants_poll(&self) -> Option<BorrowedFd<'_>> {
        match self.flow {
            Flow::Waiting(_) | Flow::Stalled => Some(self.descriptor()),
            Flow::Free | Flow::Closed => None,
        }
    }

    fn way(&self) -> &Way {
        self.way.get_or_init(way)
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        match self.way() {
            Way::Private(fd) => fd.as_fd(),
            Way::Plain | Way::Careful | Way::Socket => rustix::stdio::stdout(),
        }
    }

    /// When the wait for a reader is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.flow {
            Flow::Waiting(since) => since.checked_add(STALL),
            Flow::Free | Flow::Stalled | Flow::Closed => None,
        }
    }

    /// Writes what fits and keeps the rest for later.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        match self.flow {
            Flow::Free => {
                let mut written = self.write_some(bytes);
                if written < bytes.len() && self.enlarge() {
                    written += self.write_some(&bytes[written..]);
                }
                if written < bytes.len() {
                    match self.flow {
                        Flow::Closed => self.dropped += (bytes.len() - written) as u64,
                        Flow::Free | Flow::Waiting(_) | Flow::Stalled => {
                            self.pending.extend_from_slice(&bytes[written..]);
                            self.flow = Flow::Waiting(Instant::now());
                        }
                    }
                }
            }
            Flow::Waiting(_) => self.pending.extend_from_slice(bytes),
            Flow::Stalled | Flow::Closed => self.dropped += bytes.len() as u64,
        }
    }

    /// Goes on after poll said that stdout may take something, or after the
    /// deadline.
    pub(super) fn flush(&mut self, now: Instant) -> Flushed {
        match self.flow {
            Flow::Free | Flow::Closed => Flushed::Nothing,
            Flow::Stalled => {
                self.flow = Flow::Free;
                let missing = self.dropped - self.reported;
                self.reported = self.dropped;
                Flushed::Resumed(missing)
            }
            Flow::Waiting(since) => {
                let pending = std::mem::take(&mut self.pending);
                let written = self.write_some(&pending[self.sent..]);
                self.pending = pending;
                self.sent += written;
                let left = self.pending.len() - self.sent;
                if matches!(self.flow, Flow::Closed) {
                    self.dropped += left as u64;
                    self.forget();
                    return Flushed::Nothing;
                }
                if left == 0 {
                    self.forget();
                    self.flow = Flow::Free;
                } else if written > 0 {
                    self.flow = Flow::Waiting(now);
                } else if now.saturating_duration_since(since) >= STALL {
                    self.flow = Flow::Stalled;
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
        match self.way() {
            Way::Private(_) | Way::Careful => {
                rustix::pipe::fcntl_setpipe_size(self.descriptor(), ENLARGED).is_ok()
            }
            Way::Plain | Way::Socket => false,
        }
    }

    /// Writes until nothing more is taken; answers how much was.
    fn write_some(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() {
            match self.write_once(&bytes[written..]) {
                Ok(0) | Err(Errno::AGAIN) => break,
                Ok(count) => written += count,
                Err(Errno::INTR) => {}
                Err(_) => {
                    // EPIPE, a closed terminal or a full disk behind a file:
                    // there is nobody to tell, and the log has everything.
                    self.flow = if matches!(self.way(), Way::Plain) { Flow::Free } else { Flow::Closed };
                    if matches!(self.way(), Way::Plain) {
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
        match self.way() {
            Way::Plain => rustix::io::write(stdout, bytes),
            Way::Private(fd) => rustix::io::write(fd, bytes),
            Way::Socket => rustix::net::send(stdout, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
            Way::Careful => {
                if !is_writable(stdout) {
                    return Err(Errno::AGAIN);
                }
                rustix::io::write(stdout, &bytes[..bytes.len().min(room(stdout))])
            }
        }
    }
}

/// How much a writable pipe takes without blocking: all of its capacity when it
/// is empty. Else a page may be free or may be several, but one surely is.
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
    // With an error condition the write comes back at once, and says it.
    matches!(poll(&mut fds, Some(&now)), Ok(1..))
}

fn way() -> Way {
    let Ok(stat) = rustix::fs::fstat(rustix::stdio::stdout()) else { return Way::Plain };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Fifo | FileType::CharacterDevice => {
            let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            match rustix::fs::open("/proc/self/fd/1", flags, Mode::empty()) {
                Ok(fd) => Way::Private(fd),
                Err(_) => Way::Careful,
            }
        }
        FileType::Socket => Way::Socket,
        FileType::RegularFile
        | FileType::Directory
        | FileType::Symlink
        | FileType::BlockDevice
        | FileType::Unknown => Way::Plain,
    }
}
