use super::super::entries::Observation;
use super::super::verdict::JobResult;
use super::start_tests::begun;
use super::tests::{PASSED, TERM, acts, budget, run_to_result, seen, settle};
use super::*;
use common::report::Reason;

fn native(budget: Option<Budget>) -> Machine {
    begun(Config {
        entries: 1,
        ignore_interrupts: false,
        budget,
        interim: None,
        native: true,
        start_timeout: None,
        page: false,
        checkpoints: false,
    })
}

#[test]
fn a_native_sidecar_takes_term_as_the_end_of_the_others_only() {
    let mut machine = native(None);
    assert_eq!(acts(&mut machine, TERM), [Directive::LookAtEntries]);
    assert!(!machine.is_interrupted());
    // A held lock: somebody is alive after all.
    assert_eq!(acts(&mut machine, seen(0, Observation::Waiting)), []);
    let effects = acts(&mut machine, seen(0, Observation::Absent));
    assert_eq!(effects.last(), Some(&Directive::Prepare(Policy::Final)));
    assert_eq!(run_to_result(&mut machine, Policy::Final).result(), JobResult::Failure);
    assert_eq!(settle(&mut machine, Policy::Final), [Directive::Finish]);
}

#[test]
fn a_native_sidecar_stays_until_it_is_told_to_end() {
    let mut machine = native(Some(budget()));
    let _ = machine.handle(seen(0, PASSED));
    assert!(run_to_result(&mut machine, Policy::Final).passed);
    assert_eq!(settle(&mut machine, Policy::Final), []);
    assert!(!machine.is_over());
    assert_eq!(acts(&mut machine, TERM), [Directive::Finish]);
}

#[test]
fn a_native_sidecars_time_runs_from_the_earliest_outside_signal_in_a_report() {
    let mut machine = native(Some(budget()));
    let report = Some(ReportSummary { reason: Reason::Aborted, outside: Some(Duration::from_secs(10)) });
    let effects = acts(&mut machine, seen(0, Observation::Marker { code: 130, report }));
    let deadline = budget().deadline.saturating_sub(Duration::from_secs(10));
    assert!(effects.contains(&Directive::ArmEarliest(Timer::Deadline, deadline)), "{effects:?}");
    let effects = acts(&mut machine, TERM);
    assert!(effects.contains(&Directive::ArmEarliest(Timer::Deadline, budget().deadline)), "{effects:?}");
    assert_eq!(run_to_result(&mut machine, Policy::Final).result(), JobResult::Aborted);
}
