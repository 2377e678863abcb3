//! Killing: the grace period is over, and the whole tree gets SIGKILL.

use super::descendants::{Descendants, Gone, send};
use super::effect::{Effect, Record, Target};
use super::ending::mark;
use super::event::{Event, Process, Timer, Tree};
use super::state::{State, Step};
use super::verdict::{Cause, Ending, Grace, Tally};
use super::{Leftovers, Policy};
use common::report::ChildEnd;
use common::signal::Signal;
use std::time::Duration;

/// Interval between scans for the children of killed processes, which arrive
/// without an event. The scan after each reaped process catches most of them.
pub(super) const RESCAN_INTERVAL: Duration = Duration::from_millis(10);

/// Time for SIGKILL to take effect: only uninterruptible sleep takes longer.
pub(super) const KILL_TIMEOUT: Duration = Duration::from_secs(2);

/// A tree that is being killed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Killing {
    cause: Cause,
    child: Option<ChildEnd>,
    grace: Grace,
    descendants: Descendants,
    tally: Tally,
}

impl Killing {
    /// Kills the direct child at once and everybody else after a scan.
    pub fn begin(
        policy: &Policy,
        cause: Cause,
        child: Option<ChildEnd>,
        grace: Grace,
        descendants: Descendants,
        tally: Tally,
    ) -> Step {
        let mut effects = vec![Effect::DisarmAll, Effect::Record(Record::NotGraceful(policy.grace_period))];
        if child.is_none() {
            send(&[Signal::KILL], Target::Child, cause.origin(), &mut effects);
        }
        effects.extend([
            Effect::Scan,
            Effect::Arm(Timer::KillLimit, KILL_TIMEOUT),
            Effect::Arm(Timer::Rescan, RESCAN_INTERVAL),
        ]);
        Step::new(State::Killing(Self { cause, child, grace, descendants, tally }), effects)
    }

    /// Handles an event.
    pub fn step(mut self, policy: &Policy, event: Event) -> Step {
        let mut effects = Vec::new();
        match event {
            Event::Tree(Tree::ChildEnded(end)) => {
                self.child = Some(end);
                effects.push(Effect::Scan);
            }
            Event::Tree(Tree::Reaped(pid)) => {
                count(self.descendants.reaped(pid), &mut self.tally);
                effects.push(Effect::Scan);
            }
            Event::Tree(Tree::Children(children)) => {
                self.kill(policy, &children, &mut effects);
                let kept = policy.leftovers == Leftovers::Keep && self.child.is_some();
                if kept && self.descendants.only_pre_existing() {
                    return self.over(policy);
                }
            }
            Event::Tree(Tree::Unknown) => {
                self.tally.unknown = true;
                if policy.leftovers == Leftovers::Keep && self.child.is_some() {
                    return self.over(policy);
                }
                send(&[Signal::KILL], Target::ChildGroup, self.cause.origin(), &mut effects);
            }
            Event::Tree(Tree::Gone) if self.child.is_some() => return self.over(policy),
            Event::Fired(Timer::Rescan) => {
                effects.extend([Effect::Scan, Effect::Arm(Timer::Rescan, RESCAN_INTERVAL)]);
            }
            Event::Fired(Timer::KillLimit) => {
                let left = self.descendants.unkillable() + usize::from(self.child.is_none());
                self.tally.unkillable = at_least_one(left);
                return self.over(policy);
            }
            // Without consequence here.
            Event::Tree(Tree::Gone | Tree::Descendants(_))
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
        let killed = self.descendants.kill(children, policy.leftovers, self.cause.origin(), &mut kills);
        if !killed.is_empty() {
            // A killed process has no command line any more: name it first.
            effects.push(Effect::ReportLeftovers(killed));
            effects.append(&mut kills);
        }
    }

    fn over(self, policy: &Policy) -> Step {
        let ending = Ending::Terminated { cause: self.cause, child: self.child, grace: self.grace };
        mark(policy, &ending, self.tally, Vec::new())
    }
}

/// Converts a count of survivors. While entrypoint has children there is at
/// least one, seen or not.
pub(super) fn at_least_one(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX).max(1)
}

/// Counts a reaped process.
pub(super) fn count(gone: Gone, tally: &mut Tally) {
    match gone {
        Gone::Signaled => tally.ended += 1,
        Gone::Killed => tally.killed += 1,
        Gone::ByItself => {}
    }
}
