//! The command line, parsed.

mod step;

pub(crate) use step::Step;
pub use step::StepFlags;

use crate::exec::Words;
use clap::Command;
use common::codes;
use common::options::{LoadError, args, flag, from_flags, inline, positional};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where `--copy-mode-only` copies to when nothing else is said: the place from
/// which ci-operator's containers start the program.
const DEFAULT_DESTINATION: &str = "/tmp/entrypoint-wrapper/entrypoint-wrapper";

/// Set by ci-operator in the containers whose shared files it wants managed.
const STEP_VARIABLES: [&str; 2] = ["SHARED_DIR", "JOB_NAME_SAFE"];

common::options! {
    /// The flags of entrypoint-wrapper.
    pub struct Flags {
        /// Copies this program to `--copy-destination` and exits.
        pub copy_mode_only: bool = flag("copy-mode-only").no_key(),
        /// The file to copy this program to.
        pub copy_destination: OsString = flag("copy-destination").no_key().value("PATH")
            .default(|| DEFAULT_DESTINATION.to_owned()) => DEFAULT_DESTINATION.into(),
        /// The flags of a step.
        pub step: StepFlags = inline("A step of ci-operator"),
        /// The command to run, a path or a name to look up in PATH, and its arguments.
        pub command: Vec<OsString> = positional("COMMAND").no_key(),
    }
}

/// Task of the program.
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
    Forward(Words),
    /// Do the same for a step of ci-operator, with its shared files.
    Step(Box<Step>),
}

/// The command line asks for nothing to be run: help, or a mistake.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    /// Text for stdout when the status is 0, else for stderr.
    pub(crate) text: String,
    /// Exit status.
    pub(crate) status: u8,
}

/// A variable of the environment by its name.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Reads the command line, `args[0]` being the program's own name, and the
/// environment.
pub(crate) fn parse(args: Vec<OsString>, env: Lookup<'_>) -> Result<Task, Stop> {
    let mut args = args.into_iter();
    let name = args.next().unwrap_or_default();
    if Path::new(&name).file_name().is_some_and(|name| name == "cp") {
        return copy_operands(args);
    }
    let mut flags = Flags::default();
    from_flags(&mut args, command, &mut flags, &mut []).map_err(stop)?;
    if flags.copy_mode_only {
        return Ok(Task::CopySelf { destination: flags.copy_destination.into() });
    }
    let mut words = flags.command.into_iter();
    let Some(program) = words.next() else {
        return Err(mistake("no command given; usage: entrypoint-wrapper [flags] [--] command [arguments]"));
    };
    let words = Words { program, args: words.collect() };
    if is_step(&flags.step, env) {
        let step = Step::read(words, flags.step, env);
        step.map(|step| Task::Step(Box::new(step))).map_err(|problem| mistake(&problem))
    } else {
        Ok(Task::Forward(words))
    }
}

