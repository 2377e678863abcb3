//! The flags of `podutils run`, and what they mean.

use crate::terminal::Problem;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use common::duration::GoDuration;
use common::options::{Single, args, fill};
use entrypoint::options::{DEFAULT_GRACE_PERIOD, DEFAULT_TIMEOUT, Escalation};
use entrypoint::supervise::Interrupt;
use sidecar::options::LimitOptions;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The subcommand's name.
pub(crate) const SUBCOMMAND: &str = "run";

/// The name of the wrapped command's words in help and messages.
pub(crate) const COMMAND: &str = "COMMAND";

/// The default destination.
const DEFAULT_OUT: &str = "pod-utils-out";

/// The command line of `podutils run`, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// The job's name.
    pub(crate) job: String,
    /// A directory, or a bucket with its scheme.
    pub(crate) out: String,
    /// The test's timeout.
    pub(crate) timeout: GoDuration,
    /// The test's grace period.
    pub(crate) grace_period: GoDuration,
    /// Signals that the command gets because of Ctrl-C; the default's if `None`.
    pub(crate) interrupt: Option<Interrupt>,
    /// Signals inside the grace period; the default's if empty.
    pub(crate) escalation: Vec<Escalation>,
    /// Begin each line of the build log with its time.
    pub(crate) timestamps: bool,
    /// The file that gets the sentence about a failure, absolute; none if empty.
    pub(crate) termination_message: String,
    /// Time for delivery when the pod is told to end.
    pub(crate) upload_budget: GoDuration,
    /// Time for which a destination that takes nothing is tried.
    pub(crate) retry_for: GoDuration,
    /// The cost that a delivery may have.
    pub(crate) limits: LimitOptions,
    /// Directories whose files are secrets, absolute.
    pub(crate) secrets: Vec<String>,
    /// Do not start when a secret cannot be masked.
    pub(crate) strict: bool,
    /// For `s3://`; empty means the usual environment.
    pub(crate) s3_credentials_file: String,
    /// For `gs://`; empty means the usual environment.
    pub(crate) gcs_credentials_file: String,
    /// Keep the pod directory.
    pub(crate) keep: bool,
    /// The directory of `entrypoint` and `sidecar`; by default that of this program.
    pub(crate) programs: Option<PathBuf>,
    /// The wrapped command.
    pub(crate) command: Vec<String>,
}

impl Options {
    /// Gives the flags their meaning.
    pub(crate) fn from_matches(matches: &ArgMatches) -> Result<Self, Problem> {
        let text = |id: &str| matches.get_one::<String>(id).cloned().unwrap_or_default();
        let time = |id: &str, default| matches.get_one(id).copied().unwrap_or(default);
        let words = matches.get_many::<OsString>(COMMAND).unwrap_or_default();
        let command: Vec<_> = words.map(utf8_word).collect::<Result<_, _>>()?;
        is_program(&command)?;
        Ok(Self {
            job: job_name(&text("job"))?.to_owned(),
            timeout: time("timeout", DEFAULT_TIMEOUT),
            grace_period: time("grace-period", DEFAULT_GRACE_PERIOD),
            interrupt: matches.get_one("interrupt").copied(),
            escalation: matches.get_many("escalation").unwrap_or_default().copied().collect(),
            timestamps: matches.get_flag("timestamps"),
            termination_message: new_file(matches, "termination-message")?,
            upload_budget: time("upload-budget", DEFAULT_UPLOAD_BUDGET),
            keep: matches.get_flag("keep"),
            command,
            ..Self::of_delivery(matches)?
        })
    }

    /// Gives the flags of delivery their meaning, which `podutils deliver` has alone; all others
    /// have their defaults.
    pub(super) fn of_delivery(matches: &ArgMatches) -> Result<Self, Problem> {
        let secrets = matches.get_many::<PathBuf>("secrets").unwrap_or_default();
        let programs = matches.get_one("programs").cloned();
        let mut limits = LimitOptions::default();
        fill(&mut limits, matches).map_err(|error| Problem::new(error.to_string()))?;
        Ok(Self {
            limits,
            job: String::new(),
            out: matches.get_one::<String>("out").cloned().unwrap_or_default(),
            timeout: DEFAULT_TIMEOUT,
            grace_period: DEFAULT_GRACE_PERIOD,
            interrupt: None,
            escalation: Vec::new(),
            timestamps: false,
            termination_message: String::new(),
            upload_budget: DEFAULT_UPLOAD_BUDGET,
            retry_for: matches.get_one("retry-for").copied().unwrap_or(DEFAULT_RETRY_FOR),
            secrets: secrets.map(|dir| secret_directory(dir)).collect::<Result<_, _>>()?,
            strict: matches.get_flag("strict"),
            s3_credentials_file: readable_file(matches, "s3-credentials-file")?,
            gcs_credentials_file: readable_file(matches, "gcs-credentials-file")?,
            keep: true,
            programs: programs.or_else(|| std::env::var_os(PROGRAMS).map(PathBuf::from)),
            command: Vec::new(),
        })
    }
}

