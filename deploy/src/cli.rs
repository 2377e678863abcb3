//! The subcommands of the command line.

use crate::terminal::{self, Problem};
use crate::{censor, completions, explain, history, inject, licenses, run, show, verify, webhook};
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command};
use std::ffi::OsString;
use std::process::ExitCode;

/// One subcommand: its definition, whose name is the subcommand, and what it does.
struct Subcommand {
    command: fn() -> Command,
    run: fn(&ArgMatches) -> Result<u8, Problem>,
}

/// The subcommands in the order of the help.
const SUBCOMMANDS: [Subcommand; 12] = [
    Subcommand {
        command: run::command,
        run: |matches| run::Options::from_matches(matches).and_then(|options| run::run(&options)),
    },
    Subcommand { command: run::deliver::command, run: run::deliver::run },
    Subcommand {
        command: inject::command,
        run: |matches| inject::Options::from_matches(matches).and_then(|options| inject::run(&options)),
    },
    Subcommand { command: webhook::command, run: webhook::run },
    Subcommand { command: censor::command, run: censor::run },
    Subcommand { command: show::command, run: show::run },
    Subcommand { command: history::command, run: history::run },
    Subcommand { command: verify::command, run: verify::run },
    Subcommand { command: explain::command, run: explain::run },
    Subcommand {
        command: completions::completions_command,
        run: |matches| completions::run_completions(matches, visible),
    },
    Subcommand { command: completions::man_command, run: |matches| completions::run_man(matches, visible) },
    Subcommand { command: licenses::command, run: licenses::run },
];

/// Runs the tool with its command line, program name first.
pub(crate) fn main(args: Vec<OsString>) -> ExitCode {
    let done = match parse(args) {
        Ok(Request::Subcommand(run, matches)) => run(&matches),
        Ok(Request::Exec(matches)) => run::session::exec(&matches).map(|never| match never {}),
        Ok(Request::Text(text)) => terminal::print(text.as_bytes()).map(|()| 0),
        Err(problem) => Err(problem),
    };
    ExitCode::from(done.unwrap_or_else(|problem| {
        terminal::raw(&format!("error: {}", problem.text));
        problem.status
    }))
}

/// A parsed command line.
#[derive(Debug)]
enum Request {
    Subcommand(fn(&ArgMatches) -> Result<u8, Problem>, ArgMatches),
    Exec(ArgMatches),
    /// Help or the version.
    Text(String),
}

fn parse(args: Vec<OsString>) -> Result<Request, Problem> {
    let help = help_of(&args);
    match command().try_get_matches_from(args) {
        Ok(mut matches) => match matches.remove_subcommand() {
            Some((name, matches)) => {
                match SUBCOMMANDS.iter().find(|subcommand| (subcommand.command)().get_name() == name) {
                    Some(subcommand) => Ok(Request::Subcommand(subcommand.run, matches)),
                    None => Ok(Request::Exec(matches)),
                }
            }
            None => Err(Problem::syntax("no subcommand given; see podutils --help")),
        },
        Err(error) => refusal(&error, &help),
    }
}

/// The command line that shows the help about what was typed: that of the subcommand, if there
/// is one.
fn help_of(args: &[OsString]) -> String {
    let mut words = vec!["podutils".to_owned()];
    let mut command = visible();
    for word in args.iter().skip(1).map_while(|word| word.to_str()) {
        let Some(found) = command.find_subcommand(word).cloned() else { break };
        words.push(word.to_owned());
        command = found;
    }
    words.join(" ") + " --help"
}

/// clap's message in one line: what is wrong, and what may have been meant.
fn refusal(error: &clap::Error, help: &str) -> Result<Request, Problem> {
    let text = error.render().to_string();
    let kind = error.kind();
    if kind == ErrorKind::DisplayHelp || kind == ErrorKind::DisplayVersion {
        return Ok(Request::Text(text));
    }
    if kind == ErrorKind::MissingRequiredArgument && text.contains(run::COMMAND) {
        return Err(Problem::syntax("no command given; usage: podutils run [options] -- COMMAND…"));
    }
    let mut lines = text.lines().map(str::trim);
    let first = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let tip = lines
        .find_map(|line| line.strip_prefix("tip: ").filter(|tip| tip.contains("similar")))
        .map(|tip| format!(" ({tip})"));
    let missing = (kind == ErrorKind::MissingRequiredArgument)
        .then(|| text.lines().nth(1).map(|argument| format!(" {}", argument.trim())));
    let more = tip.or(missing.flatten()).unwrap_or_default();
    Err(Problem::syntax(format!("{first}{more}; see {help}")))
}

/// The whole tool.
pub(crate) fn command() -> Command {
    visible().subcommand(
        Command::new(run::session::SUBCOMMAND).hide(true).arg(
            Arg::new(run::session::WORDS)
                .num_args(1..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .value_parser(clap::value_parser!(OsString)),
        ),
    )
}

/// The tool as people know it: without the subcommand that it starts itself with.
fn visible() -> Command {
    Command::new("podutils")
        .version(common::version::VERSION)
        .about(
            "Runs CI jobs on this machine the way a pod would, and puts supervision and delivery into pods, and tells what happened",
        )
        .disable_help_subcommand(true)
        .subcommands(SUBCOMMANDS.iter().map(|subcommand| (subcommand.command)()))
        .after_help(
            "podutils SUBCOMMAND --help says more about one of them, with examples.\n\n\
             Examples:\n  \
             podutils run -- make test\n  \
             podutils show pod-utils-out/local/20260131120000000\n  \
             podutils explain ENTRYPOINT_OPTIONS",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(words: &[&str]) -> Problem {
        parse(words.iter().map(OsString::from).collect()).expect_err("refused")
    }

    #[test]
    fn mistakes_are_one_line_and_2() {
        for (words, part) in [
            (&["podutils"][..], "no subcommand"),
            (&["podutils", "runn"], "run"),
            (&["podutils", "run"], "no command given"),
            (&["podutils", "run", "--jobs", "x", "--", "true"], "'--job'"),
            (&["podutils", "run", "--timeout", "1", "--", "true"], "1.5h"),
            (&["podutils", "run", "--out"], "--out"),
            (&["podutils", "censor", "x"], "--secrets"),
            (&["podutils", "show"], "see podutils show --help"),
            (&["podutils", "webhook", "certificate"], "see podutils webhook certificate --help"),
            (&["podutils", "run", "--timeout", "-5s", "--", "true"], "allowed is a time above zero"),
        ] {
            let problem = problem(words);
            assert_eq!(problem.status, 2, "{problem:?}");
            assert_eq!(problem.text.lines().count(), 1, "{problem:?}");
            assert!(problem.text.contains(part), "{problem:?} without {part}");
        }
    }

    #[test]
    fn help_is_no_mistake() {
        for words in [&["podutils", "--help"][..], &["podutils", "run", "--help"], &["podutils", "--version"]]
        {
            let request = parse(words.iter().map(OsString::from).collect()).expect("help");
            assert!(matches!(request, Request::Text(_)), "{request:?}");
        }
    }

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }
}
