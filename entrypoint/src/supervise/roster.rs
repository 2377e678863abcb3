//! Who of the tree became entrypoint's child, and what each was told.

use super::Policy;
use super::effect::{Effect, Target};
use super::event::{Pid, Process};
use super::{Leftovers, SignalScope};
use common::report::Origin;
use common::signal::Signal;
use std::collections::BTreeMap;

/// What a process was told so far.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Told {
    /// It was adopted before the termination began: a clean-up may need it.
    Early(Process),
    /// A filter, which end of file ends.
    Spared,
    /// It got the signals.
    Signalled,
    /// It gets what the child's process group gets.
    Grouped,
    /// It got SIGKILL.
    Killed,
}

/// The processes that were seen and not yet reaped.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Roster {
    seen: BTreeMap<Pid, Told>,
}

impl Roster {
    /// Enters those who were adopted before the termination began.
    pub fn enter_early(&mut self, children: &[Process]) {
        for process in children {
            self.seen.entry(process.pid).or_insert(Told::Early(*process));
        }
    }

    /// Tells new arrivals, each once, the signals the child got. A filter is
    /// spared unless `filters` are told too.
    pub fn tell_arrivals(
        &mut self,
        children: &[Process],
        signals: &[Signal],
        telling: Telling,
        effects: &mut Vec<Effect>,
    ) {
        for process in children {
            self.seen.entry(process.pid).or_insert_with(|| telling.tell(*process, signals, effects));
        }
    }

    /// Tells those who were adopted before the termination, now that the direct
    /// child has ended.
    pub fn tell_early(&mut self, signals: &[Signal], telling: Telling, effects: &mut Vec<Effect>) {
        for told in self.seen.values_mut() {
            if let Told::Early(process) = *told {
                *told = telling.tell(process, signals, effects);
            }
        }
    }

    /// Tells the filters, whom end of file did not end.
    pub fn tell_spared(&mut self, signals: &[Signal], from: Origin, effects: &mut Vec<Effect>) {
        for (pid, told) in &mut self.seen {
            if *told == Told::Spared {
                *told = Told::Signalled;
                send(signals, Target::Process(*pid), from, effects);
            }
        }
    }

    /// Tells those who were told the earlier ones another signal.
    pub fn tell_again(&self, signal: Signal, from: Origin, effects: &mut Vec<Effect>) {
        for (pid, told) in &self.seen {
            if *told == Told::Signalled {
                send(&[signal], Target::Process(*pid), from, effects);
            }
        }
    }

    /// Kills everybody who was not killed yet, arrivals included; `keep`
    /// leaves alone those adopted before the termination. Answers whom it
    /// killed.
    pub fn kill(
        &mut self,
        arrivals: &[Process],
        leftovers: Leftovers,
        from: Origin,
        effects: &mut Vec<Effect>,
    ) -> Vec<Pid> {
        for process in arrivals {
            self.seen.entry(process.pid).or_insert(Told::Signalled);
        }
        let mut killed = Vec::new();
        for (pid, told) in &mut self.seen {
            let spared = match told {
                Told::Killed => true,
                Told::Early(_) => leftovers == Leftovers::Keep,
                Told::Spared | Told::Signalled | Told::Grouped => false,
            };
            if !spared {
                *told = Told::Killed;
                killed.push(*pid);
            }
        }
        let target = match leftovers {
            Leftovers::End => Target::GroupOf,
            // A group may hold a daemon that is to be kept.
            Leftovers::Keep => Target::Process,
        };
        for pid in &killed {
            send(&[Signal::KILL], target(*pid), from, effects);
        }
        killed
    }

    /// Of these processes, those who are new.
    pub fn arrivals(&self, children: &[Process]) -> Vec<Pid> {
        children.iter().map(|process| process.pid).filter(|pid| !self.seen.contains_key(pid)).collect()
    }

    /// Forgets a process that was reaped. Answers how it was told to end.
    pub fn reaped(&mut self, pid: Pid) -> Gone {
        match self.seen.remove(&pid) {
            Some(Told::Killed) => Gone::Killed,
            Some(Told::Signalled | Told::Grouped) => Gone::Ended,
            Some(Told::Early(_) | Told::Spared) | None => Gone::Untold,
        }
    }

    /// Whether only filters are left, waiting for end of file.
    pub fn only_filters(&self) -> bool {
        !self.seen.is_empty() && self.seen.values().all(|told| *told == Told::Spared)
    }

    /// Whether nobody is left but those who were adopted before.
    pub fn only_early(&self) -> bool {
        self.seen.values().all(|told| matches!(told, Told::Early(_)))
    }

    /// How many got SIGKILL and are still there.
    pub fn unkillable(&self) -> usize {
        self.seen.values().filter(|told| **told == Told::Killed).count()
    }
}

/// How a reaped process had been told to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gone {
    /// By a signal it could handle.
    Ended,
    /// By SIGKILL.
    Killed,
    /// Not at all.
    Untold,
}

/// How arrivals are treated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Telling {
    /// Who counts as told because the child's group was.
    pub scope: SignalScope,
    /// Whether filters are spared.
    pub filters: Filters,
    /// What made the signals.
    pub from: Origin,
}

/// Whether filters are spared.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub enum Filters {
    /// End of file will end them.
    #[default]
    Spared,
    /// Nobody else is left, and they get a moment to see end of file.
    Pausing,
    /// End of file did not end them: they are like the others.
    Told,
}

impl Telling {
    /// How a policy treats arrivals of a termination.
    pub fn of(policy: &Policy, filters: Filters, from: Origin) -> Self {
        Self { scope: policy.signal_scope, filters, from }
    }

    fn tell(self, process: Process, signals: &[Signal], effects: &mut Vec<Effect>) -> Told {
        if self.scope == SignalScope::Group && process.in_group {
            return Told::Grouped;
        }
        if process.filter && self.filters != Filters::Told {
            return Told::Spared;
        }
        send(signals, Target::Process(process.pid), self.from, effects);
        Told::Signalled
    }
}

/// One effect for each signal.
pub(super) fn send(signals: &[Signal], to: Target, from: Origin, effects: &mut Vec<Effect>) {
    effects.extend(signals.iter().map(|signal| Effect::Signal { signal: *signal, to, from }));
}
