//! Events: everything that can happen to a supervised job.

use super::effect::Target;
use common::report::ChildEnd;
use common::signal::Signal;

/// The kernel's number of a process in the job's tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Pid(pub i32);

/// A process for as long as it exists: the kernel may give its number to another
/// one afterwards.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Identity {
    /// Its number.
    pub pid: Pid,
    /// Its start time, in the kernel's clock ticks since boot; 0 if unreadable.
    pub started: u64,
}

/// A process that entrypoint adopted because the process's own parent ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Process {
    /// Its number and start time.
    pub id: Identity,
    /// Its standard input is a pipe, so it ends by itself at end of file.
    pub filter: bool,
    /// It is in the direct child's process group.
    pub in_group: bool,
}

/// A process of the job's tree whose parent is alive and is not entrypoint.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Descendant {
    /// Its number and start time.
    pub id: Identity,
    /// The ancestor that is entrypoint's own child.
    pub top: Top,
    /// Its standard input is a pipe, so it ends by itself at end of file.
    pub filter: bool,
}

/// A child of entrypoint as the ancestor of others.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Top {
    /// The direct child.
    Child,
    /// An adopted process.
    Adopted,
}

/// Result of one check of the previous entry's marker.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Predecessor {
    /// There is no result yet.
    Waiting,
    /// Its lock was free and then unlinked without a marker: it is restarting, or dead.
    Vanished,
    /// Its marker holds this code.
    Code(i32),
    /// Its marker holds no number, perhaps not yet; the text says what it holds.
    Unreadable(String),
    /// It was killed and left no marker.
    Lost,
}

/// Reason for a check of the previous marker.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Trigger {
    /// The regular interval of one second had passed.
    Interval,
    /// inotify reported a change in the directory. Hostile code can cause any
    /// number of these.
    Inotify,
}

/// A timer. The I/O layer owns the clock; the machine only names its timers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// When the job's time limit ends.
    Timeout,
    /// When the tree's grace period ends.
    Grace,
    /// When to send the signal of the escalation step with this index.
    Escalation(usize),
    /// When to send this recipient the next signal that the child already got.
    FollowUp(Target),
    /// When to send SIGINT to descendants that wait beneath a living parent.
    InterruptWaiting,
    /// When to send them SIGTERM.
    TerminateWaiting,
    /// When to signal filters that end of file did not end.
    FilterPause,
    /// When to scan again for orphans, which arrive without an event.
    Rescan,
    /// When the pipe has been quiet for long enough after the child's end.
    Quiet,
    /// When to stop draining even if bytes still arrive.
    DrainLimit,
    /// When to kill leftovers that ignored SIGTERM.
    LeftoversEnd,
    /// When to give up on processes that SIGKILL did not end.
    KillLimit,
    /// When to try the marker again.
    MarkRetry,
    /// When to give up on the marker.
    MarkLimit,
}

/// Events on the way to a running child.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Setup {
    /// Lock, artifact directory, log and preallocated files exist.
    Prepared,
    /// One of them could not be made; the text says which and why.
    Unprepared(String),
    /// The previous marker was checked.
    Previous(Predecessor, Trigger),
    /// The child runs.
    Spawned,
    /// The child could not be started; the text says why.
    SpawnFailed(String),
}

/// Events of the job's processes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Tree {
    /// The direct child was reaped.
    ChildEnded(ChildEnd),
    /// Another process was reaped.
    Reaped(Pid),
    /// Entrypoint has no children left.
    Gone,
    /// Result of a scan: entrypoint's children, the direct one excluded.
    Children(Vec<Process>),
    /// Result of a scan of the whole tree: everybody who is not entrypoint's child.
    Descendants(Vec<Descendant>),
    /// Result of a scan without a readable /proc.
    Unknown,
}

/// Events at the child's pipe.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Output {
    /// Bytes came out.
    Bytes,
    /// End of file: no process holds the pipe open any more.
    Closed,
}

/// Result of an attempt to write the marker.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Marker {
    /// Report and marker are visible.
    Visible,
    /// The marker could not be written.
    Failed,
}

/// Everything that can happen.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// On the way to a running child.
    Setup(Setup),
    /// A signal arrived from outside.
    Signal(Signal),
    /// In the job's tree.
    Tree(Tree),
    /// At the child's pipe.
    Output(Output),
    /// A timer fired.
    Fired(Timer),
    /// At the marker.
    Marker(Marker),
}
