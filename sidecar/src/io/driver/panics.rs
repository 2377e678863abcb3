//! The loop survives a panic in itself once: it begins anew, as a restarted sidecar
//! would, and after a second one delivers the result alone.

use super::{CLOSE_TIMEOUT, Driver, RESCAN_INTERVAL, close};
use crate::deliver::{Budget, Completeness, Event, Verdict, backoff, exit_status};
use crate::io::interrupts::Interrupts;
use crate::io::jitter::jitter;
use crate::io::markers::Entries;
use crate::io::object::{Core, Input};
use crate::io::panics::caught;
use crate::io::pause::{pause, within};
use crate::io::source::Source;
use crate::io::store::{Precondition, WriteError};
use crate::io::termination_message;
use crate::io::transfer::{self, Upload, UploadError};
use crate::layout::finished::sentence;
use crate::layout::paths::FINISHED;
use crate::settings::Settings;
use bytes::Bytes;
use common::duration::GoDuration;
use common::signal::Signal;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// The words of the termination message about everything else.
const ALONE: &str = "nothing else could be delivered because of an internal error";

/// Time for the tries to store a result without a deadline, at most.
const FAR: Duration = Duration::from_hours(24);

impl Driver {
    /// Runs until the core is done; returns sidecar's exit status.
    pub async fn run(mut self, interrupts: &mut Interrupts) -> u8 {
        let end = self.times.end.subscribe();
        let Err(panic) = caught(within(end, self.work(interrupts))).await else { return self.end().await };
        tracing::error!(error = %panic, "Delivery begins anew after an internal error");
        let mut anew = self.anew();
        let end = anew.times.end.subscribe();
        let Err(panic) = caught(within(end, anew.work(interrupts))).await else { return anew.end().await };
        tracing::error!(error = %panic, "Only the result is delivered after another internal error");
        Box::pin(anew.anew().deliver_result_alone(interrupts)).await
    }

    /// A driver that knows nothing but that it was told to stop. What is in flight
    /// is given up.
    pub(super) fn anew(self) -> Self {
        let Self { settings, secrets, own_log, told_to_stop, tracing, .. } = self;
        let settings = match told_to_stop {
            Some((_, at)) => Arc::new(with_the_rest(&settings, at.elapsed())),
            None => settings,
        };
        let telemetry = tracing.map(|tracing| tracing.telemetry);
        let mut anew = Self::new(settings, secrets, own_log).tracing(telemetry);
        if let Some((signal, _)) = told_to_stop {
            anew.told_to_stop = told_to_stop;
            anew.inputs.push_back(Input::Event(Event::Interrupt(signal)));
        }
        anew
    }

    /// Waits for the entries and stores `finished.json`, with nothing but the ends of
    /// the entries from the core.
    async fn deliver_result_alone(mut self, interrupts: &mut Interrupts) -> u8 {
        let deadline = self.await_entries(interrupts).await;
        let verdict = self.core.machine().ends().map(Verdict::of);
        let content = self.plain_result(
            verdict.unwrap_or(Verdict::PROVISIONAL),
            "it was left out because of an internal error",
            &self.tests,
        );
        self.times.end.send_replace(Some(deadline));
        let storing = within(self.times.end.subscribe(), self.store_result(content));
        let stored = timeout_at(deadline, storing).await;
        match &stored {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(error = %error, "The result could not be stored"),
            Err(_) => tracing::error!("The given time is over"),
        }
        let told = verdict.filter(|_| matches!(stored, Ok(Ok(()))));
        let gap = Some(ALONE.to_owned());
        let text = sentence(&self.told());
        termination_message::write(&self.settings, &self.context, self.core.plan(), told, (&text, gap));
        let closing = close(self.transfers, &self.context);
        // What is left of uploads is no reason to wait for longer.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, closing).await;
        let (entry_error, fail_on_error) = (self.settings.entry_error, self.settings.delivery.fail_on_error);
        exit_status(verdict, Completeness::Incomplete, entry_error, fail_on_error)
    }

    /// Waits until every entry has ended, or to the end of the given time; returns that.
    async fn await_entries(&mut self, interrupts: &mut Interrupts) -> Instant {
        self.entries = Entries::new(&self.settings.entries);
        let mut deadline = Instant::now() + FAR;
        loop {
            while let Some(input) = self.inputs.pop_front() {
                if let Input::Event(Event::Interrupt(_)) = input
                    && let Some(time) = self.settings.delivery.grace_period
                {
                    deadline = deadline.min(Instant::now() + Budget::of(time.as_std()).deadline);
                }
                observe(&mut self.core, input, &self.times.start.elapsed());
            }
            if self.core.machine().ends().is_some() {
                return deadline;
            }
            tokio::select! {
                signal = interrupts.next() => self.interrupted(signal),
                () = sleep(RESCAN_INTERVAL) => self.look_at_entries(),
                () = tokio::time::sleep_until(deadline) => return deadline,
            }
        }
    }

    /// Tries to store the result, for as long as objects are tried.
    async fn store_result(&self, content: Bytes) -> Result<(), UploadError> {
        let Some(store) = self.context.store() else { return Ok(()) };
        let upload = Upload {
            key: self.settings.paths.key(FINISHED),
            source: Source::Bytes(content),
            content_type: None,
            content_encoding: None,
            metadata: Vec::new(),
            compress: false,
            compressed_type: None,
            precondition: Precondition::Overwrite,
            censor: false,
            reader: None,
        };
        let until = Instant::now() + self.settings.delivery.retry_for();
        let mut attempts = 0_u8;
        loop {
            match transfer::upload(store, &upload, None, &self.context.limits).await {
                Ok(_) => return Ok(()),
                Err(UploadError::Write(WriteError::Transient { retry_after, .. }))
                    if Instant::now() < until =>
                {
                    attempts = attempts.saturating_add(1);
                    pause(backoff(attempts, jitter(), retry_after)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes note that the pod was told to stop.
    pub(super) fn interrupted(&mut self, signal: Signal) {
        self.told_to_stop.get_or_insert((signal, Instant::now()));
        self.inputs.push_back(Input::Event(Event::Interrupt(signal)));
    }
}

/// Hands an input to a core whose effects are of no interest.
fn observe(core: &mut Core, input: Input, now: &Duration) {
    let moment = crate::deliver::Moment { now: *now, random: jitter(), preconditions: true, accepted: 0 };
    drop(core.handle(input, &moment));
}

/// The settings for what is left of the given time.
fn with_the_rest(settings: &Settings, over: Duration) -> Settings {
    let mut settings = settings.clone();
    let left = |time: Duration| time.saturating_sub(over).max(Duration::from_millis(1));
    let delivery = &mut settings.delivery;
    delivery.grace_period = delivery.grace_period.map(|time| GoDuration::from_std(left(time.as_std())));
    settings.pod_grace_period = settings.pod_grace_period.map(left);
    settings
}
