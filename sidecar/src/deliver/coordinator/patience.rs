//! How long objects are tried: while a given time runs, to its end; else until
//! nothing has arrived for `delivery.retry_for`.

use super::{Coordinator, Effects, Moment, Remembered};
use crate::deliver::effect::{Effect, StoreRecord, TransferRecord};
use crate::deliver::event::Timer;
use crate::deliver::plan::Class;
use crate::deliver::policy::Part;
use common::duration::GoDuration;
use std::time::Duration;

/// Between two records about what is waited for.
const RECORD_INTERVAL: Duration = Duration::from_mins(1);

/// The given time, in points since the start of the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Clock {
    /// The end of uploads; `None` also when it is over.
    pub(super) uploads_end: Option<Duration>,
    /// The end of the tries for own log and manifest, which leaves time for the result.
    closing_ends: Option<Duration>,
    /// The end of sidecar.
    deadline: Option<Duration>,
}

impl Clock {
    /// The machine armed one of its timers.
    pub(super) fn armed(&mut self, timer: Timer, at: Duration) {
        let earlier = |armed: Option<Duration>| Some(armed.map_or(at, |armed| armed.min(at)));
        match timer {
            Timer::Cutoff => self.uploads_end = earlier(self.uploads_end),
            Timer::Deadline => {
                self.deadline = earlier(self.deadline);
                self.closing_ends = self.deadline.map(|end| (end + self.uploads_end.unwrap_or(end)) / 2);
            }
            Timer::Suspicion(_)
            | Timer::Unseen(_)
            | Timer::Start(_)
            | Timer::Checkpoint
            | Timer::WaitShare
            | Timer::Interim
            | Timer::Attempt(_)
            | Timer::Pause(_)
            | Timer::PassTime
            | Timer::Probe
            | Timer::Waiting
            | Timer::GiveUp => {}
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.deadline.is_some()
    }

    /// The time left for attempts with an object; `None` without a limit. Nothing is
    /// left when it is over, except for the bulk and the page, which are cut then.
    pub(super) fn left(&self, class: Class, now: Duration) -> Option<Duration> {
        let left = |end: Option<Duration>| end.map(|end| end.saturating_sub(now));
        match class.part() {
            Some(Part::Bulk | Part::Page) => {
                left(self.uploads_end).map(|left| left.max(Duration::from_millis(1)))
            }
            Some(Part::OwnLog | Part::Manifest) => left(self.closing_ends),
            None => left(self.deadline),
        }
    }

    /// The limit of an attempt with an object that others wait for.
    pub(super) fn limit(&self, class: Class, now: Duration) -> Option<Duration> {
        let waits = matches!(class.part(), Some(Part::OwnLog | Part::Page | Part::Manifest));
        self.left(class, now).filter(|left| waits && *left > Duration::ZERO)
    }
}

/// The wait for a store that takes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Patience {
    /// The first failure since anything arrived.
    since: Option<Duration>,
    /// The last failure.
    error: Box<str>,
    /// The store was said to be out.
    told: bool,
    /// The most bytes of incomplete objects that the store had accepted since an
    /// object was completed. One that always fails after its last part covers no new
    /// ground.
    accepted: u64,
}

impl<S, F: Clone + PartialEq, T: Remembered> Coordinator<S, F, T> {
    /// An attempt failed, and another one follows.
    pub(super) fn wait(&mut self, error: &str, moment: &Moment, out: &mut Effects<T>) {
        self.patience.error = error.into();
        if self.patience.since.is_none() {
            self.patience.since = Some(moment.now);
            out.push(Effect::Arm(Timer::Waiting, RECORD_INTERVAL));
            if !self.clock.is_running() {
                out.push(Effect::Arm(Timer::GiveUp, self.setup.retry_for));
            }
        }
        if self.plan.is_out() && !self.patience.told {
            self.patience.told = true;
            out.push(Effect::LogStore(StoreRecord::Out(error.into())));
        }
    }

    /// An object was completed.
    pub(super) fn arrived(&mut self, moment: &Moment, out: &mut Effects<T>) {
        self.patience.accepted = moment.accepted;
        self.comes_back(moment, out);
    }

    /// Looks whether parts have arrived since the last look.
    pub(super) fn look_for_parts(&mut self, moment: &Moment, out: &mut Effects<T>) {
        if moment.accepted > self.patience.accepted {
            self.patience.accepted = moment.accepted;
            self.plan.part_arrived();
            self.comes_back(moment, out);
        }
    }

    fn comes_back(&mut self, moment: &Moment, out: &mut Effects<T>) {
        if let Some(since) = self.patience.since
            && self.patience.told
        {
            out.push(Effect::LogStore(StoreRecord::Back(moment.now.saturating_sub(since))));
        }
        self.end_wait(out);
    }

    /// Ends the wait when nothing is open any more.
    pub(super) fn cease_to_wait(&mut self, out: &mut Effects<T>) {
        if self.plan.open() == 0 {
            // What is wanted next asks at once.
            self.plan.probe();
            self.end_wait(out);
        }
    }

    fn end_wait(&mut self, out: &mut Effects<T>) {
        if self.patience.since.take().is_some() {
            self.patience.told = false;
            self.patience.error = Box::default();
            out.extend([Timer::Waiting, Timer::GiveUp, Timer::Probe].map(Effect::Disarm));
        }
    }

    pub(super) fn still_waiting(&mut self, moment: &Moment, out: &mut Effects<T>) {
        let Some(since) = self.patience.since else { return };
        let given_up = (since + self.setup.retry_for).saturating_sub(moment.now);
        out.push(Effect::LogStore(StoreRecord::Waiting {
            error: self.patience.error.clone(),
            since: moment.now.saturating_sub(since),
            open: self.plan.open(),
            left: self.clock.left(Class::Result, moment.now).unwrap_or(given_up),
        }));
        out.push(Effect::Arm(Timer::Waiting, RECORD_INTERVAL));
    }

    pub(super) fn give_up(&mut self, moment: &Moment, out: &mut Effects<T>) {
        let Some(since) = self.patience.since else { return };
        let waited = moment.now.saturating_sub(since);
        let error = std::mem::take(&mut self.patience.error);
        let time = GoDuration::from_std(waited);
        let reason = format!("{error} (given up: nothing could be stored for {time})");
        let numbers = self.plan.give_up(&reason);
        out.push(Effect::LogStore(StoreRecord::GivenUp(waited, numbers.len())));
        let failed = |number| Effect::LogTransfer(number, TransferRecord::Failed(reason.clone()));
        out.extend(numbers.into_iter().map(failed));
        self.end_wait(out);
    }
}
