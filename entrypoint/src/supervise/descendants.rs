//! The processes that entrypoint adopted, and the signals each of them got.

use super::effect::{Effect, Target};
use super::event::{Pid, Process};
use super::progress::Progress;
use super::waiting::Waiting;
use super::{Leftovers, Policy, SignalScope};
use common::report::Origin;
use common::signal::Signal;
use std::collections::BTreeMap;

/// Signals that a process got so far.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum SignalState {
    /// None: it was adopted before the termination began, and a clean-up may need it.
    PreExisting(Process),
    /// None: it is a filter, which end of file ends.
    FilterSpared,
    /// The signals of the termination, one by one.
    Signaled(Progress),
    /// The signals that its process group, the child's, got.
    ViaGroup,
    /// SIGKILL.
    Killed,
}

/// Adopted processes that were seen and have not been reaped.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Descendants {
    seen: BTreeMap<Pid, SignalState>,
}

impl Descendants {
    /// Records processes that were adopted before the termination began.
    pub fn record_pre_existing(&mut self, children: &[Process]) {
        for process in children {
            self.seen.entry(process.id.pid).or_insert(SignalState::PreExisting(*process));
        }
    }

    /// Begins to send new arrivals the signals that the child got.
    pub fn signal_arrivals(
        &mut self,
        children: &[Process],
        signals: &[Signal],
        policy: SignalPolicy,
        waiting: &Waiting,
        effects: &mut Vec<Effect>,
    ) {
        for process in children {
            self.seen.entry(process.id.pid).or_insert_with(|| match waiting.last_signal(process.id) {
                Some(last) => {
                    let to = Target::Process(process.id.pid);
                    SignalState::Signaled(Progress::resume(last, signals, to, effects))
                }
                None => policy.signal(*process, signals, effects),
            });
        }
    }

    /// Signals processes that were adopted before the termination, now that the
    /// direct child has ended.
    pub fn signal_pre_existing(
        &mut self,
        signals: &[Signal],
        policy: SignalPolicy,
        effects: &mut Vec<Effect>,
    ) {
        for state in self.seen.values_mut() {
            if let SignalState::PreExisting(process) = *state {
                *state = policy.signal(process, signals, effects);
            }
        }
    }

    /// Signals the filters that end of file did not end.
    pub fn signal_spared_filters(&mut self, signals: &[Signal], from: Origin, effects: &mut Vec<Effect>) {
        for (pid, state) in &mut self.seen {
            if *state == SignalState::FilterSpared {
                let progress = Progress::begin(signals, Target::Process(*pid), from, effects);
                *state = SignalState::Signaled(progress);
            }
        }
    }

    /// Sends a further signal to everybody who got all earlier ones.
    pub fn forward(&mut self, signal: Signal, signals: &[Signal], from: Origin, effects: &mut Vec<Effect>) {
        for (pid, state) in &mut self.seen {
            if let SignalState::Signaled(progress) = state {
                progress.forward(signal, signals, Target::Process(*pid), from, effects);
            }
        }
    }

    /// Sends a process the next signal that is due.
    pub fn follow_up(&mut self, pid: Pid, signals: &[Signal], from: Origin, effects: &mut Vec<Effect>) {
        if let Some(SignalState::Signaled(progress)) = self.seen.get_mut(&pid) {
            progress.follow_up(signals, Target::Process(pid), from, effects);
        }
    }

    /// Starts the timers of signals that are still due again, after the grace
    /// period became shorter.
    pub fn rearm(&self, signals: &[Signal], effects: &mut Vec<Effect>) {
        for (pid, state) in &self.seen {
            if let SignalState::Signaled(progress) = state {
                progress.arm(signals, Target::Process(*pid), effects);
            }
        }
    }

