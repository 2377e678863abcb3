//! Recipients of signals.

use super::*;

#[test]
fn term_is_sigint_and_then_term() {
    let mut run = Run::running(policy());
    run.on(Event::Signal(Signal::TERM));
    assert!(run.recorded(&Record::Interrupted(Signal::TERM)));
    assert_eq!(run.sent(), [(Signal::INT, Target::Child), (Signal::TERM, Target::Child)]);
    run.all(&[exited(3), GONE, CLOSED]);
    assert!(run.recorded(&Record::Graceful(GRACE)));
    assert_eq!((run.verdict().reason, run.verdict().code), (Reason::Aborted, 130));
}

#[test]
fn the_same_signal_is_never_sent_twice_in_a_row() {
    let mut run = Run::running(policy());
    run.on(Event::Signal(Signal::INT));
    run.on(Event::Signal(Signal::INT));
    assert_eq!(run.sent(), [(Signal::INT, Target::Child)]);
    for signal in [Signal::TERM, Signal::TERM, Signal::HUP, Signal::TERM] {
        run.on(Event::Signal(signal));
    }
    let child = Target::Child;
    assert_eq!(run.sent(), [(Signal::TERM, child), (Signal::HUP, child), (Signal::TERM, child)]);
}

#[test]
fn other_signals_are_passed_on_without_effect() {
    for signal in [Signal::USR1, Signal::USR2, Signal::WINCH, Signal::CONT] {
        let mut run = Run::running(policy());
        let before = run.state.clone();
        run.on(Event::Signal(signal));
        assert_eq!(run.sent(), [(signal, Target::Child)]);
        assert_eq!(run.state, before);
    }
    let mut run = Run::running(policy());
    run.on(Event::Signal(Signal::PIPE));
    assert_eq!(run.sent(), []);
}

#[test]
fn orphans_get_the_signals_once_and_keep_the_grace_period() {
    let mut run = Run::running(policy());
    run.all(&[Event::Signal(Signal::TERM), children(&[])]);
    run.sent();
    run.all(&[died(Signal::TERM), children(&[(9, false)]), children(&[(9, false)])]);
    assert_eq!(run.sent(), [(Signal::INT, to(9)), (Signal::TERM, to(9))]);
    assert!(matches!(run.state, State::Terminating(_)));
    run.on(Event::Signal(Signal::QUIT));
    assert_eq!(run.sent(), [(Signal::QUIT, to(9))]);
    run.all(&[Event::Tree(Tree::Reaped(Pid(9))), GONE, CLOSED]);
    assert!(run.recorded(&Record::Graceful(GRACE)));
    assert_eq!(run.tally().ended, 1);
}

#[test]
fn filters_are_spared_until_end_of_file_had_its_chance() {
    let mut run = Run::running(policy());
    run.all(&[Event::Signal(Signal::TERM), children(&[]), died(Signal::TERM)]);
    run.sent();
    run.on(children(&[(8, false), (9, true)]));
    assert_eq!(run.sent(), [(Signal::INT, to(8)), (Signal::TERM, to(8))]);
    run.on(Event::Tree(Tree::Reaped(Pid(8))));
    let effects = run.on(children(&[(9, true)]));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Arm(Timer::FilterPause, _))));
    assert_eq!(run.sent(), []);
    run.on(fired(Timer::FilterPause));
    assert_eq!(run.sent(), [(Signal::INT, to(9)), (Signal::TERM, to(9))]);
}

#[test]
fn processes_adopted_earlier_are_signalled_when_the_child_has_ended() {
    let mut run = Run::running(policy());
    run.all(&[Event::Signal(Signal::INT), children(&[(5, false)])]);
    assert_eq!(run.sent(), [(Signal::INT, Target::Child)]);
    run.on(exited(0));
    assert_eq!(run.sent(), [(Signal::INT, to(5))]);
}

