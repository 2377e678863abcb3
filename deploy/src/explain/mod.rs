//! `podutils explain`: what option JSON means, with every default filled in.
//!
//! The programs' own decoders read it, so that what is said here is what they do.
//! [`table`] makes its rows of the one declaration of each option, [`markdown`] the tables of the documents;
//! [`redact`] keeps secrets in commands from being printed.

mod markdown;
mod redact;
mod table;

use crate::terminal::{self, Problem};
use clap::{Arg, ArgAction, ArgMatches, Command};
use common::json::{Document, Notes, decode};
use common::options::Options;
use entrypoint::options::EntrypointOptions;
use job_page::escape::visible;
use sidecar::gcsupload::GcsUploadOptions;
use sidecar::initupload::InitUploadOptions;
use sidecar::options::SidecarOptions;
use table::Row;

/// The id of the argument.
const ASSIGNMENT: &str = "VARIABLE='JSON'";

/// Explains the JSON of one variable.
type Explain = fn(&str) -> Result<Meaning, String>;
const VARIABLES: [(&str, Explain); 4] = [
    (entrypoint::options::VARIABLE, |text| {
        let (options, meaning) = decoded::<EntrypointOptions>(text)?;
        options.validate().map_err(|error| error.to_string())?;
        Ok(Meaning { words: in_words(&options), ..meaning })
    }),
    (sidecar::options::VARIABLE, |text| {
        let (options, meaning) = decoded::<SidecarOptions>(text)?;
        options.validate().map_err(|error| error.to_string())?;
        Ok(meaning)
    }),
    (sidecar::initupload::VARIABLE, |text| {
        let (options, meaning) = decoded::<InitUploadOptions>(text)?;
        options.validate().map_err(|error| error.to_string())?;
        Ok(meaning)
    }),
    (sidecar::gcsupload::VARIABLE, |text| {
        let (options, meaning) = decoded::<GcsUploadOptions>(text)?;
        options.validate().map_err(|error| error.to_string())?;
        Ok(meaning)
    }),
];

/// The meaning of a document.
struct Meaning {
    notes: Notes,
    rows: Vec<Row>,
    words: Vec<String>,
}

/// The subcommand's definition.
pub(crate) fn command() -> Command {
    Command::new("explain")
        .about("Prints what the option JSON of a pod means, with every default filled in")
        .arg(Arg::new(ASSIGNMENT).required_unless_present("markdown").help(
            "ENTRYPOINT_OPTIONS, SIDECAR_OPTIONS, INITUPLOAD_OPTIONS or GCSUPLOAD_OPTIONS with its JSON; \
             the name alone means the variable of the environment",
        ))
        .arg(
            Arg::new("markdown")
                .long("markdown")
                .action(ArgAction::SetTrue)
                .conflicts_with(ASSIGNMENT)
                .help("Print the tables of all options as the documents have them"),
        )
        .after_help(
            "Words of a command that look like secrets are shown as ***; no credentials file is read.\n\n\
             Exit status: 0; 1 with one line when the program would refuse the options; 2 for a wrong command line.\n\n\
             Example:\n  \
             podutils explain ENTRYPOINT_OPTIONS='{\"args\":[\"make\"],\"process_log\":\"/l\",\"marker_file\":\"/m\"}'",
        )
}

/// Runs the subcommand.
pub(crate) fn run(matches: &ArgMatches) -> Result<u8, Problem> {
    let assignment = matches.get_one::<String>(ASSIGNMENT).map(String::as_str).unwrap_or_default();
    let text = if matches.get_flag("markdown") {
        markdown::tables()
    } else {
        explained(assignment, &|name| std::env::var(name).ok())?
    };
    terminal::print(text.as_bytes())?;
    Ok(0)
}

