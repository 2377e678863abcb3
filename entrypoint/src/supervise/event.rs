//! What can happen to a supervised job.

use common::report::ChildEnd;
use common::signal::Signal;

/// A process of the tree, by the kernel's number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Pid(pub i32);

/// A process that became entrypoint's child because its own parent ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Process {
    /// Its number.
    pub pid: Pid,
    /// Its standard input is a pipe: it ends by itself at end of file.
    pub filter: bool,
    /// It is in the direct child's process group.
    pub in_group: bool,
}

/// What a look at the marker of the entry before this one tells.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Predecessor {
    /// No result yet.
    Waiting,
    /// Its lock was free and its path gone, without a marker: restarting, or dead.
    Vanished,
    /// Its marker holds this code.
    Code(i32),
    /// Its marker holds no number, perhaps not yet.
    Unreadable(String),
    /// It was killed without a marker.
    Lost,
}

/// Why a look was taken.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pace {
    /// Its second had come.
    Due,
    /// Something happened in the directory, which hostile code can make happen
    /// as often as it likes.
    Hinted,
}

/// A timer of the machine. The I/O layer knows the clock, the machine only names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// The job's time is over.
    Timeout,
    /// The tree's grace period is over.
    Grace,
    /// A rung of the escalation ladder, by its index.
    Escalation(usize),
    /// Only filters are left and end of file did not end them.
    FilterPause,
    /// Orphans arrive without an event: time for another look.
    Rescan,
    /// The pipe was quiet long enough after the child's end.
    Quiet,
    /// Draining has taken long enough, quiet or not.
    DrainLimit,
    /// Leftovers had their chance to end after SIGTERM.
    LeftoversEnd,
    /// What SIGKILL did not end will not end.
    KillLimit,
    /// Time to try the marker again.
    MarkRetry,
    /// The marker was tried for long enough.
    MarkLimit,
}

/// What the I/O layer reports of the way to a running child.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Setup {
    /// Lock, artifact directory, log and reserved space are there.
    Prepared,
    /// One of them could not be made; the text says which and why.
    Unprepared(String),
    /// A look at the previous marker.
    Previous(Predecessor, Pace),
    /// The child runs.
    Spawned,
    /// The child could not be started; the text says why.
    SpawnFailed(String),
}

/// What happened to the processes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Tree {
    /// The direct child was reaped.
    ChildEnded(ChildEnd),
    /// Another process was reaped.
    Reaped(Pid),
    /// Nothing is left: entrypoint has no children.
    Gone,
    /// The answer to a scan: entrypoint's children, the direct one excluded.
    Children(Vec<Process>),
    /// The answer to a scan without a readable /proc.
    Unknown,
}

/// What happened at the child's pipe.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Output {
    /// Bytes came out.
    Bytes,
    /// End of file: nobody holds it open any more.
    Closed,
}

/// What became of an attempt to write the marker.
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
    /// A signal came from outside.
    Signal(Signal),
    /// To the processes.
    Tree(Tree),
    /// At the child's pipe.
    Output(Output),
    /// A timer ran out.
    Fired(Timer),
    /// To the marker.
    Marker(Marker),
}
