//! Every order of events, with a store that may fail, and apply what was given
//! up late.

use super::super::entries::Observation;
use super::*;
use std::collections::{BTreeSet, HashSet, VecDeque};

/// The content of `finished.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Held {
    Nothing,
    Provisional,
    Final(Verdict),
}

/// The machine and everything around it that matters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    machine: Machine,
    running: [bool; 2],
    interrupts: u8,
    timers: BTreeSet<Timer>,
    preparing: Option<Policy>,
    sending: Option<(Policy, Part)>,
    writing: Option<(Policy, Verdict)>,
    abandoned: bool,
    /// A provisional write that was given up and may still be applied, on its
    /// condition that there is no result yet.
    late: bool,
    held: Held,
    manifest_settled: bool,
}

/// A possible next event.
#[derive(Clone, Copy, Debug)]
enum Step {
    See(usize, Observation),
    Interrupt,
    Fire(Timer),
    Prepared,
    Sent,
    Applied,
    Failed,
    AppliedLate,
}

const OBSERVATIONS: [Observation; 8] = [
    Observation::Marker { code: 0, report: None },
    Observation::Marker { code: 3, report: None },
    Observation::Marker {
        code: 130,
        report: Some(ReportSummary {
            reason: common::report::Reason::Aborted,
            outside: Some(Duration::from_secs(1)),
        }),
    },
    Observation::Absent,
    Observation::Unlocked,
    Observation::Lost,
    Observation::Unreadable,
    Observation::Waiting,
];

impl World {
    fn new(config: Config) -> Self {
        let mut machine = Machine::new(config);
        let effects = machine.start();
        let mut world = Self {
            timers: BTreeSet::new(),
            machine,
            running: [true; 2],
            interrupts: 0,
            preparing: None,
            sending: None,
            writing: None,
            abandoned: false,
            late: false,
            held: Held::Nothing,
            manifest_settled: false,
        };
        for effect in effects {
            world.carry_out(effect);
        }
        world
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<_> = self.timers.iter().map(|timer| Step::Fire(*timer)).collect();
        for entry in 0..self.machine.config.entries {
            if self.running[entry] && self.machine.end(entry).is_none() {
                steps.extend(OBSERVATIONS.map(|observation| Step::See(entry, observation)));
            }
        }
        if self.interrupts < 2 {
            steps.push(Step::Interrupt);
        }
        steps.extend(self.preparing.map(|_| Step::Prepared));
        steps.extend(self.sending.map(|_| Step::Sent));
        if self.writing.is_some() {
            steps.extend([Step::Applied, Step::Failed]);
        }
        if self.late {
            steps.push(Step::AppliedLate);
        }
        steps
    }

    fn take(&mut self, step: Step) {
        let event = match step {
            Step::See(entry, observation) => {
                self.running[entry] = matches!(
                    observation,
                    Observation::Unreadable
                        | Observation::Waiting
                        | Observation::Absent
                        | Observation::Unlocked
                );
                Event::Observed { entry, observation }
            }
            Step::Interrupt => {
                self.interrupts += 1;
                Event::Interrupt(Signal::TERM)
            }
            Step::Fire(timer) => {
                self.timers.remove(&timer);
                Event::Fired(timer)
            }
            Step::Prepared => Event::Prepared(self.preparing.take().expect("it is being prepared")),
            Step::Sent => {
                let (policy, part) = self.sending.take().expect("it is being sent");
                self.manifest_settled |= (policy, part) == (Policy::Final, Part::Manifest);
                Event::Sent(policy, part)
            }
            Step::Applied => {
                let (policy, verdict) = self.writing.take().expect("it is being written");
                self.apply(policy, verdict);
                Event::ResultSettled(policy, Completeness::Complete)
            }
            Step::Failed => {
                let (policy, _) = self.writing.take().expect("it is being written");
                self.late |= std::mem::take(&mut self.abandoned);
                Event::ResultSettled(policy, Completeness::Incomplete)
            }
            Step::AppliedLate => {
                self.late = false;
                self.apply(Policy::BestEffort, Verdict::PROVISIONAL);
                return;
            }
        };
        let over = self.machine.is_over();
        for effect in self.machine.handle(event) {
            assert!(!over, "{effect:?} after the end");
            self.carry_out(effect);
        }
    }

