//! Policies of a pass, and the parts it goes through.

/// The purpose of a pass. A later one upgrades an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Policy {
    /// Entries run: deliver what has changed, and no result.
    Checkpoint,
    /// Told to stop while entries run: save what there is, result ABORTED.
    BestEffort,
    /// Every entry has ended.
    Final,
}

/// The parts of a pass before its result, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Alias, latest build, build logs, artifacts.
    Bulk,
    /// `sidecar-logs.json`.
    OwnLog,
    /// `report.html`, in a final pass only, where it is wanted and there is time for it.
    Page,
    /// `manifest.json`, in a final pass only.
    Manifest,
}

/// Upper bound on the size of a small object. A small one is sent again rather
/// than waited for or asked about. Larger artifacts go one after another when time
/// is short: of several that share the line none might arrive whole.
pub(super) const MAX_SMALL_BYTES: u64 = 1 << 20;
