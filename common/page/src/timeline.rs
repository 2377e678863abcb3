//! The moments of a job in order.

use crate::amounts;
use crate::job::JobReport;
use common::duration::GoDuration;
use common::report::{Interrupt, MAX_SAMPLES, Origin, Recipient, Report};
use common::signal::Signal;
use common::timestamp::Timestamp;
use std::time::Duration;

/// The kind of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Entrypoint started.
    Start,
    /// A signal came from outside.
    Received,
    /// A signal was sent.
    Sent,
    /// The command ended.
    Exit,
    /// Its tree and its output ended.
    Drained,
    /// The kernel killed processes for lack of memory.
    OutOfMemory,
    /// A limit, reached or not.
    Limit,
    /// An upload pass began or ended.
    Upload,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time.
    pub at: Timestamp,
    /// The container concerned, or sidecar.
    pub who: String,
    /// Its kind.
    pub kind: Kind,
    /// A phrase about it.
    pub what: String,
}

/// The name of sidecar in a timeline.
pub const SIDECAR: &str = "sidecar";

/// All moments in order.
pub fn moments(job: &JobReport) -> Vec<Moment> {
    let mut moments = Vec::new();
    for (index, container) in job.containers.iter().enumerate() {
        if let Some(report) = &container.report {
            of_container(&name(&container.entry.name, index), report, &mut moments);
        }
    }
    let mut add = |at, what: String| {
        let kind = Kind::Upload;
        moments.push(Moment { at, who: SIDECAR.to_owned(), kind, what });
    };
    for pass in &job.passes {
        let policy = pass.policy.replace('_', "-");
        add(pass.started, format!("the {policy} upload began"));
        match pass.finished {
            Some(finished) => {
                let took = time(finished.since(pass.started));
                add(finished, format!("the {policy} upload was through, after {took}"));
            }
            None => add(pass.started, format!("the {policy} upload was taken over by the next one")),
        }
    }
    if let Some(at) = job.deadline {
        let what = "sidecar's deadline".to_owned();
        moments.push(Moment { at, who: SIDECAR.to_owned(), kind: Kind::Limit, what });
    }
    moments.sort_by_key(|moment| moment.at);
    moments
}

/// A container's name, or its number.
pub fn name(name: &str, index: usize) -> String {
    if name.is_empty() { format!("entry {index}") } else { name.to_owned() }
}

/// Begin and planned end of a container's grace period, if it began.
pub fn grace(report: &Report) -> Option<(Timestamp, Timestamp)> {
    let ends_it = |signal| matches!(signal, Signal::HUP | Signal::INT | Signal::QUIT | Signal::TERM);
    let began = report
        .interrupts
        .iter()
        .find(|interrupt| interrupt.from != Origin::Leftovers && ends_it(interrupt.signal))?
        .at;
    Some((began, began.after(GoDuration::from_nanos(report.grace_period_ns).as_std())))
}

/// The time at which the timeout was due.
pub fn timeout(report: &Report) -> Timestamp {
    report.started.after(GoDuration::from_nanos(report.timeout_ns).as_std())
}

fn of_container(who: &str, report: &Report, moments: &mut Vec<Moment>) {
    let mut add = |at, kind, what: String| moments.push(Moment { at, who: who.to_owned(), kind, what });
    let (limit, period) =
        (GoDuration::from_nanos(report.timeout_ns), GoDuration::from_nanos(report.grace_period_ns));
    add(report.started, Kind::Start, format!("entrypoint started; timeout {limit}, grace period {period}"));
    if timeout(report) <= report.finished {
        add(timeout(report), Kind::Limit, format!("the timeout of {limit} was reached"));
    }
    for interrupt in &report.interrupts {
        let kind = if interrupt.sent_to.is_some() { Kind::Sent } else { Kind::Received };
        add(interrupt.at, kind, signal(interrupt));
    }
    for kills in lack_of_memory(report) {
        add(kills.at, Kind::OutOfMemory, kills.in_words());
    }
    if let Some((_, end)) = grace(report).filter(|(_, end)| *end <= report.finished) {
        add(end, Kind::Limit, format!("the grace period of {period} was over"));
    }
    match report.child_ended {
        Some(at) => {
            add(at, Kind::Exit, format!("the command ended ({})", child(report)));
            let drain = time(report.finished.since(at));
            add(report.finished, Kind::Drained, format!("its processes and its output ended, {drain} later"));
        }
        None => add(report.finished, Kind::Exit, format!("entrypoint ended: {}", report.cause)),
    }
}

