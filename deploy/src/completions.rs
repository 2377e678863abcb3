//! `podutils completions` and `podutils man`: made from the definitions that the
//! programs parse their command lines with, so that they are always current.

use crate::terminal::{self, Problem};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;
use common::options::flags::prepared;
use std::path::{Path, PathBuf};

/// Makes a definition.
type Define = fn() -> Command;

/// The name of this program, which is first among the programs.
const PODUTILS: &str = "podutils";

/// The other programs, with the definition of each.
const OTHERS: [(&str, Define); 5] = [
    ("entrypoint", || prepared(entrypoint::options::command())),
    ("sidecar", || prepared(sidecar::options::command())),
    ("initupload", || prepared(sidecar::initupload::command())),
    ("gcsupload", || prepared(sidecar::gcsupload::command())),
    ("entrypoint-wrapper", || prepared(entrypoint_wrapper::command())),
];

/// Returns the definitions of all programs; `podutils` is that of this one, which
/// the command line hands down.
fn programs(podutils: Define) -> impl Iterator<Item = (&'static str, Define)> {
    std::iter::once((PODUTILS, podutils)).chain(OTHERS)
}

fn program_arg() -> Arg {
    Arg::new("PROGRAM").default_value(PODUTILS).help("For which program")
}

/// The argument for programs only.
fn known_program_arg() -> Arg {
    program_arg().value_parser(PossibleValuesParser::new(
        std::iter::once(PODUTILS).chain(OTHERS.map(|(name, _)| name)),
    ))
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
        .arg(known_program_arg())
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
        .arg(program_arg().value_name("PAGE").help("Which page: a program's, or podutils-SUBCOMMAND"))
        .arg(directory_arg(
            "Write the pages of all programs into this directory instead, subcommands included",
        ))
        .after_help(
            "Examples:\n  \
             podutils man sidecar | man -l -\n  \
             podutils man podutils-run | man -l -\n  \
             podutils man --dir /usr/local/share/man/man1",
        )
}

fn named(name: &str, podutils: Define) -> Command {
    let found = programs(podutils).find(|(known, _)| *known == name);
    found.map_or(podutils, |(_, command)| command)()
}

/// Runs `podutils completions`.
pub(crate) fn run_completions(matches: &ArgMatches, podutils: Define) -> Result<u8, Problem> {
    let (shell, prefix, suffix) = match matches.get_one::<String>("SHELL").map(String::as_str) {
        Some("zsh") => (Shell::Zsh, "_", ""),
        Some("fish") => (Shell::Fish, "", ".fish"),
        Some(_) | None => (Shell::Bash, "", ""),
    };
    let generate = |name: &str| {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut named(name, podutils), name, &mut text);
        text
    };
    if let Some(dir) = matches.get_one::<PathBuf>("dir") {
        for (name, _) in programs(podutils) {
            write(dir, &format!("{prefix}{name}{suffix}"), &generate(name))?;
        }
        return Ok(0);
    }
    terminal::print(&generate(chosen(matches)))?;
    Ok(0)
}

/// Runs `podutils man`.
pub(crate) fn run_man(matches: &ArgMatches, podutils: Define) -> Result<u8, Problem> {
    let Some(dir) = matches.get_one::<PathBuf>("dir") else {
        let wanted = chosen(matches);
        let Some((_, command)) = pages(podutils).find(|(name, _)| name == wanted) else {
            let names: Vec<_> = pages(podutils).map(|(name, _)| name).collect();
            let text = format!("there is no page {wanted:?}; allowed are {}", names.join(", "));
            return Err(Problem::new(terminal::harmless(&text)));
        };
        terminal::print(&page(command)?)?;
        return Ok(0);
    };
    for (name, command) in pages(podutils) {
        write(dir, &format!("{name}.1"), &page(command)?)?;
    }
    Ok(0)
}

/// The pages with their names: one for each program and each subcommand.
fn pages(podutils: Define) -> impl Iterator<Item = (String, Command)> {
    programs(podutils).flat_map(|(name, command)| {
        let of_subcommand = |subcommand: &Command| {
            let full = format!("{name}-{}", subcommand.get_name());
            (full.clone(), subcommand.clone().version(common::version::VERSION).display_name(full))
        };
        let subcommands: Vec<_> = command().get_subcommands().map(of_subcommand).collect();
        std::iter::once((name.to_owned(), command())).chain(subcommands)
    })
}

fn chosen(matches: &ArgMatches) -> &str {
    matches.get_one::<String>("PROGRAM").map_or(PODUTILS, String::as_str)
}

fn page(command: Command) -> Result<Vec<u8>, Problem> {
    let mut text = Vec::new();
    let man = clap_mangen::Man::new(command);
    man.render(&mut text).map_err(|error| Problem::new(format!("cannot make the page: {error}")))?;
    // Lines with long values cannot be adjusted to the margin, which roff would complain about.
    let title = text.windows(4).position(|window| window == b"\n.TH").map_or(0, |at| at + 1);
    let end = text[title..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| title + at + 1);
    text.splice(end..end, *b".na\n");
    Ok(text)
}

fn write(dir: &Path, name: &str, text: &[u8]) -> Result<(), Problem> {
    let path = dir.join(name);
    let written = std::fs::create_dir_all(dir).and_then(|()| std::fs::write(&path, text));
    written.map_err(|error| Problem::new(format!("cannot write {}: {error}", path.display())))
}
