//! The report: what happened, collected while it happens.

use super::memory;
use super::sys;
use super::tree;
use crate::supervise::{Pid, Policy, Tally, Target, Verdict};
use common::duration::GoDuration;
use common::report::{
    self, Interrupt, Leftovers, MAX_LEFTOVER_NAMES, Origin, Output, Recipient, Report, Usage,
};
use common::signal::Signal;
use common::timestamp::Timestamp;

/// A storm of signals must not fill the memory: more are not recorded.
const MAX_INTERRUPTS: usize = 100;

/// What happened so far.
#[derive(Debug)]
pub(super) struct Story {
    started: Timestamp,
    interrupts: Vec<Interrupt>,
    names: Vec<String>,
    memory: memory::Watch,
}

impl Story {
    pub(super) fn begin() -> Self {
        Self {
            started: Timestamp::now(),
            interrupts: Vec::new(),
            names: Vec::new(),
            memory: memory::Watch::begin(),
        }
    }

    /// A signal came from outside.
    pub(super) fn received(&mut self, signal: Signal) {
        self.interrupt(signal, Origin::Outside, None);
    }

    /// A signal was sent.
    pub(super) fn sent(&mut self, signal: Signal, to: Target, from: Origin) {
        let recipient = match to {
            Target::Child => Recipient::Child,
            Target::ChildGroup if from != Origin::Leftovers => Recipient::Child,
            Target::ChildGroup | Target::Process(_) | Target::GroupOf(_) => Recipient::Leftovers,
        };
        self.interrupt(signal, from, Some(recipient));
    }

    fn interrupt(&mut self, signal: Signal, from: Origin, sent_to: Option<Recipient>) {
        if self.interrupts.len() < MAX_INTERRUPTS {
            self.interrupts.push(Interrupt { signal, at: Timestamp::now(), from, sent_to });
        }
    }

    /// Names leftovers; answers those that are named for the first time.
    pub(super) fn name(&mut self, pids: &[Pid]) -> Vec<String> {
        let room = MAX_LEFTOVER_NAMES - self.names.len();
        let names: Vec<String> = pids.iter().take(room).map(|pid| tree::name(*pid)).collect();
        self.names.extend(names.iter().cloned());
        names
    }

    /// The whole story.
    pub(super) fn report(&self, policy: &Policy, verdict: &Verdict, tally: Tally, output: Output) -> Report {
        let cgroup = self.memory.ended();
        let killed = cgroup.as_ref().and_then(|cgroup| cgroup.oom_kills).unwrap_or(0);
        Report {
            version: report::VERSION,
            reason: verdict.reason,
            cause: memory::cause(verdict, killed),
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
