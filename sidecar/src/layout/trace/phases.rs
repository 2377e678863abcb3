//! The phases of an entry, from the times in its report.

use common::report::{Origin, Report};
use common::timestamp::Timestamp;

/// Upper bound on the phases of an entry.
pub(super) const MAX_PHASES: usize = 4;

/// A phase.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Phase {
    pub(super) name: &'static str,
    pub(super) time: (Timestamp, Timestamp),
}

/// Returns the phases in their order; those that did not happen are not among them.
pub(super) fn of(report: &Report) -> Vec<Phase> {
    let (start, end) = (report.started, report.finished);
    let ended = report.child_ended.unwrap_or(end);
    let first = |wanted: &dyn Fn(Origin) -> bool| {
        report
            .interrupts
            .iter()
            .filter(|interrupt| wanted(interrupt.from))
            .map(|interrupt| interrupt.at)
            .min()
    };
    // A signal may also arrive when the command has ended already.
    let told = first(&|from| from != Origin::Leftovers).filter(|at| *at < ended);
    let leftovers = first(&|from| from == Origin::Leftovers).filter(|at| *at >= ended);
    let mut phases = vec![Phase { name: "running", time: (start, told.unwrap_or(ended)) }];
    phases.extend(told.map(|at| Phase { name: "terminating", time: (at, ended) }));
    if report.child_ended.is_some() {
        phases.push(Phase { name: "draining", time: (ended, leftovers.unwrap_or(end)) });
    }
    phases.extend(leftovers.map(|at| Phase { name: "leftovers", time: (at, end) }));
    phases
}
