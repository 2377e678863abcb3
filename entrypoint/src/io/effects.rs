//! Carrying out the machine's effects.

use super::driver::Driver;
use super::previous::PreviousWatch;
use super::spawn::{SpawnError, go_error, spawn};
use super::{snapshot, trace};
use crate::supervise::{Effect, Event, Marker, Record, Setup, Tally, Timer, Tree, Verdict};
use common::codes;
use common::report::{Reason, Report};
use common::signal::Signal;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// Bytes of output in a termination message.
const OUTPUT_IN_MESSAGE: usize = 2048;

impl Driver<'_> {
    pub(super) fn execute(&mut self, effect: Effect) {
        match effect {
            Effect::Prepare => self.prepare(),
            Effect::WatchPrevious => {
                self.previous = Some(PreviousWatch::new(Path::new(&self.options.previous_marker)));
            }
            Effect::UnwatchPrevious => self.previous = None,
            Effect::Spawn => self.spawn(),
            Effect::Signal { signal, to, from } => {
                self.report.sent(signal, to, from);
                if let Err(error) = self.processes.signal(to, signal) {
                    let text = match signal {
                        Signal::INT => "Could not interrupt process after timeout".to_owned(),
                        Signal::KILL => "Could not kill process after grace period".to_owned(),
                        other => format!("Could not send signal {other} to process"),
                    };
                    tracing::error!(error = %error, "{text}");
                }
            }
            Effect::Scan => self.scan(),
            Effect::ScanTree => {
                if let Some(descendants) = self.processes.scan_tree() {
                    self.events.push_back(Event::Tree(Tree::Descendants(descendants)));
                }
            }
            Effect::Snapshot => {
                if self.report.needs_snapshot() {
                    let silence = self.last_output.elapsed();
                    self.report.snapshot(snapshot::take(&mut self.processes), silence);
                }
            }
            Effect::ReportLeftovers(pids) => {
                for name in self.report.name(&pids) {
                    tracing::warn!("Process left behind: {name}");
                }
            }
            Effect::Arm(timer, after) => self.timers.arm(timer, after),
            Effect::ArmWithinGrace(timer, share) => {
                self.timers.arm_within(timer, share.tenths, Timer::Grace);
            }
            Effect::Shorten(timer, limit) => self.timers.shorten(timer, limit),
            Effect::DisarmAll => self.timers.disarm_all(),
            Effect::Record(record) => write(&record),
            Effect::LogText(text) => self.pump.log_text(text.as_bytes()),
            Effect::DrainPipe => self.pump.drain(),
            Effect::CloseLog(verdict) => self.close_log(&verdict),
            Effect::WriteMarker(verdict, tally) => self.write_marker(&verdict, tally),
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
                self.pump.set_log(log);
                self.queue.hold();
                match &self.signals {
                    Ok(_) => Setup::Prepared,
                    Err(error) => {
                        Setup::Unprepared(format!("could not receive signals: {}", go_error(error)))
                    }
                }
            }
            Err(error) => Setup::Unprepared(error.to_string()),
        };
        self.events.push_back(Event::Setup(setup));
    }

    fn spawn(&mut self) {
        let mut extra = vec![
            ("ENTRYPOINT_TIMEOUT", seconds(self.policy.timeout.as_std())),
            ("ENTRYPOINT_GRACE_PERIOD", seconds(self.policy.grace_period.as_std())),
        ];
        let (trace, variable) = trace::context();
        self.report.trace = trace;
        extra.extend(variable);
        let mut started = self.start(&extra);
        if started.as_ref().is_err_and(SpawnError::lacks_descriptors) {
            // The job matters more than space for its result.
            self.files.drop_reserved();
            started = self.start(&extra);
        }
        let setup = match started {
            Ok(pid) => {
                self.processes.started(pid);
                self.last_output = Instant::now();
                self.report.begin_course();
                Setup::Spawned
            }
            Err(error) => {
                self.report.start_hint = error.hint();
                Setup::SpawnFailed(error.to_string())
            }
        };
        self.events.push_back(Event::Setup(setup));
    }

    fn start(&mut self, extra: &[(&str, String)]) -> Result<i32, SpawnError> {
        let pipe = self.pump.open_pipe().map_err(SpawnError::Pipe)?;
        spawn(&self.options.entry.args, extra, pipe.as_fd(), self.descriptors)
    }

    fn scan(&mut self) {
        let reaped = self.processes.reap();
        let gone = reaped.contains(&Tree::Gone);
        self.events.extend(reaped.into_iter().map(Event::Tree));
        if !gone {
            let children = self.processes.scan();
            self.events.push_back(Event::Tree(children));
        }
    }

    fn close_log(&mut self, verdict: &Verdict) {
        self.pump.close_pipe();
        let dropped = self.pump.newly_dropped();
        if dropped > 0 {
            tracing::warn!("{dropped} bytes of the output could not be written to the process log");
        }
        self.write_records();
        let output = self.pump.log_tail(OUTPUT_IN_MESSAGE);
        let sentence = self.report.sentence(verdict, &self.pump.totals());
        self.end_log(verdict, &sentence);
        if let Err(error) = self.pump.restore_log() {
            tracing::error!(error = %error, "Could not restore the deleted process log");
        }
        if let Some(error) = &verdict.error {
            tracing::error!(error = %error, "Error executing test process");
        }
        self.write_records_live();
        self.write_termination_message(verdict, &sentence, &output);
    }

    /// Ends the log with the sentence, unless there is nothing to say or it stands there.
    fn end_log(&mut self, verdict: &Verdict, sentence: &str) {
        let is_told = verdict.reason == Reason::StartFailed && sentence == verdict.cause;
        match verdict.code {
            codes::SUCCESS if sentence == verdict.cause => return,
            _ if is_told => return,
            codes::SUCCESS => tracing::warn!("{sentence}"),
            _ => tracing::error!("{sentence}"),
        }
        for record in self.queue.take() {
            self.pump.log_text(&record.json);
        }
    }

    fn write_marker(&mut self, verdict: &Verdict, tally: Tally) {
        let report = Report {
            child_ended: self.processes.child_ended(),
            ..self.report.build(self.policy, verdict, tally, self.pump.totals())
        };
        let reported = self.files.publish_report(&report);
        let marked = self.files.publish_marker(verdict.code);
        // An attempt that fails like the previous one gets no record of its own.
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

    /// Writes records made after the log was closed to stdout only.
    fn write_records_live(&mut self) {
        for record in self.queue.take() {
            self.pump.record_live(&record);
        }
    }

    /// Writes the container's termination message where Kubernetes made a file for it. The
    /// end of the output explains a command that ended by itself, as Kubernetes would have
    /// shown it without a message.
    fn write_termination_message(&self, verdict: &Verdict, sentence: &str, output: &[u8]) {
        let path = Path::new(&self.options.supervision.termination_message_path);
        let output = match verdict.reason {
            Reason::Exited | Reason::Signaled if verdict.code != codes::SUCCESS => output,
            Reason::Exited if sentence == verdict.cause => return,
            Reason::Exited
            | Reason::Signaled
            | Reason::TimedOut
            | Reason::Aborted
            | Reason::StartFailed
            | Reason::PreviousFailed
            | Reason::InternalError => &[],
        };
        common::termination::write_with_output(path, sentence, output);
    }
}

/// Formats seconds with as many decimals as needed. (Formatting an `f64` would add
/// 20 KiB to the program.)
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
