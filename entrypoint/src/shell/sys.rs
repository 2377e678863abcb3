//! The system calls that no safe wrapper offers: starting the child, the signal
//! mask with its descriptor, and signals by number.

#![expect(unsafe_code, reason = "signalfd, clone and kill have no safe form that does what is needed here")]

use common::signal::Signal;
use common::timestamp::Timestamp;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

/// Blocks every signal of this process.
pub(super) fn block_signals() -> io::Result<()> {
    let set = full_set();
    // SAFETY: `set` is initialised, and no old mask is asked for.
    check(unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut()) }).map(drop)
}

/// A descriptor that gives the blocked signals, non-blocking and close-on-exec.
pub(super) fn signal_descriptor() -> io::Result<OwnedFd> {
    let set = full_set();
    // SAFETY: `set` is initialised; -1 asks for a new descriptor.
    let fd = check(unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) })?;
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn full_set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigfillset initialises the set it is given.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        set.assume_init()
    }
}

/// Sends a signal; a negative `pid` means a process group.
pub(super) fn kill(pid: i32, signal: Signal) -> io::Result<()> {
    // SAFETY: kill takes numbers only.
    check(unsafe { libc::kill(pid, signal.as_raw()) }).map(drop)
}

/// The process group of a process, our own for 0; `None` for a process that is
/// gone or whose group has no number in our pid namespace (that of a PID 1
/// usually has not, and the kernel says 0).
pub(super) fn group_of(pid: i32) -> Option<i32> {
    // SAFETY: getpgid takes and gives numbers only.
    let group = unsafe { libc::getpgid(pid) };
    (group > 0).then_some(group)
}

/// What reaped descendants used: largest resident set in bytes, user and system time.
pub(super) fn usage_of_children() -> (u64, Duration, Duration) {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage fills the structure it is given; all zeroes is a valid
    // one should it fail.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr());
        usage.assume_init()
    };
    let time = |value: libc::timeval| {
        Duration::from_micros(
            u64::try_from(value.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(value.tv_usec).unwrap_or(0),
        )
    };
    let kibibytes = u64::try_from(usage.ru_maxrss).unwrap_or(0);
    (kibibytes * 1024, time(usage.ru_utime), time(usage.ru_stime))
}

/// Seconds east of UTC at a point in time, by libc, whose tables of rules cost
/// a fraction of a calendar crate's.
pub(super) fn local_zone(at: Timestamp) -> i32 {
    let mut broken_down = MaybeUninit::<libc::tm>::zeroed();
    let seconds = libc::time_t::from(at.as_secs());
    // SAFETY: localtime_r fills the structure it is given; all zeroes is a valid
    // one should it fail. There are no other threads that could change TZ.
    let broken_down = unsafe {
        libc::localtime_r(&raw const seconds, broken_down.as_mut_ptr());
        broken_down.assume_init()
    };
    i32::try_from(broken_down.tm_gmtoff).unwrap_or(0)
}

/// A program to start, in the form execve takes it.
pub(super) struct Program<'a> {
    /// The file.
    pub(super) path: &'a CStr,
    /// The arguments, the program's name first.
    pub(super) args: &'a [CString],
    /// The environment, `NAME=value` each.
    pub(super) environment: &'a [CString],
    /// Becomes standard input.
    pub(super) input: BorrowedFd<'a>,
    /// Becomes standard output and standard error.
    pub(super) output: BorrowedFd<'a>,
}

/// What the new process reads, and where it leaves why it could not go on: it
/// shares our memory until it runs the program.
struct Start {
    path: *const c_char,
    args: *const *const c_char,
    environment: *const *const c_char,
    input: c_int,
    output: c_int,
    parent: libc::pid_t,
    errno: c_int,
}

/// Starts a program in a session of its own, with default dispositions, an
/// empty signal mask and SIGKILL as its parent-death signal. Answers its pid.
///
/// Works like `posix_spawn`: the child borrows our memory and we wait until
/// it runs the program or has failed, which costs less than a fork and tells
/// the error without a pipe. All signals must be blocked, so that no handler
/// can run in between.
pub(super) fn start(program: &Program<'_>) -> io::Result<i32> {
    let pointers = |strings: &[CString]| {
        let all = strings.iter().map(|string| string.as_ptr());
        all.chain([ptr::null()]).collect::<Vec<_>>()
    };
    let (args, environment) = (pointers(program.args), pointers(program.environment));
    let mut start = Start {
        path: program.path.as_ptr(),
        args: args.as_ptr(),
        environment: environment.as_ptr(),
        input: program.input.as_raw_fd(),
        output: program.output.as_raw_fd(),
        // SAFETY: getpid cannot fail.
        parent: unsafe { libc::getpid() },
        errno: 0,
    };
    // The few frames of `child` and libc need far less; the type gives the alignment.
    let mut stack = vec![0_u128; 2048];
    let top = stack.as_mut_ptr_range().end.cast::<c_void>();
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: `child` runs on `stack` while this thread is suspended (CLONE_VFORK);
    // `start` and what it points to outlive that; there are no other threads.
    let pid = check(unsafe { libc::clone(child, top, flags, (&raw mut start).cast()) })?;
    // The compiler does not see that the child wrote here.
    // SAFETY: `start` is a live, aligned local.
    match unsafe { ptr::read_volatile(&raw const start.errno) } {
        0 => Ok(pid),
        errno => {
            // SAFETY: waits for our own child, which is exiting; no status is asked for.
            unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
            Err(io::Error::from_raw_os_error(errno))
        }
    }
}

extern "C" fn child(argument: *mut c_void) -> c_int {
    let start = argument.cast::<Start>();
    // SAFETY: `argument` is the parent's `Start`, which nobody else touches while
    // the parent is suspended; only system calls follow, and no allocation.
    unsafe {
        let prepared = prepare(&*start);
        if prepared {
            libc::execve((*start).path, (*start).args, (*start).environment);
        }
        (*start).errno = io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO).max(1);
        libc::_exit(127)
    }
}

/// The kernel's `_NSIG`.
const HIGHEST_SIGNAL: c_int = 64;

/// The kernel's `struct sigaction` for the default disposition is all zeroes;
/// no architecture has a larger one.
static DEFAULT_ACTION: [u64; 4] = [0; 4];

/// # Safety
/// Runs in the child, between clone and execve.
unsafe fn prepare(start: &Start) -> bool {
    // SAFETY: system calls on numbers and on locals.
    unsafe {
        if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
            return false;
        }
        // The parent may have died before the line above.
        if libc::getppid() != start.parent {
            libc::_exit(127);
        }
        libc::setsid();
        for signal in 1..=HIGHEST_SIGNAL {
            // libc keeps a few real-time signals to itself and refuses them, so
            // the kernel is asked. It refuses SIGKILL and SIGSTOP, rightly.
            libc::syscall(libc::SYS_rt_sigaction, signal, DEFAULT_ACTION.as_ptr(), ptr::null::<u64>(), 8);
        }
        let mut none = MaybeUninit::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        let moved = libc::dup2(start.input, 0) >= 0
            && libc::dup2(start.output, 1) >= 0
            && libc::dup2(start.output, 2) >= 0;
        moved && libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut()) == 0
    }
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
