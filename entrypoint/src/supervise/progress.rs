//! Signals one after the other to a recipient that is not the direct child.

use super::descendants::send;
use super::effect::{Effect, Share, Target};
use super::event::Timer;
use common::report::Origin;
use common::signal::Signal;

/// Position of one recipient in the list of signals that the child got.
///
/// A recipient gets the first signal at once and each further one after half of
/// what is left of the grace period: tools that get SIGINT and SIGTERM together do
/// not write the report that SIGINT alone makes them write.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Progress {
    /// Index of the next signal.
    next: usize,
    /// The signal that was sent last; it is never sent twice in a row.
    last: Signal,
}

impl Progress {
    /// Sends the first of `signals`, which must not be empty.
    pub(super) fn begin(signals: &[Signal], to: Target, from: Origin, effects: &mut Vec<Effect>) -> Self {
        let first = signals.first().copied().unwrap_or(Signal::INT);
        send(&[first], to, from, effects);
        let progress = Self { next: 1, last: first };
        progress.arm(signals, to, effects);
        progress
    }

    /// Continues with a recipient that already got `last`, as a waiting descendant.
    pub(super) fn resume(last: Signal, signals: &[Signal], to: Target, effects: &mut Vec<Effect>) -> Self {
        let position = signals.iter().position(|signal| *signal == last);
        let next = match position {
            Some(index) => index + 1,
            // SIGTERM is the last that a waiting descendant gets.
            None if last == Signal::TERM => signals.len(),
            None => 0,
        };
        let progress = Self { next, last };
        progress.arm(signals, to, effects);
        progress
    }

    /// Sends the next signal that is due.
    pub(super) fn follow_up(
        &mut self,
        signals: &[Signal],
        to: Target,
        from: Origin,
        effects: &mut Vec<Effect>,
    ) {
        let Some(signal) = signals.get(self.next).copied() else { return };
        self.next += 1;
        if signal != self.last {
            self.last = signal;
            send(&[signal], to, from, effects);
        }
        self.arm(signals, to, effects);
    }

    /// Sends a signal that the child has just got, unless earlier ones are still due.
    /// `signals` contains it.
    pub(super) fn forward(
        &mut self,
        signal: Signal,
        signals: &[Signal],
        to: Target,
        from: Origin,
        effects: &mut Vec<Effect>,
    ) {
        let known = signals.len().saturating_sub(usize::from(signals.last() == Some(&signal)));
        if self.next < known {
            return;
        }
        self.next = signals.len();
        if signal != self.last {
            self.last = signal;
            send(&[signal], to, from, effects);
        }
    }

    /// Starts the timer of the next signal, if one is due.
    pub(super) fn arm(self, signals: &[Signal], to: Target, effects: &mut Vec<Effect>) {
        if self.next < signals.len() {
            effects.push(Effect::ArmWithinGrace(Timer::FollowUp(to), Share::HALF));
        }
    }
}
