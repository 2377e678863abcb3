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
    let alarm = Signal::from_raw(14).expect("SIGALRM");
    let real_time = Signal::from_raw(40).expect("SIGRTMIN+6");
    for signal in [Signal::USR1, Signal::USR2, Signal::WINCH, Signal::CONT, Signal::PIPE, alarm, real_time] {
        let mut run = Run::running(policy());
        let before = run.state.clone();
        run.on(Event::Signal(signal));
        assert_eq!(run.sent(), [(signal, Target::Child)]);
        assert_eq!(run.state, before);
    }
}

#[test]
fn stop_signals_end_the_job() {
    for signal in DEFAULT_STOP_SIGNALS {
        let mut run = Run::running(policy());
        run.on(Event::Signal(signal));
        assert!(run.recorded(&Record::Interrupted(signal)));
        assert!(matches!(run.state, State::Terminating(_)), "{signal}");
    }
    // httpd's image stops it with SIGWINCH.
    let stop_signals = StopSignals::new(&[Signal::WINCH]);
    for (signal, ends) in [(Signal::WINCH, true), (Signal::TERM, true), (Signal::HUP, false)] {
        let mut run = Run::running(Policy { stop_signals, ..policy() });
        run.on(Event::Signal(signal));
        assert_eq!(matches!(run.state, State::Terminating(_)), ends, "{signal}");
    }
}

#[test]
fn an_interrupt_may_be_the_received_signal_alone() {
    let received = Policy { interrupt: Interrupt::Received, ..policy() };
    let mut run = Run::running(received.clone());
    run.on(Event::Signal(Signal::TERM));
    assert_eq!(run.sent(), [(Signal::TERM, Target::Child)]);
    run.on(Event::Signal(Signal::INT));
    assert_eq!(run.sent(), [(Signal::INT, Target::Child)]);
    let mut run = Run::running(received);
    run.on(fired(Timer::Timeout));
    assert_eq!(run.sent(), [(Signal::INT, Target::Child)], "a timeout begins with SIGINT");
}

#[test]
fn an_escalated_signal_may_wait_for_its_time() {
    let escalation = vec![EscalationStep { signal: Signal::TERM, after: GoDuration::from_secs(10) }];
    let policy = Policy { interrupt: Interrupt::IntThenEscalation, escalation, ..policy() };
    let mut run = Run::running(policy);
    run.on(Event::Signal(Signal::TERM));
    assert!(run.recorded(&Record::Interrupted(Signal::TERM)));
    assert_eq!(run.sent(), [(Signal::INT, Target::Child)]);
    run.on(Event::Signal(Signal::TERM));
    assert_eq!(run.sent(), [], "it comes at its time only");
    run.on(Event::Signal(Signal::QUIT));
    run.on(fired(Timer::Escalation(0)));
    assert_eq!(run.sent(), [(Signal::QUIT, Target::Child), (Signal::TERM, Target::Child)]);
    run.all(&[died(Signal::TERM), GONE, CLOSED]);
    assert_eq!((run.verdict().reason, run.verdict().code), (Reason::Aborted, 130));
}

#[test]
fn orphans_get_one_signal_after_the_other_within_the_grace_period() {
    let mut run = Run::running(policy());
    run.all(&[Event::Signal(Signal::TERM), children(&[])]);
    run.sent();
    run.on(died(Signal::TERM));
    let effects = run.on(children(&[(9, false)]));
    assert!(effects.contains(&follow_up(9)), "half of what is left: {effects:?}");
    run.on(children(&[(9, false)]));
    assert_eq!(run.sent(), [(Signal::INT, to(9))]);
    assert!(matches!(run.state, State::Terminating(_)));
    run.on(Event::Signal(Signal::QUIT));
    assert_eq!(run.sent(), [], "SIGTERM comes first");
    run.on(fired(Timer::FollowUp(to(9))));
    assert_eq!(run.sent(), [(Signal::TERM, to(9))]);
    run.on(fired(Timer::FollowUp(to(9))));
    assert_eq!(run.sent(), [(Signal::QUIT, to(9))]);
    run.on(Event::Signal(Signal::HUP));
    assert_eq!(run.sent(), [(Signal::HUP, to(9))], "nothing else is due");
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
    assert_eq!(run.sent(), [(Signal::INT, to(8))]);
    run.on(Event::Tree(Tree::Reaped(Pid(8))));
    let effects = run.on(children(&[(9, true)]));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Arm(Timer::FilterPause, _))));
    assert_eq!(run.sent(), []);
    let effects = run.on(fired(Timer::FilterPause));
    assert_eq!(run.sent(), [(Signal::INT, to(9))]);
    assert!(effects.contains(&follow_up(9)));
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
    assert_eq!(effects[..2], [Effect::Snapshot, Effect::ReportLeftovers(vec![Pid(8), Pid(9)])]);
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

