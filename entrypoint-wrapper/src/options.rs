//! What was typed, and what it means.

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use common::codes;
use common::flags;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where `--copy-mode-only` copies to when nothing else is said: the place from
/// which ci-operator's containers start the program.
const DEFAULT_DESTINATION: &str = "/tmp/entrypoint-wrapper/entrypoint-wrapper";

/// Set by ci-operator in the containers whose shared files it wants managed.
const CI_OPERATOR_VARIABLES: [&str; 2] = ["SHARED_DIR", "JOB_NAME_SAFE"];

/// Flags of ci-operator's part.
const CI_OPERATOR_FLAGS: [&str; 3] = ["mode", "wait-for-file", "wait-timeout"];

/// The one flag of that part that is bool.
const DRY_RUN: &str = "dry-run";

/// What the program is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Copy the running executable.
    CopySelf {
        /// Where to.
        destination: PathBuf,
    },
    /// Copy any file, as `cp` would.
    CopyFile {
        /// Which.
        source: PathBuf,
        /// A file, or a directory to copy into.
        destination: PathBuf,
    },
    /// Run a command and forward signals to it.
    Forward {
        /// A path, or a name to look up in PATH.
        program: OsString,
        /// Its arguments.
        args: Vec<OsString>,
    },
}

/// The command line asks for nothing to be run: help, or a mistake.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    /// What to tell: on stdout when the status is 0, else on stderr.
    pub(crate) text: String,
    /// What to exit with.
    pub(crate) status: u8,
}

/// Reads the command line, `args[0]` being the program's own name, and the
/// environment.
pub(crate) fn parse(args: Vec<OsString>) -> Result<Task, Stop> {
    let set = CI_OPERATOR_VARIABLES.into_iter().find(|name| std::env::var_os(name).is_some());
    parse_with(args, set)
}

/// `ci_operator` is the variable of ci-operator's part that is set, if one is.
fn parse_with(args: Vec<OsString>, ci_operator: Option<&str>) -> Result<Task, Stop> {
    let mut args = args.into_iter();
    let name = args.next().unwrap_or_default();
    if Path::new(&name).file_name().is_some_and(|name| name == "cp") {
        return copy_operands(args);
    }
    let matches = flags::parse(command(), args)
        .map_err(|error| Stop { status: error.exit_status(), text: error.text().to_owned() })?;
    if matches.get_flag("copy-mode-only") {
        let destination = matches.get_one("copy-destination").cloned();
        return Ok(Task::CopySelf { destination: destination.unwrap_or_else(|| DEFAULT_DESTINATION.into()) });
    }
    refuse_ci_operator(&matches, ci_operator)?;
    let mut words = matches.get_many::<OsString>(flags::POSITIONALS).unwrap_or_default().cloned();
    match words.next() {
        Some(program) => Ok(Task::Forward { program, args: words.collect() }),
        None => Err(mistake("no command given; usage: entrypoint-wrapper [flags] [--] command [arguments]")),
    }
}

/// Half of ci-operator's part would lose a step's shared files without a word.
fn refuse_ci_operator(matches: &ArgMatches, variable: Option<&str>) -> Result<(), Stop> {
    if let Some(name) = variable {
        return Err(mistake(&format!(
            "{name} is set, which asks for ci-operator mode (shared files, kubeconfig, Secret): it is not supported \
             yet; unset SHARED_DIR and JOB_NAME_SAFE to forward signals only"
        )));
    }
    let dry_run = matches.get_flag(DRY_RUN).then_some(DRY_RUN);
    match dry_run.or_else(|| CI_OPERATOR_FLAGS.into_iter().find(|id| matches.contains_id(id))) {
        Some(flag) => {
            Err(mistake(&format!("--{flag} belongs to ci-operator mode, which is not supported yet")))
        }
        None => Ok(()),
    }
}

/// ci-operator's init container runs `cp SOURCE DESTINATION` in this image.
fn copy_operands(args: impl Iterator<Item = OsString>) -> Result<Task, Stop> {
    let operands: Vec<OsString> = args.collect();
    match <[OsString; 2]>::try_from(operands) {
        Ok([source, destination]) => {
            Ok(Task::CopyFile { source: source.into(), destination: destination.into() })
        }
        Err(operands) => Err(mistake(&format!(
            "as cp, entrypoint-wrapper takes two operands, a file and where to copy it, not {}",
            operands.len()
        ))),
    }
}

