//! Attempts in flight: how they start, are aborted, and end.

use super::{Coordinator, Effects, Moment, Remembered};
use crate::deliver::effect::{Effect, TransferRecord};
use crate::deliver::event::{Outcome, Timer};
use crate::deliver::plan::{Again, Class, Failure, State, Terms};
use crate::deliver::policy::Policy;
use crate::deliver::retry::attempt_timeout;
use crate::deliver::write::{Applied, ObjectStatus, Write, WriteIntent, WriteStep};
use std::time::Duration;

/// An attempt to store an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Attempt<F, V> {
    write: Write<V>,
    /// Tells the content that was wanted when it started.
    fingerprint: F,
    /// Its size by the listing.
    bytes: u64,
    began: Duration,
    /// It was more than one request.
    repeated: bool,
    /// Upper bound on its duration.
    timeout: Option<Duration>,
    /// That time was over.
    timed_out: bool,
    /// Its request is being aborted.
    aborting: bool,
}

impl<F, V: Clone> Attempt<F, V> {
    pub(super) fn is_abortable(&self) -> bool {
        self.write.is_abortable()
    }

    fn may_abort(&self, moment: &Moment) -> bool {
        self.is_abortable() && moment.preconditions && !self.aborting
    }
}

/// The end of an attempt.
enum End<F, T> {
    Stored {
        read: Option<F>,
        changed: bool,
        bytes: u64,
        record: T,
    },
    /// Nothing was sent, and nothing is missing.
    Unsent,
    Failed(Failure),
    Aborted,
}

impl<S, F: Clone + PartialEq, T: Remembered> Coordinator<S, F, T> {
    pub(super) fn start_attempt(&mut self, number: u32, moment: &Moment, out: &mut Effects<T>) {
        let object = self.plan.object(number);
        let (class, bytes) = (object.desired.class, object.desired.bytes);
        let is_large = attempt_timeout(bytes, 0).is_none();
        let limit = self.clock.limit(class, moment.now);
        let timeout = attempt_timeout(bytes, object.attempts());
        let timeout = timeout.map(|timeout| limit.map_or(timeout, |limit| timeout.min(limit)));
        let known = object.stored.as_ref().and_then(|stored| stored.version().cloned());
        let policy = match class {
            Class::Result => self.awaited_result.map_or(Policy::BestEffort, |awaited| awaited.policy),
            Class::Alias
            | Class::LatestBuild
            | Class::BuildLog
            | Class::Artifact
            | Class::OwnLog
            | Class::Page
            | Class::Manifest => self.policy,
        };
        let intent = WriteIntent::of(class, policy, is_large, known, &self.setup.build_id);
        let (write, step) = Write::start(intent, moment.preconditions);
        let fingerprint = object.desired.fingerprint.clone();
        let attempt = Attempt {
            write,
            fingerprint,
            bytes,
            began: moment.now,
            repeated: false,
            timeout,
            timed_out: false,
            aborting: false,
        };
        self.throughput.started(bytes, moment.now);
        self.attempts.insert(number, attempt);
        out.push(Effect::LogTransfer(number, TransferRecord::Queued));
        if let Some(timeout) = timeout {
            out.push(Effect::Arm(Timer::Attempt(number), timeout));
        }
        self.take_step(number, step, moment, out);
    }

    /// Aborts an attempt; it still ends. Where the store knows no preconditions
    /// nothing keeps an abandoned write from taking effect later, so it is
    /// waited for instead: the request's own time-out bounds that.
    pub(super) fn abort(&mut self, number: u32, moment: &Moment, out: &mut Effects<T>) {
        if let Some(attempt) = self.attempts.get_mut(&number)
            && attempt.may_abort(moment)
        {
            attempt.aborting = true;
            out.push(Effect::AbortTransfer(number));
        }
    }

    /// Aborts an attempt that takes too long, unless its request could do harm later.
    pub(super) fn timed_out(&mut self, number: u32, moment: &Moment, out: &mut Effects<T>) {
        if let Some(attempt) = self.attempts.get_mut(&number)
            && attempt.may_abort(moment)
        {
            (attempt.aborting, attempt.timed_out) = (true, true);
            out.push(Effect::AbortTransfer(number));
        }
    }

    pub(super) fn looked_at(
        &mut self,
        number: u32,
        status: ObjectStatus<T::Version>,
        moment: &Moment,
        out: &mut Effects<T>,
    ) {
        if let Some(attempt) = self.attempts.get_mut(&number) {
            attempt.repeated = true;
            let step = attempt.write.looked_at(status);
            self.take_step(number, step, moment, out);
        }
    }

