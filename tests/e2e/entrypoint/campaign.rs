//! Pins: I1, I2, I3.
//!
//! Random children, random signals at random times, the invariants every time: as
//! a plain process and as PID 1.
//!
//! The seed is printed; `POD_UTILS_CAMPAIGN_SEED` repeats a campaign,
//! `POD_UTILS_CAMPAIGN_RUNS` makes it longer or shorter.

use crate::entrypoint::process_tree::{Case, Place, namespaces};
use common::lock::{EntryMonitor, EntryStatus};
use common::marker::Content;
use common::signal::Signal;
use harness::process::{Exit, catches};
use harness::{skip, wait};
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const HOSTILE: &str = env!("CARGO_BIN_EXE_hostile");

/// Number of runs of a whole campaign.
const RUNS: u64 = 500;

/// Xorshift, so that a seed is a whole campaign.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[usize::try_from(self.below(values.len() as u64)).expect("an index")]
    }
}

/// Children: a shell command, and whether it prints ten clean-up lines after TERM.
const CHILDREN: &[(&str, bool)] = &[
    ("exit 0", false),
    ("exit 7", false),
    ("sleep 0.05", false),
    ("sleep 30", false),
    ("trap 'exit 0' TERM INT; sleep 30 & wait", false),
    ("trap '' TERM INT; sleep 0.3", false),
    ("$H ignore", false),
    ("$H deaf-to-int", false),
    ("$H flood 300000", false),
    ("$H flood 300000 & exit 0", false),
    ("$H die 11", false),
    ("$H die 9", false),
    ("$H orphans 5", false),
    ("$H holder 30", false),
    ("$H daemon 30", false),
    ("sleep 30 & sleep 30 & exit 3", false),
    ("sleep 30; true", false),
    ("(sleep 0.1; echo late) & exit 0", false),
    ("i=0; while [ $i -lt 30 ]; do (sleep 0.1 &) ; i=$((i+1)); done", false),
    ("exec > /dev/null 2>&1; sleep 0.2; exit 4", false),
    ("kill -STOP $$", false),
    ("$H cleanup 10 5 2>&1 | tee copy; true", true),
    ("$H cleanup 10 5; true", true),
    ("bash -c 'exec > >(cat); $H cleanup 10 5; true'", true),
];

/// One run. The invariants are checked by panicking.
fn run(seed: u64, place: Place) {
    let mut random = Random(seed);
    let (script, cleans_up) = random.one_of(CHILDREN);
    let script = script.replace("$H", HOSTILE);
    let grace = if cleans_up { "20s" } else { "400ms" };
    let options = json!({"artifact_dir": "", "timeout": "1500ms", "grace_period": grace});
    let mut case = Case::start(place, &["sh", "-c", &script], options);
    let mut watch = EntryMonitor::new(&case.entry.marker);
    if cleans_up {
        case.entry.until_log("ready");
    }
    let mut killed = false;
    for _ in 0..random.below(4) {
        let pause = Duration::from_millis(random.below(300));
        wait::within(pause, || case.running.has_ended().then_some(()));
        if case.running.has_ended() {
            break;
        }
        let signal = if cleans_up {
            Signal::TERM
        } else {
            random.one_of(&[Signal::TERM, Signal::TERM, Signal::INT, Signal::HUP, Signal::USR1, Signal::KILL])
        };
        // In the first moments signals are not blocked yet.
        if case.pid().is_some_and(|pid| catches(pid, Signal::TERM)) {
            killed |= case.try_signal(signal) && signal == Signal::KILL;
        }
    }
    if cleans_up && !case.running.has_ended() {
        case.try_signal(Signal::TERM);
    }
    let ended = case.running.wait();
    let (pod, entry) = (case.pod, case.entry);
    let what = format!("seed {seed}: {script:?}: {ended:#?}");
    match ended.exit {
        // What `unshare` says of a PID 1 that was killed differs from version to version.
        Exit::Code(_) | Exit::Signal(_) if killed && place == Place::Pid1 => {
            assert!(!matches!(watch.poll(), EntryStatus::Marker(Content::Unreadable(_))), "I1: {what}");
            assert_eq!(pod.tree().members(), [], "I3: {what}");
        }
        Exit::Code(code) => {
            let marker = entry.code().and_then(|code| code.parse::<i32>().ok());
            assert_eq!(marker, Some(code), "I1: {what}");
            assert_eq!(watch.poll(), EntryStatus::Marker(Content::Code(code)), "I1: {what}");
            let (report, log) = (entry.report(), std::fs::read(&entry.log).expect("a log"));
            assert_eq!(report["output"]["log_bytes"], log.len(), "I2: {what}");
            assert_eq!(report["output"]["dropped_bytes"], 0, "I2: {what}");
            assert_eq!(report["leftovers"]["unkillable"], 0, "I3: {what}");
            assert_eq!(pod.tree().members(), [], "I3: {what}");
        }
        Exit::Signal(Signal::KILL) if killed => {
            assert!(!matches!(watch.poll(), EntryStatus::Marker(Content::Unreadable(_))), "I1: {what}");
        }
        Exit::Signal(_) => panic!("{what}"),
    }
    if cleans_up {
        let lines = entry.log_lines();
        for line in 1..=10 {
            assert!(lines.contains(&format!("clean-up line {line}")), "line {line}: {what}");
        }
    }
}

#[test]
fn random_children_and_signals_keep_the_invariants() {
    campaign(Place::Plain);
}

#[test]
fn random_children_and_signals_keep_the_invariants_as_pid_1() {
    if !namespaces() {
        skip!("a pid namespace is not permitted here");
    }
    campaign(Place::Pid1);
}

fn campaign(place: Place) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs());
    let seed = number("POD_UTILS_CAMPAIGN_SEED").unwrap_or(clock);
    let runs = number("POD_UTILS_CAMPAIGN_RUNS").unwrap_or(RUNS);
    println!("campaign of {runs} runs with seed {seed}");
    let next = AtomicU64::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= runs {
                        return;
                    }
                    // Spread, so that neighbouring seeds differ in every bit.
                    run((seed + index).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, place);
                }
            });
        }
    });
    println!("{runs} runs in {:?}", started.elapsed());
}
