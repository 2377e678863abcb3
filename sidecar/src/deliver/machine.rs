//! The delivery machine: entries, interrupts, and the one pass.

use super::budget::Budget;
use super::effect::{Effect, Record};
use super::entries::{Change, End, Entries};
use super::event::{Completeness, Event, Timer};
use super::verdict::Verdict;
use common::signal::Signal;
use std::time::Duration;

/// How long an unreadable marker, or a lock whose path is gone, is looked at
/// again before it counts.
const DOUBT: Duration = Duration::from_secs(10);

/// What never changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// The number of entries, at least one.
    pub entries: usize,
    /// Go on waiting for markers when told to stop.
    pub ignore_interrupts: bool,
    /// The given time, divided; `None` means that nothing is cut.
    pub budget: Option<Budget>,
}

/// What a pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Policy {
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
    /// `manifest.json`, in a final pass only.
    Manifest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Pass {
    Idle,
    Preparing(Policy),
    Sending(Policy, Part),
    /// The final result waits until the provisional one cannot take effect any more.
    Fencing,
    WritingResult(Policy),
    Over,
}

/// The machine. `handle` is the only way to change it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    config: Config,
    entries: Entries,
    interrupted: bool,
    pass: Pass,
    /// A provisional result may be in flight while the pass has gone on.
    provisional_in_flight: bool,
    /// The time for anything but the closing objects is over.
    cut: bool,
}

impl Machine {
    /// The machine at start: every entry runs.
    pub fn new(config: Config) -> Self {
        Self {
            entries: Entries::new(config.entries),
            config,
            interrupted: false,
            pass: Pass::Idle,
            provisional_in_flight: false,
            cut: false,
        }
    }

