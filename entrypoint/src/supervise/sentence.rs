//! The sentence: what ended the job, from the verdict and from everything else that is
//! known of its end.
//!
//! | evidence | sentence |
//! | --- | --- |
//! | exit code | `exited with code 3` |
//! | a signal that a fault of the program raises | `died of SIGSEGV` |
//! | any other signal that entrypoint did not send | `killed from outside (SIGKILL)` |
//! | the control group counts kills | …`; the kernel killed a process of this container for lack of memory` |
//! | timeout, the tree ended after a signal | `timed out after 2h0m0s; died of SIGINT` |
//! | timeout, the tree had to be killed | `timed out after 2h0m0s; did not exit within 15s; killed` |
//! | a signal from outside, and exit code 0 | `aborted by SIGTERM; exited with 0 after SIGTERM` |
//! | no output before the first signal | …`; no output for 1h12m; waiting: curl (4711)` |
//! | the volume was full | …`; 120 bytes of the output did not fit into the log` |
//! | the start failed | `could not start the process: …`, and what the file is instead of a program |

use super::verdict::Verdict;
use common::duration::GoDuration;
use common::report::Reason;
use std::time::Duration;

/// Silence that is worth a word.
const MIN_SILENCE: Duration = Duration::from_secs(10);

/// Facts beside the verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Processes of the container that the kernel killed for lack of memory.
    pub oom_kills: u64,
    /// Bytes of the output that are not in the process log.
    pub dropped_bytes: u64,
    /// Time without output before the first signal.
    pub silence: Option<Duration>,
    /// Name and number of the process that waited longest then.
    pub waiting: Option<(String, i32)>,
    /// Explanation of a failed start.
    pub start_hint: Option<String>,
}

/// Returns the one sentence about the end. Processes are named by their name only:
/// nothing masks a command line on its way to records and termination message.
pub fn sentence(verdict: &Verdict, evidence: &Evidence) -> String {
    let mut sentence = verdict.cause.clone();
    if let (Reason::StartFailed, Some(hint)) = (verdict.reason, &evidence.start_hint) {
        sentence = [&sentence, ": ", hint].concat();
    }
    if matches!(verdict.reason, Reason::TimedOut | Reason::Aborted)
        && let Some(silence) = evidence.silence.filter(|silence| *silence >= MIN_SILENCE)
    {
        sentence = [&sentence, "; no output for ", &about(silence)].concat();
        if let Some((name, pid)) = &evidence.waiting {
            sentence = format!("{sentence}; waiting: {name} ({pid})");
        }
    }
    match evidence.oom_kills {
        0 => {}
        1 => sentence.push_str("; the kernel killed a process of this container for lack of memory"),
        kills => {
            sentence = format!(
                "{sentence}; the kernel killed {kills} processes of this container for lack of memory"
            );
        }
    }
    match evidence.dropped_bytes {
        0 => sentence,
        bytes => format!("{sentence}; {bytes} bytes of the output did not fit into the log"),
    }
}

/// Formats a time to the second, from an hour on to the minute.
fn about(time: Duration) -> String {
    const HOUR: u64 = 60 * 60;
    let seconds = time.as_secs();
    if seconds < HOUR {
        return GoDuration::from_std(Duration::from_secs(seconds)).to_string();
    }
    format!("{}h{}m", seconds / HOUR, seconds % HOUR / 60)
}
