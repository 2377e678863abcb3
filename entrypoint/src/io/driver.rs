//! The loop: one thread polls signals, the child's pipe, stdout and timers.

use super::course::Course;
use super::files::Files;
use super::previous::PreviousWatch;
use super::processes::Processes;
use super::pump::{Pump, Pumped};
use super::records::Queue;
use super::report::ReportBuilder;
use super::signals::Signals;
use super::stdout::Flushed;
use super::timers::Timers;
use crate::options::EntrypointOptions;
use crate::supervise::{self, Event, Output, Policy, Setup, State};
use crate::sys;
use common::signal::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Supervises the entry and returns the exit status.
pub(crate) fn run(options: &EntrypointOptions, policy: &Policy, queue: &Queue) -> u8 {
    // Adopt the tree's orphans; PID 1 gets them anyway.
    if let Err(error) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
        tracing::warn!(error = %error, "Orphans of the job are adopted only by PID 1");
    }
    let mut driver = Driver {
        descriptors: sys::raise_descriptors(),
        options,
        policy,
        queue,
        signals: Signals::new(),
        timers: Timers::default(),
        pump: Pump::new(options.supervision.record_format),
        processes: Processes::default(),
        files: Files::new(options),
        report: ReportBuilder::begin(),
        previous: None,
        last_output: Instant::now(),
        unmarked: None,
        events: VecDeque::new(),
        exit: None,
    };
    let status = driver.supervise();
    driver.let_stdout_catch_up();
    status
}

/// The loop and everything it polls.
pub(super) struct Driver<'a> {
    /// Limit of open descriptors that the child gets, if ours was raised.
    pub(super) descriptors: Option<libc::rlimit>,
    pub(super) options: &'a EntrypointOptions,
    pub(super) policy: &'a Policy,
    pub(super) queue: &'a Queue,
    /// An error here prevents supervision; the marker still reports it.
    pub(super) signals: io::Result<Signals>,
    pub(super) timers: Timers,
    pub(super) pump: Pump,
    pub(super) processes: Processes,
    pub(super) files: Files,
    pub(super) report: ReportBuilder,
    pub(super) previous: Option<PreviousWatch>,
    /// Time of the last output, or of the start.
    pub(super) last_output: Instant,
    /// Error of the last attempt to write the marker.
    pub(super) unmarked: Option<io::ErrorKind>,
    pub(super) events: VecDeque<Event>,
    pub(super) exit: Option<u8>,
}

/// A descriptor that the loop polls.
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
            self.execute(effect);
            self.write_records();
        }
        step.state
    }

    pub(super) fn write_records(&mut self) {
        for record in self.queue.take() {
            self.pump.record(&record);
        }
    }

    fn wait(&self) -> Vec<Source> {
        let previous = self.previous.as_ref();
        let sample = self.report.course.as_ref().and_then(Course::deadline);
        let deadlines =
            [self.timers.next(), self.pump.deadline(), previous.map(PreviousWatch::deadline), sample];
        let timeout = deadlines.into_iter().flatten().min().map(until);
        let sources = [
            (Source::Signals, self.signals.as_ref().ok().map(AsFd::as_fd), PollFlags::IN),
            (Source::Pipe, self.pump.wants_read(), PollFlags::IN),
            (Source::Stdout, self.pump.wants_write(), PollFlags::OUT),
            (Source::Hints, previous.and_then(PreviousWatch::hints), PollFlags::IN),
        ];
        let wanted: Vec<_> =
            sources.into_iter().filter_map(|(source, fd, flags)| Some((source, fd?, flags))).collect();
        let mut fds: Vec<_> =
            wanted.iter().map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        // An interrupted call found nothing; the loop polls again.
        let _ = poll(&mut fds, timeout.as_ref());
        let ready = wanted.iter().zip(&fds).filter(|(_, fd)| !fd.revents().is_empty());
        ready.map(|((source, _, _), _)| *source).collect()
    }

    fn collect(&mut self, ready: &[Source]) {
        let now = Instant::now();
        if ready.contains(&Source::Stdout) || self.pump.deadline().is_some_and(|at| at <= now) {
            match self.pump.flush(now) {
                Flushed::Some => self.events.push_back(Event::Output(Output::Bytes)),
                Flushed::Nothing => {}
                Flushed::Resumed(bytes) => tracing::warn!("Live output goes on; {bytes} bytes were left out"),
            }
        }
        if ready.contains(&Source::Pipe) {
            match self.pump.pump() {
                Pumped::Bytes => {
                    self.last_output = now;
                    self.events.push_back(Event::Output(Output::Bytes));
                }
                Pumped::Closed => self.events.push_back(Event::Output(Output::Closed)),
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
            if previous.is_due(now) {
                let (found, trigger) = previous.check();
                self.events.push_back(Event::Setup(Setup::Previous(found, trigger)));
            }
        }
        if let Some(course) = &mut self.report.course
            && course.deadline().is_some_and(|at| at <= now)
        {
            course.sample(&mut self.processes, self.pump.child_bytes(), self.pump.log_descriptor());
        }
        while let Some(timer) = self.timers.take_due(now) {
            self.events.push_back(Event::Fired(timer));
        }
        self.write_records();
    }

    fn collect_signals(&mut self) {
        let Ok(signals) = &self.signals else { return };
        for signal in signals.read() {
            if signal == Signal::CHLD {
                self.events.extend(self.processes.reap().into_iter().map(Event::Tree));
            } else {
                self.report.received(signal);
                self.events.push_back(Event::Signal(signal));
            }
        }
    }

    /// Waits for a slow reader of stdout, now that nothing waits for entrypoint.
    fn let_stdout_catch_up(&mut self) {
        while let Some(deadline) = self.pump.deadline() {
            let ready = match self.pump.wants_write() {
                Some(fd) => {
                    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
                    matches!(poll(&mut fds, Some(&until(deadline))), Ok(1..))
                }
                None => return,
            };
            if self.pump.flush(Instant::now()) == Flushed::Nothing && ready {
                return;
            }
        }
    }
}

fn until(deadline: Instant) -> Timespec {
    let left = deadline.saturating_duration_since(Instant::now());
    Timespec::try_from(left.max(Duration::ZERO)).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 })
}