    /// Kills every process that was not killed yet, new arrivals included, and
    /// returns them. [`Leftovers::Keep`] spares those adopted before the termination.
    pub fn kill(
        &mut self,
        arrivals: &[Process],
        leftovers: Leftovers,
        from: Origin,
        effects: &mut Vec<Effect>,
    ) -> Vec<Pid> {
        for process in arrivals {
            self.seen.entry(process.id.pid).or_insert(SignalState::FilterSpared);
        }
        let mut killed = Vec::new();
        for (pid, state) in &mut self.seen {
            let spared = match state {
                SignalState::Killed => true,
                SignalState::PreExisting(_) => leftovers == Leftovers::Keep,
                SignalState::FilterSpared | SignalState::Signaled(_) | SignalState::ViaGroup => false,
            };
            if !spared {
                *state = SignalState::Killed;
                killed.push(*pid);
            }
        }
        let target = match leftovers {
            Leftovers::End => Target::GroupOf,
            // The group may contain a daemon that is to be kept.
            Leftovers::Keep => Target::Process,
        };
        for pid in &killed {
            send(&[Signal::KILL], target(*pid), from, effects);
        }
        killed
    }

    /// Returns those of `children` that were not seen before.
    pub fn arrivals(&self, children: &[Process]) -> Vec<Pid> {
        children.iter().map(|process| process.id.pid).filter(|pid| !self.seen.contains_key(pid)).collect()
    }

    /// Forgets a reaped process and returns what had asked it to end.
    pub fn reaped(&mut self, pid: Pid) -> Gone {
        match self.seen.remove(&pid) {
            Some(SignalState::Killed) => Gone::Killed,
            Some(SignalState::Signaled(_) | SignalState::ViaGroup) => Gone::Signaled,
            Some(SignalState::PreExisting(_) | SignalState::FilterSpared) | None => Gone::ByItself,
        }
    }

    /// Returns true if only filters are left, all of them waiting for end of file.
    pub fn only_filters(&self) -> bool {
        !self.seen.is_empty() && self.seen.values().all(|state| *state == SignalState::FilterSpared)
    }

    /// Returns true if only processes adopted before the termination are left, or none.
    pub fn only_pre_existing(&self) -> bool {
        self.seen.values().all(|state| matches!(state, SignalState::PreExisting(_)))
    }

    /// Returns the number of processes that got SIGKILL and are still there.
    pub fn unkillable(&self) -> usize {
        self.seen.values().filter(|state| **state == SignalState::Killed).count()
    }
}

/// The signals that had asked a reaped process to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gone {
    /// A signal that it could handle.
    Signaled,
    /// SIGKILL.
    Killed,
    /// Nothing.
    ByItself,
}

/// Treatment of new arrivals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignalPolicy {
    /// With [`SignalScope::Group`], members of the child's group count as signalled.
    pub scope: SignalScope,
    /// Treatment of filters.
    pub filters: Filters,
    /// Cause of the signals, for the report.
    pub from: Origin,
}

/// Treatment of filters during a termination.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub enum Filters {
    /// Spared: end of file will end them.
    #[default]
    Spared,
    /// Spared for a moment longer, because nobody else is left.
    Pausing,
    /// Signalled like the others, because end of file did not end them.
    Signaled,
}

impl SignalPolicy {
    /// Returns the treatment of arrivals during a termination.
    pub fn of(policy: &Policy, filters: Filters, from: Origin) -> Self {
        Self { scope: policy.signal_scope, filters, from }
    }

    fn signal(self, process: Process, signals: &[Signal], effects: &mut Vec<Effect>) -> SignalState {
        if self.scope == SignalScope::Group && process.in_group {
            return SignalState::ViaGroup;
        }
        if process.filter && self.filters != Filters::Signaled {
            return SignalState::FilterSpared;
        }
        let to = Target::Process(process.id.pid);
        SignalState::Signaled(Progress::begin(signals, to, self.from, effects))
    }
}

/// Appends one effect for each signal.
pub(super) fn send(signals: &[Signal], to: Target, from: Origin, effects: &mut Vec<Effect>) {
    effects.extend(signals.iter().map(|signal| Effect::Signal { signal: *signal, to, from }));
}
