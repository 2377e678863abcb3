use super::super::entries::Observation;
use super::super::verdict::JobResult;
use super::start_tests::begun;
use super::*;
use common::report::Reason;

pub(super) const PASSED: Observation = Observation::Marker { code: 0, report: None };
const FAILED: Observation = Observation::Marker { code: 3, report: None };
pub(super) const TERM: Event = Event::Interrupt(Signal::TERM);

pub(super) fn machine(entries: usize) -> Machine {
    begun(Config {
        entries,
        ignore_interrupts: false,
        budget: None,
        interim: None,
        native: false,
        start_timeout: None,
        page: false,
        checkpoints: false,
    })
}

fn ignoring(budget: Option<Budget>) -> Machine {
    begun(Config {
        entries: 1,
        ignore_interrupts: true,
        budget,
        interim: None,
        native: false,
        start_timeout: None,
        page: false,
        checkpoints: false,
    })
}

pub(super) fn budget() -> Budget {
    Budget::of(Duration::from_secs(30))
}

pub(super) fn seen(entry: usize, observation: Observation) -> Event {
    Event::Observed { entry, observation }
}

/// The directives that decide what happens next.
pub(super) fn acts(machine: &mut Machine, event: Event) -> Vec<Directive> {
    let notes = |directive: &Directive| {
        matches!(
            directive,
            Directive::Record(_) | Directive::Hurry | Directive::BeginPass(_) | Directive::EndCheckpoint
        )
    };
    machine.handle(event).into_iter().filter(|directive| !notes(directive)).collect()
}

fn records(machine: &mut Machine, event: Event) -> Vec<Record> {
    let record = |effect| match effect {
        Directive::Record(record) => Some(record),
        Directive::Arm(..)
        | Directive::ArmEarliest(..)
        | Directive::ArmCheckpoint
        | Directive::ArmUnseen(_)
        | Directive::Hurry
        | Directive::BeginPass(_)
        | Directive::EndCheckpoint
        | Directive::LookAtEntries
        | Directive::Disarm(_)
        | Directive::Prepare(_)
        | Directive::Send(..)
        | Directive::CutUploads
        | Directive::WriteResult(..)
        | Directive::AbandonResult
        | Directive::Finish => None,
    };
    machine.handle(event).into_iter().filter_map(record).collect()
}

/// Runs a pass up to the write of its result and gives its verdict.
pub(super) fn run_to_result(machine: &mut Machine, policy: Policy) -> Verdict {
    assert_eq!(acts(machine, Event::Prepared(policy)), [Directive::Send(policy, Part::Bulk)]);
    let mut effects = acts(machine, Event::Sent(policy, Part::Bulk));
    assert_eq!(effects, [Directive::Send(policy, Part::OwnLog)]);
    effects = acts(machine, Event::Sent(policy, Part::OwnLog));
    if policy == Policy::Final {
        assert_eq!(effects, [Directive::Send(policy, Part::Manifest)]);
        effects = acts(machine, Event::Sent(policy, Part::Manifest));
    }
    match effects[..] {
        [Directive::WriteResult(written, verdict)] if written == policy => verdict,
        _ => panic!("{effects:?}"),
    }
}

pub(super) fn settle(machine: &mut Machine, policy: Policy) -> Vec<Directive> {
    acts(machine, Event::ResultSettled(policy, Completeness::Complete))
}

#[test]
fn i4_a_final_pass_writes_the_result_last() {
    let mut machine = machine(2);
    assert_eq!(acts(&mut machine, seen(0, PASSED)), [Directive::Disarm(Timer::Suspicion(0))]);
    let effects = acts(&mut machine, seen(1, FAILED));
    assert_eq!(effects.last(), Some(&Directive::Prepare(Policy::Final)));
    let verdict = run_to_result(&mut machine, Policy::Final);
    assert_eq!((verdict.result(), verdict.failures), (JobResult::Failure, 1));
    assert_eq!(settle(&mut machine, Policy::Final), [Directive::Finish]);
    assert!(machine.is_over());
}

#[test]
fn nothing_happens_after_the_end() {
    let mut machine = machine(1);
    let _ = machine.handle(seen(0, PASSED));
    run_to_result(&mut machine, Policy::Final);
    let _ = settle(&mut machine, Policy::Final);
    let over = machine.clone();
    for event in [TERM, seen(0, FAILED), Event::Fired(Timer::Deadline), Event::Prepared(Policy::Final)] {
        assert_eq!(machine.handle(event), []);
        assert_eq!(machine, over);
    }
}

