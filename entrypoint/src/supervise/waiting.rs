//! Descendants that wait beneath a living parent.
//!
//! A shell waits for its foreground child without passing a signal on, so a trap of
//! the shell runs only once that child has ended. A terminal's Ctrl-C reaches the
//! whole foreground group; entrypoint signals the direct child alone and, if that
//! does not help, does the same later:
//!
//! ```text
//! termination begins      half of the grace period     four fifths          end
//! who is there? ────────→ those still there: INT ────→ the same: TERM ────→ KILL
//! ```
//!
//! Processes born later, such as a trap's clean-up, are never signalled here, nor
//! are filters, nor children of daemons that were adopted before. Without /proc
//! there are no scans, and nobody is signalled.

use super::descendants::send;
use super::effect::{Effect, Share, Target};
use super::event::{Descendant, Identity, Timer, Top};
use common::report::Origin;
use common::signal::Signal;

/// Descendants that existed when the termination began, each with the last signal
/// it got because it waited.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Waiting {
    existing: Vec<(Identity, Option<Signal>)>,
    /// Purpose of the next scan of the tree.
    scan: Purpose,
}

/// Purpose of a scan of the tree.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Purpose {
    /// Find out who exists.
    #[default]
    Record,
    /// Send SIGINT.
    Interrupt,
    /// Send SIGTERM.
    Terminate,
}

impl Waiting {
    /// Requests the first scan and starts the timers. Called before the first signal
    /// is sent, and after the timer of the grace period was started.
    pub fn begin(effects: &mut Vec<Effect>) -> Self {
        effects.push(Effect::ScanTree);
        Self::default()
    }

    /// Starts the timers that have not fired, again if the grace period became shorter.
    pub fn arm(&self, effects: &mut Vec<Effect>) {
        let timers = [
            (Timer::InterruptWaiting, Share::HALF, Purpose::Record),
            (Timer::TerminateWaiting, Share::FOUR_FIFTHS, Purpose::Interrupt),
        ];
        for (timer, share, latest) in timers {
            if self.scan <= latest {
                effects.push(Effect::ArmWithinGrace(timer, share));
            }
        }
    }

    /// Requests the scan before SIGINT.
    pub fn interrupt(&mut self, effects: &mut Vec<Effect>) {
        self.scan = Purpose::Interrupt;
        effects.push(Effect::ScanTree);
    }

    /// Requests the scan before SIGTERM.
    pub fn terminate(&mut self, effects: &mut Vec<Effect>) {
        self.scan = Purpose::Terminate;
        effects.push(Effect::ScanTree);
    }

    /// Handles the result of the requested scan.
    pub fn scanned(&mut self, found: &[Descendant], from: Origin, effects: &mut Vec<Effect>) {
        let (signal, needed) = match self.scan {
            Purpose::Record => {
                let of_child = found.iter().filter(|descendant| descendant.top == Top::Child);
                self.existing = of_child.map(|descendant| (descendant.id, None)).collect();
                return;
            }
            Purpose::Interrupt => (Signal::INT, None),
            Purpose::Terminate => (Signal::TERM, Some(Signal::INT)),
        };
        for descendant in found.iter().filter(|descendant| !descendant.filter) {
            let existing = self.existing.iter_mut().find(|(id, _)| *id == descendant.id);
            if let Some((_, last)) = existing
                && *last == needed
            {
                *last = Some(signal);
                send(&[signal], Target::Descendant(descendant.id), from, effects);
            }
        }
    }

    /// Returns the last signal that a process got because it waited.
    pub fn last_signal(&self, id: Identity) -> Option<Signal> {
        self.existing.iter().find(|(other, _)| *other == id)?.1
    }
}
