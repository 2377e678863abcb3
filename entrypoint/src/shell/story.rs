//! The report: what happened, collected while it happens.

use super::sys;
use super::tree;
use crate::supervise::{Pid, Policy, Tally, Target, Verdict};
use common::duration::GoDuration;
use common::report::{
    self, Cgroup, Interrupt, Leftovers, MAX_LEFTOVER_NAMES, Origin, Output, Recipient, Report, Usage,
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
}

impl Story {
    pub(super) fn begin() -> Self {
        Self { started: Timestamp::now(), interrupts: Vec::new(), names: Vec::new() }
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
        Report {
            version: report::VERSION,
            reason: verdict.reason,
            cause: verdict.cause.clone(),
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
            cgroup: cgroup(),
        }
    }
}

fn usage() -> Usage {
    let (max_rss_bytes, user, system) = sys::usage_of_children();
    let nanos = |time| u64::try_from(GoDuration::from_std(time).as_nanos()).unwrap_or(0);
    Usage { max_rss_bytes, user_ns: nanos(user), system_ns: nanos(system) }
}

/// What the container's control group says. A container sees its own group at
/// the root of a cgroup v2 mount; the root group of a host has no such files.
fn cgroup() -> Option<Cgroup> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    // Every group of version 2 but the root's has it; the peak came later.
    let events = read("/sys/fs/cgroup/memory.events")?;
    let peak = read("/sys/fs/cgroup/memory.peak");
    let found = Cgroup {
        memory_peak_bytes: peak.and_then(|text| text.trim().parse().ok()),
        oom_kills: oom_kills(&events),
    };
    (found != Cgroup::default()).then_some(found)
}

fn oom_kills(events: &str) -> Option<u64> {
    events.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}