/// Time for delivery in the pod's grace period when nothing is said.
const DEFAULT_UPLOAD_BUDGET: GoDuration = GoDuration::from_secs(60);

/// Somebody watches, and can deliver the kept directory again.
const DEFAULT_RETRY_FOR: GoDuration = GoDuration::from_nanos(120_000_000_000);

/// The environment variable that stands for `--programs`.
const PROGRAMS: &str = "POD_UTILS_BIN_DIR";

/// The job's name is one segment of every path at the destination.
pub(crate) fn job_name(name: &str) -> Result<&str, Problem> {
    let bad = name.is_empty()
        || name == "."
        || name == ".."
        || name.contains('/')
        || name.chars().any(char::is_control);
    if bad {
        return Err(Problem::new(format!(
            "--job {name:?}: allowed is a name without slashes and control characters"
        )));
    }
    Ok(name)
}

pub(super) fn secret_directory(dir: &Path) -> Result<String, Problem> {
    let refuse =
        |why: &str| Problem::new(format!("--secrets {}: {why}; allowed is a directory", dir.display()));
    // Reading it is the check: a directory that cannot be listed hides its secrets.
    std::fs::read_dir(dir).map_err(|error| refuse(&error.to_string()))?;
    utf8_path(dir).ok_or_else(|| refuse("its name is not UTF-8"))
}

fn readable_file(matches: &ArgMatches, id: &str) -> Result<String, Problem> {
    let Some(path) = matches.get_one::<PathBuf>(id) else { return Ok(String::new()) };
    let refuse =
        |why: String| Problem::new(format!("--{id} {}: {why}; allowed is a readable file", path.display()));
    std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
    utf8_path(path).ok_or_else(|| refuse("its name is not UTF-8".to_owned()))
}

/// Creates an empty file and returns its path, as the kubelet does with a container's
/// termination message.
fn new_file(matches: &ArgMatches, id: &str) -> Result<String, Problem> {
    let Some(path) = matches.get_one::<PathBuf>(id) else { return Ok(String::new()) };
    let refuse =
        |why: String| Problem::new(format!("--{id} {}: {why}; allowed is a file to write", path.display()));
    std::fs::write(path, "").map_err(|error| refuse(error.to_string()))?;
    utf8_path(path).ok_or_else(|| refuse("its name is not UTF-8".to_owned()))
}

/// The absolute path as the JSON of options can carry it.
pub(super) fn utf8_path(path: &Path) -> Option<String> {
    std::path::absolute(path).ok()?.into_os_string().into_string().ok()
}

fn utf8_word(word: &OsString) -> Result<String, Problem> {
    word.to_str().map(str::to_owned).ok_or_else(|| {
        Problem::new(format!("{}: the command must be UTF-8, because options are JSON", word.display()))
    })
}

