//! Leftovers: the child ended by itself, and the processes it left behind are ended.

use super::descendants::{Descendants, Filters, SignalPolicy, send};
use super::effect::{Effect, Target};
use super::ending::mark;
use super::event::{Event, Process, Timer, Tree};
use super::killing::{KILL_TIMEOUT, RESCAN_INTERVAL, at_least_one, count};
use super::state::{State, Step};
use super::verdict::{Ending, Tally};
use super::waiting::Waiting;
use super::{Policy, SignalScope};
use common::report::{ChildEnd, Origin};
use common::signal::Signal;
use std::time::Duration;

/// Time leftovers get to end after SIGTERM.
const TERM_TIMEOUT: Duration = Duration::from_secs(2);

/// Delay before leftover filters that ignored end of file get SIGTERM; their
/// writers were signalled a second earlier.
const FILTER_TERM_DELAY: Duration = Duration::from_secs(1);

/// Processes that the child left behind.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct EndingLeftovers {
    end: ChildEnd,
    phase: Phase,
    descendants: Descendants,
    tally: Tally,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Phase {
    /// Everybody found gets SIGTERM, filters by this rule.
    Term(Filters),
    /// Everybody found gets SIGKILL.
    Kill,
}

impl EndingLeftovers {
    /// Scans for leftovers.
    pub fn begin(end: ChildEnd) -> Step {
        let state = Self {
            end,
            phase: Phase::Term(Filters::Spared),
            descendants: Descendants::default(),
            tally: Tally::default(),
        };
        let effects = vec![
            Effect::DisarmAll,
            Effect::Arm(Timer::LeftoversEnd, TERM_TIMEOUT),
            Effect::Arm(Timer::FilterPause, FILTER_TERM_DELAY),
            Effect::Arm(Timer::Rescan, RESCAN_INTERVAL),
            Effect::Scan,
        ];
        Step::new(State::Leftovers(state), effects)
    }

    /// Handles an event.
    pub fn step(mut self, policy: &Policy, event: Event) -> Step {
        let mut effects = Vec::new();
        match event {
            Event::Tree(Tree::Gone) => return self.over(policy),
            Event::Tree(Tree::Children(children)) => self.signal_arrivals(policy, &children, &mut effects),
            Event::Tree(Tree::Unknown) => self.signal_group(&mut effects),
            Event::Tree(Tree::Reaped(pid)) => {
                count(self.descendants.reaped(pid), &mut self.tally);
                effects.push(Effect::Scan);
            }
            Event::Fired(Timer::Rescan) => {
                effects.extend([Effect::Scan, Effect::Arm(Timer::Rescan, RESCAN_INTERVAL)]);
            }
            Event::Fired(Timer::FilterPause) if matches!(self.phase, Phase::Term(_)) => {
                self.phase = Phase::Term(Filters::Signaled);
                self.descendants.signal_spared_filters(&[Signal::TERM], Origin::Leftovers, &mut effects);
            }
            Event::Fired(Timer::LeftoversEnd) => {
                self.phase = Phase::Kill;
                self.descendants.kill(&[], policy.leftovers, Origin::Leftovers, &mut effects);
                if self.tally.unknown {
                    send(&[Signal::KILL], Target::ChildGroup, Origin::Leftovers, &mut effects);
                }
                effects.extend([Effect::Scan, Effect::Arm(Timer::KillLimit, KILL_TIMEOUT)]);
            }
            Event::Fired(Timer::KillLimit) => {
                self.tally.unkillable = at_least_one(self.descendants.unkillable());
                return self.over(policy);
            }
            // Without consequence here.
            Event::Signal(_)
            | Event::Output(_)
            | Event::Setup(_)
            | Event::Tree(Tree::ChildEnded(_) | Tree::Descendants(_))
            | Event::Fired(_)
            | Event::Marker(_) => {}
        }
        Step::new(State::Leftovers(self), effects)
    }

    fn signal_arrivals(&mut self, policy: &Policy, children: &[Process], effects: &mut Vec<Effect>) {
        let arrivals = self.descendants.arrivals(children);
        if arrivals.is_empty() {
            return;
        }
        effects.extend([Effect::Snapshot, Effect::ReportLeftovers(arrivals)]);
        match self.phase {
            Phase::Term(filters) => {
                let signal_policy =
                    SignalPolicy { scope: SignalScope::Child, filters, from: Origin::Leftovers };
                self.descendants.signal_arrivals(
                    children,
                    &[Signal::TERM],
                    signal_policy,
                    &Waiting::default(),
                    effects,
                );
            }
            Phase::Kill => {
                self.descendants.kill(children, policy.leftovers, Origin::Leftovers, effects);
            }
        }
    }

    /// Signals the child's group, because without /proc nobody is known by pid.
    fn signal_group(&mut self, effects: &mut Vec<Effect>) {
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
