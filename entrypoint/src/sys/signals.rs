//! The signal mask, its descriptor, and signals by number.

use super::check;
use common::signal::Signal;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

/// Blocks every signal of this process and resets two dispositions that may be
/// `SIG_IGN`: with SIGCHLD ignored the kernel reaps our children silently, and an
/// ignored SIGPIPE would be the command's, too (a parent in Rust or Python ignores it;
/// upstream's Go runtime gives its children the default).
pub(crate) fn block_signals() -> io::Result<()> {
    let set = full_set();
    for signal in [libc::SIGCHLD, libc::SIGPIPE] {
        // SAFETY: the default disposition is no function that could be called.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: `set` is initialised, and no old mask is asked for.
    check(unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut()) }).map(drop)
}

/// Opens a descriptor for the blocked signals, non-blocking and close-on-exec.
pub(crate) fn signal_descriptor() -> io::Result<OwnedFd> {
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
pub(crate) fn kill(pid: i32, signal: Signal) -> io::Result<()> {
    // SAFETY: kill takes numbers only.
    check(unsafe { libc::kill(pid, signal.as_raw()) }).map(drop)
}

/// Sends a signal to the process that a descriptor of `pidfd_open(2)` stands for.
pub(crate) fn kill_descriptor(process: &OwnedFd, signal: Signal) -> io::Result<()> {
    let (fd, flags) = (process.as_raw_fd(), 0);
    // SAFETY: the call takes numbers, and no siginfo.
    let sent = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, fd, signal.as_raw(), ptr::null::<libc::siginfo_t>(), flags)
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Returns the process group of a process, our own for 0; `None` if the process is
/// gone or its group has no number in our pid namespace (the kernel returns 0, as for
/// most PID 1).
pub(crate) fn group_of(pid: i32) -> Option<i32> {
    // SAFETY: getpgid takes and gives numbers only.
    let group = unsafe { libc::getpgid(pid) };
    (group > 0).then_some(group)
}
