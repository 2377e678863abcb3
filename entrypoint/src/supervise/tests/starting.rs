//! On the way to a running child.

use super::*;

#[test]
fn v_ep_7_a_failed_predecessor_is_1130() {
    let mut run = Run::prepared(Policy { await_previous: true, ..policy() });
    run.on(Event::Setup(Setup::Previous(Predecessor::Code(9), Trigger::Inotify)));
    assert!(run.recorded(&Record::PreviousFailed(9)));
    assert_eq!((run.verdict().reason, run.verdict().code), (Reason::PreviousFailed, 1130));
    assert_eq!(run.on(Event::Marker(Marker::Visible)), [Effect::Exit(106)]);
}

#[test]
fn v_ep_8_a_successful_predecessor_lets_the_child_start() {
    let mut run = Run::prepared(Policy { await_previous: true, ..policy() });
    run.on(Event::Setup(Setup::Previous(Predecessor::Waiting, Trigger::Interval)));
    let effects = run.on(Event::Setup(Setup::Previous(Predecessor::Code(0), Trigger::Inotify)));
    assert_eq!(effects, [Effect::UnwatchPrevious, Effect::Spawn]);
}

#[test]
fn a_lost_predecessor_is_1130_and_an_unreadable_one_127() {
    let found = |found| Event::Setup(Setup::Previous(found, Trigger::Interval));
    let waiting = Policy { await_previous: true, ..policy() };
    let mut run = Run::prepared(waiting.clone());
    run.on(found(Predecessor::Lost));
    assert!(run.recorded(&Record::PreviousLost));
    assert_eq!((run.verdict().reason, run.verdict().code), (Reason::PreviousFailed, 1130));
    for (odd, reason) in [
        (Predecessor::Unreadable("it is empty".to_owned()), Reason::InternalError),
        (Predecessor::Vanished, Reason::PreviousFailed),
    ] {
        let mut run = Run::prepared(waiting.clone());
        run.on(found(odd.clone()));
        for _ in 0..100 {
            run.on(Event::Setup(Setup::Previous(odd.clone(), Trigger::Inotify)));
        }
        assert!(matches!(run.state, State::AwaitingPrevious { .. }), "one second is not enough");
        for _ in 0..5 {
            run.on(found(odd.clone()));
        }
        assert_eq!(run.verdict().reason, reason);
    }
}

#[test]
fn an_abort_while_waiting_is_130() {
    let mut run = Run::prepared(Policy { await_previous: true, ..policy() });
    run.on(Event::Signal(Signal::TERM));
    assert!(run.recorded(&Record::Cancelled(Signal::TERM)));
    assert_eq!((run.verdict().reason, run.verdict().code), (Reason::Aborted, 130));
}

#[test]
fn v_ep_10_a_failed_start_is_a_text_in_the_log() {
    let mut run = Run::prepared(policy());
    run.on(Event::Setup(Setup::SpawnFailed("fork/exec ./x: no such file or directory".to_owned())));
    let text = "could not start the process: fork/exec ./x: no such file or directory".to_owned();
    assert!(run.effects.contains(&Effect::LogText(text)));
    assert_eq!((run.verdict().reason, run.verdict().code), (Reason::StartFailed, 127));
}

#[test]
fn a_signal_before_the_start_waits_for_its_turn() {
    let Step { state, .. } = begin();
    let mut run = Run { policy: policy(), state, effects: Vec::new() };
    run.all(&[Event::Signal(Signal::USR1), Event::Signal(Signal::TERM), Event::Setup(Setup::Prepared)]);
    assert_eq!((run.verdict().reason, run.verdict().code), (Reason::Aborted, 130));
    let mut run = Run::prepared(policy());
    run.all(&[Event::Signal(Signal::HUP), Event::Setup(Setup::Spawned)]);
    assert_eq!(run.sent(), [(Signal::INT, Target::Child), (Signal::HUP, Target::Child)]);
}
