//! The exhaustive joint model: entrypoint's core and sidecar's core, as they are
//! shipped, together in a small pod with a kubelet and a store, in every order
//! of events, breadth first.
//!
//! ```text
//!  kubelet ── TERM, KILL, restart ──▶ test container ── log, lock, report, marker ──▶ sidecar ──▶ store
//!                                     entrypoint's core                            Coordinator     served, refused,
//!                                     child, its child                                             answer lost, late
//! ```
//!
//! The model holds everything around the cores: processes and signals,
//! the files of the log volume, the way a driver carries effects out, the
//! bucket. Time is only the order of events: a timer that is armed may fire at
//! any moment. [`search`] visits every state, checks the invariants in each, and
//! follows a fair run from each to its end: once the store works and nobody is
//! killed any more, the bucket has to hold everything.

mod bucket;
mod config;
mod delivery;
mod fair;
mod processes;
mod search;
mod supervision;
mod test_container;
mod world;

use config::{Config, Mutation};
use search::{Stats, explore};

/// A pod with everything off.
const PLAIN: Config = Config {
    ignore_interrupts: false,
    native: false,
    deadline: false,
    interim: false,
    checkpoints: false,
    page: false,
    slow_result: false,
    readable: true,
    faults: 1,
    crashes: 1,
    mutation: None,
};

/// Every mode of sidecar. Deadlines and checkpoints bring timers with them, each
/// of which may fire at any time; with faults beside them they take minutes:
/// `POD_UTILS_MODEL_FAULTS=1` asks for them.
const MODES: &[(&str, Config)] = &[
    ("plain", PLAIN),
    ("interim result", Config { ignore_interrupts: true, interim: true, ..PLAIN }),
    ("deadline", Config { deadline: true, page: true, faults: 0, crashes: 0, ..PLAIN }),
    ("wait and deadline", Config { ignore_interrupts: true, deadline: true, faults: 0, crashes: 0, ..PLAIN }),
    ("checkpoints", Config { checkpoints: true, faults: 0, crashes: 0, ..PLAIN }),
    ("native", Config { native: true, ..PLAIN }),
    ("page", Config { page: true, faults: 0, ..PLAIN }),
    ("slow result", Config { slow_result: true, faults: 0, ..PLAIN }),
    ("write-only credentials", Config { readable: false, crashes: 0, ..PLAIN }),
];

/// Bounds on adversity: faults of the store, and deaths by SIGKILL
/// and out of memory.
fn bound(config: Config) -> Config {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    Config {
        faults: number("POD_UTILS_MODEL_FAULTS").unwrap_or(config.faults),
        crashes: number("POD_UTILS_MODEL_CRASHES").unwrap_or(config.crashes),
        ..config
    }
}

#[test]
fn i1_i3_i4_i5_i7_hold_in_every_order_of_events_and_everything_arrives() {
    let mut all = Stats::default();
    std::thread::scope(|scope| {
        let run = |(name, config): &'static (&str, Config)| {
            let stats = explore(bound(*config)).unwrap_or_else(|broken| panic!("{name}: {broken}"));
            println!("{name}: {stats}");
            stats
        };
        let only = std::env::var("POD_UTILS_MODEL_MODE").ok();
        let wanted = |mode: &&(&str, Config)| only.as_deref().is_none_or(|only| mode.0 == only);
        let runs: Vec<_> = MODES.iter().filter(wanted).map(|mode| scope.spawn(move || run(mode))).collect();
        for run in runs {
            all += run.join().expect("it holds");
        }
    });
    println!("all together: {all}");
    assert!(all.states > 100_000, "{all} is no exploration");
}

/// A core that is broken on purpose must be caught, and by the right invariant.
#[test]
fn a_broken_core_is_caught() {
    for (mutation, config, by) in [
        (Mutation::NoLastLook, PLAIN, "I2"),
        (Mutation::MarkerBeforeKill, PLAIN, "I3"),
        (Mutation::ExitWithoutMarker, PLAIN, "I1"),
        (Mutation::ResultBeforeManifest, PLAIN, "I4"),
        (Mutation::ProvisionalNotFenced, PLAIN, "I5"),
        (Mutation::ProvisionalUnconditional, PLAIN, "I5"),
        (Mutation::ResultUnconditional, PLAIN, "I5"),
        (Mutation::FenceNotAwaited, Config { readable: false, ..PLAIN }, "I5"),
        (Mutation::AbsenceNotRequired, PLAIN, "I5"),
        (Mutation::FinalPassDoesNotLook, PLAIN, "liveness"),
        (Mutation::DeafToMarkers, PLAIN, "liveness"),
        (Mutation::OutagesAreFinal, PLAIN, "liveness"),
        (Mutation::DeadlineIgnored, Config { deadline: true, ..PLAIN }, "I7"),
        (Mutation::NoResultWithoutMetadata, Config { slow_result: true, ..PLAIN }, "I7"),
        (Mutation::PiecesUncounted, PLAIN, "I4"),
        (Mutation::PanicNotTold, PLAIN, "I7"),
    ] {
        let broken = explore(Config { mutation: Some(mutation), ..config });
        let broken = broken.err().unwrap_or_else(|| panic!("{mutation:?} was not noticed"));
        assert!(broken.starts_with(by), "{mutation:?}: {broken}");
    }
}