/// Anything that only a step has makes it one, so that half of a step's
/// environment is a mistake that is told and not a step whose shared files are lost.
fn is_step(flags: &StepFlags, env: Lookup<'_>) -> bool {
    STEP_VARIABLES.into_iter().any(|name| env(name).is_some()) || *flags != StepFlags::default()
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

fn stop(error: LoadError) -> Stop {
    match error {
        LoadError::Flags(error) => Stop { status: error.exit_status(), text: error.text().to_owned() },
        other @ (LoadError::Json { .. } | LoadError::JsonFlag(_)) => mistake(&other.to_string()),
    }
}

/// The command line of entrypoint-wrapper.
pub fn command() -> Command {
    Command::new("entrypoint-wrapper")
        .version(common::version::VERSION)
        .about("Runs a command, forwards the signals it gets to it, and exits with its code")
        .override_usage("entrypoint-wrapper [flags] [--] command [arguments]")
        .args(args(&Flags::default()))
        .after_help(
            "With SHARED_DIR or JOB_NAME_SAFE in the environment, or one of the flags of a step, the files of \
             SHARED_DIR are copied for the command and written to the Secret JOB_NAME_SAFE of NAMESPACE after it.\n\
             Exit status: the command's, or 128 + n when signal n ended it; 1 when it could not be started, or \
             when it was 0 and the Secret could not be written; 2 for a mistake in the flags.\n\
             Started under the name cp, the program copies its first operand to its second.\n\n\
             Examples:\n  \
             entrypoint-wrapper docker run --rm image make test\n  \
             entrypoint-wrapper --dry-run sh -c 'echo hello > $SHARED_DIR/hello'",
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::options::Options as _;

    fn parsed(line: &[&str], env: &[(&str, &str)]) -> Result<Task, Stop> {
        let lookup =
            |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        parse(line.iter().map(OsString::from).collect(), &lookup)
    }

    const STEP: [(&str, &str); 3] =
        [("SHARED_DIR", "/shared"), ("NAMESPACE", "ns"), ("JOB_NAME_SAFE", "e2e")];

    #[test]
    fn everything_after_the_flags_is_the_command() {
        for line in [&["w", "sh", "-c", "exit 3"][..], &["w", "--", "sh", "-c", "exit 3"]] {
            let task = parsed(line, &[]).expect("valid");
            let words = Words { program: "sh".into(), args: vec!["-c".into(), "exit 3".into()] };
            assert_eq!(task, Task::Forward(words));
        }
    }

    #[test]
    fn copy_mode_by_go_flags() {
        let task = parsed(&["w", "-copy-mode-only", "--copy-destination=/x/y"], &[]).expect("valid");
        assert_eq!(task, Task::CopySelf { destination: "/x/y".into() });
        let task = parsed(&["w", "--copy-mode-only=true"], &STEP[..1]).expect("valid");
        assert_eq!(task, Task::CopySelf { destination: DEFAULT_DESTINATION.into() });
    }

    #[test]
    fn under_the_name_cp_two_operands_are_copied() {
        let task = parsed(&["/bin/cp", "a", "b"], &STEP).expect("valid");
        assert_eq!(task, Task::CopyFile { source: "a".into(), destination: "b".into() });
        assert_eq!(parsed(&["cp", "a"], &[]).expect_err("one operand").status, 1);
    }

    #[test]
    fn w_3_a_part_of_a_step_is_a_mistake_in_this_order() {
        let mut found = Vec::new();
        for count in 0..3 {
            let stop = parsed(&["w", "--dry-run", "true"], &STEP[..count]).expect_err("incomplete");
            assert_eq!((stop.status, stop.text.lines().count()), (1, 1), "{stop:?}");
            found.push(stop.text);
        }
        for (text, name) in found.iter().zip(["SHARED_DIR", "NAMESPACE", "JOB_NAME_SAFE"]) {
            assert!(text.starts_with(&format!("error: {name} is not set")), "{text}");
        }
        for variable in STEP_VARIABLES {
            assert!(parsed(&["w", "true"], &[(variable, "x")]).is_err(), "{variable}");
        }
        assert!(parsed(&["w", "true"], &[("NAMESPACE", "x")]).is_ok(), "many pods have this one");
        let first = parsed(&["w", "--wait-timeout=x", "--mode=x"], &[]).expect_err("no command");
        assert!(first.text.contains("no command"), "{first:?}");
    }

    #[test]
    fn every_flag_of_a_step_makes_it_one() {
        for (field, _) in StepFlags::default().rows() {
            let value = if field.flag == "dry-run" { "true" } else { "1m" };
            let flag = format!("--{}={value}", field.flag);
            let stop = parsed(&["w", &flag, "true"], &[]).expect_err("no SHARED_DIR");
            assert_eq!(stop.status, 1, "{stop:?}");
        }
    }

    #[test]
    fn mistakes_in_the_syntax_are_2_help_is_0_and_no_command_is_1() {
        assert_eq!(parsed(&["w", "--nothing"], &[]).expect_err("unknown").status, 2);
        assert_eq!(parsed(&["w", "--mode"], &STEP).expect_err("no value").status, 2);
        assert_eq!(parsed(&["w", "-h"], &[]).expect_err("help").status, 0);
        assert_eq!(parsed(&["w"], &[]).expect_err("no command").status, 1);
    }
}
