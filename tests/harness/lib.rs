//! Tools of the end-to-end tests: the real programs, pods made of plain
//! directories and processes, hostile children, and stores.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`api_server`] | an API server of Kubernetes, with faults on request |
//! | [`bins`] | where the programs under test are |
//! | [`broken_line`] | a line to a server that is out or cut |
//! | [`control_group`] | control groups with limits, and mounts that nobody else sees |
//! | [`distance`] | a distance in front of a server |
//! | [`docker`] | real containers, where an engine is there |
//! | [`images`] | the images of `deploy/images`, built by its script |
//! | [`kube`] | the manifests of `deploy/kubernetes`, played by podman |
//! | [`pod`] | a pod: its directories, its entries, the options of its containers |
//! | [`job`] | a pod with its destination |
//! | [`process`] | a running program: its output, signals to it, its end |
//! | [`refused`] | programs for which the kernel refuses a system call |
//! | [`tree`] | every process of one test, so that none outlives it |
//! | [`wait`] | waiting for something with a deadline |
//! | [`web`] | a small HTTP server that a test plays |
//! | [`sigv4`] | the check of a signature of AWS |
//! | [`s3`] | an S3 server in this process, with faults on request |
//! | [`stores`] | stores of other makers |
//!
//! Tests never sleep to let something happen: they wait for it, with a deadline
//! so generous that only a hang can reach it.

#![expect(clippy::unwrap_used, reason = "in a test a panic with a place is the right answer")]

pub mod api_server;
pub mod bins;
pub mod broken_line;
pub mod control_group;
pub mod distance;
pub mod docker;
pub mod https;
pub mod images;
pub mod job;
pub mod kube;
pub mod pod;
pub mod port;
pub mod process;
pub mod refused;
pub mod s3;
pub mod sigv4;
pub mod slow_line;
pub mod stores;
pub mod tree;
pub mod wait;
pub mod web;

/// Ends the running test early, with a line that is seen without `--nocapture`.
///
/// ```text
/// SKIPPED e2e::chain::as_pid_1: unshare --pid is not permitted here
/// ```
#[macro_export]
macro_rules! skip {
    ($($reason:tt)+) => {{
        $crate::announce_skip(&format!($($reason)+));
        return;
    }};
}

/// Writes the line of [`skip!`] past the test runner's capture.
pub fn announce_skip(reason: &str) {
    use std::io::Write;
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // One write, so that tests running side by side do not mix their lines; a
    // runner without stderr has nobody to tell.
    let _ = std::io::stderr().write_all(format!("SKIPPED {test}: {reason}\n").as_bytes());
}
