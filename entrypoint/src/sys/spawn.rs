//! Starting the child, between clone and execve.

use super::check;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// A program to start, in execve's form.
pub(crate) struct Program<'a> {
    /// The file.
    pub(crate) path: &'a CStr,
    /// The arguments, the program's name first.
    pub(crate) args: &'a [CString],
    /// Variables in addition to the inherited ones, `NAME=value` each; they override
    /// inherited ones of the same name.
    pub(crate) extra: &'a [CString],
    /// Becomes standard input.
    pub(crate) input: BorrowedFd<'a>,
    /// Becomes standard output and standard error.
    pub(crate) output: BorrowedFd<'a>,
    /// Limit of open descriptors, if ours is another one.
    pub(crate) descriptors: Option<libc::rlimit>,
}

/// The arguments of the new process, and the place for its error: it shares our
/// memory until it runs the program.
struct Start {
    path: *const c_char,
    args: *const *const c_char,
    environment: *const *const c_char,
    input: c_int,
    output: c_int,
    parent: libc::pid_t,
    descriptors: Option<libc::rlimit>,
    errno: c_int,
}

/// Starts a program in a session of its own, with default dispositions, an
/// empty signal mask and SIGKILL as its parent-death signal. Returns its pid.
///
/// Works like `posix_spawn`: the child borrows our memory and we wait until
/// it runs the program or has failed, which costs less than a fork and reports
/// the error without a pipe. All signals must be blocked, so that no handler
/// can run in between.
pub(crate) fn start(program: &Program<'_>) -> io::Result<i32> {
    let args: Vec<_> = program.args.iter().map(|arg| arg.as_ptr()).chain([ptr::null()]).collect();
    let environment = environment_with(program.extra);
    let mut start = Start {
        path: program.path.as_ptr(),
        args: args.as_ptr(),
        environment: environment.as_ptr(),
        input: program.input.as_raw_fd(),
        output: program.output.as_raw_fd(),
        // SAFETY: getpid cannot fail.
        parent: unsafe { libc::getpid() },
        descriptors: program.descriptors,
        errno: 0,
    };
    // The few frames of `child` and libc need less; the type gives the alignment. A part
    // of our own stack, because one from the heap has to be mapped first.
    let mut stack = [MaybeUninit::<u128>::uninit(); 8 * 1024 / size_of::<u128>()];
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

unsafe extern "C" {
    /// The inherited environment, which nothing changes (environ(7)).
    static environ: *const *const c_char;
}

/// Returns the inherited environment, byte for byte and not copied, and `extra`.
fn environment_with(extra: &[CString]) -> Vec<*const c_char> {
    let replaced = |variable: &CStr| {
        let name = |bytes: &[u8]| bytes.iter().position(|byte| *byte == b'=').unwrap_or(bytes.len());
        let bytes = variable.to_bytes();
        extra.iter().map(|extra| extra.to_bytes()).any(|other| bytes[..name(bytes)] == other[..name(other)])
    };
    let mut variables = Vec::with_capacity(64);
    // SAFETY: `environ` is null or an array of C strings that ends with a null pointer.
    unsafe {
        let mut next = environ;
        while !next.is_null() && !(*next).is_null() {
            if !replaced(CStr::from_ptr(*next)) {
                variables.push(*next);
            }
            next = next.add(1);
        }
    }
    variables.extend(extra.iter().map(|extra| extra.as_ptr()));
    variables.push(ptr::null());
    variables
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
const MAX_SIGNAL: c_int = 64;

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
        // The parent may have died before the call above.
        if libc::getppid() != start.parent {
            libc::_exit(127);
        }
        libc::setsid();
        for signal in 1..=MAX_SIGNAL {
            // A system call, because libc refuses the few real-time signals that it
            // reserves. The kernel rightly refuses SIGKILL and SIGSTOP.
            libc::syscall(libc::SYS_rt_sigaction, signal, DEFAULT_ACTION.as_ptr(), ptr::null::<u64>(), 8);
        }
        if let Some(limit) = &start.descriptors {
            libc::setrlimit(libc::RLIMIT_NOFILE, limit);
        }
        let mut none = MaybeUninit::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        let moved = libc::dup2(start.input, 0) >= 0
            && libc::dup2(start.output, 1) >= 0
            && libc::dup2(start.output, 2) >= 0;
        moved && libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut()) == 0
    }
}