    pub(super) fn transfer_ended(
        &mut self,
        number: u32,
        outcome: Outcome<F, T>,
        moment: &Moment,
        out: &mut Effects<T>,
    ) {
        let end = match outcome {
            Outcome::PreconditionFailed => {
                let Some(attempt) = self.attempts.get_mut(&number) else { return };
                if !attempt.aborting {
                    attempt.repeated = true;
                    let step = attempt.write.precondition_failed(moment.preconditions);
                    return self.take_step(number, step, moment, out);
                }
                End::Aborted
            }
            Outcome::Stored { read, changed, bytes, record } => {
                if let Some(attempt) = self.attempts.get_mut(&number).filter(|attempt| !attempt.aborting) {
                    match attempt.write.applied(moment.preconditions) {
                        Applied::Stored => {}
                        Applied::Doubtful(step) => {
                            attempt.repeated = true;
                            return self.take_step(number, step, moment, out);
                        }
                        Applied::Unguarded => out.push(Effect::DistrustPreconditions(number)),
                    }
                }
                End::Stored { read, changed, bytes, record }
            }
            Outcome::DryRun => End::Unsent,
            Outcome::Failed(failure) => End::Failed(failure),
            Outcome::Aborted => End::Aborted,
        };
        self.ended(number, end, moment, out);
    }

    fn take_step(&mut self, number: u32, step: WriteStep<T::Version>, moment: &Moment, out: &mut Effects<T>) {
        match step {
            WriteStep::Put { precondition, unless_stored } => {
                out.push(Effect::StartTransfer { number, precondition, unless_stored });
            }
            WriteStep::LookAt { content } => out.push(Effect::LookAtObject { number, content }),
            WriteStep::Yield => self.ended(number, End::Unsent, moment, out),
            WriteStep::Fail(failure) => self.ended(number, End::Failed(failure), moment, out),
        }
    }

    fn ended(&mut self, number: u32, end: End<F, T>, moment: &Moment, out: &mut Effects<T>) {
        let Some(attempt) = self.attempts.remove(&number) else { return };
        if attempt.timeout.is_some() {
            out.push(Effect::Disarm(Timer::Attempt(number)));
        }
        let arrived = match &end {
            End::Stored { bytes, .. } => Some(*bytes),
            End::Unsent | End::Failed(_) | End::Aborted => None,
        };
        self.throughput.ended(attempt.bytes, arrived, moment.now);
        match end {
            End::Stored { read, changed, bytes, mut record } => {
                self.plan.took(number, bytes);
                out.push(Effect::LogTransfer(number, TransferRecord::Stored));
                if !attempt.repeated {
                    self.plan.measured(number, moment.now.saturating_sub(attempt.began));
                }
                self.arrived(moment, out);
                // Only provisional writes ask for a version.
                if self.policy == Policy::Final && self.plan.object(number).desired.class != Class::Result {
                    record.forget_version();
                }
                self.plan.stored(number, read.unwrap_or(attempt.fingerprint), changed, record);
            }
            End::Unsent => {
                self.arrived(moment, out);
                self.plan.stored(number, attempt.fingerprint, false, T::default());
            }
            End::Failed(failure) => {
                if matches!(failure, Failure::Transient { .. }) {
                    self.plan.overloaded(attempt.began, moment.now);
                }
                self.failed(number, failure, moment, out);
            }
            End::Aborted => match attempt.timeout.filter(|_| attempt.timed_out) {
                Some(timeout) => {
                    let message = format!("no answer within {} s", timeout.as_secs());
                    self.plan.overloaded(attempt.began, moment.now);
                    self.failed(number, Failure::Transient { message, wish: None }, moment, out);
                }
                None => self.plan.aborted(number),
            },
        }
    }

    fn failed(&mut self, number: u32, failure: Failure, moment: &Moment, out: &mut Effects<T>) {
        let text = failure.text().to_owned();
        let withheld = matches!(failure, Failure::Withheld(_));
        let is_transient = matches!(failure, Failure::Transient { .. });
        let left = self.clock.left(self.plan.object(number).desired.class, moment.now);
        let again = self.plan.failed(number, failure, &Terms { random: moment.random, left });
        if is_transient && again.is_some() {
            self.wait(&text, moment, out);
        }
        let record = match (again, &self.plan.object(number).state) {
            (Some(Again::After(pause)), _) => {
                out.push(Effect::Arm(Timer::Pause(number), pause));
                TransferRecord::Retrying(Some(pause), text)
            }
            (Some(Again::Probe(pause)), _) => {
                out.push(Effect::Arm(Timer::Probe, pause));
                TransferRecord::Retrying(None, text)
            }
            (Some(Again::WithOthers), _) => TransferRecord::Retrying(None, text),
            (None, State::Failed(_)) => TransferRecord::Failed(text),
            (None, State::OverLimit(_)) => TransferRecord::OverLimit(text),
            (None, _) if withheld => {
                self.compose_note(number, text.as_str().into(), out);
                TransferRecord::Withheld(text)
            }
            (None, _) => TransferRecord::Skipped(text),
        };
        out.push(Effect::LogTransfer(number, record));
    }
}
