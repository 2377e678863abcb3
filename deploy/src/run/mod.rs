//! `podutils run`: a job on this machine, the way a pod would run it.
//!
//! ```text
//! podutils (the kubelet's part)
//!   ├─ sidecar      waits for the marker ──────────────▶ destination
//!   └─ entrypoint   ─▶ COMMAND
//!         both meet in a temporary pod directory: logs/, logs/artifacts/
//! ```
//!
//! Both programs are the ones that pods run, as processes in sessions of their
//! own, and get their options as the environment JSON that a pod would give
//! them. Nothing here has a counterpart that a pod would need.

mod announce;
pub(crate) mod deliver;
mod delivered;
mod destination;
mod failures;
mod follower;
mod kept;
mod kubelet;
mod options;
mod pod;
mod reap;
mod secrets;
pub(crate) mod session;
mod summary;

pub(crate) use options::{COMMAND, Options, command, duration, interrupt, job_name};

use crate::results::block_on;
use crate::terminal::{self, Problem};
use common::timestamp::Timestamp;
use destination::Destination;
pub(crate) use pod::DRAIN;
use pod::Pod;
use std::time::Instant;

/// Runs the job and returns the exit status: the test's, or 1 when the test
/// passed but its results could not be delivered.
pub(crate) fn run(options: &Options) -> Result<u8, Problem> {
    let programs = pod::Programs::find(options.programs.as_deref())?;
    secrets::check(&secrets::options(&options.secrets, options.strict))?;
    let destination = Destination::prepare(options, None)?;
    let pod = Pod::lay_out(options, &destination)?;
    block_on(async {
        announce::announce(&destination, Timestamp::now()).await?;
        let started = Instant::now();
        let ends = kubelet::run(&pod, &programs, options).await?;
        let summary = summary::Summary::gather(&pod, &destination, &ends, started.elapsed()).await;
        summary.lines().iter().for_each(|line| terminal::line(line));
        if let Some(directory) = destination.directory().filter(|_| summary.is_delivered()) {
            deliver::page(&directory).await;
        }
        if options.keep || !summary.is_delivered() {
            // Who has told it to end waits for no page.
            deliver::leave(&pod, &programs, options, !summary.is_delivered() && !ends.told).await;
        }
        let status = summary.exit_status();
        pod.close(options.keep || !summary.is_delivered());
        Ok(status)
    })
}
