//! The table from evidence to sentence.

use crate::supervise::sentence::{Evidence, sentence};
use crate::supervise::verdict::{Cause, Ending, Grace, NotStarted, verdict};
use crate::supervise::{Policy, Verdict};
use common::report::ChildEnd;
use common::signal::Signal;
use std::time::Duration;

fn told(ending: &Ending, evidence: &Evidence) -> String {
    sentence(&of(ending), evidence)
}

fn of(ending: &Ending) -> Verdict {
    verdict(&Policy { grace_period: common::duration::GoDuration::from_secs(2), ..super::policy() }, ending)
}

fn terminated(cause: Cause, child: ChildEnd, grace: Grace) -> Ending {
    Ending::Terminated { cause, child: Some(child), grace }
}

#[test]
fn every_ending_has_its_sentence() {
    let plain = Evidence::default();
    let by_itself = |end| Ending::ByItself(end);
    let (code, signal) = (ChildEnd::ExitCode, ChildEnd::Signal);
    let (timeout, term, int) = (Cause::Timeout, Cause::Abort(Signal::TERM), Cause::Abort(Signal::INT));
    let after = |after| Grace::Tree { after };
    let hung = Evidence {
        silence: Some(Duration::from_secs(72 * 60 + 5)),
        waiting: Some(("curl".to_owned(), 4711)),
        ..Evidence::default()
    };
    let oom = |oom_kills| Evidence { oom_kills, ..Evidence::default() };
    let full = Evidence { dropped_bytes: 120, ..Evidence::default() };
    let start = Ending::NotStarted(NotStarted::StartFailed("could not start the process: x".to_owned()));
    let hint = Evidence { start_hint: Some("it is a directory".to_owned()), ..Evidence::default() };
    let killed = "the kernel killed a process of this container for lack of memory";
    let table = [
        (by_itself(code(0)), &plain, "exited with code 0".to_owned()),
        (by_itself(code(0)), &oom(1), format!("exited with code 0; {killed}")),
        (by_itself(code(3)), &plain, "exited with code 3".to_owned()),
        (by_itself(code(3)), &hung, "exited with code 3".to_owned()),
        (by_itself(code(3)), &oom(1), format!("exited with code 3; {killed}")),
        (by_itself(code(3)), &full, "exited with code 3; 120 bytes of the output did not fit into the log".to_owned()),
        (by_itself(signal(Signal::KILL)), &plain, "killed from outside (SIGKILL)".to_owned()),
        (by_itself(signal(Signal::KILL)), &oom(1), format!("killed from outside (SIGKILL); {killed}")),
        (
            by_itself(signal(Signal::KILL)),
            &oom(2),
            "killed from outside (SIGKILL); the kernel killed 2 processes of this container for lack of memory"
                .to_owned(),
        ),
        (by_itself(signal(Signal::HUP)), &plain, "killed from outside (SIGHUP)".to_owned()),
        (by_itself(signal(Signal::from_raw(11).expect("SIGSEGV"))), &plain, "died of SIGSEGV".to_owned()),
        (terminated(timeout, signal(Signal::INT), after(Signal::INT)), &plain, "timed out after 2h0m0s; died of SIGINT".to_owned()),
        (terminated(timeout, code(2), after(Signal::INT)), &plain, "timed out after 2h0m0s; exited with code 2".to_owned()),
        (terminated(timeout, signal(Signal::KILL), Grace::Nobody), &plain, "timed out after 2h0m0s; did not exit within 2s; killed".to_owned()),
        (
            terminated(timeout, signal(Signal::KILL), Grace::Nobody),
            &hung,
            "timed out after 2h0m0s; did not exit within 2s; killed; no output for 1h12m; waiting: curl (4711)".to_owned(),
        ),
        (
            terminated(timeout, code(0), Grace::ChildOnly),
            &plain,
            "timed out after 2h0m0s; processes it had started did not exit within 2s; killed".to_owned(),
        ),
        (terminated(term, signal(Signal::TERM), after(Signal::TERM)), &plain, "aborted by SIGTERM; died of SIGTERM".to_owned()),
        (terminated(term, code(0), after(Signal::TERM)), &plain, "aborted by SIGTERM; exited with 0 after SIGTERM".to_owned()),
        (terminated(term, code(9), after(Signal::TERM)), &plain, "aborted by SIGTERM; exited with code 9".to_owned()),
        (terminated(term, signal(Signal::KILL), Grace::Nobody), &plain, "aborted by SIGTERM; did not exit within 2s; killed".to_owned()),
        (terminated(int, signal(Signal::INT), after(Signal::INT)), &plain, "aborted by SIGINT; died of SIGINT".to_owned()),
        (start.clone(), &plain, "could not start the process: x".to_owned()),
        (start, &hint, "could not start the process: x: it is a directory".to_owned()),
        (Ending::NotStarted(NotStarted::PreviousFailed(7)), &plain, "not started because the previous step exited 7".to_owned()),
        (
            Ending::NotStarted(NotStarted::PreviousLost),
            &plain,
            "not started because the previous step was lost: its entrypoint ended without a result".to_owned(),
        ),
        (Ending::NotStarted(NotStarted::Aborted(Signal::TERM)), &plain, "aborted by SIGTERM before the process was started".to_owned()),
    ];
    for (ending, evidence, expected) in table {
        assert_eq!(told(&ending, evidence), expected, "{ending:?} {evidence:?}");
    }
}

#[test]
fn short_silence_is_not_worth_a_word() {
    let ending = terminated(Cause::Timeout, ChildEnd::ExitCode(1), Grace::Tree { after: Signal::INT });
    let silent = |seconds| Evidence { silence: Some(Duration::from_secs(seconds)), ..Evidence::default() };
    assert_eq!(told(&ending, &silent(9)), told(&ending, &Evidence::default()));
    assert!(told(&ending, &silent(10)).ends_with("; no output for 10s"));
    assert!(told(&ending, &silent(303)).ends_with("; no output for 5m3s"));
}
