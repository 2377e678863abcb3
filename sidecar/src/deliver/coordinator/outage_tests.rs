//! A store that is out, and how long it is waited for.

use super::tests::{Core, Held, Out, PASSED, TERM, at, core, deeds, event, log, object, put, stored};
use super::*;
use crate::deliver::{Budget, Class, Failure, Outcome, Precondition, Record, State, StoreRecord, Verdict};

/// A final pass with one log, whose request is on its way.
fn sending(budget: Option<Budget>) -> Core {
    let mut core = core(budget);
    let _ = event(&mut core, PASSED);
    assert_eq!(
        deeds(core.handle(Input::Listed(Policy::Final, log(1)), &at(0))),
        [put(0, Precondition::Overwrite)]
    );
    core
}

fn fails(core: &mut Core, number: u32, seconds: u64) -> Out {
    let failure = Failure::Transient { message: "503".to_owned(), wish: None };
    core.handle(Input::TransferEnded(number, Outcome::Failed(failure)), &at(seconds))
}

fn fires(core: &mut Core, timer: Timer, seconds: u64) -> Out {
    core.handle(Input::Event(Event::Fired(timer)), &at(seconds))
}

#[test]
fn the_final_result_waits_for_what_may_still_be_tried() {
    let mut core = sending(None);
    for minute in 0..14 {
        let effects = fails(&mut core, 0, minute * 60);
        assert_eq!(deeds(effects), []);
        assert_eq!(deeds(fires(&mut core, Timer::Probe, minute * 60 + 9)), [put(0, Precondition::Overwrite)]);
    }
    let outcome = Outcome::Stored { read: None, changed: false, bytes: 10, record: Held(None) };
    let effects = core.handle(Input::TransferEnded(0, outcome), &at(14 * 60));
    assert!(effects.contains(&Effect::LogStore(StoreRecord::Back(Duration::from_mins(14)))), "{effects:?}");
    assert!(effects.contains(&Effect::Disarm(Timer::GiveUp)), "{effects:?}");
    assert_eq!(deeds(effects), [Effect::Compose(Document::OwnLog)]);
}

#[test]
fn a_line_a_minute_says_what_is_waited_for() {
    let mut core = sending(None);
    let effects = fails(&mut core, 0, 10);
    assert!(effects.contains(&Effect::LogStore(StoreRecord::Out("503".into()))), "{effects:?}");
    assert!(effects.contains(&Effect::Arm(Timer::Waiting, Duration::from_mins(1))), "{effects:?}");
    let effects = fires(&mut core, Timer::Waiting, 70);
    let (since, left) = (Duration::from_mins(1), Duration::from_mins(14));
    let record = StoreRecord::Waiting { error: "503".into(), since, open: 1, left };
    assert_eq!(effects, [Effect::LogStore(record), Effect::Arm(Timer::Waiting, Duration::from_mins(1))]);
}

#[test]
fn what_is_left_is_given_up_when_nothing_arrives_for_too_long() {
    let mut core = sending(None);
    let effects = fails(&mut core, 0, 5);
    assert!(effects.contains(&Effect::Arm(Timer::GiveUp, Duration::from_mins(15))), "{effects:?}");
    let effects = fires(&mut core, Timer::GiveUp, 5 + 900);
    assert!(effects.contains(&Effect::LogStore(StoreRecord::GivenUp(Duration::from_mins(15), 1))));
    let reason = "503 (given up: nothing could be stored for 15m0s)";
    assert_eq!(core.plan().object(0).state, State::Failed(reason.into()));
    assert_eq!(deeds(effects), [Effect::Compose(Document::OwnLog)], "the closing objects are tried");
    let effects = core.handle(
        Input::Composed(Document::OwnLog, object("sidecar-logs.json", Class::OwnLog, 1, 1)),
        &at(905),
    );
    assert_eq!(deeds(effects), [put(1, Precondition::Overwrite)]);
}

