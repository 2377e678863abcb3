//! Reason, code and cause of each end.

use super::*;

#[test]
fn the_childs_exit_is_the_code() {
    let mut run = Run::running(policy());
    run.all(&[exited(7), GONE, CLOSED]);
    let verdict = run.verdict();
    assert_eq!((verdict.reason, verdict.code), (Reason::Exited, 7));
    assert_eq!(verdict.error.as_deref(), Some("wrapped process failed: exit status 7"));
    assert_eq!(run.on(Event::Marker(Marker::Visible)), [Effect::Exit(7)]);
    assert_eq!(run.state, State::Done);
}

#[test]
fn death_by_a_signal_of_its_own_is_128_and_n() {
    let mut run = Run::running(policy());
    run.all(&[died(Signal::KILL), GONE, CLOSED]);
    assert_eq!((run.verdict().reason, run.verdict().code), (Reason::Signaled, 137));
    assert_eq!(run.verdict().error.as_deref(), Some("wrapped process failed: signal: killed"));
}

#[test]
fn a_term_while_draining_changes_nothing() {
    let mut run = Run::running(policy());
    run.all(&[exited(0), Event::Signal(Signal::TERM), GONE, CLOSED]);
    assert_eq!((run.verdict().reason, run.verdict().code), (Reason::Exited, 0));
    assert_eq!(run.sent(), []);
}

#[test]
fn propagated_codes_are_the_childs_own() {
    let propagate = Policy { propagate_error_code: true, ..policy() };
    for (end, code) in [(exited(0), 0), (exited(3), 3), (died(Signal::TERM), 143)] {
        let mut run = Run::running(propagate.clone());
        run.all(&[Event::Signal(Signal::TERM), end, GONE, CLOSED]);
        assert_eq!((run.verdict().reason, run.verdict().code), (Reason::Aborted, code));
    }
    let mut run = Run::running(propagate.clone());
    run.all(&[fired(Timer::Timeout), died(Signal::INT), GONE, CLOSED]);
    assert_eq!((run.verdict().reason, run.verdict().code), (Reason::TimedOut, 130));
    let mut run = Run::running(propagate.clone());
    run.all(&[fired(Timer::Timeout), fired(Timer::Grace), died(Signal::KILL), GONE]);
    assert_eq!((run.verdict().reason, run.verdict().code), (Reason::TimedOut, 137));
    // The child ended in time, somebody it had started did not.
    let mut run = Run::running(propagate);
    run.all(&[fired(Timer::Timeout), exited(5), children(&[(9, false)]), fired(Timer::Grace), GONE]);
    assert_eq!((run.verdict().reason, run.verdict().code), (Reason::TimedOut, 5));
}

#[test]
fn a_timeout_that_has_to_be_killed() {
    let mut run = Run::running(policy());
    run.on(fired(Timer::Timeout));
    assert!(run.recorded(&Record::TimedOut(GoDuration::from_secs(7200))));
    assert_eq!(run.sent(), [(Signal::INT, Target::Child)]);
    run.on(fired(Timer::Grace));
    assert!(run.recorded(&Record::NotGraceful(GRACE)));
    assert_eq!(run.sent(), [(Signal::KILL, Target::Child)]);
    run.all(&[died(Signal::KILL), GONE]);
    let verdict = run.verdict();
    assert_eq!((verdict.reason, verdict.code), (Reason::TimedOut, 127));
    assert_eq!(verdict.cause, "timed out after 2h0m0s; did not exit within 15s; killed");
}

#[test]
fn a_later_term_does_not_change_a_timeout() {
    let mut run = Run::running(policy());
    run.all(&[fired(Timer::Timeout), Event::Signal(Signal::TERM)]);
    assert_eq!(run.sent(), [(Signal::INT, Target::Child), (Signal::TERM, Target::Child)]);
    run.all(&[exited(0), GONE, CLOSED]);
    assert_eq!((run.verdict().reason, run.verdict().code), (Reason::TimedOut, 127));
}

#[test]
fn always_zero_is_the_status_and_not_the_marker() {
    let mut run = Run::running(Policy { always_zero: true, ..policy() });
    run.all(&[exited(7), GONE, CLOSED]);
    assert_eq!(run.verdict().code, 7);
    assert_eq!(run.on(Event::Marker(Marker::Visible)), [Effect::Exit(0)]);
}

#[test]
fn e_42_a_marker_that_cannot_be_written_is_127_after_the_grace_period() {
    let mut run = Run::running(Policy { always_zero: true, ..policy() });
    run.all(&[exited(0), GONE, CLOSED]);
    let effects = run.on(Event::Marker(Marker::Failed));
    assert!(effects.contains(&Effect::Arm(Timer::MarkLimit, GRACE.as_std())));
    assert!(matches!(run.on(fired(Timer::MarkRetry)).as_slice(), [Effect::WriteMarker(..)]));
    assert_eq!(run.on(fired(Timer::MarkLimit)), [Effect::Exit(127)]);
}

#[test]
fn a_timeout_is_also_recorded_in_words_that_deck_unfolds() {
    let mut run = Run::running(policy());
    let effects = run.on(fired(Timer::Timeout));
    let records: Vec<_> = effects
        .iter()
        .filter_map(|effect| if let Effect::Record(record) = effect { Some(record.message()) } else { None })
        .collect();
    assert_eq!(
        records,
        ["Process did not finish before 2h0m0s timeout", "ERROR: pytest timed out after 2h0m0s"]
    );
}

#[test]
fn the_cause_of_a_success_after_a_signal_names_the_signal() {
    let propagate = Policy { propagate_error_code: true, ..policy() };
    let mut run = Run::running(propagate.clone());
    run.all(&[Event::Signal(Signal::TERM), exited(0), Event::Signal(Signal::QUIT), GONE, CLOSED]);
    assert_eq!(run.verdict().code, 0);
    assert_eq!(run.verdict().cause, "aborted by SIGTERM; exited with 0 after SIGTERM");
    let mut run = Run::running(propagate);
    run.all(&[fired(Timer::Timeout), exited(0), GONE, CLOSED]);
    assert_eq!(run.verdict().cause, "timed out after 2h0m0s; exited with 0 after SIGINT");
}