#[test]
fn s_22_an_ignored_interrupt_is_recorded_once() {
    let mut machine = ignoring(None);
    assert_eq!(machine.handle(TERM), [Directive::Record(Record::InterruptIgnored(Signal::TERM))]);
    assert_eq!(machine.handle(TERM), []);
    assert!(machine.is_interrupted());
}

#[test]
fn s_23_an_interrupt_starts_a_best_effort_pass_with_a_provisional_result() {
    let mut machine = machine(1);
    assert_eq!(
        machine.handle(TERM),
        [
            Directive::Record(Record::InterruptCancelling(Signal::TERM)),
            Directive::BeginPass(Policy::BestEffort),
            Directive::Prepare(Policy::BestEffort),
        ]
    );
    assert_eq!(machine.handle(Event::Interrupt(Signal::INT)), []);
    assert_eq!(run_to_result(&mut machine, Policy::BestEffort).result(), JobResult::Aborted);
    let settled = Event::ResultSettled(Policy::BestEffort, Completeness::Complete);
    assert_eq!(records(&mut machine, settled), [Record::BestEffortDelivered]);
    assert!(!machine.is_over());
    let effects = acts(&mut machine, seen(0, PASSED));
    assert_eq!(effects.last(), Some(&Directive::Prepare(Policy::Final)));
    assert_eq!(run_to_result(&mut machine, Policy::Final).result(), JobResult::Success);
}

#[test]
fn a_failed_best_effort_pass_says_so() {
    let mut machine = machine(1);
    let _ = machine.handle(TERM);
    run_to_result(&mut machine, Policy::BestEffort);
    let settled = Event::ResultSettled(Policy::BestEffort, Completeness::Incomplete);
    assert_eq!(records(&mut machine, settled), [Record::BestEffortFailed]);
}

#[test]
fn an_upgrade_while_preparing_starts_over_and_ignores_the_stale_answer() {
    let mut machine = machine(1);
    let _ = machine.handle(TERM);
    let effects = acts(&mut machine, seen(0, PASSED));
    assert_eq!(effects.last(), Some(&Directive::Prepare(Policy::Final)));
    assert_eq!(machine.handle(Event::Prepared(Policy::BestEffort)), []);
    run_to_result(&mut machine, Policy::Final);
}

#[test]
fn an_upgrade_while_sending_does_not_wait() {
    for parts in [1, 2] {
        let mut machine = machine(1);
        let _ = machine.handle(TERM);
        let _ = machine.handle(Event::Prepared(Policy::BestEffort));
        if parts == 2 {
            let _ = machine.handle(Event::Sent(Policy::BestEffort, Part::Bulk));
        }
        let effects = acts(&mut machine, seen(0, PASSED));
        assert_eq!(effects.last(), Some(&Directive::Prepare(Policy::Final)));
        assert_eq!(machine.handle(Event::Sent(Policy::BestEffort, Part::Bulk)), []);
        assert_eq!(machine.handle(Event::Sent(Policy::BestEffort, Part::OwnLog)), []);
        run_to_result(&mut machine, Policy::Final);
    }
}

/// The machine whose provisional write is in flight when the final pass comes
/// to its result.
fn fencing() -> Machine {
    let mut machine = machine(1);
    let _ = machine.handle(TERM);
    run_to_result(&mut machine, Policy::BestEffort);
    let _ = machine.handle(seen(0, PASSED));
    let _ = machine.handle(Event::Prepared(Policy::Final));
    let _ = machine.handle(Event::Sent(Policy::Final, Part::Bulk));
    let _ = machine.handle(Event::Sent(Policy::Final, Part::OwnLog));
    assert_eq!(acts(&mut machine, Event::Sent(Policy::Final, Part::Manifest)), [Directive::AbandonResult]);
    machine
}

#[test]
fn i5_two_results_are_never_in_flight_together() {
    let mut machine = fencing();
    let passed = Verdict { passed: true, aborted: false, failures: 0 };
    assert_eq!(settle(&mut machine, Policy::BestEffort), [Directive::WriteResult(Policy::Final, passed)]);
    assert_eq!(settle(&mut machine, Policy::Final), [Directive::Finish]);
}

