//! Pins: I1, I3, I4; tests/README.md, "The crash campaign".
//!
//! SIGKILL to sidecar and to entrypoint at any of their steps; then the restart
//! that Kubernetes would make. The bucket is judged after each.
//!
//! A step is a system call, before or after it: nothing that others could see
//! happens between two of them. The programs are the shipped ones, without points
//! of failure in them: a `killer` follows the victim with ptrace(2). Sidecar also
//! dies at each of its requests, before and after the store served it.
//!
//! Meanwhile the store has faults of its own, before and after the restart.
//!
//! The seed is printed; `POD_UTILS_CRASH_SEED` repeats a campaign,
//! `POD_UTILS_CRASH_RUNS` makes it longer (2,000 for a whole one). Half of the runs have a
//! fault of the store; `POD_UTILS_CRASH_FAULT` gives all of them the one with this name, or
//! with `each` makes as many runs with each.

use common::signal::Signal;
use harness::job::Job;
use harness::process::{self, Exit, Running};
use harness::s3::Fault;
use harness::wait;
use serde_json::{Value, json};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Number of runs in the ordinary test run.
const RUNS: u64 = 48;

/// Sidecar has at most about this many requests in a job with one artifact.
const REQUESTS: u64 = 14;

/// Entrypoint enters and leaves about this many system calls in a short job.
const ENTRYPOINT_STOPS: u64 = 360;

/// Sidecar with all its threads.
const SIDECAR_STOPS: u64 = 2_200;

/// Faults of the store, by their names.
const FAULTS: &[(&str, Fault)] = &[
    ("unavailable", Fault::Status(503)),
    ("busy", Fault::Busy(1)),
    ("timed-out", Fault::Refuse(400, "RequestTimeout")),
    ("slow", Fault::Slow(4_000)),
    ("corrupt", Fault::Corrupt),
    ("delayed", Fault::Delay(Duration::from_millis(200))),
    ("reset-in-body", Fault::ResetInBody),
    ("reset", Fault::Reset),
    ("lost-answer", Fault::LostAnswer),
    ("forbidden", FORBIDDEN),
    HANGING,
];

/// Refuses artifacts for good: any other object would be missed.
const FORBIDDEN: Fault = Fault::Refuse(403, "AccessDenied");

/// A request without an answer, which costs 15 s: only where it is asked for by its name.
const HANGING: (&str, Fault) = ("hanging", Fault::Hang);

/// Requests after which the store is well: four are struck, whose pauses end within a minute.
const STRUCK: u64 = 12;

/// A fault of the store, and which requests it strikes.
#[derive(Clone, Copy, Debug)]
struct StoreFault {
    fault: Fault,
    phase: u64,
}

impl StoreFault {
    /// Returns the fate of the request with this number: of each three the one at a random
    /// place is struck, but one alone has no answer.
    fn of(self, number: u64, key: &str) -> Fault {
        let strikes = if self.fault == Fault::Hang {
            number == self.phase % REQUESTS
        } else if self.fault == FORBIDDEN {
            key.contains("/artifacts/")
        } else {
            number < STRUCK && scattered(number / 3 + self.phase) % 3 == number % 3
        };
        if strikes { self.fault } else { Fault::None }
    }
}

/// Who dies.
#[derive(Clone, Copy, Debug)]
enum Victim {
    /// Sidecar, when this request arrives.
    Before(u64),
    /// Sidecar, when this request has been served.
    After(u64),
    /// Entrypoint, after so many milliseconds.
    Entrypoint(u64),
    /// Sidecar, at this stop of a system call.
    SidecarStep(u64),
    /// Entrypoint, at this stop of a system call.
    EntrypointStep(u64),
}

impl Victim {
    fn is_entrypoint(self) -> bool {
        matches!(self, Self::Entrypoint(_) | Self::EntrypointStep(_))
    }
}

#[derive(Clone, Copy, Debug)]
struct Case {
    victim: Victim,
    mode: &'static str,
    /// The child's script, and whether the pod is told to stop.
    script: &'static str,
    stopped: bool,
    store: StoreFault,
}

const SCRIPTS: &[(&str, bool)] = &[
    ("echo out; echo kept > $ARTIFACTS/kept.txt", false),
    ("echo out; echo kept > $ARTIFACTS/kept.txt; exit 3", false),
    ("echo out; echo kept > $ARTIFACTS/kept.txt; exec sleep 60", true),
    ("trap 'echo tail; exit 0' TERM; trap '' INT; echo out; while :; do sleep 0.01; done", true),
];

/// Scatters numbers that follow each other (the finalizer of splitmix64).
fn scattered(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (number ^ number >> 31) >> 16
}

