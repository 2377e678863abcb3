//! Go's command-line syntax in front of clap (contract O-70 to O-73).
//!
//! The programs are started by command lines made for Go's `flag` package. The
//! arguments are rewritten into the one form that both understand,
//! `--name=value`, with every positional argument behind `--`; clap then gives
//! types, help and messages. Which flags exist, and which are bool, is read
//! from the [`Command`] itself.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;

pub use clap::builder::ValueParser;

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
    /// Text to print, ending in a newline: help, the version, or the problem
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

impl FlagError {
    /// Clap's answer, with the usage where clap leaves it out.
    fn new(error: &clap::Error, command: &mut Command) -> Self {
        let mut text = error.render().to_string();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        if !error.use_stderr() {
            return Self { text, exit_status: 0 };
        }
        if !text.contains("Usage: ") {
            text = format!("{text}\n{}\n", command.render_usage());
        }
        Self { text, exit_status: crate::codes::EXIT_USAGE }
    }
}

/// Parses `args` (without the program's own name) by Go's rules.
///
/// A flag is bool when its action is [`ArgAction::SetTrue`] or its values are
/// of type `bool` (for defaults of `true`); it takes Go's spellings of a bool.
/// A flag with [`ArgAction::Append`] collects, of every other the last one counts.
pub fn parse(command: Command, args: impl IntoIterator<Item = OsString>) -> Result<ArgMatches, FlagError> {
    let mut command = prepared(command);
    rewrite(&mut command, &mut args.into_iter())
        .and_then(|rewritten| command.try_get_matches_from_mut(rewritten))
        .map_err(|error| FlagError::new(&error, &mut command))
}

/// Whether the flag is a bool one.
fn is_bool(arg: &Arg) -> bool {
    let switch = matches!(arg.get_action(), ArgAction::SetTrue);
    switch || arg.get_value_parser().type_id() == clap::value_parser!(bool).type_id()
}

