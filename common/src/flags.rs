//! Go's command-line syntax in front of clap (contract O-70 to O-73).
//!
//! The programs are started by command lines made for Go's `flag` package. The
//! arguments are rewritten into the one form that both understand,
//! `--name=value`, with every positional argument behind `--`; clap then gives
//! types, help and messages. Which flags exist, and which are bool, is read
//! from the [`Command`] itself.

use clap::builder::{PossibleValuesParser, TypedValueParser, ValueParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;

/// The id of the argument that gets the positional arguments. When the command
/// does not define it, it is added, with values of type [`OsString`].
pub const POSITIONALS: &str = "args";

/// A command line that gives no options: help was asked for, or it is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagError {
    text: String,
    exit_status: u8,
}

impl FlagError {
    /// What to print, ending in a newline: help, the version, or the problem
    /// with the usage.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// 0 when help or the version was asked for (the text belongs to stdout),
    /// else [`crate::codes::EXIT_USAGE`] (it belongs to stderr).
    pub fn exit_status(&self) -> u8 {
        self.exit_status
    }
}

impl fmt::Display for FlagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.trim_end())
    }
}

impl std::error::Error for FlagError {}

impl From<clap::Error> for FlagError {
    fn from(error: clap::Error) -> Self {
        let exit_status = if error.use_stderr() { crate::codes::EXIT_USAGE } else { 0 };
        let mut text = error.render().to_string();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        Self { text, exit_status }
    }
}

/// Parses `args` (without the program's own name) by Go's rules.
///
/// A flag is bool when its action is [`ArgAction::SetTrue`] or its values are
/// of type `bool` (for defaults of `true`); it takes Go's spellings of a bool.
/// A flag with [`ArgAction::Append`] collects, of every other the last one counts.
pub fn parse(command: Command, args: impl IntoIterator<Item = OsString>) -> Result<ArgMatches, FlagError> {
    let mut command = prepare(command);
    let rewritten = rewrite(&mut command, &mut args.into_iter())?;
    Ok(command.try_get_matches_from(rewritten)?)
}

/// Whether the flag is a bool one.
fn is_bool(arg: &Arg) -> bool {
    let switch = matches!(arg.get_action(), ArgAction::SetTrue);
    switch || arg.get_value_parser().type_id() == clap::value_parser!(bool).type_id()
}

/// Gives bool flags an optional value in Go's spellings, and the command its
/// positional argument.
fn prepare(command: Command) -> Command {
    let has_positionals = command.get_arguments().any(|arg| arg.get_id() == POSITIONALS);
    let command = command.args_override_self(true).mut_args(|arg| {
        if !is_bool(&arg) {
            return arg;
        }
        let default = arg.get_default_values().first().map(|value| value == "true");
        arg.action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .value_name("BOOL")
            .default_missing_value("true")
            .default_value(if default == Some(true) { "true" } else { "false" })
            .value_parser(go_bool())
    });
    if has_positionals {
        return command;
    }
    let any = ValueParser::os_string();
    command.arg(Arg::new(POSITIONALS).value_name("ARGS").num_args(0..).value_parser(any))
}

/// The spellings of O-71.
fn go_bool() -> impl TypedValueParser<Value = bool> {
    const SPELLINGS: [&str; 12] =
        ["true", "false", "1", "0", "t", "f", "T", "F", "TRUE", "FALSE", "True", "False"];
    PossibleValuesParser::new(SPELLINGS)
        .map(|text| matches!(text.as_str(), "1") || text.starts_with(['t', 'T']))
}

/// The arguments as clap takes them, program name first.
fn rewrite(
    command: &mut Command,
    args: &mut dyn Iterator<Item = OsString>,
) -> Result<Vec<OsString>, FlagError> {
    let mut rewritten = vec![OsString::from(command.get_name())];
    let mut positionals = vec![OsString::from("--")];
    while let Some(arg) = args.next() {
        let Some(body) = flag_body(&arg) else {
            if arg != "--" {
                positionals.push(arg);
            }
            positionals.extend(args);
            break;
        };
        let equals = body.iter().position(|byte| *byte == b'=');
        let name = OsStr::from_bytes(&body[..equals.unwrap_or(body.len())]);
        if name.is_empty() || name.as_bytes().starts_with(b"-") {
            let text = format!("bad flag syntax: {}", crate::excerpt::excerpt(&arg.to_string_lossy()));
            return Err(command.error(ErrorKind::UnknownArgument, text).into());
        }
        let known = command.get_arguments().find(|arg| is_named(arg, name));
        let (takes_next, stop) = match known {
            Some(flag) => (!is_bool(flag), false),
            // Help asked for and flags that do not exist are clap's to answer,
            // before anything that follows.
            None => (false, true),
        };
        let mut flag = OsString::from("--");
        flag.push(if known.is_none() && name == "h" { OsStr::new("help") } else { name });
        if let Some(at) = equals {
            flag.push(OsStr::from_bytes(&body[at..]));
        } else if takes_next && let Some(value) = args.next() {
            flag.push("=");
            flag.push(value);
        }
        rewritten.push(flag);
        if stop {
            return Ok(rewritten);
        }
    }
    rewritten.append(&mut positionals);
    Ok(rewritten)
}

/// What follows the one or two dashes of a flag; `None` for a positional
/// argument, a lone `-` and `--`.
fn flag_body(arg: &OsStr) -> Option<&[u8]> {
    let bytes = arg.as_bytes();
    let body = bytes.strip_prefix(b"--").or_else(|| bytes.strip_prefix(b"-"))?;
    (!body.is_empty()).then_some(body)
}

fn is_named(arg: &Arg, name: &OsStr) -> bool {
    arg.get_long_and_visible_aliases().is_some_and(|names| names.iter().any(|long| name == *long))
}
