//! `sidecar`: waits for the entries of a CI pod, and delivers their logs, their
//! artifacts and a truthful result.
//!
//! ```text
//!  log volume                     sidecar                              store
//!  markers, locks ──▶ io::markers ─┐
//!  signals, timers ─▶ io::driver ──┼─▶ Input ─▶ deliver::Coordinator ─▶ Effect ─▶ io::transfers ─▶ objects
//!  logs, artifacts ─▶ io::listing ─┘
//! ```
//!
//! Imports point down this table, and from each module to `common`:
//!
//! | module | responsibility |
//! | --- | --- |
//! | [`initupload`], [`gcsupload`] | two more programs of the same binary, with the same upload |
//! | [`io`] | everything that touches the operating system and the network |
//! | [`settings`] | the meaning of the options, together with the job |
//! | [`junit`] | reads test reports |
//! | [`layout`] | names, types and documents at the destination |
//! | [`deliver`] | the core: when to deliver what, without I/O and without a clock |
//! | [`options`] | the options as they were typed |
//! | [`censor`] | masks secrets in everything that leaves |
//! | [`destination`] | names of destinations |

pub mod censor;
mod cli;
mod deadline_check;
pub mod deliver;
pub mod destination;
pub mod gcsupload;
pub mod initupload;
pub mod io;
pub mod junit;
pub mod layout;
pub mod options;
pub mod settings;
mod upload_job;

use cli::Program;
use common::job_spec::JobSpec;
use common::records::{Records, local_zone};
use io::driver::Driver;
use io::interrupts::Interrupts;
use io::own_log::OwnLog;
use io::secrets::SecretStore;
use io::telemetry::Telemetry;
use options::{LoadError, Loaded};
use settings::Settings;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

/// Runs sidecar, initupload or gcsupload with the arguments of its command line,
/// the program's name first. Blocks until everything is delivered.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    // On failure a signal in the next milliseconds ends the program, as it would
    // any other.
    let _ = io::interrupts::hold();
    io::store::install_tls();
    let (program, args) = Program::choose(args);
    let own_log = OwnLog::default();
    let records = Records::new(program.name(), TARGETS, program.level(), own_log.clone());
    // Keeps the logging of a caller that has set one up, as tests do.
    let _ = records.zone(local_zone).install();
    io::panics::tell_in_one_line(program.name());
    if let Err(error) = common::interrupts::check() {
        common::fatal!(error = %error, "Signals cannot be caught");
        return ExitCode::from(common::codes::EXIT_FAILURE);
    }
    let status = match program {
        Program::Sidecar => match load(args.into_iter()) {
            Ok(settings) => {
                let threads = io::driver::threads(settings.delivery.memory_bytes());
                on_runtime(threads, async |interrupts| supervise(settings, own_log, interrupts).await)
            }
            Err(error) => cli::refuse(error),
        },
        Program::InitUpload | Program::GcsUpload => {
            // Only sidecar uploads its own log.
            own_log.freeze();
            let args = args.into_iter();
            on_runtime(io::driver::MAX_THREADS, async |interrupts| match program {
                Program::InitUpload => initupload::run(args, own_log, interrupts).await,
                Program::GcsUpload | Program::Sidecar => gcsupload::run(args, own_log, interrupts).await,
            })
        }
    };
    ExitCode::from(status)
}

/// The crates whose events become records.
const TARGETS: &[&str] = &["sidecar", "common"];

/// Runs a program that catches signals, beside at most so many threads for what blocks.
fn on_runtime(threads: usize, program: impl AsyncFnOnce(&mut Interrupts) -> u8) -> u8 {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(threads).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            common::fatal!(error = %error, "The runtime cannot be started");
            return common::codes::EXIT_FAILURE;
        }
    };
    let status = runtime.block_on(async {
        match Interrupts::new() {
            Ok(mut interrupts) => program(&mut interrupts).await,
            Err(error) => {
                common::fatal!(error = %error, "Signals cannot be caught");
                common::codes::EXIT_FAILURE
            }
        }
    });
    // Does not wait for threads: one that lists or reads may hang in the file system
    // for ever.
    runtime.shutdown_background();
    status
}

async fn supervise(settings: Settings, own_log: OwnLog, interrupts: &mut Interrupts) -> u8 {
    let settings = Arc::new(settings);
    if let Err(error) = io::store::check_settings(&settings) {
        common::fatal!(error = %error, "Could not resolve options");
        return common::codes::EXIT_FAILURE;
    }
    for warning in deadline_check::warnings(&settings) {
        tracing::warn!("{warning}");
    }
    let telemetry = Telemetry::from_env();
    let secrets = SecretStore::load(&settings, &own_log);
    Box::pin(Driver::new(settings, secrets, own_log).tracing(telemetry).run(interrupts)).await
}

/// Loads and resolves the options.
fn load(args: impl Iterator<Item = OsString>) -> Result<Settings, LoadError> {
    let Loaded { options, job, notes } = options::load(args)?;
    cli::warn_unknown(&notes);
    Ok(Settings::new(options, &job, JobSpec::from_env())?)
}