impl Case {
    /// With a fault of the store's or, without one, with any, or none.
    fn of(mut number: u64, fault: Option<Fault>) -> Self {
        // Mixed, so that each fault meets each script, mode and victim.
        let mixed = scattered(number);
        let any = FAULTS[usize::try_from(mixed).unwrap_or(0) % (FAULTS.len() - 1)].1;
        let fault = fault.unwrap_or(if mixed & 0x8000 == 0 { Fault::None } else { any });
        let store = StoreFault { fault, phase: mixed >> 16 };
        let mut below = |limit: u64| {
            let value = number % limit;
            number /= limit;
            value
        };
        let (script, stopped) = SCRIPTS[usize::try_from(below(SCRIPTS.len() as u64)).expect("an index")];
        let mode = ["plain", "ignore_interrupts", "native"][usize::try_from(below(3)).expect("an index")];
        // Multiplied, so that neighbouring runs are far apart.
        let victim = match below(8) {
            0 => Victim::Before(below(REQUESTS)),
            1 => Victim::After(below(REQUESTS)),
            2 => Victim::Entrypoint(below(40)),
            3 | 4 => Victim::EntrypointStep(below(1 << 20) * 7_919 % ENTRYPOINT_STOPS),
            _ => Victim::SidecarStep(below(1 << 20) * 7_919 % SIDECAR_STOPS),
        };
        Self { victim, mode, script, stopped, store }
    }

    fn options(self) -> Value {
        match self.mode {
            "ignore_interrupts" => json!({"ignore_interrupts": true}),
            "native" => json!({"delivery": {"native_sidecar": true}}),
            _ => json!({}),
        }
    }
}