#[test]
fn i5_a_provisional_write_that_ends_early_fences_nothing() {
    let mut machine = machine(1);
    let _ = machine.handle(TERM);
    run_to_result(&mut machine, Policy::BestEffort);
    let _ = machine.handle(seen(0, PASSED));
    assert_eq!(machine.handle(Event::ResultSettled(Policy::BestEffort, Completeness::Complete)), []);
    run_to_result(&mut machine, Policy::Final);
}

#[test]
fn an_unreadable_marker_counts_after_a_while() {
    let mut machine = machine(1);
    assert_eq!(
        acts(&mut machine, seen(0, Observation::Unreadable)),
        [Directive::Arm(Timer::Suspicion(0), Duration::from_secs(10))]
    );
    assert_eq!(machine.handle(seen(0, Observation::Unreadable)), []);
    let effects = acts(&mut machine, Event::Fired(Timer::Suspicion(0)));
    assert_eq!(effects.last(), Some(&Directive::Prepare(Policy::Final)));
    assert_eq!(machine.end(0), Some(End::Unreadable));
    assert_eq!(run_to_result(&mut machine, Policy::Final).failures, 1);
}

#[test]
fn s_flaw_2_a_marker_filled_late_is_read_again() {
    let mut machine = machine(1);
    let _ = machine.handle(seen(0, Observation::Unreadable));
    let _ = machine.handle(seen(0, PASSED));
    assert_eq!(machine.handle(Event::Fired(Timer::Suspicion(0))), []);
    assert!(run_to_result(&mut machine, Policy::Final).passed);
}

#[test]
fn a_doubt_that_clears_disarms() {
    let mut machine = machine(1);
    let _ = machine.handle(seen(0, Observation::Vanished));
    assert_eq!(acts(&mut machine, seen(0, Observation::Waiting)), [Directive::Disarm(Timer::Suspicion(0))]);
    assert_eq!(machine.handle(Event::Fired(Timer::Suspicion(0))), []);
    assert_eq!(machine.ends(), None);
}

#[test]
fn a_lost_entry_ends_and_the_wait_goes_on() {
    let mut machine = machine(2);
    let lost = End::Lost { told_to_stop: false };
    assert_eq!(records(&mut machine, seen(0, Observation::Lost)), [Record::Ended(0, lost)]);
    assert_eq!(machine.ends(), None);
    let effects = acts(&mut machine, seen(1, PASSED));
    assert_eq!(effects.last(), Some(&Directive::Prepare(Policy::Final)));
    assert_eq!(machine.ends().map(|ends| ends[0]), Some(lost));
    assert_eq!(run_to_result(&mut machine, Policy::Final).result(), JobResult::Failure);
}

#[test]
fn an_entry_lost_after_the_interrupt_is_aborted() {
    for vanished in [false, true] {
        let mut machine = ignoring(None);
        let _ = machine.handle(TERM);
        let _ = machine.handle(seen(0, if vanished { Observation::Vanished } else { Observation::Lost }));
        let _ = machine.handle(Event::Fired(Timer::Suspicion(0)));
        assert_eq!(machine.end(0), Some(End::Lost { told_to_stop: true }));
        assert_eq!(run_to_result(&mut machine, Policy::Final).result(), JobResult::Aborted);
    }
}

#[test]
fn an_interrupt_during_the_final_pass_changes_no_result() {
    let mut machine = machine(1);
    let report = Some(super::super::entries::ReportSummary { reason: Reason::Exited, outside: None });
    let _ = machine.handle(seen(0, Observation::Marker { code: 0, report }));
    assert_eq!(machine.handle(TERM), [Directive::Record(Record::InterruptLate(Signal::TERM))]);
    assert!(run_to_result(&mut machine, Policy::Final).passed);
}

#[test]
fn with_a_deadline_the_wait_has_its_share_and_then_best_effort_begins() {
    let mut machine = ignoring(Some(budget()));
    let budget = budget();
    assert_eq!(
        acts(&mut machine, TERM),
        [
            Directive::ArmEarliest(Timer::WaitShare, budget.wait_share),
            Directive::ArmEarliest(Timer::Cutoff, budget.cutoff),
            Directive::ArmEarliest(Timer::Deadline, budget.deadline),
        ]
    );
    let effects = acts(&mut machine, Event::Fired(Timer::WaitShare));
    assert_eq!(effects, [Directive::Prepare(Policy::BestEffort)]);
    run_to_result(&mut machine, Policy::BestEffort);
}

