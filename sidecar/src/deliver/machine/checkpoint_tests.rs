use super::super::entries::Observation;
use super::super::verdict::JobResult;
use super::tests::{PASSED, TERM, acts, budget, machine, run_to_result, seen, settle};
use super::*;

fn checkpointing(ignore_interrupts: bool, budget: Option<Budget>) -> Machine {
    let mut machine = Machine::new(Config {
        entries: 1,
        ignore_interrupts,
        budget,
        interim: None,
        native: false,
        start_timeout: None,
        page: false,
        checkpoints: true,
    });
    assert_eq!(machine.start(), [Directive::ArmUnseen(0), Directive::ArmCheckpoint]);
    let _ = machine.handle(seen(0, Observation::Waiting));
    machine
}

const CHECKPOINT: Event = Event::Fired(Timer::Checkpoint);

#[test]
fn without_the_option_there_are_no_checkpoints() {
    let mut machine = machine(1);
    assert_eq!(machine.start(), [Directive::ArmUnseen(0)]);
}

#[test]
fn a_checkpoint_sends_the_bulk_and_rests() {
    let mut machine = checkpointing(false, None);
    assert_eq!(acts(&mut machine, CHECKPOINT), [Directive::Prepare(Policy::Checkpoint)]);
    assert_eq!(acts(&mut machine, CHECKPOINT), [], "one at a time");
    let effects = acts(&mut machine, Event::Prepared(Policy::Checkpoint));
    assert_eq!(effects, [Directive::Send(Policy::Checkpoint, Part::Bulk)]);
    assert_eq!(acts(&mut machine, Event::Sent(Policy::Checkpoint, Part::Bulk)), [Directive::ArmCheckpoint]);
    assert_eq!(acts(&mut machine, CHECKPOINT), [Directive::Prepare(Policy::Checkpoint)], "and again");
}

#[test]
fn a_checkpoint_gives_way_to_every_other_pass() {
    for sending in [false, true] {
        let mut machine = checkpointing(false, None);
        let _ = machine.handle(CHECKPOINT);
        if sending {
            let _ = machine.handle(Event::Prepared(Policy::Checkpoint));
        }
        assert_eq!(acts(&mut machine, TERM), [Directive::Prepare(Policy::BestEffort)]);
        assert_eq!(acts(&mut machine, Event::Prepared(Policy::Checkpoint)), [], "a stale answer");
        assert_eq!(acts(&mut machine, Event::Sent(Policy::Checkpoint, Part::Bulk)), [], "a stale answer");
        assert_eq!(run_to_result(&mut machine, Policy::BestEffort), Verdict::PROVISIONAL);
        // The entry still runs: its last words are worth a checkpoint.
        assert_eq!(settle(&mut machine, Policy::BestEffort), [Directive::ArmCheckpoint]);
        let _ = machine.handle(CHECKPOINT);
        let effects = acts(&mut machine, seen(0, PASSED));
        assert!(effects.contains(&Directive::Disarm(Timer::Checkpoint)), "{effects:?}");
        assert_eq!(effects.last(), Some(&Directive::Prepare(Policy::Final)));
        assert_eq!(run_to_result(&mut machine, Policy::Final).result(), JobResult::Success);
        assert_eq!(settle(&mut machine, Policy::Final), [Directive::Finish]);
    }
}

#[test]
fn a_checkpoint_does_not_keep_the_wait_from_ending() {
    let mut machine = checkpointing(true, Some(budget()));
    let _ = machine.handle(TERM);
    let _ = machine.handle(CHECKPOINT);
    assert_eq!(acts(&mut machine, Event::Fired(Timer::WaitShare)), [Directive::Prepare(Policy::BestEffort)]);
}

#[test]
fn there_is_no_checkpoint_when_uploads_are_over() {
    let mut machine = checkpointing(true, Some(budget()));
    let _ = machine.handle(TERM);
    let _ = machine.handle(CHECKPOINT);
    let _ = machine.handle(Event::Prepared(Policy::Checkpoint));
    assert_eq!(acts(&mut machine, Event::Fired(Timer::Cutoff)), [Directive::CutUploads]);
    assert_eq!(acts(&mut machine, Event::Sent(Policy::Checkpoint, Part::Bulk)), []);
    assert_eq!(acts(&mut machine, CHECKPOINT), []);
}
