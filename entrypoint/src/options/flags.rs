//! The command line, for running entrypoint by hand.

use super::supervision::{Escalation, LEFTOVERS, SCOPES, SupervisionOptions};
use super::{EntrypointOptions, TERMINATION_MESSAGE_PATH};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use common::duration::GoDuration;
use common::entry::Entry;
use common::flags::{self, FlagError};
use common::signal::Signal;
use std::ffi::OsString;

/// Where upstream's pods expect the program.
const COPY_DESTINATION: &str = "/tools/entrypoint";

/// Parses the command line, without the program's name.
///
/// Never part of its caller: the tables of flags take 32 KiB of stack, and pods
/// give JSON.
#[cold]
#[inline(never)]
pub(super) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<EntrypointOptions, FlagError> {
    let matches = flags::parse(command(), args)?;
    let text = |id: &str| matches.get_one::<String>(id).cloned().unwrap_or_default();
    let time = |id: &str| matches.get_one::<GoDuration>(id).copied().unwrap_or_default();
    Ok(EntrypointOptions {
        timeout: time("timeout"),
        grace_period: time("grace-period"),
        artifact_dir: text("artifact-dir"),
        previous_marker: text("previous-marker"),
        always_zero: is_set(&matches, "always-zero"),
        propagate_error_code: is_set(&matches, "propagate-error-code"),
        copy_mode_only: is_set(&matches, "copy-mode-only"),
        copy_dst: text("copy-destination"),
        entry: Entry {
            args: matches.get_many::<String>(flags::POSITIONALS).into_iter().flatten().cloned().collect(),
            container_name: text("container-name"),
            process_log: text("process-log"),
            marker_file: text("marker-file"),
            metadata_file: text("metadata-file"),
        },
        supervision: supervision(&matches),
    })
}

fn is_set(matches: &ArgMatches, id: &str) -> bool {
    matches.get_one::<bool>(id).copied().unwrap_or_default()
}

fn supervision(matches: &ArgMatches) -> SupervisionOptions {
    let word = |id: &str| matches.get_one::<String>(id).map_or("", String::as_str);
    let defaults = SupervisionOptions::default();
    let find = |name: &str| LEFTOVERS.iter().find(|row| row.0 == name).map(|row| row.1);
    let scope = |name: &str| SCOPES.iter().find(|row| row.0 == name).map(|row| row.1);
    SupervisionOptions {
        leftovers: find(word("leftovers")).unwrap_or(defaults.leftovers),
        signal_scope: scope(word("signal-scope")).unwrap_or(defaults.signal_scope),
        escalation: matches.get_many::<Escalation>("escalation").into_iter().flatten().copied().collect(),
        timestamps: is_set(matches, "timestamps"),
        termination_message_path: word("termination-message-path").to_owned(),
    }
}

const AFTER_HELP: &str = "\
Environment:
  ENTRYPOINT_OPTIONS             all options as JSON; when it is set the command line is ignored
  BUILDKITE_CANCEL_GRACE_PERIOD  seconds; the grace period follows from it when none is given
The command finds ENTRYPOINT_TIMEOUT and ENTRYPOINT_GRACE_PERIOD, in seconds.

Exit status: the command's; 128 + n when signal n ended it; 127 after the timeout, 130 after an
interrupt; 1 for options that cannot work, 2 for a wrong flag.

Example:
  entrypoint --process-log=log --marker-file=marker --timeout=20m -- make test";

/// The flags of entrypoint.
pub fn command() -> Command {
    Command::new("entrypoint")
        .version(common::version::VERSION)
        .about(
            "Runs a command, writes its output to a log and its exit code to a marker file.\n\
             The environment variable ENTRYPOINT_OPTIONS, when it is there, replaces the command line.",
        )
        .after_help(AFTER_HELP)
        .override_usage("entrypoint --process-log=FILE --marker-file=FILE [FLAGS] -- COMMAND [ARGS]...")
        .next_help_heading("Files")
        .args([
            text("process-log", "FILE", "The file that gets the command's output (required)"),
            text("marker-file", "FILE", "The file that gets the exit code (required)"),
            text("metadata-file", "FILE", "The metadata that the command may write, for sidecar"),
            text("artifact-dir", "DIR", "A directory to make before the command starts"),
            switch("timestamps", "Begin each line of the process log with its time"),
            text("termination-message-path", "FILE", "The file that gets the cause, when it exists")
                .default_value(TERMINATION_MESSAGE_PATH),
        ])
        .next_help_heading("Beginning and end")
        .args([
            text("container-name", "NAME", "The container's name"),
            text("previous-marker", "FILE", "The marker of an entry that has to succeed first"),
            time("timeout", "How long the command may run [default: 2h0m0s]"),
            time("grace-period", "Time between SIGINT and SIGKILL [default: 15s]"),
            Arg::new("escalation")
                .long("escalation")
                .value_name("SIGNAL=TIME")
                .help("Another signal this long after the first one; may be repeated")
                .action(ArgAction::Append)
                .value_parser(escalation),
            words("leftovers", &LEFTOVERS.map(|row| row.0), "Processes the command left behind"),
            words("signal-scope", &SCOPES.map(|row| row.0), "Who gets the signals of a termination"),
            switch("propagate-error-code", "Use the command's own code after a timeout or an interrupt"),
            switch("always-zero", "Exit with 0 once the marker is written"),
        ])
        .next_help_heading("Copy mode")
        .args([
            switch("copy-mode-only", "Copy this program to the copy destination and exit"),
            text("copy-destination", "FILE", "Where to copy it").default_value(COPY_DESTINATION),
        ])
        .arg(
            Arg::new(flags::POSITIONALS)
                .value_name("COMMAND")
                .help("The command with its arguments")
                .num_args(0..)
                .value_parser(clap::value_parser!(String)),
        )
}

fn text(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn time(name: &'static str, help: &'static str) -> Arg {
    text(name, "TIME", help).value_parser(duration)
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).help(help).action(ArgAction::SetTrue)
}

fn words(name: &'static str, allowed: &[&'static str; 2], help: &'static str) -> Arg {
    text(name, "WORD", help).value_parser(PossibleValuesParser::new(*allowed)).default_value(allowed[0])
}

fn duration(text: &str) -> Result<GoDuration, String> {
    text.parse().map_err(|_| "allowed are durations such as 300ms, 1.5h or 2h45m".to_owned())
}

fn escalation(text: &str) -> Result<Escalation, String> {
    let parsed = text.split_once('=').and_then(|(signal, after)| {
        Some(Escalation { signal: signal.parse::<Signal>().ok()?, after: after.parse().ok()? })
    });
    parsed.ok_or_else(|| "allowed is a signal and a time, such as SIGTERM=5s".to_owned())
}
