//! The report, collected while the job runs.

use super::course::Course;
use super::{cgroup, stat};
use crate::supervise::{Evidence, Pid, Policy, Tally, Target, Verdict, sentence};
use crate::sys;
use common::duration::GoDuration;
use common::report::{
    self, Interrupt, Leftovers, MAX_INTERRUPTS, MAX_LEFTOVER_NAMES, Origin, Output, ProcessState, Recipient,
    Report, Trace, Usage,
};
use common::signal::Signal;
use common::timestamp::Timestamp;
use std::time::Duration;

/// Collects the facts for the report.
#[derive(Debug)]
pub(super) struct ReportBuilder {
    started: Timestamp,
    interrupts: Vec<Interrupt>,
    names: Vec<String>,
    memory: cgroup::Watch,
    /// The processes before the first signal, and the silence until then.
    snapshot: Option<(Vec<ProcessState>, Duration)>,
    pub(super) course: Option<Course>,
    pub(super) trace: Option<Trace>,
    pub(super) start_hint: Option<String>,
    /// The sentence, once it was asked for: log, report and termination message get the same.
    told: Option<String>,
}

impl ReportBuilder {
    pub(super) fn begin() -> Self {
        Self {
            started: Timestamp::now(),
            interrupts: Vec::new(),
            names: Vec::new(),
            memory: cgroup::Watch::begin(),
            snapshot: None,
            course: None,
            trace: None,
            start_hint: None,
            told: None,
        }
    }

    /// Begins the course, now that the command runs.
    pub(super) fn begin_course(&mut self) {
        self.course = Some(Course::begin(Timestamp::now(), self.memory.killed_before()));
    }

    /// Returns true until the processes have been recorded.
    pub(super) fn needs_snapshot(&self) -> bool {
        self.snapshot.is_none()
    }

    /// Records the processes before the first signal.
    pub(super) fn snapshot(&mut self, processes: Vec<ProcessState>, silence: Duration) {
        self.snapshot = Some((processes, silence));
    }

    /// Returns the sentence about the end.
    pub(super) fn sentence(&mut self, verdict: &Verdict, output: &Output) -> String {
        if let Some(told) = &self.told {
            return told.clone();
        }
        let waiting = self.snapshot.as_ref().and_then(|(all, _)| all.iter().find(|one| one.waits_longest));
        let evidence = Evidence {
            oom_kills: self.memory.ended().and_then(|cgroup| cgroup.oom_kills).unwrap_or(0),
            dropped_bytes: output.dropped_bytes,
            silence: self.snapshot.as_ref().map(|(_, silence)| *silence),
            waiting: waiting.map(|process| (process.name.clone(), process.pid)),
            start_hint: self.start_hint.clone(),
        };
        let told = sentence(verdict, &evidence);
        self.told = Some(told.clone());
        told
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
        let names: Vec<String> = pids.iter().take(room).map(|pid| stat::name(*pid)).collect();
        self.names.extend(names.iter().cloned());
        names
    }

    /// Builds the report.
    pub(super) fn build(
        &mut self,
        policy: &Policy,
        verdict: &Verdict,
        tally: Tally,
        output: Output,
    ) -> Report {
        let (processes, silence) = self.snapshot.clone().unzip();
        let silent_ns = silence.and_then(|silence| u64::try_from(silence.as_nanos()).ok());
        Report {
            version: report::VERSION,
            reason: verdict.reason,
            cause: self.sentence(verdict, &output),
            code: verdict.code,
            child: verdict.child,
            child_ended: None,
            started: self.started,
            finished: Timestamp::now(),
            timeout_ns: policy.timeout.as_nanos(),
            grace_period_ns: policy.grace_period.as_nanos(),
            interrupts: self.interrupts.clone(),
            output: Output { silent_ns, ..output },
            leftovers: Leftovers {
                ended: tally.ended,
                killed: tally.killed,
                unkillable: tally.unkillable,
                unknown: tally.unknown,
                names: self.names.clone(),
            },
            usage: usage(),
            cgroup: self.memory.ended(),
            processes: processes.unwrap_or_default(),
            course: self.course.as_mut().and_then(Course::finish),
            trace: self.trace.clone(),
        }
    }
}

fn usage() -> Usage {
    let (max_rss_bytes, user, system) = sys::usage_of_children();
    let nanos = |time| u64::try_from(GoDuration::from_std(time).as_nanos()).unwrap_or(0);
    Usage { max_rss_bytes, user_ns: nanos(user), system_ns: nanos(system) }
}