/// Refuses what is no program but looks like a common mistake. One that is not found is a failed
/// job, as in a pod.
fn is_program(command: &[String]) -> Result<(), Problem> {
    let Some((program, arguments)) = command.split_first() else { return Ok(()) };
    if program.contains('/') && Path::new(program).is_dir() {
        return Err(Problem::new(format!("{COMMAND} {program}: it is a directory; allowed is a program")));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let exists = || {
        let mut places = std::env::split_paths(&path).map(|dir| dir.join(program));
        Path::new(program).exists() || places.any(|place| place.exists())
    };
    if arguments.is_empty() && program.contains(char::is_whitespace) && !exists() {
        let quoted = program.replace('\'', r"'\''");
        return Err(Problem::new(format!(
            "{COMMAND} {program:?}: there is no such program; for a line of a shell: podutils run -- sh -c '{quoted}'"
        )));
    }
    Ok(())
}

/// A time on the command line.
pub(crate) fn duration(text: &str) -> Result<GoDuration, String> {
    match text.parse::<GoDuration>() {
        Ok(time) if time.as_nanos() > 0 => Ok(time),
        Ok(_) | Err(_) => Err("allowed is a time above zero such as 300ms, 90s, 1.5h or 2h45m".to_owned()),
    }
}

/// The flag that says what the command gets when it is interrupted, for `run` and `inject`.
pub(crate) fn interrupt() -> Arg {
    Arg::new("interrupt").long("interrupt").value_name("WORD").value_parser(<Interrupt as Single>::parser()).help(
        "Signals that the command gets when it is interrupted: int_then_escalation, int_then_received, or \
         received (the signal that came, alone) [default: int_then_escalation]",
    )
}

/// A flag that takes a time.
fn time(id: &'static str, help: String) -> Arg {
    let time = Arg::new(id).long(id).value_name("TIME").value_parser(duration).help(help);
    // For -5s the parser says what is allowed.
    time.allow_hyphen_values(true)
}

/// A flag that takes a file.
fn file(id: &'static str, help: &'static str) -> Arg {
    Arg::new(id).long(id).value_name("FILE").value_parser(value_parser!(PathBuf)).help(help)
}

/// The flags of delivery.
pub(super) fn of_delivery() -> Vec<Arg> {
    vec![
        time("retry-for", format!("How long to try on while nothing arrives [default: {DEFAULT_RETRY_FOR}]")),
        Arg::new("secrets")
            .long("secrets")
            .value_name("DIRECTORY")
            .action(ArgAction::Append)
            .value_parser(value_parser!(PathBuf))
            .help("Mask the content of this directory's files in everything delivered (repeatable)"),
        Arg::new("strict").long("strict").action(ArgAction::SetTrue).help(
            "Start nothing when a secret cannot be loaded or is too short to be masked, and withhold everything but the \
             result when that happens later",
        ),
        file("s3-credentials-file", "JSON file for s3:// [default: AWS_… variables, profile, instance role]"),
        file("gcs-credentials-file", "JSON file for gs:// [default: application default credentials]"),
        Arg::new("programs").long("programs").value_name("DIRECTORY").value_parser(value_parser!(PathBuf)).help(
            format!("Where entrypoint and sidecar are [default: ${PROGRAMS}, else those that podutils contains]"),
        ),
    ]
}

/// The subcommand's definition.
pub(crate) fn command() -> Command {
    Command::new(SUBCOMMAND)
        .about("Runs a command as a job: supervised, delivered, with a truthful result")
        .override_usage(format!("podutils run [options] -- {COMMAND} [ARGUMENTS]"))
        .arg(Arg::new("job").long("job").value_name("NAME").default_value("local").help("The job's name"))
        .arg(Arg::new("out").long("out").value_name("DESTINATION").default_value(DEFAULT_OUT).help(
            "Where results go: a directory (one folder per job and build id below it), file:///DIRECTORY, \
             s3://BUCKET[/PREFIX], gs://BUCKET[/PREFIX] or az://CONTAINER[/PREFIX]",
        ))
        .arg(time("timeout", format!("How long the command may run [default: {DEFAULT_TIMEOUT}]")))
        .arg(time(
            "grace-period",
            format!(
                "How long it may take to end when told to: its group gets SIGINT, SIGTERM after two thirds of it \
                 (from 10s on at least 5s before its end), SIGKILL at its end [default: {DEFAULT_GRACE_PERIOD}]"
            ),
        ))
        .arg(interrupt())
        .arg(
            Arg::new("escalation")
                .long("escalation")
                .value_name(Escalation::VALUE_NAME)
                .action(ArgAction::Append)
                .value_parser(Escalation::parser())
                .help(
                    "Another signal this long after the first one, instead of SIGTERM, such as SIGQUIT=2s for the \
                     stacks of Go and JVM programs (repeatable)",
                ),
        )
        .arg(
            Arg::new("timestamps")
                .long("timestamps")
                .action(ArgAction::SetTrue)
                .help("Begin each line of the build log with its time"),
        )
        .arg(file("termination-message", "A file to make, which gets the sentence about a failure"))
        .arg(time(
            "upload-budget",
            format!("How long delivery may take after Ctrl-C [default: {DEFAULT_UPLOAD_BUDGET}]"),
        ))
        .args(of_delivery())
        .args(args(&LimitOptions::default()))
        .arg(Arg::new("keep").long("keep").action(ArgAction::SetTrue).help("Keep the temporary pod directory"))
        .arg(
            Arg::new(COMMAND)
                .required(true)
                .num_args(1..)
                .trailing_var_arg(true)
                .value_parser(value_parser!(OsString))
                .help("The command and its arguments; it finds $ARTIFACTS, $JOB_NAME, $BUILD_ID, $JOB_SPEC, $CI"),
        )
        .after_help(
            "Exit status: the command's (127 after a timeout, 130 after Ctrl-C); 1 when it passed but its results\n\
             could not be delivered, or an option cannot work; 2 for a wrong command line.\n\
             The command's output goes to stdout, everything else to stderr.\n\n\
             Examples:\n  \
             podutils run -- make test\n  \
             podutils run --job unit --timeout 20m --secrets ~/.config/tokens -- cargo test\n  \
             podutils run --out s3://ci-results --s3-credentials-file s3.json -- ./e2e.sh",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Options, Problem> {
        let words = [SUBCOMMAND].iter().chain(words);
        Options::from_matches(&command().try_get_matches_from(words).expect("well-formed"))
    }

    #[test]
    fn defaults_and_values() {
        let options = parsed(&["--", "sh", "-c", "exit 3"]).expect("valid");
        assert_eq!((options.job.as_str(), options.out.as_str()), ("local", DEFAULT_OUT));
        assert_eq!(options.command, ["sh", "-c", "exit 3"]);
        assert_eq!(options.timeout, DEFAULT_TIMEOUT);
        let options = parsed(&["--grace-period", "1m30s", "--keep", "make", "-j"]).expect("valid");
        assert_eq!(options.grace_period, GoDuration::from_secs(90));
        assert!(options.keep);
        assert_eq!(options.interrupt, None);
        assert_eq!(options.command, ["make", "-j"]);
        assert!(
            options.escalation.is_empty() && !options.timestamps && options.termination_message.is_empty()
        );
        let words = ["--escalation", "SIGQUIT=2s", "--escalation", "SIGTERM=5s", "--timestamps", "make"];
        let options = parsed(&words).expect("valid");
        let escalation = options.escalation.iter().map(Single::shown).collect::<Vec<_>>();
        assert_eq!((escalation.join(" "), options.timestamps), ("SIGQUIT=2s SIGTERM=5s".to_owned(), true));
        let options = parsed(&["--interrupt", "received", "make"]).expect("valid");
        assert_eq!(options.interrupt, Some(Interrupt::Received));
    }

    #[test]
    fn what_cannot_work_is_named_with_its_value() {
        for (words, parts) in [
            (&["--job", "a/b", "true"][..], ["--job", "a/b"]),
            (&["--job", "", "true"], ["--job", "\"\""]),
            (&["--secrets", "/no/such/dir", "true"], ["--secrets", "/no/such/dir"]),
            (&["--s3-credentials-file", "/no/file", "true"], ["--s3-credentials-file", "/no/file"]),
            (&["--termination-message", "/no/such/file", "true"], ["--termination-message", "/no/such/file"]),
        ] {
            let problem = parsed(words).expect_err("refused");
            assert_eq!(problem.status, 1);
            assert!(parts.iter().all(|part| problem.text.contains(part)), "{problem:?}");
        }
    }

    #[test]
    fn commands_that_cannot_be_programs_are_named() {
        for (words, part) in [
            (&["make test && echo 'ok'"][..], r"-- sh -c 'make test && echo '\''ok'\''"),
            (&["/tmp/"], "it is a directory"),
            (&["./", "x"], "it is a directory"),
        ] {
            let problem = parsed(words).expect_err("refused");
            assert!(problem.text.contains(part), "{problem:?}");
        }
        for words in [&["no-such-program"][..], &["a b", "c"], &["/no/such/program"]] {
            assert!(parsed(words).is_ok(), "{words:?}");
        }
    }

    #[test]
    fn times_are_above_zero() {
        for text in ["0", "-1s", "5", "x"] {
            assert!(
                command().try_get_matches_from([SUBCOMMAND, "--timeout", text, "true"]).is_err(),
                "{text}"
            );
        }
    }
}
