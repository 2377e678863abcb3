//! The object `supervision`: options that upstream does not have.

use crate::supervise::{Leftovers, SignalScope};
use common::duration::GoDuration;
use common::json::to_go_string;
use common::options::flags::ValueParser;
use common::options::{Single, flag};
use common::signal::Signal;
use serde::Serialize;

pub use common::termination::TERMINATION_MESSAGE_PATH;

common::options! {
    /// The object `supervision`.
    pub struct SupervisionOptions {
        /// Ends or keeps the processes that the command left behind.
        pub leftovers: Leftovers = flag("leftovers").always(),
        /// Signals the child alone first, or its whole process group.
        pub signal_scope: SignalScope = flag("signal-scope").always(),
        /// Another signal this long after the first one, inside the grace period.
        pub escalation: Vec<Escalation> = flag("escalation"),
        /// Begins each line of the process log with its time.
        pub timestamps: bool = flag("timestamps").always(),
        /// The file that gets the cause of a failure in one line, when it exists; empty for none.
        pub termination_message_path: String = flag("termination-message-path").value("FILE").always()
            .default(|| TERMINATION_MESSAGE_PATH.to_owned()) => TERMINATION_MESSAGE_PATH.to_owned(),
    }
}

common::words!(Leftovers, "\"end\" or \"keep\"", End = "end", Keep = "keep");
common::words!(SignalScope, "\"child\" or \"group\"", Child = "child", Group = "group");

/// One rung of the escalation ladder.
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
