//! The report, collected while the job runs.

use super::cgroup;
use super::processes;
use crate::supervise::{Pid, Policy, Tally, Target, Verdict};
use crate::sys;
use common::duration::GoDuration;
use common::report::{
    self, Interrupt, Leftovers, MAX_LEFTOVER_NAMES, Origin, Output, Recipient, Report, Usage,
};
use common::signal::Signal;
use common::timestamp::Timestamp;

/// Upper bound on recorded signals: a storm of them must not fill the memory.
const MAX_INTERRUPTS: usize = 100;

/// Collects the facts for the report.
#[derive(Debug)]
pub(super) struct ReportBuilder {
    started: Timestamp,
    interrupts: Vec<Interrupt>,
    names: Vec<String>,
    memory: cgroup::Watch,
}

impl ReportBuilder {
    pub(super) fn begin() -> Self {
        Self {
            started: Timestamp::now(),
            interrupts: Vec::new(),
            names: Vec::new(),
            memory: cgroup::Watch::begin(),
        }
    }

    /// Records a signal from outside.
    pub(super) fn received(&mut self, signal: Signal) {
        self.interrupt(signal, Origin::Outside, None);
    }

    /// Records a signal that entrypoint sent.
    pub(super) fn sent(&mut self, signal: Signal, to: Target, from: Origin) {
        let recipient = match to {
            Target::Child => Recipient::Child,
            Target::ChildGroup if from != Origin::Leftovers => Recipient::Child,
            Target::ChildGroup | Target::Process(_) | Target::GroupOf(_) | Target::Descendant(_) => {
                Recipient::Leftovers
            }
        };
        self.interrupt(signal, from, Some(recipient));
    }

    fn interrupt(&mut self, signal: Signal, from: Origin, sent_to: Option<Recipient>) {
        if self.interrupts.len() < MAX_INTERRUPTS {
            self.interrupts.push(Interrupt { signal, at: Timestamp::now(), from, sent_to });
        }
    }

    /// Records the names of leftovers and returns the names added.
    pub(super) fn name(&mut self, pids: &[Pid]) -> Vec<String> {
        let room = MAX_LEFTOVER_NAMES - self.names.len();
        let names: Vec<String> = pids.iter().take(room).map(|pid| processes::name(*pid)).collect();
        self.names.extend(names.iter().cloned());
        names
    }

    /// Builds the report.
    pub(super) fn build(&self, policy: &Policy, verdict: &Verdict, tally: Tally, output: Output) -> Report {
        let cgroup = self.memory.ended();
        let killed = cgroup.as_ref().and_then(|cgroup| cgroup.oom_kills).unwrap_or(0);
        Report {
            version: report::VERSION,
            reason: verdict.reason,
            cause: cgroup::cause(verdict, killed),
            code: verdict.code,
            child: verdict.child,
            child_ended: None,
            started: self.started,
            finished: Timestamp::now(),
            timeout_ns: policy.timeout.as_nanos(),
            grace_period_ns: policy.grace_period.as_nanos(),
            interrupts: self.interrupts.clone(),
            output,
            leftovers: Leftovers {
                ended: tally.ended,
                killed: tally.killed,
                unkillable: tally.unkillable,
                unknown: tally.unknown,
                names: self.names.clone(),
            },
            usage: usage(),
            cgroup,
        }
    }
}

fn usage() -> Usage {
    let (max_rss_bytes, user, system) = sys::usage_of_children();
    let nanos = |time| u64::try_from(GoDuration::from_std(time).as_nanos()).unwrap_or(0);
    Usage { max_rss_bytes, user_ns: nanos(user), system_ns: nanos(system) }
}
