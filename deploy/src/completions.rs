//! `podutils completions` and `podutils man`: made from the definitions that the
//! programs parse their command lines with, so that they are always current.

use crate::terminal::Problem;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;
use common::flags::prepared;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Makes a definition.
type Define = fn() -> Command;

/// The programs, with the definition of each.
const PROGRAMS: [(&str, Define); 6] = [
    ("podutils", crate::cli::command),
    ("entrypoint", || prepared(entrypoint::options::command())),
    ("sidecar", || prepared(sidecar::options::command())),
    ("initupload", || prepared(sidecar::initupload::command())),
    ("gcsupload", || prepared(sidecar::gcsupload::command())),
    ("entrypoint-wrapper", || prepared(entrypoint_wrapper::command())),
];

fn program_arg() -> Arg {
    Arg::new("PROGRAM")
        .value_parser(PossibleValuesParser::new(PROGRAMS.map(|(name, _)| name)))
        .default_value("podutils")
        .help("For which program")
}

fn directory_arg(help: &'static str) -> Arg {
    Arg::new("dir").long("dir").value_name("DIRECTORY").value_parser(value_parser!(PathBuf)).help(help)
}

/// The definition of `podutils completions`.
pub(crate) fn completions_command() -> Command {
    Command::new("completions")
        .about("Prints completions for bash, zsh or fish")
        .arg(
            Arg::new("SHELL")
                .required(true)
                .value_parser(PossibleValuesParser::new(["bash", "zsh", "fish"]))
                .help("For which shell"),
        )
        .arg(program_arg())
        .arg(directory_arg(
            "Write a file for each program into this directory instead, under the name the shell looks for",
        ))
        .after_help(
            "Examples:\n  \
             source <(podutils completions bash)\n  \
             podutils completions zsh > ~/.zfunc/_podutils\n  \
             podutils completions fish --dir ~/.config/fish/completions",
        )
}

/// The definition of `podutils man`.
pub(crate) fn man_command() -> Command {
    Command::new("man")
        .about("Prints a manual page")
        .arg(program_arg())
        .arg(directory_arg(
            "Write the pages of all programs into this directory instead, subcommands included",
        ))
        .after_help(
            "Examples:\n  \
             podutils man sidecar | man -l -\n  \
             podutils man --dir /usr/local/share/man/man1",
        )
}

fn named(name: &str) -> Command {
    let (_, command) = PROGRAMS.iter().find(|(known, _)| *known == name).unwrap_or(&PROGRAMS[0]);
    command()
}

/// Runs `podutils completions`.
pub(crate) fn run_completions(matches: &ArgMatches) -> Result<u8, Problem> {
    let (shell, prefix, suffix) = match matches.get_one::<String>("SHELL").map(String::as_str) {
        Some("zsh") => (Shell::Zsh, "_", ""),
        Some("fish") => (Shell::Fish, "", ".fish"),
        Some(_) | None => (Shell::Bash, "", ""),
    };
    let generate = |name: &str| {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut named(name), name, &mut text);
        text
    };
    if let Some(dir) = matches.get_one::<PathBuf>("dir") {
        for (name, _) in PROGRAMS {
            write(dir, &format!("{prefix}{name}{suffix}"), &generate(name))?;
        }
        return Ok(0);
    }
    print(&generate(chosen(matches)))
}

/// Runs `podutils man`.
pub(crate) fn run_man(matches: &ArgMatches) -> Result<u8, Problem> {
    let Some(dir) = matches.get_one::<PathBuf>("dir") else {
        return print(&page(named(chosen(matches)))?);
    };
    for (name, command) in PROGRAMS {
        write(dir, &format!("{name}.1"), &page(command())?)?;
        for subcommand in command().get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
            let full = format!("{name}-{}", subcommand.get_name());
            let subcommand = subcommand.clone().version(common::version::VERSION).display_name(full.clone());
            write(dir, &format!("{full}.1"), &page(subcommand)?)?;
        }
    }
    Ok(0)
}

fn chosen(matches: &ArgMatches) -> &str {
    matches.get_one::<String>("PROGRAM").map_or("podutils", String::as_str)
}

fn page(command: Command) -> Result<Vec<u8>, Problem> {
    let mut text = Vec::new();
    let man = clap_mangen::Man::new(command);
    man.render(&mut text).map_err(|error| Problem::new(format!("cannot make the page: {error}")))?;
    Ok(text)
}

fn write(dir: &Path, name: &str, text: &[u8]) -> Result<(), Problem> {
    let path = dir.join(name);
    let written = std::fs::create_dir_all(dir).and_then(|()| std::fs::write(&path, text));
    written.map_err(|error| Problem::new(format!("cannot write {}: {error}", path.display())))
}

fn print(text: &[u8]) -> Result<u8, Problem> {
    match std::io::stdout().write_all(text) {
        // A pager that was closed has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(0),
        Err(error) => Err(Problem::new(format!("cannot write to stdout: {error}"))),
        Ok(()) => Ok(0),
    }
}