    fn apply(&mut self, policy: Policy, verdict: Verdict) {
        match (policy, self.held) {
            (Policy::Final, _) => self.held = Held::Final(verdict),
            (Policy::Checkpoint, _) => panic!("a checkpoint writes no result"),
            (Policy::BestEffort, Held::Nothing) => self.held = Held::Provisional,
            // The condition fails: what is there is not what was seen.
            (Policy::BestEffort, Held::Provisional | Held::Final(_)) => {}
        }
    }

    fn carry_out(&mut self, effect: Directive) {
        match effect {
            // The timer that is armed makes nothing but records.
            Directive::ArmUnseen(_)
            | Directive::Record(_)
            | Directive::LookAtEntries
            | Directive::Hurry
            | Directive::BeginPass(_)
            | Directive::EndCheckpoint => {}
            Directive::Arm(timer, _) | Directive::ArmEarliest(timer, _) => {
                self.timers.insert(timer);
            }
            Directive::ArmCheckpoint => {
                self.timers.insert(Timer::Checkpoint);
            }
            Directive::Disarm(timer) => {
                self.timers.remove(&timer);
            }
            Directive::Prepare(policy) => self.preparing = Some(policy),
            Directive::Send(policy, part) => self.sending = Some((policy, part)),
            Directive::CutUploads => {
                let sent = matches!(self.sending, Some((_, Part::Bulk | Part::Page)));
                assert!(sent, "only the bulk and the page are cut");
            }
            Directive::WriteResult(policy, verdict) => {
                assert_eq!(self.writing, None, "I5: two results in flight");
                if policy == Policy::Final {
                    assert!(self.manifest_settled, "I4: the manifest comes before the result");
                    assert_eq!(self.sending, None, "I4: something is still being sent");
                }
                self.writing = Some((policy, verdict));
            }
            Directive::AbandonResult => {
                assert!(matches!(self.writing, Some((Policy::BestEffort, _))), "there is nothing to give up");
                self.abandoned = true;
            }
            Directive::Finish => {
                // The process ends: what is in flight may still be applied, on
                // its condition.
                self.late |= matches!(self.writing.take(), Some((Policy::BestEffort, _)));
                (self.preparing, self.sending) = (None, None);
                self.timers.clear();
            }
        }
    }

    fn check(&self, before: Held) {
        if let Held::Final(verdict) = before {
            assert_eq!(self.held, Held::Final(verdict), "I5: a result was taken back");
        }
        if let Held::Final(verdict) = self.held {
            let ends = self.machine.ends().expect("a final result knows every end");
            assert_eq!(verdict, Verdict::of(ends), "the result is the truth");
        }
        let waits = self.machine.ends().is_none();
        let answers = self.preparing.is_some() || self.sending.is_some() || self.writing.is_some();
        let stays = self.machine.pass == Pass::AwaitingTerm && !self.machine.all_gone;
        assert!(self.machine.is_over() || waits || stays || answers, "I7: nobody will wake the machine up");
    }
}

fn explore(config: Config) -> usize {
    let first = World::new(config);
    let mut seen = HashSet::from([first.clone()]);
    let mut open = VecDeque::from([first]);
    while let Some(world) = open.pop_front() {
        for step in world.steps() {
            let mut next = world.clone();
            next.take(step);
            next.check(world.held);
            if seen.insert(next.clone()) {
                open.push_back(next);
            }
        }
    }
    seen.len()
}

#[test]
fn i4_i5_i7_hold_in_every_order_of_events() {
    for ignore_interrupts in [false, true] {
        for budget in [None, Some(Budget::of(Duration::from_secs(30)))] {
            for entries in [1, 2] {
                for (native, checkpoints) in [(false, false), (true, false), (false, true), (true, true)] {
                    let interim = budget.is_none().then_some(Duration::from_secs(16));
                    let start_timeout = checkpoints.then_some(Duration::from_mins(10));
                    // Once in each mode of the pass is enough.
                    let page = !ignore_interrupts;
                    let config = Config {
                        entries,
                        ignore_interrupts,
                        budget,
                        page,
                        checkpoints,
                        interim,
                        start_timeout,
                        native,
                    };
                    let states = explore(config.clone());
                    println!("{config:?}: {states} states");
                    assert!(states > 20);
                }
            }
        }
    }
}