fn explained(assignment: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Problem> {
    let (name, json) = match assignment.split_once('=') {
        Some((name, json)) => (name.trim(), Some(json.to_owned())),
        None => (assignment.trim(), env(assignment.trim())),
    };
    let known = VARIABLES.map(|(name, _)| name);
    let Some((name, explain)) = VARIABLES.iter().find(|(known, _)| *known == name) else {
        return Err(Problem::new(format!("{:?}: allowed are {}", visible(name), known.join(", "))));
    };
    let json = json.ok_or_else(|| Problem::new(format!("{name} is not set; write {name}='…'")))?;
    let refuse = |why: String| {
        // A key that is missing may be there with a mistake in it.
        let unknown: Vec<_> =
            unknown_keys(name, &json).iter().map(|key| format!("; the unknown option {key}")).collect();
        Problem::new(format!("{name}: {}", visible(&redact::text(&format!("{why}{}", unknown.concat())))))
    };
    let meaning = explain(&json).map_err(refuse)?;
    let mut lines = vec![format!("{name}")];
    let width = meaning.rows.iter().map(|row| row.key.len()).max().unwrap_or(0);
    let values = meaning.rows.iter().map(|row| row.value.chars().count()).max().unwrap_or(0).min(32);
    for Row { key, value, is_default, meaning } in &meaning.rows {
        let mark = if *is_default { "default" } else { "given" };
        lines.push(format!("  {key:<width$}  {value:<values$}  {mark:<7}  {meaning}"));
    }
    lines.extend(
        meaning
            .notes
            .unknown()
            .map(|key| format!("ignored: the unknown option {}", visible(&key.to_string()))),
    );
    lines.extend(meaning.words);
    Ok(lines.join("\n") + "\n")
}

/// The keys of a document that the program does not know, each with what may be meant. None where it is no document.
fn unknown_keys(name: &str, text: &str) -> Vec<String> {
    fn of<T: Document + Default>(text: &str) -> Vec<String> {
        let notes = decode(&mut T::default(), text);
        notes.map(|notes| notes.unknown().map(|key| key.to_string()).collect()).unwrap_or_default()
    }
    match name {
        entrypoint::options::VARIABLE => of::<EntrypointOptions>(text),
        sidecar::options::VARIABLE => of::<SidecarOptions>(text),
        sidecar::initupload::VARIABLE => of::<InitUploadOptions>(text),
        _ => of::<GcsUploadOptions>(text),
    }
}

fn decoded<T: Options + Default>(text: &str) -> Result<(T, Meaning), String> {
    let mut options = T::default();
    let notes = decode(&mut options, text).map_err(|error| error.to_string())?;
    let rows = table::rows(&options);
    Ok((options, Meaning { notes, rows, words: Vec::new() }))
}

/// Returns what entrypoint will do, in sentences.
fn in_words(options: &EntrypointOptions) -> Vec<String> {
    if options.copy_mode_only {
        return vec!["It copies itself to copy_dst and ends.".to_owned()];
    }
    let policy = options.policy(None);
    let command = redact::words(&options.entry.args).join(" ");
    let mut rungs: Vec<_> = policy.escalation.iter().map(|rung| (rung.after, rung.signal)).collect();
    rungs.sort();
    let rungs: Vec<_> = rungs.iter().map(|(after, signal)| format!(", {signal} {after} later")).collect();
    let rungs = rungs.concat();
    vec![format!(
        "It runs {}. After {} the command gets SIGINT{rungs}; {} after the SIGINT what is left is killed.",
        visible(&command),
        policy.timeout,
        policy.grace_period
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(assignment: &str) -> String {
        explained(assignment, &|_| None).expect("explained")
    }

    fn refused(assignment: &str) -> String {
        explained(assignment, &|_| None).expect_err("refused").text
    }

    const MINIMAL: &str = r#"{"args":["make","test"],"process_log":"/l","marker_file":"/m","timeout":"90m"}"#;

    #[test]
    fn every_key_has_a_row_and_defaults_are_filled_in() {
        let text = text(&format!("ENTRYPOINT_OPTIONS={MINIMAL}"));
        let line = |key: &str| {
            let line = text.lines().find(|line| line.trim_start().starts_with(&format!("{key} ")));
            line.unwrap_or_else(|| panic!("no {key} in {text}"))
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert!(line("timeout").starts_with("timeout 1h30m0s given"), "{text}");
        assert!(line("grace_period").starts_with("grace_period 15s default"), "{text}");
        assert!(line("supervision.leftovers").starts_with("supervision.leftovers end default"), "{text}");
        assert!(line("args").starts_with(r#"args ["make","test"] given"#), "{text}");
        assert!(
            text.contains("It runs make test. After 1h30m0s the command gets SIGINT; 15s after"),
            "{text}"
        );
    }

    #[test]
    fn sidecars_objects_are_taken_apart() {
        let text = text(
            r#"SIDECAR_OPTIONS={"entries":[{"process_log":"/l","marker_file":"/m"}],"gcs_options":{"bucket":"b",
               "path_strategy":"explicit"},"delivery":{"grace_period":"30s"},"entryError":true}"#,
        );
        for part in ["entries[0].process_log", "gcs_options.bucket", "delivery.grace_period", "64 MiB"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(text.contains(r#"the unknown option entryError; did you mean "entry_error"?"#), "{text}");
        assert!(text.contains("nothing is censored"), "{text}");
    }

    #[test]
    fn bad_values_are_one_line() {
        for (assignment, part) in [
            ("ENTRYPOINT_OPTIONS={", "not valid JSON"),
            (r#"ENTRYPOINT_OPTIONS={"timeout":"soon"}"#, "timeout"),
            (r#"ENTRYPOINT_OPTIONS={"args":["x"]}"#, "process_log"),
            ("SIDECAR_OPTIONS={}", "entries"),
            (r#"GCSUPLOAD_OPTIONS={"bucket":"b","path_strategy":"x"}"#, "explicit"),
            ("INITUPLOAD_OPTIONS", "is not set"),
            ("HOME=x", "allowed are ENTRYPOINT_OPTIONS"),
            (r#"ENTRYPOINT_OPTIONS={"args":["x"],"proces_log":"/l"}"#, "did you mean \"process_log\"?"),
        ] {
            let line = refused(assignment);
            assert!(line.contains(part) && line.lines().count() == 1, "{line}");
        }
    }

    #[test]
    fn secrets_are_never_printed() {
        let json = r#"{"args":["curl","--token=hunter2","--password","hunter2","https://u:hunter2@h/","A_KEY=hunter2"],
            "process_log":"/l","marker_file":"/m","api_token":"hunter2"}"#;
        let text = text(&format!("ENTRYPOINT_OPTIONS={json}"));
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("--token=***") && text.contains("https://***@h/"), "{text}");
        let line = refused(r#"GCSUPLOAD_OPTIONS={"bucket":"s3://u:hunter2@b","path_strategy":"explicit"}"#);
        assert!(!line.contains("hunter2"), "{line}");
    }
}
