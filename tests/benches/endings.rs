//! How long the end of a job takes: from an interrupt to the provisional result,
//! with a slow store until the end of the grace period, and what checkpoints cost.
//!
//! ```sh
//! cargo bench -p pod-utils-tests --bench endings
//! ```
//!
//! `POD_UTILS_BIN_DIR` names the programs to be measured; `POD_UTILS_RUNS` says
//! how many jobs with a slow store there are (50).

use common::signal::Signal;
use harness::job::Job;
use harness::process::{Running, start};
use harness::slow_line::SlowLine;
use harness::wait;
use rustix::process::Pid;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const GRACE: Duration = Duration::from_secs(30);
const RATE: u32 = 10_000_000;
const ARTIFACTS: u64 = 1 << 30;

fn main() {
    interrupts(50);
    let runs = std::env::var("POD_UTILS_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(50);
    slow_stores(runs, 5);
    for interval in [None, Some("30s"), Some("1s")] {
        checkpoints(interval);
    }
}

fn term(sidecar: &Running) -> Instant {
    sidecar.signal(Signal::TERM);
    Instant::now()
}

fn until_finished(finished: &Path) {
    while !finished.exists() {
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// An empty job whose pod is told to stop.
fn interrupts(runs: usize) {
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let job = Job::s3();
            let entry = job.pod.entry("test");
            let test = job.pod.entrypoint(&entry, &["sleep", "60"], json!({}));
            entry.until_locked();
            let sidecar = job.sidecar(&[&entry], json!({}));
            // Until it waits for nothing but markers.
            wait::until("the watch", || harness::process::watches_files(sidecar.pid()).then_some(()));
            let told = term(&sidecar);
            until_finished(&job.objects_dir().join("finished.json"));
            let took = told.elapsed();
            drop((sidecar, test));
            took
        })
        .collect();
    times.sort_unstable();
    println!(
        "interrupt to provisional result, empty job, local S3, {runs} runs: median {:?}, largest {:?}",
        times[runs / 2],
        times[runs - 1]
    );
}

/// Artifacts of 1 to 31 MiB, 1 GiB together; only their sizes matter.
fn artifacts(dir: &Path) {
    fs::create_dir_all(dir).expect("made");
    let (mut left, mut number) = (ARTIFACTS, 0);
    while left > 0 {
        let size = ((number % 31 + 1) << 20).min(left);
        File::create(dir.join(format!("{number}.bin"))).and_then(|file| file.set_len(size)).expect("made");
        (left, number) = (left - size, number + 1);
    }
}

fn slow_stores(runs: u32, together: usize) {
    let (next, results) = (AtomicU32::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..together {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < runs {
                    let result = slow_store();
                    results.lock().expect("nobody panics").push(result);
                }
            });
        }
    });
    let mut results = results.into_inner().expect("nobody panics");
    results.sort_by_key(|(took, _)| *took);
    let in_time = results.iter().filter(|(took, _)| *took + Duration::from_secs(2) <= GRACE).count();
    let fewest = results.iter().map(|(_, whole)| *whole).min().unwrap_or(0);
    println!(
        "grace period 30 s, 10 MB/s, 1 GiB of artifacts: finished.json 2 s before its end in {in_time} of {runs} runs, \
         between {:?} and {:?} after TERM, with at least {fewest} MiB of whole artifacts",
        results.first().map(|first| first.0).unwrap_or_default(),
        results.last().map(|last| last.0).unwrap_or_default()
    );
}

/// When the final result was there, and how many MiB of whole artifacts.
fn slow_store() -> (Duration, u64) {
    let job = Job::s3();
    let s3 = job.s3.as_ref().expect("a bucket");
    artifacts(&job.pod.artifacts());
    let line = SlowLine::to(s3.endpoint().trim_start_matches("http://"), RATE);
    let entry = job.pod.entry("test");
    let options = json!({"delivery": {"grace_period": "30s"}});
    let mut command = job.sidecar_command(&[&entry], options);
    let credentials = s3.credentials_file(job.pod.path("").as_path());
    let mut settings: Value =
        serde_json::from_str(&fs::read_to_string(&credentials).expect("read")).expect("JSON");
    settings["endpoint"] = json!(line.endpoint());
    fs::write(&credentials, settings.to_string()).expect("written");
    let sidecar = start(job.pod.tree(), &mut command);
    let test = job.pod.entrypoint(&entry, &["sleep", "60"], json!({}));
    entry.until_locked();
    let told = term(&sidecar);
    test.signal(Signal::TERM);
    test.wait().expect_code(130);
    sidecar.wait().expect_code(0);
    let took = told.elapsed();
    // Parts that arrive after their upload was aborted can stay behind in this
    // store, so that only the result is looked at.
    assert_eq!(job.finished()["result"], "ABORTED");
    let manifest: Value = serde_json::from_str(&job.text("manifest.json")).expect("JSON");
    let objects = manifest["objects"].as_array().expect("a list");
    let whole = objects.iter().filter(|object| object["state"] == "stored");
    (took, whole.filter_map(|object| object["stored_bytes"].as_u64()).sum::<u64>() >> 20)
}

/// A job that does nothing: the CPU time of sidecar.
fn checkpoints(interval: Option<&str>) {
    const TIME: Duration = Duration::from_secs(35);
    let job = Job::s3();
    let entry = job.pod.entry("test");
    let options =
        interval.map_or(json!({}), |interval| json!({"delivery": {"checkpoint_interval": interval}}));
    let test = job.pod.entrypoint(&entry, &["sleep", "600"], json!({}));
    entry.until_locked();
    let sidecar = job.sidecar(&[&entry], options);
    wait::until("the watch", || harness::process::watches_files(sidecar.pid()).then_some(()));
    let (began, before) = (Instant::now(), cpu(sidecar.pid()));
    std::thread::sleep(TIME);
    let used = cpu(sidecar.pid()).saturating_sub(before);
    println!(
        "checkpoints of a quiet job, interval {}: {:.3} % CPU",
        interval.unwrap_or("unset"),
        100.0 * used.as_secs_f64() / began.elapsed().as_secs_f64()
    );
    drop((sidecar, test));
}

/// CPU time of all threads that are alive (`schedstat` of proc(5)).
fn cpu(pid: Pid) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).expect("its threads");
    let nanoseconds = tasks.flatten().filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}
