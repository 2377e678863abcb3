//! Entries that never leave a trace.

use super::super::entries::Observation;
use super::super::verdict::JobResult;
use super::tests::{PASSED, TERM, acts, run_to_result, seen, settle};
use super::*;

/// A machine whose entrypoints hold their locks.
pub(super) fn begun(config: Config) -> Machine {
    let entries = config.entries;
    let mut machine = Machine::new(config);
    for entry in 0..entries {
        let _ = machine.handle(seen(entry, Observation::Waiting));
    }
    machine
}

fn waiting(start_timeout: Option<Duration>) -> Machine {
    Machine::new(Config {
        entries: 1,
        ignore_interrupts: true,
        budget: None,
        interim: None,
        native: false,
        start_timeout,
        page: false,
        checkpoints: false,
    })
}

const ABSENT: Event = Event::Observed { entry: 0, observation: Observation::Absent };

#[test]
fn an_entry_of_which_nothing_is_there_is_named_again_and_again_and_waited_for() {
    let mut machine = waiting(None);
    assert_eq!(machine.start(), [Directive::ArmUnseen(0)]);
    for _ in 0..3 {
        assert_eq!(machine.handle(ABSENT), []);
        let effects = machine.handle(Event::Fired(Timer::Unseen(0)));
        assert_eq!(effects, [Directive::Record(Record::Unseen(0)), Directive::ArmUnseen(0)]);
    }
    assert_eq!(machine.handle(seen(0, Observation::Waiting)), [Directive::Disarm(Timer::Unseen(0))]);
    assert_eq!(machine.handle(Event::Fired(Timer::Unseen(0))), [], "it fired just before");
    assert_eq!(machine.ends(), None);
}

#[test]
fn a_start_timeout_ends_only_what_never_began() {
    let timeout = Duration::from_mins(10);
    for begun in [None, Some(Observation::Waiting), Some(Observation::Unlocked)] {
        let mut machine = waiting(Some(timeout));
        assert_eq!(machine.start(), [Directive::ArmUnseen(0), Directive::Arm(Timer::Start(0), timeout)]);
        if let Some(observation) = begun {
            let effects = machine.handle(seen(0, observation));
            assert!(effects.contains(&Directive::Disarm(Timer::Start(0))), "{effects:?}");
            assert_eq!(machine.handle(Event::Fired(Timer::Start(0))), [], "{observation:?}");
            continue;
        }
        assert_eq!(machine.handle(Event::Fired(Timer::Start(0))), [Directive::LookAtEntries]);
        let effects = acts(&mut machine, ABSENT);
        assert!(effects.contains(&Directive::Disarm(Timer::Unseen(0))), "{effects:?}");
        assert_eq!(effects.last(), Some(&Directive::Prepare(Policy::Final)));
        assert_eq!(run_to_result(&mut machine, Policy::Final).result(), JobResult::Failure);
        assert_eq!(settle(&mut machine, Policy::Final), [Directive::Finish]);
    }
}

#[test]
fn after_an_interrupt_what_never_began_is_lost_within_two_seconds() {
    let mut machine = waiting(Some(Duration::from_mins(10)));
    let effects = acts(&mut machine, TERM);
    assert_eq!(effects, [Directive::ArmEarliest(Timer::Start(0), Duration::from_secs(2))]);
    let _ = machine.handle(Event::Fired(Timer::Start(0)));
    assert_eq!(machine.ends(), None, "a marker may have just appeared");
    let _ = machine.handle(ABSENT);
    assert_eq!(machine.end(0), Some(End::Lost { told_to_stop: true }));
    assert_eq!(run_to_result(&mut machine, Policy::Final).result(), JobResult::Aborted);
}

#[test]
fn after_an_interrupt_what_has_begun_keeps_its_time() {
    for observation in [Observation::Waiting, Observation::Unlocked, Observation::Unreadable] {
        let mut machine = waiting(None);
        let _ = machine.handle(seen(0, observation));
        assert_eq!(acts(&mut machine, TERM), [], "{observation:?}");
    }
    let mut machine = waiting(None);
    let _ = machine.handle(TERM);
    let effects = acts(&mut machine, seen(0, PASSED));
    assert!(effects.contains(&Directive::Disarm(Timer::Start(0))), "{effects:?}");
    assert!(run_to_result(&mut machine, Policy::Final).passed);
}
