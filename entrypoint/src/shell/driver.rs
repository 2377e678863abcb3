//! One thread, one loop: signals, the child's pipe, stdout, timers.

use super::child;
use super::files::Files;
use super::live::Flushed;
use super::output::{Output, Pumped};
use super::previous::PreviousWatch;
use super::records::Queue;
use super::signals::Signals;
use super::story::Story;
use super::timers::Timers;
use super::tree::Tree;
use crate::options::EntrypointOptions;
use crate::supervise::{
    self, Effect, Event, Marker, Output as Piped, Policy, Record, Setup, State, Tally, Tree as Happened,
    Verdict,
};
use common::report::Reason;
use common::signal::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// Supervises the entry; answers the exit status.
pub(crate) fn run(options: &EntrypointOptions, policy: &Policy, queue: &Queue) -> io::Result<u8> {
    // Orphans of the tree come to us; PID 1 gets them anyway.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut driver = Driver {
        options,
        policy,
        queue,
        signals: Signals::new()?,
        timers: Timers::default(),
        output: Output::new(),
        tree: Tree::default(),
        files: Files::new(options),
        story: Story::begin(),
        previous: None,
        unmarked: None,
        events: VecDeque::new(),
        exit: None,
    };
    let status = driver.supervise();
    driver.let_stdout_catch_up();
    Ok(status)
}

struct Driver<'a> {
    options: &'a EntrypointOptions,
    policy: &'a Policy,
    queue: &'a Queue,
    signals: Signals,
    timers: Timers,
    output: Output,
    tree: Tree,
    files: Files,
    story: Story,
    previous: Option<PreviousWatch>,
    /// Why the marker could not be written, the last time it was tried.
    unmarked: Option<io::ErrorKind>,
    events: VecDeque<Event>,
    exit: Option<u8>,
}

/// What poll looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Signals,
    Pipe,
    Stdout,
    Hints,
}

impl Driver<'_> {
    fn supervise(&mut self) -> u8 {
        let first = supervise::begin();
        let mut state = self.carry_out(first);
        loop {
            while let Some(event) = self.events.pop_front() {
                let step = supervise::step(self.policy, state, event);
                state = self.carry_out(step);
            }
            if let Some(status) = self.exit {
                return status;
            }
            let ready = self.wait();
            self.collect(&ready);
        }
    }

    fn carry_out(&mut self, step: supervise::Step) -> State {
        for effect in step.effects {
            self.perform(effect);
            self.write_records();
        }
        step.state
    }

    fn write_records(&mut self) {
        for line in self.queue.take() {
            self.output.record(&line);
        }
    }

    fn perform(&mut self, effect: Effect) {
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
                Setup::Prepared
            }
            Err(text) => Setup::Unprepared(text),
        };
        self.events.push_back(Event::Setup(setup));
    }

    fn spawn(&mut self) {
        let seconds = |time: common::duration::GoDuration| time.as_std().as_secs_f64().to_string();
        let extra = [
            ("ENTRYPOINT_TIMEOUT", seconds(self.policy.timeout)),
            ("ENTRYPOINT_GRACE_PERIOD", seconds(self.policy.grace_period)),
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
        let report = self.story.report(self.policy, verdict, tally, self.output.totals());
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
        if wanted && Path::new(path).is_file() {
            // Only a courtesy: the report says the same.
            let _ = std::fs::write(path, format!("{}\n", verdict.cause));
        }
    }

    fn wait(&self) -> Vec<Source> {
        let previous = self.previous.as_ref();
        let deadlines = [self.timers.next(), self.output.deadline(), previous.map(PreviousWatch::deadline)];
        let timeout = deadlines.into_iter().flatten().min().map(until);
        let sources = [
            (Source::Signals, Some(self.signals.as_fd()), PollFlags::IN),
            (Source::Pipe, self.output.wants_read(), PollFlags::IN),
            (Source::Stdout, self.output.wants_write(), PollFlags::OUT),
            (Source::Hints, previous.and_then(PreviousWatch::hints), PollFlags::IN),
        ];
        let wanted: Vec<_> =
            sources.into_iter().filter_map(|(source, fd, flags)| Some((source, fd?, flags))).collect();
        let mut fds: Vec<_> =
            wanted.iter().map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        // An interrupted call found nothing; the loop asks again.
        let _ = poll(&mut fds, timeout.as_ref());
        let ready = wanted.iter().zip(&fds).filter(|(_, fd)| !fd.revents().is_empty());
        ready.map(|((source, _, _), _)| *source).collect()
    }

    fn collect(&mut self, ready: &[Source]) {
        let now = Instant::now();
        if ready.contains(&Source::Stdout) || self.output.deadline().is_some_and(|at| at <= now) {
            match self.output.flush(now) {
                Flushed::Some => self.events.push_back(Event::Output(Piped::Bytes)),
                Flushed::Nothing => {}
                Flushed::Resumed(bytes) => tracing::warn!("Live output goes on; {bytes} bytes were left out"),
            }
        }
        if ready.contains(&Source::Pipe) {
            match self.output.pump() {
                Pumped::Bytes => self.events.push_back(Event::Output(Piped::Bytes)),
                Pumped::Closed => self.events.push_back(Event::Output(Piped::Closed)),
                Pumped::Nothing => {}
            }
        }
        if ready.contains(&Source::Signals) {
            self.collect_signals();
        }
        if let Some(previous) = &mut self.previous {
            if ready.contains(&Source::Hints) {
                previous.hinted();
            }
            if previous.deadline() <= now {
                let look = previous.look();
                self.events.push_back(Event::Setup(Setup::Previous(look)));
            }
        }
        while let Some(timer) = self.timers.take_due(now) {
            self.events.push_back(Event::Fired(timer));
        }
        self.write_records();
    }

    fn collect_signals(&mut self) {
        for signal in self.signals.read() {
            if signal == Signal::CHLD {
                self.events.extend(self.tree.reap().into_iter().map(Event::Tree));
            } else {
                self.story.received(signal);
                self.events.push_back(Event::Signal(signal));
            }
        }
    }

    /// Gives a slow reader of stdout its time, now that nothing waits for us.
    fn let_stdout_catch_up(&mut self) {
        while let Some(deadline) = self.output.deadline() {
            let ready = match self.output.wants_write() {
                Some(fd) => {
                    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
                    matches!(poll(&mut fds, Some(&until(deadline))), Ok(1..))
                }
                None => return,
            };
            if self.output.flush(Instant::now()) == Flushed::Nothing && ready {
                return;
            }
        }
    }
}

fn until(deadline: Instant) -> Timespec {
    let left = deadline.saturating_duration_since(Instant::now());
    Timespec::try_from(left.max(Duration::ZERO)).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 })
}

fn write(record: &Record) {
    let text = record.message();
    if record.is_error() {
        tracing::error!("{text}");
    } else {
        tracing::info!("{text}");
    }
}
