//! The command line, for running entrypoint by hand.

use super::EntrypointOptions;
use clap::Command;
use common::options::args;

const AFTER_HELP: &str = "\
Environment:
  ENTRYPOINT_OPTIONS             all options as JSON; when it is set the command line is ignored
  BUILDKITE_CANCEL_GRACE_PERIOD, BUILDKITE_SIGNAL_GRACE_PERIOD_SECONDS
                                 the grace period follows from the shorter one when none is given
The command finds ENTRYPOINT_TIMEOUT and ENTRYPOINT_GRACE_PERIOD, in seconds.

Exit status: the command's; 128 + n when signal n ended it; 127 after the timeout, 130 after an
interrupt; 1 for options that cannot work, 2 for a wrong flag.

Example:
  entrypoint --process-log=log --marker-file=marker --timeout=20m -- make test";

/// The command line of entrypoint.
pub fn command() -> Command {
    Command::new("entrypoint")
        .version(common::version::VERSION)
        .about(
            "Runs a command, writes its output to a log and its exit code to a marker file.\n\
             The environment variable ENTRYPOINT_OPTIONS, when it is there, replaces the command line.",
        )
        .after_help(AFTER_HELP)
        .override_usage("entrypoint --process-log=FILE --marker-file=FILE [FLAGS] -- COMMAND [ARGS]...")
        .args(args(&EntrypointOptions::default()))
}