fn mistake(text: &str) -> Stop {
    Stop { text: format!("error: {text}"), status: codes::EXIT_FAILURE }
}

fn command() -> Command {
    Command::new("entrypoint-wrapper")
        .about("Runs a command, forwards every SIGINT and SIGTERM to it, and exits with its code")
        .override_usage("entrypoint-wrapper [flags] [--] command [arguments]")
        .arg(
            Arg::new("copy-mode-only")
                .long("copy-mode-only")
                .action(ArgAction::SetTrue)
                .help("Copy this program to --copy-destination and exit"),
        )
        .arg(
            Arg::new("copy-destination")
                .long("copy-destination")
                .value_name("PATH")
                .value_parser(value_parser!(PathBuf))
                .help(format!("Where --copy-mode-only copies to [default: {DEFAULT_DESTINATION}]")),
        )
        .arg(Arg::new(DRY_RUN).long(DRY_RUN).action(ArgAction::SetTrue).hide(true))
        .args(
            CI_OPERATOR_FLAGS
                .map(|id| Arg::new(id).long(id).value_parser(value_parser!(OsString)).hide(true)),
        )
        .arg(
            Arg::new(flags::POSITIONALS)
                .num_args(0..)
                .value_name("COMMAND")
                .value_parser(value_parser!(OsString))
                .help("The command to run, a path or a name to look up in PATH, and its arguments"),
        )
        .after_help(
            "Exit status: the command's, or 128 + n when signal n ended it; 1 when it could not be started.\n\
             Started under the name cp, the program copies its first operand to its second.",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[&str], ci_operator: Option<&str>) -> Result<Task, Stop> {
        parse_with(line.iter().map(OsString::from).collect(), ci_operator)
    }

    #[test]
    fn everything_after_the_flags_is_the_command() {
        for line in [&["w", "sh", "-c", "exit 3"][..], &["w", "--", "sh", "-c", "exit 3"]] {
            let task = parsed(line, None).expect("valid");
            assert_eq!(
                task,
                Task::Forward { program: "sh".into(), args: vec!["-c".into(), "exit 3".into()] }
            );
        }
    }

    #[test]
    fn copy_mode_by_go_flags() {
        let task = parsed(&["w", "-copy-mode-only", "--copy-destination=/x/y"], None).expect("valid");
        assert_eq!(task, Task::CopySelf { destination: "/x/y".into() });
        let task = parsed(&["w", "--copy-mode-only=true"], Some("SHARED_DIR")).expect("valid");
        assert_eq!(task, Task::CopySelf { destination: DEFAULT_DESTINATION.into() });
    }

    #[test]
    fn under_the_name_cp_two_operands_are_copied() {
        let task = parsed(&["/bin/cp", "a", "b"], Some("SHARED_DIR")).expect("valid");
        assert_eq!(task, Task::CopyFile { source: "a".into(), destination: "b".into() });
        assert_eq!(parsed(&["cp", "a"], None).expect_err("one operand").status, 1);
    }

    #[test]
    fn ci_operator_mode_is_refused_in_one_line() {
        for name in CI_OPERATOR_VARIABLES {
            let stop = parsed(&["w", "true"], Some(name)).expect_err("not supported");
            assert!(stop.text.contains(name) && stop.text.lines().count() == 1, "{stop:?}");
            assert_eq!(stop.status, 1);
        }
        let stop = parsed(&["w", "--mode=observer", "true"], None).expect_err("not supported");
        assert!(stop.text.contains("--mode"), "{stop:?}");
        let stop = parsed(&["w", "--dry-run", "true"], None).expect_err("not supported");
        assert!(stop.text.contains("--dry-run"), "{stop:?}");
    }

    #[test]
    fn mistakes_in_the_syntax_are_2_help_is_0_and_no_command_is_1() {
        assert_eq!(parsed(&["w", "--nothing"], None).expect_err("unknown").status, 2);
        assert_eq!(parsed(&["w", "-h"], None).expect_err("help").status, 0);
        assert_eq!(parsed(&["w"], None).expect_err("no command").status, 1);
    }
}