#[test]
fn the_waits_share_ends_with_the_wait() {
    let mut machine = ignoring(Some(budget()));
    let _ = machine.handle(TERM);
    assert!(acts(&mut machine, seen(0, PASSED)).contains(&Directive::Disarm(Timer::WaitShare)));
    assert_eq!(machine.handle(Event::Fired(Timer::WaitShare)), []);
}

fn interrupted_with_budget() -> Machine {
    let mut machine = begun(Config {
        entries: 1,
        ignore_interrupts: false,
        budget: Some(budget()),
        interim: None,
        native: false,
        start_timeout: None,
        page: false,
        checkpoints: false,
    });
    let _ = machine.handle(TERM);
    machine
}

#[test]
fn at_the_cutoff_the_bulk_is_cut_and_the_closing_objects_follow() {
    let mut machine = interrupted_with_budget();
    let _ = machine.handle(Event::Prepared(Policy::BestEffort));
    assert_eq!(acts(&mut machine, Event::Fired(Timer::Cutoff)), [Directive::CutUploads]);
    let effects = acts(&mut machine, Event::Sent(Policy::BestEffort, Part::Bulk));
    assert_eq!(effects, [Directive::Send(Policy::BestEffort, Part::OwnLog)]);
}

#[test]
fn a_cutoff_while_preparing_does_not_wait_for_the_list() {
    let mut machine = interrupted_with_budget();
    let effects = acts(&mut machine, Event::Fired(Timer::Cutoff));
    assert_eq!(effects, [Directive::Send(Policy::BestEffort, Part::Bulk), Directive::CutUploads]);
    assert_eq!(machine.handle(Event::Prepared(Policy::BestEffort)), []);
}

#[test]
fn a_pass_that_begins_after_the_cutoff_is_cut_at_once() {
    let mut machine = interrupted_with_budget();
    run_to_result(&mut machine, Policy::BestEffort);
    let _ = settle(&mut machine, Policy::BestEffort);
    assert_eq!(machine.handle(Event::Fired(Timer::Cutoff)), []);
    let _ = machine.handle(seen(0, PASSED));
    let effects = acts(&mut machine, Event::Prepared(Policy::Final));
    assert_eq!(effects, [Directive::Send(Policy::Final, Part::Bulk), Directive::CutUploads]);
}

#[test]
fn i7_the_deadline_ends_everything() {
    let mut machine = interrupted_with_budget();
    assert_eq!(acts(&mut machine, Event::Fired(Timer::Deadline)), [Directive::Finish]);
    assert!(machine.is_over());
    assert_eq!(machine.ends(), None);
    let mut machine = fencing();
    assert_eq!(acts(&mut machine, Event::Fired(Timer::Deadline)), [Directive::Finish]);
}

fn interim() -> Machine {
    let interim = Some(Duration::from_secs(16));
    begun(Config {
        entries: 1,
        ignore_interrupts: true,
        budget: None,
        interim,
        native: false,
        start_timeout: None,
        page: false,
        checkpoints: false,
    })
}

#[test]
fn without_a_deadline_an_interim_result_goes_out_and_the_pass_goes_on() {
    let mut machine = interim();
    assert_eq!(acts(&mut machine, TERM), [Directive::ArmEarliest(Timer::Interim, Duration::from_secs(16))]);
    let _ = machine.handle(seen(0, PASSED));
    let _ = machine.handle(Event::Prepared(Policy::Final));
    let passed = Verdict { passed: true, aborted: false, failures: 0 };
    let effects = acts(&mut machine, Event::Fired(Timer::Interim));
    assert_eq!(effects, [Directive::WriteResult(Policy::BestEffort, passed)]);
    assert_eq!(settle(&mut machine, Policy::BestEffort), []);
    let _ = machine.handle(Event::Sent(Policy::Final, Part::Bulk));
    let _ = machine.handle(Event::Sent(Policy::Final, Part::OwnLog));
    let effects = acts(&mut machine, Event::Sent(Policy::Final, Part::Manifest));
    assert_eq!(effects, [Directive::WriteResult(Policy::Final, passed)]);
}

#[test]
fn an_interim_result_is_aborted_while_an_entry_runs() {
    let mut machine = interim();
    let _ = machine.handle(TERM);
    let effects = acts(&mut machine, Event::Fired(Timer::Interim));
    assert_eq!(effects, [Directive::WriteResult(Policy::BestEffort, Verdict::PROVISIONAL)]);
}
