//! The delivery machine: entries, interrupts, and the one pass.

mod pass;

use super::budget::Budget;
use super::effect::{Directive, Record};
use super::entries::{Change, End, Entries, Observation, ReportSummary};
use super::event::{Event, Timer};
use super::plan::Completeness;
use super::policy::{Part, Policy};
use super::verdict::Verdict;
use common::signal::Signal;
use std::time::Duration;

/// Time for which an unreadable marker, or a lock whose path is gone, is polled
/// again before it counts.
const SUSPICION_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an entry that has left no trace is waited for once the
/// pod is told to stop: its container will not be started any more.
const START_AFTER_STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Settings that never change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "independent options")]
pub struct Config {
    /// The number of entries, at least one.
    pub entries: usize,
    /// Go on waiting for markers when told to stop.
    pub ignore_interrupts: bool,
    /// The given time, divided; `None` means that nothing is cut.
    pub budget: Option<Budget>,
    /// A page is written before the manifest of the final pass.
    pub page: bool,
    /// Changed logs and artifacts are delivered while the entries run.
    pub checkpoints: bool,
    /// Without a budget: when a result goes out although the pass is not
    /// through, counted from the first interrupt.
    pub interim: Option<Duration>,
    /// Time after which an entry that has left no trace is lost.
    pub start_timeout: Option<Duration>,
    /// Sidecar runs as a native sidecar: TERM says only that the ordinary
    /// containers have ended, and it is restarted when it ends by itself.
    pub native: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Pass {
    Idle,
    Preparing(Policy),
    Sending(Policy, Part),
    /// A result waits until an earlier, provisional one cannot take effect any more.
    Fencing(Policy),
    WritingResult(Policy),
    /// Everything is delivered; a native sidecar ends when it is told to.
    AwaitingTerm,
    Over,
}

/// The machine. `handle` is the only way to change it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each of which can come with any pass")]
pub struct Machine {
    config: Config,
    entries: Entries,
    /// The pod was told to stop.
    interrupted: bool,
    /// Native: the ordinary containers have ended.
    all_gone: bool,
    pass: Pass,
    /// A provisional result may be in flight while the pass has gone on.
    provisional_in_flight: bool,
    /// The time for anything but the closing objects is over.
    cut: bool,
}

impl Machine {
    /// The machine at start: every entry runs.
    pub(super) fn new(config: Config) -> Self {
        Self {
            entries: Entries::new(config.entries),
            config,
            interrupted: false,
            all_gone: false,
            pass: Pass::Idle,
            provisional_in_flight: false,
            cut: false,
        }
    }

    /// Returns what is to be done before anything has happened.
    #[must_use]
    pub(super) fn start(&mut self) -> Vec<Directive> {
        let mut effects = Vec::new();
        for entry in 0..self.config.entries {
            effects.push(Directive::ArmUnseen(entry));
            effects.extend(self.config.start_timeout.map(|time| Directive::Arm(Timer::Start(entry), time)));
        }
        self.rest(&mut effects);
        effects
    }

    /// Takes one event. The directives are to be followed in their order.
    #[must_use]
    pub(super) fn handle(&mut self, event: Event) -> Vec<Directive> {
        let mut effects = Vec::new();
        let out = &mut effects;
        match event {
            _ if self.pass == Pass::Over => {}
            Event::Observed { entry, observation } => {
                self.report_observed(observation, out);
                let unseen = self.entries.is_unseen(entry);
                let change = self.entries.observe(entry, observation, self.interrupted, self.all_gone);
                if unseen && change != Change::None {
                    self.appeared(entry, out);
                }
                self.changed(entry, change, out);
            }
            Event::Interrupt(signal) if self.config.native => self.others_ended(signal, out),
            Event::Interrupt(signal) => self.interrupt(signal, out),
            Event::Fired(timer) => self.fired(timer, out),
            Event::Prepared(policy) if self.pass == Pass::Preparing(policy) => {
                self.send(policy, Part::Bulk, out);
            }
            Event::Sent(policy, part) if self.pass == Pass::Sending(policy, part) => {
                self.sent(policy, part, out);
            }
            Event::ResultSettled(policy, complete) => self.result_settled(policy, complete, out),
            // Answers to questions that a later policy has made stale.
            Event::Prepared(_) | Event::Sent(..) => {}
        }
        effects
    }

    /// Returns how the entries ended; `None` while one runs.
    pub fn ends(&self) -> Option<Vec<End>> {
        self.entries.all()
    }

    /// Returns how this entry ended; `None` while it runs.
    pub fn end(&self, entry: usize) -> Option<End> {
        self.entries.end(entry)
    }

    /// Returns whether the pod was told to stop.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    /// Returns whether everything is delivered, and a native sidecar waits for its TERM.
    pub fn is_awaiting_term(&self) -> bool {
        self.pass == Pass::AwaitingTerm
    }

    /// Returns whether there is nothing more to come.
    pub fn is_over(&self) -> bool {
        self.pass == Pass::Over
    }

