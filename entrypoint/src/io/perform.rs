//! What the machine asks for, done.

use super::child;
use super::driver::Driver;
use super::previous::PreviousWatch;
use crate::supervise::{Effect, Event, Marker, Record, Setup, Tally, Tree as Happened, Verdict};
use common::report::{Reason, Report};
use common::signal::Signal;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

impl Driver<'_> {
    pub(super) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Prepare => self.prepare(),
            Effect::WatchPrevious => {
                self.previous = Some(PreviousWatch::new(Path::new(&self.options.previous_marker)));
            }
            Effect::UnwatchPrevious => self.previous = None,
            Effect::Spawn => self.spawn(),
            Effect::Signal { signal, to, from } => {
                self.story.sent(signal, to, from);
                if let Err(error) = self.tree.signal(to, signal) {
                    let text = match signal {
                        Signal::INT => "Could not interrupt process after timeout".to_owned(),
                        Signal::KILL => "Could not kill process after grace period".to_owned(),
                        other => format!("Could not send signal {other} to process"),
                    };
                    tracing::error!(error = %error, "{text}");
                }
            }
            Effect::Scan => self.scan(),
            Effect::Name(pids) => {
                for name in self.story.name(&pids) {
                    tracing::warn!("Process left behind: {name}");
                }
            }
            Effect::Arm(timer, after) => self.timers.arm(timer, after),
            Effect::DisarmAll => self.timers.disarm_all(),
            Effect::Record(record) => write(&record),
            Effect::LogText(text) => self.output.log_text(&text),
            Effect::LastLook => self.output.last_look(),
            Effect::Conclude(verdict) => self.conclude(&verdict),
            Effect::Mark(verdict, tally) => self.mark(&verdict, tally),
            Effect::Exit(status) => {
                self.files.release();
                self.exit = Some(status);
            }
        }
    }

    fn prepare(&mut self) {
        let prepared = self.files.prepare(self.options);
        let setup = match prepared {
            Ok(log) => {
                self.output.set_log(log);
                self.queue.hold();
                match &self.signals {
                    Ok(_) => Setup::Prepared,
                    Err(error) => {
                        Setup::Unprepared(format!("could not receive signals: {}", child::words(error)))
                    }
                }
            }
            Err(text) => Setup::Unprepared(text),
        };
        self.events.push_back(Event::Setup(setup));
    }

    fn spawn(&mut self) {
        let extra = [
            ("ENTRYPOINT_TIMEOUT", seconds(self.policy.timeout.as_std())),
            ("ENTRYPOINT_GRACE_PERIOD", seconds(self.policy.grace_period.as_std())),
        ];
        let started = self
            .output
            .open_pipe()
            .map_err(|error| format!("pipe: {}", child::words(&error)))
            .and_then(|pipe| child::spawn(&self.options.entry.args, &extra, pipe.as_fd()));
        let setup = match started {
            Ok(pid) => {
                self.tree.started(pid);
                Setup::Spawned
            }
            Err(reason) => Setup::SpawnFailed(reason),
        };
        self.events.push_back(Event::Setup(setup));
    }

    fn scan(&mut self) {
        let reaped = self.tree.reap();
        let gone = reaped.contains(&Happened::Gone);
        self.events.extend(reaped.into_iter().map(Event::Tree));
        if !gone {
            let children = self.tree.scan();
            self.events.push_back(Event::Tree(children));
        }
    }

    fn conclude(&mut self, verdict: &Verdict) {
        self.output.close_pipe();
        let dropped = self.output.newly_dropped();
        if dropped > 0 {
            tracing::warn!("{dropped} bytes of the output could not be written to the process log");
        }
        self.write_records();
        if let Err(error) = self.output.restore_log() {
            tracing::error!(error = %error, "Could not restore the deleted process log");
        }
        if let Some(error) = &verdict.error {
            tracing::error!(error = %error, "Error executing test process");
        }
        self.write_records_live();
        self.last_words(verdict);
    }

    fn mark(&mut self, verdict: &Verdict, tally: Tally) {
        let report = Report {
            child_ended: self.tree.child_ended(),
            ..self.story.report(self.policy, verdict, tally, self.output.totals())
        };
        let reported = self.files.publish_report(&report);
        let marked = self.files.publish_marker(verdict.code);
        // Tries that fail like the one before are not worth a record each.
        if let Err(error) = &reported
            && marked.is_ok()
        {
            tracing::error!(error = %error, "Could not write the report");
        }
        if let Err(error) = &marked
            && self.unmarked.replace(error.kind()) != Some(error.kind())
        {
            tracing::error!(error = %error, "Error writing exit code to marker file");
        }
        self.write_records_live();
        let outcome = if marked.is_ok() { Marker::Visible } else { Marker::Failed };
        self.events.push_back(Event::Marker(outcome));
    }

    /// Records from the time after the log was closed.
    fn write_records_live(&mut self) {
        for line in self.queue.take() {
            self.output.record_live(&line);
        }
    }

    /// The container's termination message, where Kubernetes made a file for it.
    fn last_words(&self, verdict: &Verdict) {
        let path = &self.options.supervision.termination_message_path;
        let wanted = match verdict.reason {
            Reason::TimedOut | Reason::Aborted | Reason::StartFailed | Reason::InternalError => true,
            // A plain failure is better explained by the log's tail.
            Reason::Exited | Reason::Signaled | Reason::PreviousFailed => false,
        };
        if wanted {
            common::termination::write(Path::new(path), &verdict.cause);
        }
    }
}

/// Seconds with as many decimals as needed. (Through `f64` it would cost the
/// binary 20 KiB of float formatting.)
fn seconds(time: Duration) -> String {
    let text = format!("{}.{:09}", time.as_secs(), time.subsec_nanos());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn write(record: &Record) {
    let text = record.message();
    if record.is_error() {
        tracing::error!("{text}");
    } else {
        tracing::info!("{text}");
    }
}