#[test]
fn descendants_that_wait_are_signalled_like_on_a_terminal() {
    let mut run = Run::running(policy());
    let effects = run.on(fired(Timer::Timeout));
    let at = |effect: &Effect| effects.iter().position(|other| other == effect);
    let interrupt = Effect::ArmWithinGrace(Timer::InterruptWaiting, Share::HALF);
    let terminate = Effect::ArmWithinGrace(Timer::TerminateWaiting, Share::FOUR_FIFTHS);
    let grace = at(&Effect::Arm(Timer::Grace, GRACE.as_std()));
    assert!(at(&interrupt) > grace && at(&terminate) > grace && grace.is_some());
    let int = Effect::Signal { signal: Signal::INT, to: Target::Child, from: Origin::Timeout };
    assert!(at(&Effect::ScanTree) < at(&int), "who is there is found out before the first signal");
    run.sent();
    run.all(&[children(&[]), descendants(&[(8, Top::Child, false), (9, Top::Child, true)])]);
    run.on(descendants(&[(8, Top::Child, false)]));
    assert_eq!(run.sent(), []);
    run.on(fired(Timer::InterruptWaiting));
    // 10 is a clean-up that was started later, 11 belongs to a daemon.
    run.on(descendants(&[
        (8, Top::Child, false),
        (9, Top::Child, true),
        (10, Top::Child, false),
        (11, Top::Adopted, false),
    ]));
    assert_eq!(run.sent(), [(Signal::INT, waiting(8))]);
    run.on(fired(Timer::TerminateWaiting));
    run.on(descendants(&[(8, Top::Child, false), (10, Top::Child, false)]));
    assert_eq!(run.sent(), [(Signal::TERM, waiting(8))]);
}

#[test]
fn children_of_daemons_do_not_count_as_waiting() {
    let mut run = Run::running(policy());
    run.all(&[Event::Signal(Signal::INT), children(&[(5, false)]), descendants(&[(6, Top::Adopted, false)])]);
    run.all(&[fired(Timer::InterruptWaiting), descendants(&[(6, Top::Adopted, false)])]);
    assert_eq!(run.sent(), [(Signal::INT, Target::Child)]);
}

#[test]
fn a_descendant_that_is_adopted_later_gets_nothing_twice() {
    let mut run = Run::running(policy());
    run.all(&[Event::Signal(Signal::TERM), children(&[]), descendants(&[(8, Top::Child, false)])]);
    run.all(&[fired(Timer::InterruptWaiting), descendants(&[(8, Top::Child, false)])]);
    run.sent();
    run.on(died(Signal::TERM));
    let effects = run.on(children(&[(8, false)]));
    assert_eq!(run.sent(), [], "it had SIGINT");
    assert!(effects.contains(&follow_up(8)));
    run.on(fired(Timer::FollowUp(to(8))));
    assert_eq!(run.sent(), [(Signal::TERM, to(8))]);
}

#[test]
fn a_group_is_not_signalled_again_because_it_waits() {
    let mut run = Run::running(Policy { signal_scope: SignalScope::Group, ..policy() });
    let effects = run.on(fired(Timer::Timeout));
    assert!(!effects.contains(&Effect::ScanTree));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::ArmWithinGrace(..))));
}

#[test]
fn a_hangup_after_an_interrupt_means_that_the_supervisor_is_gone() {
    let shorter = Effect::Shorten(Timer::Grace, std::time::Duration::from_secs(1));
    let mut run = Run::running(policy());
    run.all(&[Event::Signal(Signal::TERM), children(&[]), descendants(&[])]);
    let effects = run.on(Event::Signal(Signal::HUP));
    assert!(effects.contains(&shorter));
    assert!(effects.contains(&Effect::ArmWithinGrace(Timer::InterruptWaiting, Share::HALF)));
    // A terminal that closes sends one or two, and nothing else.
    for (first, is_init) in [(Signal::HUP, false), (Signal::TERM, true)] {
        let mut run = Run::running(Policy { is_init, ..policy() });
        run.all(&[Event::Signal(first), children(&[])]);
        assert!(!run.on(Event::Signal(Signal::HUP)).contains(&shorter), "{first}, {is_init}");
    }
    let mut run = Run::running(policy());
    run.all(&[fired(Timer::Timeout), children(&[])]);
    assert!(!run.on(Event::Signal(Signal::HUP)).contains(&shorter), "a timeout is no interrupt");
}

#[test]
fn without_proc_the_group_gets_one_signal_after_the_other() {
    let mut run = Run::running(policy());
    run.all(&[Event::Signal(Signal::TERM), Event::Tree(Tree::Unknown), exited(0)]);
    run.sent();
    run.on(Event::Tree(Tree::Unknown));
    assert_eq!(run.sent(), [(Signal::INT, Target::ChildGroup)]);
    run.on(fired(Timer::FollowUp(Target::ChildGroup)));
    assert_eq!(run.sent(), [(Signal::TERM, Target::ChildGroup)]);
}
