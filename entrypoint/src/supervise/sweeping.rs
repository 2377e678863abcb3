//! Ending what is left: the whole tree when its grace period is over, or the
//! processes an ordinary child left behind.

use super::effect::{Effect, Record, Target};
use super::ending::mark;
use super::event::{Event, Process, Timer, Tree};
use super::machine::{State, Step};
use super::roster::{Filters, Gone, Roster, Telling, send};
use super::terminating::origin;
use super::verdict::{Cause, Ending, Grace, Tally};
use super::{Leftovers, Policy, SignalScope};
use common::report::{ChildEnd, Origin};
use common::signal::Signal;
use std::time::Duration;

/// The children of a killed process arrive without an event; most are caught by
/// the look after each reaped one.
const RESCAN: Duration = Duration::from_millis(10);

/// How long leftovers get to end after SIGTERM.
const LEFTOVERS_END: Duration = Duration::from_secs(2);

/// When filters among the leftovers, whom end of file did not end, get SIGTERM
/// too: those who write to them have had half of the time by then.
const FILTERS_TOLD: Duration = Duration::from_secs(1);

/// How long SIGKILL gets: only a process in uninterruptible sleep needs longer.
const KILL_LIMIT: Duration = Duration::from_secs(2);

/// The grace period is over: everything is being killed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Killing {
    cause: Cause,
    child: Option<ChildEnd>,
    grace: Grace,
    roster: Roster,
    tally: Tally,
}

impl Killing {
    /// Kills the direct child at once and everybody else after a look.
    pub fn begin(
        policy: &Policy,
        cause: Cause,
        child: Option<ChildEnd>,
        grace: Grace,
        roster: Roster,
        tally: Tally,
    ) -> Step {
        let mut effects = vec![Effect::DisarmAll, Effect::Record(Record::NotGraceful(policy.grace_period))];
        if child.is_none() {
            send(&[Signal::KILL], Target::Child, origin(cause), &mut effects);
        }
        effects.extend([
            Effect::Scan,
            Effect::Arm(Timer::KillLimit, KILL_LIMIT),
            Effect::Arm(Timer::Rescan, RESCAN),
        ]);
        Step::new(State::Killing(Self { cause, child, grace, roster, tally }), effects)
    }

    /// One step.
    pub fn step(mut self, policy: &Policy, event: Event) -> Step {
        let mut effects = Vec::new();
        match event {
            Event::Tree(Tree::ChildEnded(end)) => {
                self.child = Some(end);
                effects.push(Effect::Scan);
            }
            Event::Tree(Tree::Reaped(pid)) => {
                count(self.roster.reaped(pid), &mut self.tally);
                effects.push(Effect::Scan);
            }
            Event::Tree(Tree::Children(children)) => {
                self.kill(policy, &children, &mut effects);
                let kept = policy.leftovers == Leftovers::Keep && self.child.is_some();
                if kept && self.roster.only_early() {
                    return self.over(policy);
                }
            }
            Event::Tree(Tree::Unknown) => {
                self.tally.unknown = true;
                if policy.leftovers == Leftovers::Keep && self.child.is_some() {
                    return self.over(policy);
                }
                send(&[Signal::KILL], Target::ChildGroup, origin(self.cause), &mut effects);
            }
            Event::Tree(Tree::Gone) if self.child.is_some() => return self.over(policy),
            Event::Fired(Timer::Rescan) => {
                effects.extend([Effect::Scan, Effect::Arm(Timer::Rescan, RESCAN)]);
            }
            Event::Fired(Timer::KillLimit) => {
                let left = self.roster.unkillable() + usize::from(self.child.is_none());
                self.tally.unkillable = at_least_one(left);
                return self.over(policy);
            }
            // Nothing to do, or the business of other states.
            Event::Tree(Tree::Gone)
            | Event::Signal(_)
            | Event::Output(_)
            | Event::Setup(_)
            | Event::Fired(_)
            | Event::Marker(_) => {}
        }
        Step::new(State::Killing(self), effects)
    }

    fn kill(&mut self, policy: &Policy, children: &[Process], effects: &mut Vec<Effect>) {
        let mut kills = Vec::new();
        let killed = self.roster.kill(children, policy.leftovers, origin(self.cause), &mut kills);
        if !killed.is_empty() {
            // A killed process has no command line any more.
            effects.push(Effect::Name(killed));
            effects.append(&mut kills);
        }
    }

