//! Wraps a command, forwards the signals it gets to it, and carries the files that
//! a step of ci-operator shares with the steps after it.
//!
//! Nothing is decided and nothing is timed about the command: whoever sends a
//! signal decides when, and the command decides what it means. The order of steps:
//!
//! ```text
//! catch signals → options → copy a program (and done)
//!                         → command ⇄ signals, reap ───────────────→ exit with its code
//!                         → copy SHARED_DIR → wait for a file
//!                             → home, git, PATH, KUBECONFIG
//!                             → command ⇄ signals, reap  ┐ at the
//!                               early kubeconfig upload  ┘ same time
//!                             → update the Secret → remove copies → exit with its code
//! ```

mod copy;
mod exec;
mod exit_status;
mod home;
mod kubeconfig;
mod options;
mod plan;
mod secret;
mod signals;
mod stable_file;
mod stderr;
mod temp;
mod wait;

use anyhow::{Context, Result};
use common::codes;
use exec::Ended;
use kubeconfig::PrivateCopy;
pub use options::{Flags, StepFlags, command};
use options::{Step, Task};
use plan::Given;
use secret::{Cluster, EarlyUpload, Secret};
use signals::{Events, Signals};
use std::convert::Infallible;
use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use temp::TempData;
use tokio::sync::oneshot;

/// Runs the program with its command line, `args[0]` being its own name.
pub fn run(args: Vec<OsString>) -> ExitCode {
    // The command, of the same user, could stop its supervisor by ptrace. Where a
    // sandbox refuses the call it does not.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    // Before anything else: a signal that comes from here on reaches the command.
    let done = Signals::catch().context("cannot catch signals").and_then(|signals| {
        match options::parse(args, &|name| env::var_os(name)) {
            Ok(task) => perform(task, signals),
            Err(stop) if stop.status == 0 => {
                // Nobody reads the help that was asked for.
                let _ = std::io::stdout().write_all(stop.text.as_bytes());
                Ok(stop.status)
            }
            Err(stop) => {
                stderr::line(&stop.text);
                Ok(stop.status)
            }
        }
    });
    ExitCode::from(done.unwrap_or_else(|problem| {
        stderr::line(&format!("error: {problem:#}"));
        codes::EXIT_FAILURE
    }))
}

/// Performs the task that the options ask for.
fn perform(task: Task, signals: Signals) -> Result<u8> {
    match task {
        Task::CopySelf { destination } => copy::program::own_executable(&destination).map(|()| 0),
        Task::CopyFile { source, destination } => copy::program::file(&source, &destination).map(|()| 0),
        Task::Forward(words) => {
            in_runtime(signals, async |events| exec::forward(&words, &[], events).await.map(Ended::status))
        }
        Task::Step(step) => in_runtime(signals, async |events| perform_step(&step, events).await),
    }
}

fn in_runtime(signals: Signals, task: impl AsyncFnOnce(&mut Events) -> Result<u8>) -> Result<u8> {
    let cannot = "cannot start the event loop";
    common::interrupts::check().context(cannot)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context(cannot)?;
    runtime.block_on(async {
        let mut events = signals.into_events().context("cannot watch signals")?;
        task(&mut events).await
    })
}

/// A step of ci-operator. What it copies is removed when this returns.
async fn perform_step(step: &Step, events: &mut Events) -> Result<u8> {
    // Checked before anything is done, even though it is needed last.
    let cluster = (!step.dry_run && step.mode.needs_cluster())
        .then(|| Cluster::load(&|name| env::var_os(name), &step.service_account_dir))
        .transpose()?;
    let secret = Secret::new(step, cluster);
    let mut temp = TempData::create(env::var_os("TMPDIR"), &step.source)?;
    tokio::select! {
        biased;
        signal = events.next_signal() => {
            let signal = signal.context("cannot watch signals")?;
            stderr::line(&format!("received signal {}, the command is not started", signal.as_raw()));
            return Ok(Ended::Signaled(signal).status());
        }
        prepared = prepare(step, &mut temp) => prepared?,
    }
    let ended = run_command(step, &secret, &mut temp, events).await;
    let updated = if step.mode.writes_secret() { secret.update(temp.shared_dir()).await } else { Ok(()) };
    let (status, line) = exit_status::of_step(&ended, &updated);
    if let Some(line) = line {
        stderr::line(&line);
    }
    Ok(status)
}

/// Prepares the command's files; a signal may interrupt it.
async fn prepare(step: &Step, temp: &mut TempData) -> Result<()> {
    temp.fill(&step.source).await?;
    match &step.wait {
        Some(wait) => wait::for_file(wait).await,
        None => Ok(()),
    }
}

/// Runs the command in its environment, and uploads its kubeconfig meanwhile.
async fn run_command(
    step: &Step,
    secret: &Secret,
    temp: &mut TempData,
    events: &mut Events,
) -> Result<Ended> {
    let early = if step.mode.writes_secret() { EarlyUpload::unless_known(temp.shared_dir()) } else { None };
    let private = match step.mode.private_kubeconfig(env::var_os("KUBECONFIG")) {
        Some(original) => Some(PrivateCopy::new(original, &temp.make_kubeconfig_dir()?)),
        None => None,
    };
    let environment = plan::environment(Given {
        writable_home: env::var_os("HOME").filter(|home| home::is_writable(home)),
        path: env::var_os("PATH"),
        cli_dir: env::var_os("CLI_DIR"),
        shared_dir: temp.shared_dir(),
        kubeconfig: private.as_ref().map(PrivateCopy::path),
    });
    home::make_git_config(&environment.home)?;
    let missing = private.filter(|private| !private.copy_now());

    let (running, command_ended) = oneshot::channel();
    let command = async {
        let ended = tokio::select! {
            ended = exec::forward(&step.words, &environment.changes, events) => ended,
            never = follow(missing) => match never {},
        };
        drop(running);
        ended
    };
    let upload = async {
        if let Some(early) = early {
            early.run(secret, command_ended).await;
        }
    };
    tokio::join!(command, upload).0
}

/// Copies a kubeconfig that is not there yet when it comes, while the command runs.
async fn follow(missing: Option<PrivateCopy>) -> Infallible {
    if let Some(copy) = missing {
        copy.follow().await;
    }
    std::future::pending().await
}
