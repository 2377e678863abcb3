//! The history of a job with many builds, from the S3 server of the tests.

use super::Bins;
use harness::job::many_builds;
use harness::s3::{BUCKET, S3};
use nix::sys::resource::{UsageWho, getrusage};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// The argument with which this program measures another one.
pub(super) const MEASURE: &str = "measure-one";

/// Runs a program, and writes wall time and peak memory of it alone.
pub(super) fn measure(words: &[String]) {
    let began = Instant::now();
    let status = Command::new(&words[0]).args(&words[1..]).stdout(Stdio::null()).status().expect("it starts");
    let wall = began.elapsed();
    assert!(status.success(), "it failed");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the usage of a child");
    println!("{} {}", wall.as_micros(), usage.max_rss());
}

pub(super) fn table(bins: &Bins) {
    let s3 = S3::start_in(Path::new("/dev/shm"));
    let scratch = tempfile::tempdir().expect("a directory");
    let credentials = s3.credentials_file(scratch.path());
    println!("| builds, with 5 failed tests each | time | peak RSS |\n|---|---|---|");
    for builds in [100, 1000] {
        let job = format!("logs/job-{builds}");
        many_builds(&s3.object_path(&job), builds);
        let mut runs: Vec<_> = (0..5)
            .map(|_| {
                let mut command = Command::new(std::env::current_exe().expect("this program"));
                command.arg(MEASURE).arg(bins.path("podutils")).args(["history", "--last", "10000"]);
                command.arg("--html").arg(scratch.path().join("page.html"));
                command.arg("--s3-credentials-file").arg(&credentials).arg(format!("s3://{BUCKET}/{job}"));
                let output = command.output().expect("it runs");
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                let mut numbers =
                    text.split_whitespace().map(|number| number.parse::<f64>().expect("a number"));
                (numbers.next().expect("a time"), numbers.next().expect("a size"))
            })
            .collect();
        runs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let peak = runs.iter().map(|run| run.1).fold(0.0, f64::max);
        println!("| {builds} | {:.2} s | {:.0} MiB |", runs[2].0 / 1e6, peak / 1024.0);
    }
    println!();
}
