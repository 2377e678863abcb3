//! Modes of the pod, and what can be wrong with its cores.

/// A core that is broken on purpose, by a wrapper around it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Mutation {
    /// Entrypoint does not look at the pipe before it writes the marker.
    NoLastLook,
    /// It takes SIGKILL for done when it was sent.
    MarkerBeforeKill,
    /// It exits before the marker is there.
    ExitWithoutMarker,
    /// Sidecar takes the manifest for sent.
    ResultBeforeManifest,
    /// It takes a provisional result for settled when it is given up.
    ProvisionalNotFenced,
    /// Provisional writes have no condition.
    ProvisionalUnconditional,
    /// Provisional results have no precondition.
    ResultUnconditional,
    /// A request is aborted although it would be applied whenever the store comes
    /// to it.
    FenceNotAwaited,
    /// A write that must find no object overwrites one.
    AbsenceNotRequired,
    /// Its final pass does not look at the files again.
    FinalPassDoesNotLook,
    /// It does not see markers.
    DeafToMarkers,
    /// It takes a store that is out for one that refuses.
    OutagesAreFinal,
    /// It does not end at its deadline.
    DeadlineIgnored,
    /// It writes no result where the job's metadata cannot be read in time.
    NoResultWithoutMetadata,
    /// It counts what a listing found only when the listing is through.
    PiecesUncounted,
    /// It waits for a task that panicked.
    PanicNotTold,
}

/// A mode of the pod, and how much adversity it meets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent options")]
pub(crate) struct Config {
    pub(crate) ignore_interrupts: bool,
    pub(crate) native: bool,
    pub(crate) deadline: bool,
    pub(crate) interim: bool,
    pub(crate) checkpoints: bool,
    /// A page is written.
    pub(crate) page: bool,
    /// To compose a result takes time, and may come to one without the job's metadata.
    pub(crate) slow_result: bool,
    /// The credentials allow to read.
    pub(crate) readable: bool,
    /// Answers that the store owes, refuses or loses.
    pub(crate) faults: u8,
    /// Containers that are killed: out of memory, or by a crash.
    pub(crate) crashes: u8,
    pub(crate) mutation: Option<Mutation>,
}
