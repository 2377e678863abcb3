//! A fair run: from here on nothing goes wrong any more. Whatever the state, it
//! has to come to an end at which the bucket holds everything.

use crate::bucket::{Content, Key};
use crate::processes::Life;
use crate::search::{Digests, digest};
use crate::test_container::Lock;
use crate::world::{Act, Sidecar, Step, World};
use common::report::ChildEnd;
use common::signal::Signal;
use entrypoint::supervise::{Event, Marker, Output, Setup, State, Timer};
use sidecar::deliver::{Observation, Timer as SidecarTimer};
use std::borrow::Cow;

/// Follows the fair run from a state, whose hash is given, to its end, and judges
/// that; says whether the state is an end itself. What is known to end well is
/// not followed again.
pub(crate) fn ends_well(world: &World, number: u128, known: &mut Digests) -> Result<bool, String> {
    let mut chain = Vec::new();
    let (mut here, mut number) = (Cow::Borrowed(world), number);
    while known.insert(number) {
        chain.push(number);
        let step = next(&here);
        let mut following = here.clone().into_owned();
        if let Some(step) = &step {
            following.take(step)?;
        }
        let after = digest(&following);
        if after == number {
            judge(&here).map_err(|broken| format!("liveness: {broken}: {here:#?}"))?;
            return Ok(chain.len() == 1);
        }
        if chain.contains(&after) {
            return Err(format!("liveness: it goes in a circle: {here:#?}"));
        }
        (here, number) = (Cow::Owned(following), after);
    }
    Ok(false)
}

/// Returns the next step of a fair world.
fn next(world: &World) -> Option<Step> {
    if world.killed {
        return None;
    }
    of_the_test(world).or_else(|| of_sidecar(world))
}

fn of_the_test(world: &World) -> Option<Step> {
    let test = &world.test;
    let core = test.core.as_ref()?;
    if world.test_to_hear {
        return Some(Step::TestHears);
    }
    match core {
        State::Preparing(_) => return Some(Step::Entry(Event::Setup(Setup::Prepared))),
        State::Spawning(_) => return Some(Step::Entry(Event::Setup(Setup::Spawned))),
        State::Marking(_) if test.marking.is_some() => return Some(Step::Marked(Marker::Visible)),
        State::Marking(_) => return Some(Step::Entry(Event::Fired(Timer::MarkRetry))),
        State::AwaitingPrevious { .. }
        | State::Running(_)
        | State::Terminating(_)
        | State::Killing(_)
        | State::Draining(_)
        | State::Leftovers(_)
        | State::Done => {}
    }
    if test.in_pipe {
        return Some(Step::Entry(Event::Output(Output::Bytes)));
    }
    match test.tree.child {
        Life::Ours => return Some(Step::ChildEnds(ChildEnd::ExitCode(0))),
        Life::Doomed => return Some(Step::ChildEnds(ChildEnd::Signal(Signal::KILL))),
        Life::Future | Life::Hidden | Life::Gone => {}
    }
    if test.tree.others[0].is_alive() {
        return Some(Step::OtherEnds);
    }
    if test.pipe_open {
        return Some(Step::Entry(Event::Output(Output::Closed)));
    }
    let waits = [Timer::Quiet, Timer::LeftoversEnd, Timer::KillLimit, Timer::Rescan];
    waits
        .into_iter()
        .find(|timer| test.tree.timers.contains(timer))
        .map(|timer| Step::Entry(Event::Fired(timer)))
}

fn of_sidecar(world: &World) -> Option<Step> {
    let delivery = match &world.sidecar {
        Sidecar::Alive(delivery) => delivery,
        Sidecar::Dead if world.config.native => return Some(Step::SidecarRestarts),
        Sidecar::Dead | Sidecar::Done { .. } => return None,
    };
    if world.sidecar_to_hear {
        return Some(Step::Sidecar(Act::HearTerm));
    }
    if delivery.core.machine().end(0).is_none()
        && !matches!(world.test.look(), Observation::Waiting | Observation::Absent)
    {
        return Some(Step::Sidecar(Act::See));
    }
    if let Some((number, request)) = delivery.requests.iter().next() {
        return Some(if request.aborted {
            Step::Sidecar(Act::Abort(*number))
        } else {
            Step::Sidecar(Act::Serve(*number))
        });
    }
    if delivery.listing.is_some() {
        return Some(Step::Sidecar(Act::List));
    }
    if delivery.composing.is_some() {
        return Some(Step::Sidecar(Act::Compose(true)));
    }
    if let Some(pause) =
        delivery.timers.iter().find(|timer| matches!(timer, SidecarTimer::Pause(_) | SidecarTimer::Probe))
    {
        return Some(Step::Sidecar(Act::Fire(*pause)));
    }
    let start = delivery.timers.iter().find(|timer| matches!(timer, SidecarTimer::Start(_)));
    if let Some(start) = start.filter(|_| world.test.core.is_none()) {
        return Some(Step::Sidecar(Act::Fire(*start)));
    }
    // The kubelet tells a native sidecar when the others have ended.
    (world.config.native && world.test.core.is_none()).then_some(Step::Sidecar(Act::HearTerm))
}

/// Checks the end of a fair run.
fn judge(world: &World) -> Result<(), String> {
    // At a deadline the provisional result may be all there is.
    if world.killed {
        return Ok(());
    }
    let cut = match &world.sidecar {
        Sidecar::Done { cut } => *cut,
        // A sidecar that crashed is not restarted, except a native one.
        Sidecar::Dead => return Ok(()),
        // Before the pod is told to stop nobody can know that there will be no lock.
        Sidecar::Alive(_) if world.test.lock == Lock::None && !world.told => return Ok(()),
        Sidecar::Alive(_) => return Err("sidecar does not end".to_owned()),
    };
    let log = world.test.log;
    let held = |key| world.bucket.get(key);
    let gone = |key| world.given_up.contains(&key);
    if !cut && !gone(Key::Log) && held(Key::Log) != Some(Content::Log(log)) {
        return Err(format!("the log is not complete: {:?} of {log}", held(Key::Log)));
    }
    if !cut
        && !gone(Key::Log)
        && !gone(Key::Manifest)
        && held(Key::Manifest) != Some(Content::Manifest(Some(log)))
    {
        return Err(format!("the manifest is not true: {:?}", held(Key::Manifest)));
    }
    let missing = |key| held(key).is_none() && !gone(key);
    if missing(Key::Manifest) || missing(Key::OwnLog) {
        return Err("a closing object is missing".to_owned());
    }
    let truth = match world.test.look() {
        Observation::Marker { code, report } => {
            let aborted =
                report.is_some_and(|report| report.reason == common::report::Reason::Aborted) && code != 0;
            vec![(code == 0, aborted)]
        }
        // Whether it was lost before or after the pod was told to stop.
        Observation::Waiting
        | Observation::Absent
        | Observation::Unlocked
        | Observation::Vanished
        | Observation::Unreadable
        | Observation::Lost => {
            vec![(false, false), (false, true)]
        }
    };
    match held(Key::Result) {
        Some(Content::Result(Some(result))) if truth.contains(&result) => Ok(()),
        None | Some(Content::Result(None)) if gone(Key::Result) => Ok(()),
        other => Err(format!("the result is not true: {other:?}")),
    }
}