    fn over(self, policy: &Policy) -> Step {
        let ending = Ending::Terminated { cause: self.cause, child: self.child, grace: self.grace };
        mark(policy, &ending, self.tally, Vec::new())
    }
}

/// What an ordinary child left behind is being ended.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Sweep {
    end: ChildEnd,
    phase: Phase,
    roster: Roster,
    tally: Tally,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Phase {
    /// SIGTERM is sent to those who are found, filters as this says.
    Term(Filters),
    /// SIGKILL is.
    Kill,
}

impl Sweep {
    /// Looks who is left.
    pub fn begin(end: ChildEnd) -> Step {
        let state = Self {
            end,
            phase: Phase::Term(Filters::Spared),
            roster: Roster::default(),
            tally: Tally::default(),
        };
        let effects = vec![
            Effect::DisarmAll,
            Effect::Arm(Timer::LeftoversEnd, LEFTOVERS_END),
            Effect::Arm(Timer::FilterPause, FILTERS_TOLD),
            Effect::Arm(Timer::Rescan, RESCAN),
            Effect::Scan,
        ];
        Step::new(State::Leftovers(state), effects)
    }

    /// One step.
    pub fn step(mut self, policy: &Policy, event: Event) -> Step {
        let mut effects = Vec::new();
        match event {
            Event::Tree(Tree::Gone) => return self.over(policy),
            Event::Tree(Tree::Children(children)) => self.tell(policy, &children, &mut effects),
            Event::Tree(Tree::Unknown) => self.tell_group(&mut effects),
            Event::Tree(Tree::Reaped(pid)) => {
                count(self.roster.reaped(pid), &mut self.tally);
                effects.push(Effect::Scan);
            }
            Event::Fired(Timer::Rescan) => {
                effects.extend([Effect::Scan, Effect::Arm(Timer::Rescan, RESCAN)]);
            }
            Event::Fired(Timer::FilterPause) if matches!(self.phase, Phase::Term(_)) => {
                self.phase = Phase::Term(Filters::Told);
                self.roster.tell_spared(&[Signal::TERM], Origin::Leftovers, &mut effects);
            }
            Event::Fired(Timer::LeftoversEnd) => {
                self.phase = Phase::Kill;
                self.roster.kill(&[], policy.leftovers, Origin::Leftovers, &mut effects);
                if self.tally.unknown {
                    send(&[Signal::KILL], Target::ChildGroup, Origin::Leftovers, &mut effects);
                }
                effects.extend([Effect::Scan, Effect::Arm(Timer::KillLimit, KILL_LIMIT)]);
            }
            Event::Fired(Timer::KillLimit) => {
                self.tally.unkillable = at_least_one(self.roster.unkillable());
                return self.over(policy);
            }
            // Nothing to do, or the business of other states.
            Event::Signal(_)
            | Event::Output(_)
            | Event::Setup(_)
            | Event::Tree(Tree::ChildEnded(_))
            | Event::Fired(_)
            | Event::Marker(_) => {}
        }
        Step::new(State::Leftovers(self), effects)
    }

    fn tell(&mut self, policy: &Policy, children: &[Process], effects: &mut Vec<Effect>) {
        let arrivals = self.roster.arrivals(children);
        if arrivals.is_empty() {
            return;
        }
        effects.push(Effect::Name(arrivals));
        match self.phase {
            Phase::Term(filters) => {
                let telling = Telling { scope: SignalScope::Child, filters, from: Origin::Leftovers };
                self.roster.tell_arrivals(children, &[Signal::TERM], telling, effects);
            }
            Phase::Kill => {
                self.roster.kill(children, policy.leftovers, Origin::Leftovers, effects);
            }
        }
    }

    fn tell_group(&mut self, effects: &mut Vec<Effect>) {
        let signal = match self.phase {
            Phase::Term(_) if self.tally.unknown => return,
            Phase::Term(_) => Signal::TERM,
            Phase::Kill => Signal::KILL,
        };
        self.tally.unknown = true;
        send(&[signal], Target::ChildGroup, Origin::Leftovers, effects);
    }

    fn over(self, policy: &Policy) -> Step {
        mark(policy, &Ending::ByItself(self.end), self.tally, Vec::new())
    }
}

/// While entrypoint has children, somebody is left, seen or not.
fn at_least_one(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX).max(1)
}

fn count(gone: Gone, tally: &mut Tally) {
    match gone {
        Gone::Ended => tally.ended += 1,
        Gone::Killed => tally.killed += 1,
        Gone::Untold => {}
    }
}