/// Kills the process whose id is there, at the request that was chosen; the others have the
/// fault of the store.
fn arm(job: &Job, Case { victim, store, .. }: Case, pid: &Arc<AtomicI32>) {
    let (count, pid) = (AtomicU64::new(0), Arc::clone(pid));
    job.s3.as_ref().expect("a bucket").script(move |request| {
        let this = count.fetch_add(1, Ordering::SeqCst);
        let (at, fault) = match victim {
            Victim::Before(at) => (at, Fault::Reset),
            Victim::After(at) => (at, Fault::LostAnswer),
            Victim::Entrypoint(_) | Victim::SidecarStep(_) | Victim::EntrypointStep(_) => {
                return store.of(this, &request.key);
            }
        };
        if this != at {
            return store.of(this, &request.key);
        }
        let pid = nix::unistd::Pid::from_raw(pid.load(Ordering::SeqCst));
        if pid.as_raw() > 0 {
            // It may have ended in this moment.
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
        fault
    });
}

/// A result that claims to be final has everything beside it (I4).
fn expect_order(job: &Job, what: &str) {
    let Some(finished) = job.finished_now().filter(|finished| finished["result"] != "ABORTED") else {
        return;
    };
    for name in ["build-log.txt", "sidecar-logs.json", "manifest.json"] {
        assert!(job.names().iter().any(|known| known == name), "I4: {name} with {finished}: {what}");
    }
}

/// Sends TERM, once the program can take it or is dead.
fn term(program: &mut Running) {
    if !program.has_ended() {
        program.signal(Signal::TERM);
    }
}

/// Starts a program with a killer at its heels, when it is to die at a stop.
fn start(job: &Job, command: &mut Command, stop: Option<u64>) -> (Running, Option<Running>) {
    let Some(stop) = stop else { return (process::start(job.pod.tree(), command), None) };
    let program = process::start(job.pod.tree(), &mut process::stopped(command));
    let mut killer = Command::new(env!("CARGO_BIN_EXE_killer"));
    killer.args([program.pid().as_raw_nonzero().to_string(), stop.to_string()]);
    let killer = process::start(job.pod.tree(), &mut killer);
    (program, Some(killer))
}

/// The rest of a pod whose entrypoint died before it had its lock: nobody can
/// know that there will be no marker, so that only the end of the pod ends it.
fn end_of_the_pod(job: &Job, case: Case, mut sidecar: Running) {
    if case.mode == "plain" {
        term(&mut sidecar);
        wait::until("the provisional result", || {
            job.finished_now().filter(|finished| finished["result"] == "ABORTED").map(|_| ())
        });
    }
    sidecar.signal(Signal::KILL);
    sidecar.wait();
}

fn run(number: u64, fault: Option<Fault>) {
    let case = Case::of(number, fault);
    let what = format!("run {number}: {case:?}");
    let job = Job::s3();
    let pid = Arc::new(AtomicI32::new(0));
    arm(&job, case, &pid);
    let entry = job.pod.entry("test");
    let (sidecar_stop, entrypoint_stop) = match case.victim {
        Victim::SidecarStep(stop) => (Some(stop), None),
        Victim::EntrypointStep(stop) => (None, Some(stop)),
        Victim::Before(_) | Victim::After(_) | Victim::Entrypoint(_) => (None, None),
    };
    let (mut sidecar, _killer) =
        start(&job, &mut job.sidecar_command(&[&entry], case.options()), sidecar_stop);
    pid.store(sidecar.pid().as_raw_nonzero().get(), Ordering::SeqCst);
    let mut command = job.pod.entrypoint_command(&entry, &["sh", "-c", case.script], json!({}));
    let (mut test, _other_killer) = start(&job, &mut command, entrypoint_stop);
    if let Victim::Entrypoint(after) = case.victim {
        wait::within(Duration::from_millis(after), || test.has_ended().then_some(()));
        // Before the lock nothing tells an entrypoint that was killed from one
        // that has not begun, except to a native sidecar.
        let locked = common::marker::lock_path(&entry.marker).exists();
        if !test.has_ended() && (locked || case.mode == "native") {
            test.signal(Signal::KILL);
        }
    }
    if case.stopped {
        wait::until("output, or the end", || {
            (test.has_ended() || entry.log_text().contains("out")).then_some(())
        });
        if case.mode != "native" {
            term(&mut sidecar);
        }
        term(&mut test);
    }
    let ended = test.wait();
    let lock = common::marker::lock_path(&entry.marker);
    if case.mode != "native" && entry.code().is_none() && !lock.exists() {
        assert!(case.victim.is_entrypoint(), "I1: {what}: {ended:?}");
        return end_of_the_pod(&job, case, sidecar);
    }
    if case.mode == "native" {
        term(&mut sidecar);
    }
    let died = sidecar.wait();
    expect_order(&job, &what);
    // The restart: nothing strikes sidecar any more, and the store is no better.
    pid.store(0, Ordering::SeqCst);
    if died.exit == Exit::Signal(Signal::KILL) {
        let mut restarted = job.sidecar(&[&entry], case.options());
        if case.mode == "native" {
            term(&mut restarted);
        }
        restarted.wait().expect_code(0);
    }
    let result = match entry.code().as_deref() {
        Some("0") => &["SUCCESS"][..],
        Some("130") => &["ABORTED"],
        Some(_) => &["FAILURE"],
        // Lost: what sidecar was told by then decides.
        None => &["FAILURE", "ABORTED"],
    };
    let finished = job.finished();
    assert!(result.iter().any(|result| finished["result"] == *result), "{finished}: {what}: {ended:?}");
    if let Some(code) = entry.code() {
        // It can also be killed between its marker and its exit.
        let killed = case.victim.is_entrypoint() && ended.exit == Exit::Signal(Signal::KILL);
        let same = matches!(ended.exit, Exit::Code(exit) if exit.to_string() == code);
        assert!(same || killed, "I1: {what}: {ended:?}");
    }
    if entry.log.exists() {
        assert_eq!(job.text("build-log.txt"), entry.log_text(), "{what}");
    }
    // A script that is ended early can leave the file empty.
    if let Ok(kept) = std::fs::read_to_string(job.pod.artifacts().join("kept.txt")) {
        if case.store.fault == FORBIDDEN {
            job.expect_refused("artifacts/kept.txt", "failed", "403");
        } else {
            assert_eq!(job.text("artifacts/kept.txt"), kept, "{what}");
        }
    }
    let last = job.s3.as_ref().expect("a bucket").last_written();
    assert!(last.is_some_and(|key| key.ends_with("/finished.json")), "I4: {what}");
    wait::until(&format!("I3: the end of every process: {what}"), || {
        job.pod.tree().members().is_empty().then_some(())
    });
}

#[test]
fn sigkill_at_any_step_then_restart_delivers_everything() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs());
    let seed = number("POD_UTILS_CRASH_SEED").unwrap_or(clock);
    let runs = number("POD_UTILS_CRASH_RUNS").unwrap_or(RUNS);
    let wanted = std::env::var("POD_UTILS_CRASH_FAULT").unwrap_or_default();
    let named = FAULTS.iter().filter(|(name, _)| wanted == "each" || wanted == *name);
    let named: Vec<_> = named.map(|(name, fault)| (*name, Some(*fault))).collect();
    let named = if wanted.is_empty() { vec![("any", None)] } else { named };
    assert!(!named.is_empty(), "POD_UTILS_CRASH_FAULT {wanted:?} is in no table");
    for (name, fault) in named {
        println!("crash campaign of {runs} runs with seed {seed} and the fault {name:?} of the store");
        campaign(seed, runs, fault);
    }
}

fn campaign(seed: u64, runs: u64, fault: Option<Fault>) {
    let next = AtomicU64::new(0);
    // Runs in which a request hangs do nothing for most of their time.
    let threads = if fault == Some(Fault::Hang) { 24 } else { 4 };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let index @ ..1_000_000 = next.fetch_add(1, Ordering::Relaxed) {
                    if index >= runs {
                        return;
                    }
                    // Numbers of runs follow each other, so that every step has its turn.
                    run(seed.wrapping_add(index), fault);
                }
            });
        }
    });
}