#[test]
fn escalation_steps_follow_inside_the_grace_period() {
    let after = |signal, secs| EscalationStep { signal, after: GoDuration::from_secs(secs) };
    let escalation = vec![after(Signal::TERM, 5), after(Signal::QUIT, 7)];
    let mut run = Run::running(Policy { escalation, ..policy() });
    let effects = run.on(fired(Timer::Timeout));
    for index in [0, 1] {
        let armed = |effect: &Effect| matches!(effect, Effect::Arm(Timer::Escalation(i), _) if *i == index);
        assert!(effects.iter().any(armed));
    }
    run.all(&[fired(Timer::Escalation(0)), Event::Signal(Signal::QUIT), fired(Timer::Escalation(1))]);
    let child = Target::Child;
    assert_eq!(run.sent(), [(Signal::INT, child), (Signal::TERM, child), (Signal::QUIT, child)]);
}

#[test]
fn the_whole_group_is_signalled_where_that_is_asked_for() {
    let mut run = Run::running(Policy { signal_scope: SignalScope::Group, ..policy() });
    run.all(&[Event::Signal(Signal::INT), children(&[]), exited(0), children(&[(9, false)])]);
    assert_eq!(run.sent(), [(Signal::INT, Target::ChildGroup)]);
    run.on(Event::Signal(Signal::TERM));
    assert_eq!(run.sent(), [(Signal::TERM, Target::ChildGroup)]);
}

#[test]
fn leftovers_are_named_signalled_and_killed() {
    let mut run = Run::running(policy());
    run.all(&[exited(0), fired(Timer::Quiet)]);
    let effects = run.on(children(&[(8, false), (9, true)]));
    assert_eq!(effects.first(), Some(&Effect::ReportLeftovers(vec![Pid(8), Pid(9)])));
    assert_eq!(run.sent(), [(Signal::TERM, to(8))]);
    run.on(fired(Timer::FilterPause));
    assert_eq!(run.sent(), [(Signal::TERM, to(9))], "end of file did not end the filter");
    run.on(fired(Timer::LeftoversEnd));
    let group = |pid| Target::GroupOf(Pid(pid));
    assert_eq!(run.sent(), [(Signal::KILL, group(8)), (Signal::KILL, group(9))]);
    run.all(&[Event::Tree(Tree::Reaped(Pid(8))), fired(Timer::KillLimit)]);
    assert_eq!(run.tally(), Tally { killed: 1, unkillable: 1, ..Tally::default() });
    assert_eq!(run.verdict().code, 0);
}

#[test]
fn leftovers_are_kept_where_that_is_asked_for() {
    let keep = Policy { leftovers: Leftovers::Keep, ..policy() };
    let mut run = Run::running(keep.clone());
    run.all(&[exited(0), fired(Timer::Quiet)]);
    assert_eq!(run.verdict().code, 0);
    assert_eq!(run.sent(), []);
    // A daemon adopted before an abort outlives it.
    let mut run = Run::running(keep);
    run.all(&[Event::Signal(Signal::INT), children(&[(5, false)]), exited(0), children(&[(5, false)])]);
    run.on(fired(Timer::Quiet));
    assert_eq!(run.verdict().reason, Reason::Aborted);
    assert_eq!(run.sent(), [(Signal::INT, Target::Child)]);
}

#[test]
fn without_proc_the_group_is_ended_and_nobody_is_counted() {
    let mut run = Run::running(policy());
    run.all(&[exited(0), fired(Timer::Quiet), Event::Tree(Tree::Unknown), Event::Tree(Tree::Unknown)]);
    assert_eq!(run.sent(), [(Signal::TERM, Target::ChildGroup)]);
    run.on(fired(Timer::LeftoversEnd));
    assert_eq!(run.sent(), [(Signal::KILL, Target::ChildGroup)]);
    run.on(GONE);
    assert!(run.tally().unknown);
}

#[test]
fn the_killed_are_signalled_because_of_what_began_it() {
    let mut run = Run::running(policy());
    run.on(Event::Signal(Signal::INT));
    let effects = run.on(fired(Timer::Grace));
    let kill = Effect::Signal { signal: Signal::KILL, to: Target::Child, from: Origin::Outside };
    assert!(effects.contains(&kill));
}
