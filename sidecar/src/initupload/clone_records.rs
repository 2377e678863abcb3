//! The report of `clonerefs` (contract 7.3).

use super::exact_refs::ExactRefs;
use common::duration::GoDuration;
use common::json::{self, JsonError};
use serde_json::value::RawValue;
use thiserror::Error;

/// The cloning of one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloneRecord {
    /// The refs that were to be cloned.
    pub refs: ExactRefs,
    /// The commands that were run for it.
    pub commands: Vec<Command>,
    /// Cloning failed.
    pub failed: bool,
    /// The commit that is checked out.
    pub final_sha: String,
    /// The total runtime.
    pub duration: GoDuration,
}

/// A command that was run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    line: String,
    output: String,
    error: String,
    duration: GoDuration,
}

common::document!(CloneRecord { refs, commands, failed, final_sha, duration });

common::document!(Command { line as "command", output, error, duration });

/// The records as the member of an object: what is decoded is always an object.
#[derive(Default)]
struct Records {
    records: Vec<CloneRecord>,
}

common::document!(Records { records });

/// The reason why a clone log cannot be used, as one line.
#[derive(Debug, Error)]
pub(super) enum CloneLogError {
    #[error("not valid JSON: {0}; allowed is a list of clone records")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Records(#[from] JsonError),
}

/// Parses a clone log: a list of records.
pub(super) fn parse(text: &str) -> Result<Vec<CloneRecord>, CloneLogError> {
    // Only one whole value may stand where it is put below.
    let list: &RawValue = serde_json::from_str(text)?;
    let mut records = Records::default();
    // Newer versions of clonerefs may write more keys.
    json::decode(&mut records, &format!("{{\"records\":{}}}", list.get()))?;
    Ok(records.records)
}

/// Writes the records for people, one after the other (I-21).
pub(super) fn text_of(records: &[CloneRecord]) -> String {
    let mut lines = String::new();
    for record in records {
        record.append_to(&mut lines);
    }
    lines
}

impl CloneRecord {
    fn append_to(&self, lines: &mut String) {
        let refs = &self.refs.refs;
        if self.failed {
            lines.push_str("# FAILED\n");
        }
        if refs.repo.is_empty() {
            lines.push_str("Environment setup");
        } else {
            lines.extend(["# Cloning ", &refs.org, "/", &refs.repo, " at ", &refs.base_ref]);
        }
        append_commit(lines, &refs.base_sha);
        if !refs.pulls.is_empty() {
            lines.push_str("# Checking out pulls:\n");
        }
        for pull in &refs.pulls {
            lines.extend(["#\t", &pull.number.to_string()]);
            append_commit(lines, &pull.sha);
        }
        for command in &self.commands {
            command.append_to(lines);
        }
        lines.extend(["# Final SHA: ", &self.final_sha, "\n"]);
        lines.extend(["# Total runtime: ", &self.duration.to_string(), "\n"]);
    }
}

/// Ends a line, with a commit in parentheses where there is one.
fn append_commit(lines: &mut String, commit: &str) {
    if !commit.is_empty() {
        lines.extend(["(", commit, ")"]);
    }
    lines.push('\n');
}

impl Command {
    fn append_to(&self, lines: &mut String) {
        lines.extend(["$ ", &self.line]);
        if !self.duration.is_zero() {
            lines.extend([" (runtime: ", &self.duration.to_string(), ")"]);
        }
        lines.extend(["\n", &self.output]);
        if !self.error.is_empty() {
            lines.extend(["# Error: ", &self.error, "\n"]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(record: &str) -> String {
        text_of(&parse(&format!("[{record}]")).expect("parses"))
    }

    #[test]
    fn vectors_v_if() {
        for (id, record, contained, not) in [
            ("V-IF-1", "{}", &["Environment setup"][..], "Cloning"),
            (
                "V-IF-2",
                r#"{"refs":{"org":"foo","repo":"bar","base_ref":"deadbeef"}}"#,
                &["Cloning foo/bar at deadbeef"],
                "Environment setup",
            ),
            (
                "V-IF-3",
                r#"{"commands":[{"command":"cat spam","output":"eggs"},{"command":"more","output":"fun"}]}"#,
                &["cat spam", "eggs", "more", "fun"],
                "Error:",
            ),
            (
                "V-IF-4",
                r#"{"commands":[{"command":"rm /something","output":"barf","error":"command failed"}]}"#,
                &["rm /something", "barf", "# Error: command failed"],
                "FAILED",
            ),
            ("V-IF-5", r#"{"refs":{"org":"o","repo":"r"}}"#, &["Cloning"], "Checking out pulls"),
            (
                "V-IF-6",
                r#"{"commands":[{"command":"x","duration":23000000000}],"duration":12000000000}"#,
                &["23s", "12s"],
                "FAILED",
            ),
        ] {
            let text = text(record);
            for part in contained {
                assert!(text.contains(part), "{id}: no {part} in {text}");
            }
            assert!(!text.contains(not), "{id}: {not} in {text}");
        }
    }

    #[test]
    fn i_21_every_line_in_its_order() {
        let record = r#"{"refs":{"org":"o","repo":"r","base_ref":"main","base_sha":"b","pulls":[{"number":1,"author":"a","sha":"p"},{"number":2,"author":"a","sha":""}]},"commands":[{"command":"git fetch","output":"got it\n","duration":1500000000},{"command":"git merge","output":"no end of line","error":"exit status 1"}],"failed":true,"final_sha":"f","duration":90000000000}"#;
        assert_eq!(
            text(record),
            "# FAILED\n# Cloning o/r at main(b)\n# Checking out pulls:\n#\t1(p)\n#\t2\n\
             $ git fetch (runtime: 1.5s)\ngot it\n$ git merge\nno end of line# Error: exit status 1\n\
             # Final SHA: f\n# Total runtime: 1m30s\n"
        );
        assert_eq!(text("{}"), "Environment setup\n# Final SHA: \n# Total runtime: 0s\n");
        assert_eq!(text("{},{}"), text("{}").repeat(2));
    }

    #[test]
    fn what_is_no_clone_log_is_said_in_one_line() {
        for (text, part) in [
            ("", "not valid JSON"),
            ("[{}", "not valid JSON"),
            ("[],\"records\":[]", "not valid JSON"),
            ("{}", "records"),
            (r#"[{"failed":"yes"}]"#, "records[0].failed"),
            (r#"[{"refs":{"pulls":[{"number":"1"}]}}]"#, "records[0].refs.pulls[0].number"),
        ] {
            let error = parse(text).expect_err("refused").to_string();
            assert!(error.contains(part) && !error.contains('\n'), "{error}");
        }
        assert_eq!(parse("null").expect("parses"), []);
    }
}
