use super::*;
use crate::duration::GoDuration;
use crate::json::{decode, to_go_string};
use crate::signal::Signal;
use clap::Command;
use std::collections::BTreeMap;
use std::ffi::OsString;

const LIMIT: i64 = 64 << 20;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Scope {
    #[default]
    Child,
    Group,
}

crate::words!(Scope, "\"child\" or \"group\"", Child = "child", Group = "group");

crate::options! {
    /// An object that may be absent.
    struct Inner {
        /// Bounds the memory.
        memory: Option<i64> = flag("memory").value("BYTES").default(|| bytes(LIMIT)),
        /// Stops at the first error.
        strict: bool = flag("strict"),
    }
}

crate::options! {
    /// An object in a list.
    struct Element {
        /// Its name.
        name: String = flag("name").always(),
    }
}

crate::options! {
    /// All kinds of options.
    struct Outer {
        /// The time to wait.
        timeout: GoDuration = flag("timeout").always() => GoDuration::from_secs(5),
        /// Says what it would do.
        dry_run: bool = flag("dry-run").flag_default("true"),
        /// Signals the child
        /// or its group.
        scope: Scope = flag("scope"),
        /// Signals to send.
        signals: Vec<Signal> = flag("signal"),
        /// Files.
        items: Vec<String> = flag("item").or_positional("ITEMS"),
        /// Types.
        types: BTreeMap<String, String> = flag("type").key("mediaTypes"),
        /// Without a flag.
        hidden: Option<Vec<String>> = key_only(),
        /// Without a key.
        job: Option<String> = flag("job").no_key(),
        /// Optional.
        inner: Option<Inner> = object("Inner").switch("inner"),
        /// Among the others.
        element: Element = inline("Element"),
        /// Several.
        elements: Vec<Element> = json_flag("element"),
    }
}

fn command() -> Command {
    Command::new("tool").args(args(&Outer::default()))
}

fn loaded(args: &[&str]) -> Result<Outer, LoadError> {
    let mut options = Outer::default();
    from_flags(&mut args.iter().map(OsString::from), command, &mut options, &mut [])?;
    Ok(options)
}

fn flags(args: &[&str]) -> Outer {
    loaded(args).unwrap_or_else(|error| panic!("{error}"))
}

fn json(text: &str) -> Outer {
    let mut options = Outer::default();
    decode(&mut options, text).unwrap_or_else(|error| panic!("{error}"));
    options
}

#[test]
fn every_kind_of_option_has_json_and_a_flag() {
    let text = concat!(
        r#"{"timeout":1000000000,"dry_run":true,"scope":"group","signals":["SIGINT","SIGTERM"],"items":["a","b"],"#,
        r#""mediaTypes":{"log":"text/plain"},"inner":{"memory":1,"strict":true},"name":"n","elements":[{"name":"x"}]}"#
    );
    let by_json = json(text);
    assert_eq!(to_go_string(&by_json), text, "keys in the order of the rows");
    let by_flags = flags(&[
        "--timeout=1s",
        "--scope=group",
        "--signal=INT",
        "--signal=15",
        "--item=a",
        "--type=log:text/plain",
        "--memory=1",
        "--strict",
        "--name=n",
        r#"--element={"name":"x"}"#,
        "b",
    ]);
    assert_eq!(by_flags, by_json);
}

