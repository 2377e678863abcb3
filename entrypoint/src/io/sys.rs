//! What no safe wrapper offers: the command line as C has it, starting the child, the signal mask with its
//! descriptor, signals by number, and an allocator for a quick start.

#![expect(
    unsafe_code,
    reason = "argv, signalfd, clone, kill and allocators have no safe form that does what is needed here"
)]

use common::signal::Signal;
use common::timestamp::Timestamp;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ffi::{CStr, CString, OsStr, OsString, c_char, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The words that the program was started with.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    /// The name it was started by; may be missing.
    pub program: OsString,
    /// The words behind it.
    pub args: Vec<OsString>,
}

impl CommandLine {
    /// Takes what the C runtime gives to `main`.
    ///
    /// # Safety
    /// `words` must hold `count` C strings.
    pub unsafe fn of(count: c_int, words: *const *const c_char) -> Self {
        let mut all = (0..usize::try_from(count).unwrap_or(0)).map(|index| {
            // SAFETY: as the caller promises.
            let word = unsafe { CStr::from_ptr(*words.add(index)) };
            OsStr::from_bytes(word.to_bytes()).to_owned()
        });
        Self { program: all.next().unwrap_or_default(), args: all.collect() }
    }
}

/// Blocks every signal of this process, and wants to hear of its children even
/// when whoever started it did not: the kernel itself reaps the children of a
/// process that ignores SIGCHLD, and says nothing.
pub(super) fn block_signals() -> io::Result<()> {
    let set = full_set();
    // SAFETY: the default disposition is no function that could be called.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
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
    let seconds = at.as_secs();
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
    /// Variables beside the inherited ones, `NAME=value` each; they win over
    /// inherited ones of the same name.
    pub(super) extra: &'a [CString],
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
        errno: 0,
    };
    // The few frames of `child` and libc need less; the type gives the alignment.
    let mut stack = vec![0_u128; 8 * 1024 / size_of::<u128>()];
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
    /// The environment as it was inherited: nobody changes it (environ(7)).
    static environ: *const *const c_char;
}

/// The inherited environment, byte for byte and without copying it, and `extra`.
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

/// An allocator with a small static arena in front of libc's.
///
/// musl asks the kernel for each of its first blocks and gives them back as
/// eagerly: about fifty system calls, a tenth of the time that entrypoint adds
/// to a short job. What is small is taken from the arena until that is used up;
/// only the last block taken can be given back or grow in place.
#[derive(Debug)]
pub struct Arena {
    memory: UnsafeCell<MaybeUninit<[u8; ARENA]>>,
    used: AtomicUsize,
}

/// A short job uses about half of this. Untouched pages cost nothing.
const ARENA: usize = 64 * 1024;

/// Larger blocks are libc's: buffers come and go.
const LARGEST: usize = 8 * 1024;

// SAFETY: each byte of the memory is handed out to one owner by an atomic exchange.
unsafe impl Sync for Arena {}

impl Arena {
    /// An arena of which nothing is used.
    #[expect(clippy::new_without_default, reason = "it exists once, in a static")]
    pub const fn new() -> Self {
        Self { memory: UnsafeCell::new(MaybeUninit::uninit()), used: AtomicUsize::new(0) }
    }

    fn base(&self) -> *mut u8 {
        self.memory.get().cast()
    }

    /// The offset of a block in the arena.
    fn offset(&self, block: *mut u8) -> Option<usize> {
        let offset = (block as usize).wrapping_sub(self.base() as usize);
        (offset < ARENA).then_some(offset)
    }

    fn take(&self, layout: Layout) -> Option<*mut u8> {
        if layout.size() > LARGEST {
            return None;
        }
        let used = self.used.load(Ordering::Relaxed);
        let address = (self.base() as usize + used).next_multiple_of(layout.align());
        let start = address - self.base() as usize;
        let end = start + layout.size();
        let free = end <= ARENA
            && self.used.compare_exchange(used, end, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        // SAFETY: `start` is inside the arena.
        free.then(|| unsafe { self.base().add(start) })
    }

    /// Moves the end of the block from `from` to `to`, if it is the last one.
    fn resize(&self, from: usize, to: usize) -> bool {
        to <= ARENA && self.used.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

// SAFETY: blocks of the arena are disjoint, aligned and large enough; all others are
// the system allocator's, and each block goes back to where it came from.
unsafe impl GlobalAlloc for Arena {
    // Inlined at every place that allocates, these few lines cost 50 KiB.
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        self.take(layout).unwrap_or_else(|| unsafe { System.alloc(layout) })
    }

    #[inline(never)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match self.take(layout) {
            Some(block) => {
                // SAFETY: the block is that large. It may have been used before.
                unsafe { block.write_bytes(0, layout.size()) };
                block
            }
            // SAFETY: as the caller promises.
            None => unsafe { System.alloc_zeroed(layout) },
        }
    }

    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match self.offset(block) {
            Some(start) => {
                self.resize(start + layout.size(), start);
            }
            // SAFETY: the block is the system allocator's.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    #[inline(never)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(start) = self.offset(block) else {
            // SAFETY: the block is the system allocator's.
            return unsafe { System.realloc(block, layout, size) };
        };
        if self.resize(start + layout.size(), start + size) {
            return block;
        }
        // SAFETY: the caller promises a valid size; both blocks hold the smaller one.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_disjoint_aligned_and_keep_their_contents() {
        let arena = Box::new(Arena::new());
        let layout = |size, align| Layout::from_size_align(size, align).expect("a layout");
        // SAFETY: every block is used as its layout says and freed once.
        unsafe {
            let small = arena.alloc(layout(3, 1));
            small.write_bytes(7, 3);
            let aligned = arena.alloc_zeroed(layout(64, 64));
            assert_eq!(aligned as usize % 64, 0);
            assert_eq!(*aligned, 0);
            let moved = arena.realloc(small, layout(3, 1), 10);
            assert_ne!(moved, small, "it was not the last block");
            assert_eq!(std::slice::from_raw_parts(moved, 3), [7, 7, 7]);
            let grown = arena.realloc(moved, layout(10, 1), 20);
            assert_eq!(grown, moved, "it was the last block");
            arena.dealloc(grown, layout(20, 1));
            let again = arena.alloc(layout(5, 1));
            assert_eq!(again, moved, "the last block can be given back");
            let large = arena.alloc(layout(LARGEST + 1, 8));
            assert_eq!(arena.offset(large), None);
            arena.dealloc(large, layout(LARGEST + 1, 8));
        }
    }

    #[test]
    fn a_full_arena_hands_over_to_libc() {
        let arena = Box::new(Arena::new());
        let layout = Layout::from_size_align(LARGEST, 8).expect("a layout");
        // SAFETY: every block is used as its layout says and freed once.
        unsafe {
            let blocks: Vec<_> = (0..ARENA / LARGEST + 2).map(|_| arena.alloc(layout)).collect();
            let inside = blocks.iter().filter(|block| arena.offset(**block).is_some()).count();
            assert!(inside > 0 && inside < blocks.len());
            for block in blocks {
                block.write_bytes(1, LARGEST);
                arena.dealloc(block, layout);
            }
        }
    }
}
