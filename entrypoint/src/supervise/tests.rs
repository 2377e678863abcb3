//! One test for each rule; the interleavings are the explorer's.

use super::*;
use common::report::{ChildEnd, Origin, Reason};

fn policy() -> Policy {
    Policy {
        timeout: GoDuration::from_secs(7200),
        grace_period: GoDuration::from_secs(15),
        await_previous: false,
        escalation: Vec::new(),
        leftovers: Leftovers::End,
        signal_scope: SignalScope::Child,
        propagate_error_code: false,
        always_zero: false,
    }
}

/// A machine and everything it asked for since the last look.
struct Run {
    policy: Policy,
    state: State,
    effects: Vec<Effect>,
}

impl Run {
    fn prepared(policy: Policy) -> Self {
        let Step { state, .. } = begin();
        let mut run = Self { policy, state, effects: Vec::new() };
        run.on(Event::Setup(Setup::Prepared));
        run
    }

    fn running(policy: Policy) -> Self {
        let mut run = Self::prepared(policy);
        run.on(Event::Setup(Setup::Spawned));
        run.effects.clear();
        run
    }

    /// Lets something happen; answers what the machine asked for.
    fn on(&mut self, event: Event) -> Vec<Effect> {
        let state = std::mem::replace(&mut self.state, State::Done);
        let Step { state, effects } = step(&self.policy, state, event);
        self.state = state;
        self.effects.extend(effects.iter().cloned());
        effects
    }

    fn all(&mut self, events: &[Event]) {
        for event in events {
            self.on(event.clone());
        }
    }

    /// The signals sent since the last look, with their targets.
    fn sent(&mut self) -> Vec<(Signal, Target)> {
        let effects = std::mem::take(&mut self.effects);
        let mut sent = Vec::new();
        for effect in effects {
            if let Effect::Signal { signal, to, .. } = effect {
                sent.push((signal, to));
            }
        }
        sent
    }

    fn marked(&self) -> (Verdict, Tally) {
        for effect in self.effects.iter().rev() {
            if let Effect::Mark(verdict, tally) = effect {
                return (verdict.clone(), *tally);
            }
        }
        panic!("the marker was not asked for: {:?}", self.effects);
    }

    fn verdict(&self) -> Verdict {
        self.marked().0
    }

    fn tally(&self) -> Tally {
        self.marked().1
    }

    fn recorded(&self, record: &Record) -> bool {
        self.effects.iter().any(|effect| matches!(effect, Effect::Record(other) if other == record))
    }
}

fn exited(code: i32) -> Event {
    Event::Tree(Tree::ChildEnded(ChildEnd::ExitCode(code)))
}

fn died(signal: Signal) -> Event {
    Event::Tree(Tree::ChildEnded(ChildEnd::Signal(signal)))
}

fn children(processes: &[(i32, bool)]) -> Event {
    let process = |(pid, filter): &(i32, bool)| Process { pid: Pid(*pid), filter: *filter, in_group: true };
    Event::Tree(Tree::Children(processes.iter().map(process).collect()))
}

const GONE: Event = Event::Tree(Tree::Gone);
const CLOSED: Event = Event::Output(Output::Closed);
const GRACE: GoDuration = GoDuration::from_secs(15);

const fn fired(timer: Timer) -> Event {
    Event::Fired(timer)
}

fn to(pid: i32) -> Target {
    Target::Process(Pid(pid))
}

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
fn those_adopted_earlier_are_told_when_the_child_has_ended() {
    let mut run = Run::running(policy());
    run.all(&[Event::Signal(Signal::INT), children(&[(5, false)])]);
    assert_eq!(run.sent(), [(Signal::INT, Target::Child)]);
    run.on(exited(0));
    assert_eq!(run.sent(), [(Signal::INT, to(5))]);
}

#[test]
fn the_ladder_climbs_inside_the_grace_period() {
    let rung = |signal, secs| Rung { signal, after: GoDuration::from_secs(secs) };
    let ladder = vec![rung(Signal::TERM, 5), rung(Signal::QUIT, 7)];
    let mut run = Run::running(Policy { escalation: ladder, ..policy() });
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
fn leftovers_are_named_told_and_killed() {
    let mut run = Run::running(policy());
    run.all(&[exited(0), fired(Timer::Quiet)]);
    let effects = run.on(children(&[(8, false), (9, true)]));
    assert_eq!(effects.first(), Some(&Effect::Name(vec![Pid(8), Pid(9)])));
    assert_eq!(run.sent(), [(Signal::TERM, to(8))]);
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
fn v_ep_7_a_failed_predecessor_is_1130() {
    let mut run = Run::prepared(Policy { await_previous: true, ..policy() });
    run.on(Event::Setup(Setup::Previous(Predecessor::Code(9))));
    assert!(run.recorded(&Record::PreviousFailed(9)));
    assert_eq!((run.verdict().reason, run.verdict().code), (Reason::PreviousFailed, 1130));
    assert_eq!(run.on(Event::Marker(Marker::Visible)), [Effect::Exit(106)]);
}

#[test]
fn v_ep_8_a_successful_predecessor_lets_the_child_start() {
    let mut run = Run::prepared(Policy { await_previous: true, ..policy() });
    run.on(Event::Setup(Setup::Previous(Predecessor::Waiting)));
    let effects = run.on(Event::Setup(Setup::Previous(Predecessor::Code(0))));
    assert_eq!(effects, [Effect::UnwatchPrevious, Effect::Spawn]);
}

#[test]
fn a_lost_predecessor_is_1130_and_an_unreadable_one_127() {
    let look = |look| Event::Setup(Setup::Previous(look));
    let waiting = Policy { await_previous: true, ..policy() };
    let mut run = Run::prepared(waiting.clone());
    run.on(look(Predecessor::Lost));
    assert!(run.recorded(&Record::PreviousLost));
    assert_eq!((run.verdict().reason, run.verdict().code), (Reason::PreviousFailed, 1130));
    for (odd, reason) in [
        (Predecessor::Unreadable("it is empty".to_owned()), Reason::InternalError),
        (Predecessor::Vanished, Reason::PreviousFailed),
    ] {
        let mut run = Run::prepared(waiting.clone());
        run.on(look(odd.clone()));
        assert!(matches!(run.state, State::AwaitingPrevious { .. }), "one odd look is not enough");
        for _ in 0..5 {
            run.on(look(odd.clone()));
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
    assert!(matches!(run.on(fired(Timer::MarkRetry)).as_slice(), [Effect::Mark(..)]));
    assert_eq!(run.on(fired(Timer::MarkLimit)), [Effect::Exit(127)]);
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

#[test]
fn the_killed_are_signalled_because_of_what_began_it() {
    let mut run = Run::running(policy());
    run.on(Event::Signal(Signal::INT));
    let effects = run.on(fired(Timer::Grace));
    let kill = Effect::Signal { signal: Signal::KILL, to: Target::Child, from: Origin::Outside };
    assert!(effects.contains(&kill));
}