    fn changed(&mut self, index: usize, change: Change, out: &mut Vec<Directive>) {
        match change {
            Change::None | Change::Begun => {}
            Change::Cleared => out.push(Directive::Disarm(Timer::Suspicion(index))),
            Change::Suspected => {
                out.push(Directive::Record(Record::Suspected(index)));
                out.push(Directive::Arm(Timer::Suspicion(index), SUSPICION_TIMEOUT));
            }
            Change::Ended(end) => {
                out.push(Directive::Disarm(Timer::Suspicion(index)));
                out.push(Directive::Record(Record::Ended(index, end)));
                if self.ends().is_some() {
                    out.push(Directive::Disarm(Timer::WaitShare));
                    if self.config.checkpoints {
                        out.push(Directive::Disarm(Timer::Checkpoint));
                    }
                    self.begin(Policy::Final, out);
                }
            }
        }
    }

    /// Something of an entry is there, or it has ended.
    fn appeared(&self, entry: usize, out: &mut Vec<Directive>) {
        out.push(Directive::Disarm(Timer::Unseen(entry)));
        if self.config.start_timeout.is_some() || self.interrupted {
            out.push(Directive::Disarm(Timer::Start(entry)));
        }
    }

    fn interrupt(&mut self, signal: Signal, out: &mut Vec<Directive>) {
        if std::mem::replace(&mut self.interrupted, true) {
            return;
        }
        let all_ended = self.ends().is_some();
        let ignore = self.config.ignore_interrupts;
        out.push(Directive::Record(match (all_ended, ignore) {
            (true, _) => Record::InterruptLate(signal),
            (false, true) => Record::InterruptIgnored(signal),
            (false, false) => Record::InterruptCancelling(signal),
        }));
        self.start_clock(Duration::ZERO, out);
        for entry in (0..self.config.entries).filter(|entry| self.entries.is_unseen(*entry)) {
            out.push(Directive::ArmEarliest(Timer::Start(entry), START_AFTER_STOP_TIMEOUT));
        }
        if !all_ended && !ignore {
            self.begin(Policy::BestEffort, out);
        }
    }

    /// A native sidecar learns from reports alone that the pod was told to stop.
    fn report_observed(&mut self, observation: Observation, out: &mut Vec<Directive>) {
        let Observation::Marker { report: Some(ReportSummary { outside: Some(age), .. }), .. } = observation
        else {
            return;
        };
        if !self.config.native {
            return;
        }
        self.start_clock(age, out);
        if std::mem::replace(&mut self.interrupted, true) {
            return;
        }
        out.push(Directive::Record(Record::ToldByReport));
        // The entry that tells this is counted right after; should it be the
        // last one, the pass becomes the final one at once.
        if !self.config.ignore_interrupts && self.entries.running() > 1 {
            self.begin(Policy::BestEffort, out);
        }
    }

    /// TERM to a native sidecar decides nothing but that nobody else is alive.
    fn others_ended(&mut self, signal: Signal, out: &mut Vec<Directive>) {
        if std::mem::replace(&mut self.all_gone, true) {
            return;
        }
        out.push(Directive::Record(Record::OthersEnded(signal)));
        if self.pass == Pass::AwaitingTerm {
            return self.finish(out);
        }
        self.start_clock(Duration::ZERO, out);
        if self.ends().is_none() {
            out.push(Directive::LookAtEntries);
        }
    }

    /// The given time began `age` ago. The earliest begin counts.
    fn start_clock(&mut self, age: Duration, out: &mut Vec<Directive>) {
        let mut arm = |timer, after: Duration| {
            out.push(Directive::ArmEarliest(timer, after.saturating_sub(age)));
        };
        if let Some(budget) = self.config.budget {
            if (self.config.ignore_interrupts || self.config.native) && self.entries.running() > 0 {
                arm(Timer::WaitShare, budget.wait_share);
            }
            arm(Timer::Cutoff, budget.cutoff);
            arm(Timer::Deadline, budget.deadline);
            out.push(Directive::Hurry);
        } else if let Some(interim) = self.config.interim {
            arm(Timer::Interim, interim);
        }
    }

    fn fired(&mut self, timer: Timer, out: &mut Vec<Directive>) {
        match timer {
            Timer::Suspicion(index) => {
                let change = self.entries.suspicion_is_over(index, self.interrupted);
                self.changed(index, change, out);
            }
            Timer::Unseen(index) if self.entries.is_unseen(index) => {
                out.push(Directive::Record(Record::Unseen(index)));
                out.push(Directive::ArmUnseen(index));
            }
            Timer::Start(index) if self.entries.start_is_overdue(index) => {
                out.push(Directive::LookAtEntries);
            }
            Timer::WaitShare if self.ends().is_none() && self.is_at_rest() => {
                out.push(Directive::Record(Record::WaitOver));
                self.begin(Policy::BestEffort, out);
            }
            Timer::Checkpoint if self.ends().is_none() && self.pass == Pass::Idle && !self.cut => {
                self.begin(Policy::Checkpoint, out);
            }
            // The coordinator's own timers do not come here.
            Timer::Unseen(_)
            | Timer::Start(_)
            | Timer::WaitShare
            | Timer::Checkpoint
            | Timer::Attempt(_)
            | Timer::Pause(_)
            | Timer::PassTime
            | Timer::Probe
            | Timer::Waiting
            | Timer::GiveUp => {}
            Timer::Interim => self.interim(out),
            Timer::Cutoff => self.cut_off(out),
            Timer::Deadline => {
                out.push(Directive::Record(Record::DeadlineReached));
                self.finish(out);
            }
        }
    }
}

#[cfg(test)]
mod checkpoint_tests;
#[cfg(test)]
mod explore;
#[cfg(test)]
mod native_tests;
#[cfg(test)]
mod start_tests;
#[cfg(test)]
mod tests;