#[test]
fn parts_that_arrive_are_progress_and_the_same_ones_again_are_none() {
    let mut core = sending(None);
    let _ = fails(&mut core, 0, 0);
    let accepted = |bytes, seconds| Moment { accepted: bytes, ..at(seconds) };
    let effects = core.handle(Input::Ticked, &accepted(5 << 20, 10));
    assert!(effects.contains(&Effect::Disarm(Timer::GiveUp)), "{effects:?}");
    assert_eq!(deeds(effects), [put(0, Precondition::Overwrite)], "the store takes what it is sent");
    let failure = Failure::Transient { message: "503".to_owned(), wish: None };
    let effects = core.handle(Input::TransferEnded(0, Outcome::Failed(failure)), &accepted(0, 20));
    assert!(effects.contains(&Effect::Arm(Timer::GiveUp, Duration::from_mins(15))), "{effects:?}");
    let effects = core.handle(Input::Ticked, &accepted(5 << 20, 30));
    assert!(!effects.contains(&Effect::Disarm(Timer::GiveUp)), "no new ground: {effects:?}");
}

#[test]
fn a_given_time_that_runs_decides_alone() {
    let mut core = sending(Some(Budget::of(Duration::from_secs(30))));
    let effects = fails(&mut core, 0, 0);
    assert!(effects.contains(&Effect::Arm(Timer::GiveUp, Duration::from_mins(15))), "{effects:?}");
    let effects = core.handle(Input::Event(TERM), &at(1));
    assert!(effects.contains(&Effect::Disarm(Timer::GiveUp)), "{effects:?}");
    assert_eq!(deeds(fires(&mut core, Timer::Probe, 2)), [put(0, Precondition::Overwrite)]);
    let effects = fails(&mut core, 0, 3);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Arm(Timer::GiveUp, _))), "{effects:?}");
    let effects = fires(&mut core, Timer::Cutoff, 25);
    assert_eq!(deeds(effects), [Effect::Compose(Document::OwnLog)]);
    let own_log = object("sidecar-logs.json", Class::OwnLog, 1, 1);
    let effects = core.handle(Input::Composed(Document::OwnLog, own_log), &at(25));
    assert_eq!(deeds(effects), [put(1, Precondition::Overwrite)], "no pause of the uploads goes on");
    let effects = fails(&mut core, 1, 27);
    assert_eq!(deeds(effects), [Effect::Compose(Document::Manifest)], "half of the time is for the result");
}

#[test]
fn an_attempt_for_a_closing_object_ends_with_its_time() {
    let mut core = sending(Some(Budget::of(Duration::from_secs(30))));
    let _ = core.handle(Input::Event(TERM), &at(0));
    let _ = core.handle(Input::Event(Event::Fired(Timer::Cutoff)), &at(24));
    let _ = core.handle(Input::TransferEnded(0, Outcome::Aborted), &at(24));
    let own_log = object("sidecar-logs.json", Class::OwnLog, 1, 1);
    let effects = core.handle(Input::Composed(Document::OwnLog, own_log), &at(24));
    assert!(effects.contains(&Effect::Arm(Timer::Attempt(1), Duration::from_secs(2))), "{effects:?}");
}

#[test]
fn a_provisional_result_goes_out_during_a_long_outage() {
    let mut core = core(None);
    let _ = event(&mut core, TERM);
    let _ = core.handle(Input::Listed(Policy::BestEffort, log(1)), &at(0));
    for probe in 1..5 {
        assert_eq!(deeds(fails(&mut core, 0, probe)), []);
        assert_eq!(deeds(fires(&mut core, Timer::Probe, probe)), [put(0, Precondition::IfAbsent)]);
    }
    assert_eq!(deeds(fails(&mut core, 0, 9)), [Effect::Compose(Document::OwnLog)]);
    let own_log = object("sidecar-logs.json", Class::OwnLog, 1, 1);
    let compose = Effect::Compose(Document::Result(Verdict::PROVISIONAL));
    assert_eq!(deeds(core.handle(Input::Composed(Document::OwnLog, own_log), &at(9))), [compose]);
    let result = object("finished.json", Class::Result, 10, 1);
    let effects = core.handle(Input::Composed(Document::Result(Verdict::PROVISIONAL), result), &at(9));
    assert_eq!(deeds(effects), [put(2, Precondition::IfAbsent)], "it asks by itself");
    let outcome = Outcome::Stored { read: None, changed: false, bytes: 10, record: Held(None) };
    let effects = core.handle(Input::TransferEnded(2, outcome), &at(10));
    assert!(effects.contains(&Effect::Log(Record::BestEffortFailed)), "{effects:?}");
    assert_eq!(deeds(effects).len(), 2, "and now the rest goes on");
    assert_eq!(stored(&mut core, 0, 1), []);
}
