//! Pins: entrypoint/README.md, "Reports that survive a timeout".
//!
//! Real test runners under entrypoint, each directly and in a script, stopped by a
//! timeout and by a SIGTERM from outside: the state of the runner's own report is what
//! the table says.
//!
//! `POD_UTILS_RUNNERS_DIR` names the directory that `install.sh` filled; without it
//! nothing is run. `POD_UTILS_RUNNERS=full` runs all 33 runners (installed with `full`)
//! instead of those of every `.ci/run`, `POD_UTILS_RUNNERS=NAME,NAME` some.
//!
//! ```text
//! table ─▶ sample, copied ─▶ entrypoint ─▶ runner: second test begins ─▶ stop ─▶ state of the report
//! ```

#![expect(clippy::unwrap_used, reason = "in a test a panic with a place is the right answer")]

mod launchers;
mod report;
mod stop;
mod table;

use harness::{announce_skip, skip};
use report::State;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use table::{RUNNERS, Runner, WAYS};

/// Runs side by side: they wait most of the time.
const PARALLEL: usize = 6;

/// The timeout of a first run.
const FIRST_TIMEOUT: Duration = Duration::from_secs(6);

fn chosen() -> Vec<Runner> {
    let wanted = std::env::var("POD_UTILS_RUNNERS").unwrap_or_default();
    let is_chosen = |runner: &&Runner| match wanted.as_str() {
        "" => runner.quick,
        "full" => true,
        names => names.split(',').any(|name| name == runner.name),
    };
    RUNNERS.iter().filter(is_chosen).copied().collect()
}

/// Stops a runner in each way; the first, which has no timeout, tells how long it takes to begin.
fn measured(dir: &Path, runner: Runner) -> Vec<char> {
    let mut timeout = FIRST_TIMEOUT;
    let mut seen = ['?'; WAYS.len()];
    let mut order = (0..WAYS.len()).collect::<Vec<_>>();
    order.sort_by_key(|index| WAYS[*index].timeout);
    for index in order {
        let stopped = stop::stop(dir, runner, WAYS[index], timeout);
        timeout = timeout.max(stop::timeout_for(stopped.start));
        seen[index] = stopped.state.letter();
        println!("{} ({}): {stopped}", runner.name, WAYS[index].name);
    }
    seen.to_vec()
}

#[test]
fn reports_after_a_stop_are_as_the_table_says() {
    let Some(dir) = std::env::var_os("POD_UTILS_RUNNERS_DIR").map(PathBuf::from) else {
        skip!("POD_UTILS_RUNNERS_DIR names no directory of tests/campaign/runners/install.sh");
    };
    let dir = std::path::absolute(dir).unwrap();
    let (runners, next) = (chosen(), AtomicUsize::new(0));
    let all = Mutex::new(Vec::new());
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL {
            scope.spawn(|| {
                while let Some(runner) = runners.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
                    let program = runner.command.split(' ').next().unwrap();
                    if !program.starts_with('.') && !stop::Bench::has(&dir, program) {
                        announce_skip(&format!("{}: there is no {program}", runner.name));
                        continue;
                    }
                    let seen = measured(&dir, runner);
                    all.lock().unwrap().push((runner, seen));
                }
            });
        }
    });
    let all = all.into_inner().unwrap();
    println!("{} runners in {:?}", all.len(), started.elapsed());
    let differs = |runner: &Runner, seen: &[char]| {
        seen.iter().zip(runner.expected).any(|(letter, expected)| !expected.contains(*letter))
    };
    let different = all.iter().filter(|(runner, seen)| differs(runner, seen));
    let lines =
        different.map(|(runner, seen)| format!("{}: {seen:?}, not {:?}", runner.name, runner.expected));
    let lines = lines.collect::<Vec<_>>();
    assert!(lines.is_empty(), "{:?} differ:\n{}", WAYS.map(|way| way.name), lines.join("\n"));
}

/// The goal of the defaults: how many of the runners leave a usable report, in a script.
#[test]
fn usable_reports_of_the_table_reach_their_goals() {
    let usable = |way: usize| {
        RUNNERS.iter().filter(|runner| runner.expected[way].chars().all(State::is_usable)).count()
    };
    let counts = [2, 3, 4].map(usable);
    println!("{:?}: {counts:?} of {}", [2, 3, 4].map(|way| WAYS[way].name), RUNNERS.len());
    for (count, goal) in counts.into_iter().zip([20, 18, 12]) {
        assert!(count >= goal, "{counts:?}");
    }
}
