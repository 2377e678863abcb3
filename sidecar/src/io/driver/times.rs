//! The points in time of a delivery.

use super::Driver;
use crate::deliver::{Policy, Timer};
use crate::layout::manifest::PassTimes;
use common::timestamp::Timestamp;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Points in time, for the manifest and for records.
#[derive(Debug)]
pub(super) struct Times {
    pub(super) start: Instant,
    pub(super) began: Timestamp,
    pub(super) pass_began: Instant,
    pub(super) passes: Vec<PassTimes>,
    /// The end of the given time.
    pub(super) deadline: Option<Timestamp>,
    pub(super) deadline_at: Option<Instant>,
    /// The end of the time for uploads, which pauses keep to.
    pub(super) end: watch::Sender<Option<Instant>>,
    /// The first interrupt.
    pub(super) interrupted: Option<Instant>,
}

impl Times {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            start: now,
            began: Timestamp::now(),
            pass_began: now,
            passes: Vec::new(),
            deadline: None,
            deadline_at: None,
            end: watch::Sender::new(None),
            interrupted: None,
        }
    }

    pub(super) fn begin(&mut self, policy: Policy) {
        self.pass_began = Instant::now();
        let name = match policy {
            Policy::Checkpoint => "checkpoint",
            Policy::BestEffort => "best_effort",
            Policy::Final => "final",
        };
        // Of many checkpoints only the last one is of interest.
        if policy == Policy::Checkpoint {
            self.passes.retain(|pass| pass.policy != name);
        }
        self.passes.push(PassTimes { policy: name, started: Timestamp::now(), finished: None });
    }
}

impl Driver {
    pub(super) fn arm_earliest(&mut self, timer: Timer, after: Duration) {
        let at = Instant::now() + after;
        let earliest = |armed: Option<Instant>| Some(armed.map_or(at, |armed| armed.min(at)));
        if timer == Timer::Deadline {
            let on = Timestamp::now().after(after);
            self.times.deadline = Some(self.times.deadline.map_or(on, |armed| armed.min(on)));
            self.times.deadline_at = earliest(self.times.deadline_at);
        }
        if let Timer::Cutoff | Timer::Deadline = timer {
            self.times.end.send_modify(|end| *end = earliest(*end));
        }
        self.timers.arm_earliest(timer, after);
    }
}