/// Processes that the kernel killed for lack of memory, as one sample saw them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kills {
    /// The time of the sample; of those after the last sample the end of the command.
    pub(crate) at: Timestamp,
    /// The time since the sample before.
    within: Duration,
    count: u64,
}

impl Kills {
    pub(crate) fn in_words(&self) -> String {
        let who = if self.count == 1 { "a process".to_owned() } else { format!("{} processes", self.count) };
        let when = if self.within > Duration::from_secs(1) {
            format!(", at some time in the {} before", amounts::time(self.within))
        } else {
            String::new()
        };
        format!("the kernel killed {who} for lack of memory{when}")
    }
}

/// All of them, in order. The job may have written the report, so that no number in it is
/// taken for granted.
pub(crate) fn lack_of_memory(report: &Report) -> Vec<Kills> {
    let column = |name: &str| {
        let columns = report.course.as_ref().map(|course| &course.columns);
        columns.and_then(|columns| columns.get(name)).map(Vec::as_slice).unwrap_or_default()
    };
    let began = report.course.as_ref().and_then(|course| course.started).unwrap_or(report.started);
    let mut last = began;
    let mut rest = report.cgroup.as_ref().and_then(|cgroup| cgroup.oom_kills).unwrap_or(0);
    let mut all = Vec::new();
    let mut add = |at: Timestamp, count: u64| {
        if count > 0 {
            all.push(Kills { at, within: at.since(last).as_std(), count });
        }
        last = at;
    };
    for (at, count) in column("at_s").iter().zip(column("oom_kills")).take(MAX_SAMPLES) {
        rest = rest.saturating_sub(*count);
        add(began.after(Duration::from_secs(*at)), *count);
    }
    add(report.child_ended.unwrap_or(report.finished), rest);
    all
}

fn child(report: &Report) -> String {
    match report.child {
        Some(common::report::ChildEnd::ExitCode(code)) => format!("exit code {code}"),
        Some(common::report::ChildEnd::Signal(signal)) => format!("killed by {signal}"),
        None => "not started".to_owned(),
    }
}

fn signal(interrupt: &Interrupt) -> String {
    let why = match interrupt.from {
        Origin::Outside => "from outside",
        Origin::Timeout => "because of the timeout",
        Origin::Leftovers => "because the command had ended",
    };
    match interrupt.sent_to {
        None => format!("{} received from outside", interrupt.signal),
        Some(Recipient::Child) => format!("{} sent to the command, {why}", interrupt.signal),
        Some(Recipient::Leftovers) => format!("{} sent to processes it left behind, {why}", interrupt.signal),
    }
}

/// A span as people read it.
pub fn time(span: GoDuration) -> String {
    amounts::time(span.as_std()).to_string()
}

/// A time of day as people read it, in UTC.
pub fn clock(at: Timestamp) -> String {
    at.in_seconds(0).replace('T', " ").replace('Z', " UTC")
}

/// The part of a span that is worth a drawing of its own: from the first signal
/// or the last exit on, when it is too short to be seen in the whole.
pub fn ending(job: &JobReport) -> Option<(Timestamp, Timestamp)> {
    let (begin, end) = job.span()?;
    let reports = || job.containers.iter().filter_map(|container| container.report.as_ref());
    let signals =
        reports().filter_map(|report| report.interrupts.iter().map(|interrupt| interrupt.at).min()).min();
    let exits = reports().filter_map(|report| report.child_ended).min();
    let from = signals.into_iter().chain(exits).min()?;
    let (whole, part) = (end.since(begin).as_std(), end.since(from).as_std());
    let margin = (part / 10).max(Duration::from_millis(1));
    let from = Timestamp::from_nanos(from.as_nanos().saturating_sub(GoDuration::from_std(margin).as_nanos()));
    (part > Duration::ZERO && part * 6 < whole).then_some((from.max(begin), end))
}