#[test]
fn o_6_flags_have_their_own_defaults_and_json_has_the_initial_values() {
    assert!(flags(&[]).dry_run && !json("{}").dry_run);
    assert_eq!(flags(&["--dry-run=false"]), json("{}"));
    assert_eq!(json("{}").timeout, GoDuration::from_secs(5));
    assert_eq!(to_go_string(&json("{}")), r#"{"timeout":5000000000,"name":""}"#, "the rest is initial");
    let zero = r#"{"timeout":0,"hidden":[],"name":""}"#;
    assert_eq!(to_go_string(&json(zero)), zero, "zero and an empty list are not initial here");
}

#[test]
fn an_optional_object_is_present_by_its_flags_or_its_switch() {
    assert_eq!(flags(&[]).inner, None);
    assert_eq!(flags(&["--strict=false"]).inner, None);
    assert_eq!(flags(&["--inner"]).inner, Some(Inner::default()));
    assert_eq!(flags(&["--memory=0"]).inner, Some(Inner { memory: Some(0), strict: false }));
    assert_eq!(json(r#"{"inner":{}}"#).inner, Some(Inner::default()));
    assert_eq!(json(r#"{"inner":{},"inner":null}"#).inner, None);
}

#[test]
fn options_without_key_or_flag_are_not_known_there() {
    assert_eq!(flags(&["--job=j"]).job.as_deref(), Some("j"));
    let mut options = Outer::default();
    let notes =
        decode(&mut options, r#"{"job":"j","element":{},"hidden":["h"],"itmes":[]}"#).expect("decoded");
    let said: Vec<_> = notes.unknown().map(|key| key.to_string()).collect();
    assert_eq!(said, ["job", "element; did you mean \"elements\"?", "itmes; did you mean \"items\"?"]);
    assert_eq!((options.job, options.hidden), (None, Some(vec!["h".to_owned()])));
    assert!(matches!(loaded(&["--hidden=h"]), Err(LoadError::Flags(_))));
}

#[test]
fn mistakes_name_the_option_and_what_is_allowed() {
    let message = |args: &[&str]| loaded(args).expect_err("refused").to_string();
    assert!(message(&["--signal=SIGNOW"]).contains("--signal"), "{}", message(&["--signal=SIGNOW"]));
    assert!(message(&["--scope=all"]).contains("child, group"));
    assert_eq!(message(&[r#"--element={"nmae":1}"#]), r#"--element: the key "nmae": allowed is name"#);
    assert!(message(&["--element=x"]).starts_with("--element: not valid JSON"));
    let error =
        decode(&mut Outer::default(), r#"{"signals":["SIGTERM","x"]}"#).expect_err("refused").to_string();
    assert_eq!(error, "signals[1]: \"x\" is a string; allowed is the name of a signal such as \"SIGTERM\"");
}

#[test]
fn help_has_every_flag_with_its_meaning_and_default() {
    let help = loaded(&["--help"]).expect_err("help").to_string();
    for part in [
        "--timeout <DURATION>",
        "The time to wait [default: 5s]",
        "--dry-run[=<BOOL>]",
        "[default: true]",
        "Signals the child or its group [default: child] [possible values: child, group]",
        "Signals to send; may be repeated",
        "Bounds the memory [default: 64 MiB]",
        "Inner:\n",
        "[ITEMS]...",
    ] {
        assert!(help.contains(part), "{part} in {help}");
    }
    assert!(!help.contains("hidden"));
}

#[test]
fn numbers_of_bytes_are_round_where_they_can_be() {
    let shown =
        [bytes(0), bytes(1000), bytes(20 << 10), bytes(64 << 20), bytes(3_i64 << 30), bytes((1 << 20) + 1)];
    assert_eq!(shown, ["0", "1000", "20 KiB", "64 MiB", "3 GiB", "1048577"]);
}

#[test]
fn a_command_may_offer_some_of_the_options_and_keeps_the_others() {
    fn some() -> Command {
        let offered = |arg: &clap::Arg| matches!(arg.get_id().as_str(), "memory" | "item");
        Command::new("tool").args(args(&Outer::default()).into_iter().filter(offered))
    }
    let mut options = json(r#"{"items":["a"],"signals":["SIGINT"],"inner":{"strict":true}}"#);
    let expected = Outer { inner: Some(Inner { memory: Some(7), strict: true }), ..options.clone() };
    from_flags(&mut [OsString::from("--memory=7")].into_iter(), some, &mut options, &mut []).expect("valid");
    assert_eq!(options, expected);
}