/// The command as [`parse`] reads it: bool flags have an optional value in Go's
/// spellings, and there is a positional argument.
pub fn prepared(command: Command) -> Command {
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
            .hide_possible_values(true)
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
) -> Result<Vec<OsString>, clap::Error> {
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
            let text = format!("bad flag syntax: {}", crate::quote::shortened(&arg.to_string_lossy()));
            return Err(command.error(ErrorKind::UnknownArgument, text));
        }
        let known = command.get_arguments().find(|arg| is_named(arg, name));
        let (takes_next, stop) = match known {
            Some(flag) => (!is_bool(flag) && flag.get_action().takes_values(), false),
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

/// The part behind the one or two dashes of a flag; `None` for a positional
/// argument, a lone `-` and `--`.
fn flag_body(arg: &OsStr) -> Option<&[u8]> {
    let bytes = arg.as_bytes();
    let body = bytes.strip_prefix(b"--").or_else(|| bytes.strip_prefix(b"-"))?;
    (!body.is_empty()).then_some(body)
}

fn is_named(arg: &Arg, name: &OsStr) -> bool {
    arg.get_long_and_visible_aliases().is_some_and(|names| names.iter().any(|long| name == *long))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duration::GoDuration;
    use clap::value_parser;

    fn command() -> Command {
        Command::new("tool")
            .version("1.2.3")
            .arg(
                Arg::new("timeout").long("timeout").value_parser(value_parser!(GoDuration)).help("the limit"),
            )
            .arg(Arg::new("sub-dir").long("sub-dir"))
            .arg(Arg::new("keep").long("keep").action(ArgAction::SetTrue))
            .arg(Arg::new("dry-run").long("dry-run").default_value("true").value_parser(value_parser!(bool)))
            .arg(Arg::new("media-type").long("media-type").action(ArgAction::Append))
    }

    fn parsed(args: &[&str]) -> ArgMatches {
        parse(command(), args.iter().map(OsString::from)).unwrap_or_else(|error| panic!("{error}"))
    }

    fn refused(args: &[&str]) -> String {
        let error = parse(command(), args.iter().map(OsString::from)).expect_err("refused");
        assert_eq!(error.exit_status(), 2, "{error}");
        assert!(error.text().contains("Usage: tool"), "with usage: {error}");
        error.text().to_owned()
    }

    fn string(matches: &ArgMatches, name: &str) -> Option<String> {
        matches.get_one::<String>(name).cloned()
    }

    fn positionals(matches: &ArgMatches) -> Vec<String> {
        let values = matches.get_many::<OsString>(POSITIONALS).unwrap_or_default();
        values.map(|value| value.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn o_70_one_dash_or_two_equals_or_next_argument() {
        for args in [
            &["-sub-dir=a", "x"][..],
            &["--sub-dir=a", "x"],
            &["-sub-dir", "a", "x"],
            &["--sub-dir", "a", "x"],
        ] {
            let matches = parsed(args);
            assert_eq!(string(&matches, "sub-dir").as_deref(), Some("a"));
            assert_eq!(positionals(&matches), ["x"]);
        }
        assert_eq!(string(&parsed(&["--sub-dir="]), "sub-dir").as_deref(), Some(""));
        assert_eq!(string(&parsed(&["--sub-dir", ""]), "sub-dir").as_deref(), Some(""));
        assert_eq!(string(&parsed(&["--sub-dir=a=b"]), "sub-dir").as_deref(), Some("a=b"));
        assert_eq!(string(&parsed(&["--sub-dir", "--keep"]), "sub-dir").as_deref(), Some("--keep"));
        assert_eq!(string(&parsed(&["--sub-dir", "--"]), "sub-dir").as_deref(), Some("--"));
        assert_eq!(string(&parsed(&[]), "sub-dir"), None);
    }

    #[test]
    fn o_71_bools_take_a_value_only_with_equals() {
        let matches = parsed(&["--dry-run", "false"]);
        assert!(matches.get_flag("dry-run"));
        assert_eq!(positionals(&matches), ["false"]);
        assert!(!parsed(&["--dry-run=false"]).get_flag("dry-run"));
        assert!(parsed(&[]).get_flag("dry-run"));
        assert!(!parsed(&[]).get_flag("keep"));
        assert!(parsed(&["-keep"]).get_flag("keep"));
        for yes in ["1", "t", "T", "true", "TRUE", "True"] {
            assert!(parsed(&[&format!("-keep={yes}")]).get_flag("keep"), "{yes}");
        }
        for no in ["0", "f", "F", "false", "FALSE", "False"] {
            assert!(!parsed(&[&format!("-keep={no}")]).get_flag("keep"), "{no}");
            assert!(!parsed(&[&format!("--dry-run={no}")]).get_flag("dry-run"), "{no}");
        }
        for bad in ["yes", "", "tRUE", "2"] {
            let text = refused(&[&format!("--keep={bad}")]);
            assert!(text.contains("--keep") && text.contains("[possible values: true, false"), "{text}");
        }
    }

    #[test]
    fn o_72_parsing_stops_at_the_first_positional() {
        assert_eq!(positionals(&parsed(&["a", "--keep", "-x"])), ["a", "--keep", "-x"]);
        assert_eq!(positionals(&parsed(&["--keep", "-", "--keep"])), ["-", "--keep"]);
        assert_eq!(positionals(&parsed(&["--", "--keep", "--", "x"])), ["--keep", "--", "x"]);
        assert_eq!(positionals(&parsed(&["a", "--", "b"])), ["a", "--", "b"]);
        assert_eq!(positionals(&parsed(&["", "a"])), ["", "a"]);
        assert!(positionals(&parsed(&["--"])).is_empty());
        assert!(!parsed(&["a", "--keep"]).get_flag("keep"));
    }

    #[test]
    fn o_73_syntax_errors_are_exit_status_2_with_usage() {
        assert!(refused(&["---keep"]).contains("bad flag syntax: ---keep"));
        assert!(refused(&["-=x"]).contains("bad flag syntax: -=x"));
        assert!(refused(&["--=x"]).contains("bad flag syntax: --=x"));
        assert!(refused(&["--nothing"]).contains("--nothing"));
        assert!(refused(&["-x"]).contains("-x"));
        assert!(refused(&["--sub-dir"]).contains("--sub-dir"));
        let text = refused(&["--timeout=1d"]);
        assert!(text.contains("--timeout") && text.contains("300ms"), "{text}");
        assert!(refused(&["--time-out=1s"]).contains("'--timeout'"), "a suggestion");
        assert!(refused(&["--nothing", "-h"]).contains("--nothing"), "the first problem counts");
    }

    #[test]
    fn o_73_of_repeated_flags_the_last_counts_except_lists() {
        let matches = parsed(&["--sub-dir=a", "-keep", "--sub-dir", "b", "--keep=0"]);
        assert_eq!(string(&matches, "sub-dir").as_deref(), Some("b"));
        assert!(!matches.get_flag("keep"));
        let matches = parsed(&["--media-type=a:b", "-media-type", "c:d"]);
        let list: Vec<_> = matches.get_many::<String>("media-type").expect("given").collect();
        assert_eq!(list, ["a:b", "c:d"]);
    }

    #[test]
    fn o_74_durations_are_gos() {
        let matches = parsed(&["-timeout", "1h30m"]);
        assert_eq!(
            matches.get_one::<GoDuration>("timeout").map(ToString::to_string).as_deref(),
            Some("1h30m0s")
        );
        assert!(parsed(&["--timeout=0"]).get_one::<GoDuration>("timeout").is_some_and(|d| d.is_zero()));
        refused(&["--timeout=90"]);
        assert!(parsed(&["--timeout", "-1s"]).get_one::<GoDuration>("timeout").is_some());
    }

    #[test]
    fn o_5_help_and_version_are_exit_status_0() {
        for flag in ["-h", "-help", "--help"] {
            let error = parse(command(), [OsString::from(flag)]).expect_err("help");
            assert_eq!(error.exit_status(), 0);
            for part in ["Usage: tool", "--timeout", "the limit", "--dry-run[=<BOOL>]", "[ARGS]..."] {
                assert!(error.text().contains(part), "{part} in {}", error.text());
            }
            assert!(error.text().ends_with('\n'));
            assert!(!error.text().contains("TRUE"), "spellings are noise in help: {error}");
        }
        let error = parse(command(), ["-version".into()]).expect_err("version");
        assert_eq!((error.exit_status(), error.text()), (0, "tool 1.2.3\n"));
    }

    #[test]
    fn a_command_may_define_its_positionals_itself() {
        let own = Arg::new(POSITIONALS).num_args(0..).value_parser(value_parser!(String));
        let args = ["--keep", "a", "-b"].map(OsString::from);
        let matches = parse(command().arg(own), args).unwrap_or_else(|error| panic!("{error}"));
        let values: Vec<_> = matches.get_many::<String>(POSITIONALS).expect("given").collect();
        assert_eq!(values, ["a", "-b"]);
    }
}