    /// Takes one event. The effects are to be carried out in their order.
    #[must_use]
    pub fn handle(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        let out = &mut effects;
        match event {
            _ if self.pass == Pass::Over => {}
            Event::Seen { entry, look } => {
                let change = self.entries.seen(entry, look, self.interrupted);
                self.changed(entry, change, out);
            }
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

    /// How the entries ended; `None` while one runs.
    pub fn ends(&self) -> Option<Vec<End>> {
        self.entries.all()
    }

    /// How this entry ended; `None` while it runs.
    pub fn end(&self, entry: usize) -> Option<End> {
        self.entries.end(entry)
    }

    /// Whether the pod was told to stop.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    /// Whether there is nothing more to come.
    pub fn is_over(&self) -> bool {
        self.pass == Pass::Over
    }

    fn changed(&mut self, index: usize, change: Change, out: &mut Vec<Effect>) {
        match change {
            Change::None => {}
            Change::Cleared => out.push(Effect::Disarm(Timer::Doubt(index))),
            Change::Doubted => {
                out.push(Effect::Record(Record::Doubted(index)));
                out.push(Effect::Arm(Timer::Doubt(index), DOUBT));
            }
            Change::Ended(end) => {
                out.push(Effect::Disarm(Timer::Doubt(index)));
                out.push(Effect::Record(Record::Ended(index, end)));
                if self.ends().is_some() {
                    out.push(Effect::Disarm(Timer::WaitShare));
                    self.begin(Policy::Final, out);
                }
            }
        }
    }

    fn interrupt(&mut self, signal: Signal, out: &mut Vec<Effect>) {
        if std::mem::replace(&mut self.interrupted, true) {
            return;
        }
        let all_ended = self.ends().is_some();
        let ignore = self.config.ignore_interrupts;
        out.push(Effect::Record(match (all_ended, ignore) {
            (true, _) => Record::InterruptLate(signal),
            (false, true) => Record::InterruptIgnored(signal),
            (false, false) => Record::InterruptCancelling(signal),
        }));
        if let Some(budget) = self.config.budget {
            if ignore && !all_ended {
                out.push(Effect::Arm(Timer::WaitShare, budget.wait_share));
            }
            out.push(Effect::Arm(Timer::Cutoff, budget.cutoff));
            out.push(Effect::Arm(Timer::Deadline, budget.deadline));
        }
        if !all_ended && !ignore {
            self.begin(Policy::BestEffort, out);
        }
    }

    fn fired(&mut self, timer: Timer, out: &mut Vec<Effect>) {
        match timer {
            Timer::Doubt(index) => {
                let change = self.entries.doubt_is_over(index, self.interrupted);
                self.changed(index, change, out);
            }
            Timer::WaitShare if self.ends().is_none() && self.pass == Pass::Idle => {
                out.push(Effect::Record(Record::WaitOver));
                self.begin(Policy::BestEffort, out);
            }
            Timer::WaitShare => {}
            Timer::Cutoff => self.cut_off(out),
            Timer::Deadline => {
                out.push(Effect::Record(Record::DeadlineReached));
                self.finish(out);
            }
        }
    }

    /// Begins a pass, or upgrades the running one.
    fn begin(&mut self, policy: Policy, out: &mut Vec<Effect>) {
        match self.pass {
            Pass::Idle => {}
            Pass::Preparing(running) | Pass::Sending(running, _) | Pass::WritingResult(running) => {
                if running >= policy {
                    return;
                }
                out.push(Effect::Record(Record::Upgraded));
            }
            Pass::Fencing | Pass::Over => return,
        }
        self.pass = Pass::Preparing(policy);
        out.push(Effect::Record(Record::Starting(policy)));
        out.push(Effect::Prepare(policy));
    }

    fn send(&mut self, policy: Policy, part: Part, out: &mut Vec<Effect>) {
        self.pass = Pass::Sending(policy, part);
        out.push(Effect::Send(policy, part));
        if part == Part::Bulk && self.cut {
            out.push(Effect::Cut);
        }
    }

    fn sent(&mut self, policy: Policy, part: Part, out: &mut Vec<Effect>) {
        match (policy, part) {
            (_, Part::Bulk) => self.send(policy, Part::OwnLog, out),
            (Policy::Final, Part::OwnLog) => self.send(policy, Part::Manifest, out),
            (Policy::BestEffort, Part::OwnLog) | (_, Part::Manifest) => self.write_result(policy, out),
        }
    }

    fn write_result(&mut self, policy: Policy, out: &mut Vec<Effect>) {
        if self.provisional_in_flight {
            self.pass = Pass::Fencing;
            out.push(Effect::AbandonResult);
            return;
        }
        let verdict = match policy {
            Policy::BestEffort => Verdict::PROVISIONAL,
            // A final pass begins only when every entry has ended.
            Policy::Final => self.ends().map_or(Verdict::PROVISIONAL, Verdict::of),
        };
        self.provisional_in_flight = policy == Policy::BestEffort;
        self.pass = Pass::WritingResult(policy);
        out.push(Effect::WriteResult(policy, verdict));
    }

    fn result_settled(&mut self, policy: Policy, complete: Completeness, out: &mut Vec<Effect>) {
        match policy {
            Policy::BestEffort => {
                self.provisional_in_flight = false;
                match self.pass {
                    Pass::WritingResult(Policy::BestEffort) => {
                        self.pass = Pass::Idle;
                        out.push(Effect::Record(match complete {
                            Completeness::Complete => Record::BestEffortDelivered,
                            Completeness::Incomplete => Record::BestEffortFailed,
                        }));
                    }
                    Pass::Fencing => self.write_result(Policy::Final, out),
                    Pass::Idle
                    | Pass::Preparing(_)
                    | Pass::Sending(..)
                    | Pass::WritingResult(Policy::Final)
                    | Pass::Over => {}
                }
            }
            Policy::Final if self.pass == Pass::WritingResult(Policy::Final) => {
                out.push(Effect::Record(match complete {
                    Completeness::Complete => Record::Delivered,
                    Completeness::Incomplete => Record::DeliveryFailed,
                }));
                self.finish(out);
            }
            Policy::Final => {}
        }
    }

    /// The time for the bulk is over: the closing objects come next.
    fn cut_off(&mut self, out: &mut Vec<Effect>) {
        self.cut = true;
        match self.pass {
            Pass::Preparing(policy) => {
                out.push(Effect::Record(Record::Cut));
                self.send(policy, Part::Bulk, out);
            }
            Pass::Sending(_, Part::Bulk) => {
                out.push(Effect::Record(Record::Cut));
                out.push(Effect::Cut);
            }
            Pass::Idle | Pass::Sending(..) | Pass::Fencing | Pass::WritingResult(_) | Pass::Over => {}
        }
    }

    fn finish(&mut self, out: &mut Vec<Effect>) {
        self.pass = Pass::Over;
        out.push(Effect::Finish);
    }
}

#[cfg(test)]
mod explore;
#[cfg(test)]
mod tests;
