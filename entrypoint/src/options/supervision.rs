//! The object `supervision`: options that upstream does not have.

use crate::supervise::{DEFAULT_STOP_SIGNALS, Interrupt, Leftovers, SignalScope};
use common::duration::GoDuration;
use common::json::to_go_string;
use common::options::flags::ValueParser;
use common::options::{Single, flag};
use common::signal::Signal;
use serde::Serialize;
use std::time::Duration;

pub use common::termination::TERMINATION_MESSAGE_PATH;

common::options! {
    /// The object `supervision`.
    pub struct SupervisionOptions {
        /// Ends or keeps the processes that the command left behind.
        pub leftovers: Leftovers = flag("leftovers").always(),
        /// Signals the child alone first, or its whole process group.
        pub signal_scope: SignalScope = flag("signal-scope").always(),
        /// Signals that the command gets because of one from outside.
        pub interrupt: Interrupt = flag("interrupt"),
        /// Signals from outside that end the command; SIGINT and SIGTERM always do, all others are passed on.
        pub stop_signals: Vec<Signal> = flag("stop-signal") => DEFAULT_STOP_SIGNALS.to_vec(),
        /// Form of entrypoint's own records on stdout, plain on a terminal unless said otherwise.
        pub record_format: RecordFormat = flag("record-format"),
        /// Another signal this long after the first one, inside the grace period.
        pub escalation: Vec<Escalation> = flag("escalation"),
        /// Begins each line of the process log with its time.
        pub timestamps: bool = flag("timestamps").always(),
        /// The file that gets the cause of a failure and the end of the output, when it exists; empty for none.
        pub termination_message_path: String = flag("termination-message-path").value("FILE").always()
            .default(|| TERMINATION_MESSAGE_PATH.to_owned()) => TERMINATION_MESSAGE_PATH.to_owned(),
    }
}

common::words!(Leftovers, "\"end\" or \"keep\"", End = "end", Keep = "keep");
common::words!(SignalScope, "\"child\" or \"group\"", Child = "child", Group = "group");

common::words!(
    Interrupt,
    "\"int_then_received\", \"int_then_escalation\" or \"received\"",
    IntThenReceived = "int_then_received",
    IntThenEscalation = "int_then_escalation",
    Received = "received"
);
common::words!(
    RecordFormat,
    "\"auto\", \"json\" or \"plain\"",
    Auto = "auto",
    Json = "json",
    Plain = "plain"
);

/// Form of entrypoint's own records on stdout; in the process log they are JSON.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub enum RecordFormat {
    /// Plain on a terminal, else JSON.
    #[default]
    Auto,
    /// JSON.
    Json,
    /// A plain line for people.
    Plain,
}

/// Time that programs get after SIGTERM, where the grace period allows it.
const MIN_TERM_TIME: Duration = Duration::from_secs(5);

/// Grace period from which on they get it: pytest-xdist needs most of it after SIGINT.
const MIN_GRACE_WITH_TERM_TIME: Duration = Duration::from_secs(10);

impl SupervisionOptions {
    /// Returns the options with which the most test runners leave their report when
    /// they are ended: SIGINT to the whole group first, then SIGTERM at two thirds of
    /// the grace period, from 10 s on at least 5 s before its end.
    pub fn with_reports(grace_period: GoDuration) -> Self {
        let grace = grace_period.as_std();
        let mut after = grace * 2 / 3;
        if grace >= MIN_GRACE_WITH_TERM_TIME {
            after = after.min(grace.saturating_sub(MIN_TERM_TIME));
        }
        Self {
            signal_scope: SignalScope::Group,
            interrupt: Interrupt::IntThenEscalation,
            escalation: vec![Escalation { signal: Signal::TERM, after: GoDuration::from_std(after) }],
            ..Self::default()
        }
    }
}

/// One step of the escalation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Escalation {
    /// The signal.
    pub signal: Signal,
    /// When, counted from the first signal of the termination.
    pub after: GoDuration,
}

common::document!(Escalation { signal, after });

impl Single for Escalation {
    const VALUE_NAME: &'static str = "SIGNAL=TIME";

    fn parser() -> ValueParser {
        ValueParser::new(|text: &str| {
            let parsed = text.split_once('=').and_then(|(signal, after)| {
                Some(Self { signal: signal.parse().ok()?, after: after.parse().ok()? })
            });
            parsed.ok_or("allowed is a signal and a time, such as SIGTERM=5s")
        })
    }

    fn json(&self) -> String {
        to_go_string(self)
    }

    fn shown(&self) -> String {
        format!("{}={}", self.signal, self.after)
    }
}
