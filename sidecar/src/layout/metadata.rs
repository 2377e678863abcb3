//! Merges the entries' metadata files for `finished.json` (contract 3.7).

use super::value::{Value, ValueError};
use super::written;
use common::entry::Entry;
use std::collections::BTreeMap;
use std::io;
use thiserror::Error;

/// Upper bound on a metadata file, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// The key of the problems (S-56).
const ERRORS: &str = "sidecar-errors";

/// An entry's metadata file: its content, `None` where there is no file.
pub type Read = io::Result<Option<Vec<u8>>>;

/// The reason why a metadata file is left out, as one line.
#[derive(Debug, Error)]
#[error(transparent)]
enum MetadataError {
    Read(#[from] io::Error),
    Parse(#[from] ValueError),
}

/// Merges the top-level keys of all files in entry order; later entries
/// overwrite earlier keys. Texts and keys pass through `mask`.
pub fn merge<'a>(
    files: impl IntoIterator<Item = (&'a Entry, Read)>,
    mask: &dyn Fn(&str) -> String,
) -> BTreeMap<String, Value> {
    let mut merged = BTreeMap::new();
    let mut errors = BTreeMap::new();
    for (index, (entry, read)) in files.into_iter().enumerate() {
        match parse(read, mask) {
            Ok(members) => merged.extend(members),
            Err(error) => {
                let name = format!("entry {index}: {}", entry.args.join(" "));
                errors.insert(mask(&name), Value::Text(mask(&error.to_string())));
            }
        }
    }
    if !errors.is_empty() {
        merged.insert(ERRORS.to_owned(), Value::Object(errors));
    }
    merged
}

/// Stands for the metadata of all entries where it is left out, for this reason.
pub fn left_out(why: &str) -> BTreeMap<String, Value> {
    let errors = BTreeMap::from([("metadata".to_owned(), Value::text(why))]);
    BTreeMap::from([(ERRORS.to_owned(), Value::Object(errors))])
}

/// Adds problems of the delivery itself: what it is about, and the problem.
pub fn add_problems(metadata: &mut BTreeMap<String, Value>, problems: &[(&str, String)]) {
    if problems.is_empty() {
        return;
    }
    let problems = problems.iter().map(|(about, problem)| ((*about).to_owned(), Value::text(problem)));
    let mut errors = match metadata.remove(ERRORS) {
        // Anything else was written by the job.
        Some(Value::Object(errors)) => errors,
        Some(_) | None => BTreeMap::new(),
    };
    errors.extend(problems);
    metadata.insert(ERRORS.to_owned(), Value::Object(errors));
}

/// Returns the masked members of a metadata file; none where there is no file, or
/// only `null`.
fn parse(read: Read, mask: &dyn Fn(&str) -> String) -> Result<BTreeMap<String, Value>, MetadataError> {
    match read? {
        None => Ok(BTreeMap::new()),
        Some(bytes) => Ok(written::members(&String::from_utf8_lossy(&bytes), mask)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(files: Vec<Read>, args: &[&str]) -> String {
        let entry = Entry { args: args.iter().map(|arg| (*arg).to_owned()).collect(), ..Entry::default() };
        let files = files.into_iter().map(|read| (&entry, read));
        common::json::to_go_string(&merge(files, &|text| text.replace("hidden", "XXXXXX")))
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands for a file that was read")]
    fn file(text: &str) -> Read {
        Ok(Some(text.as_bytes().to_vec()))
    }

    #[test]
    fn vectors_v_sm() {
        assert_eq!(merged(vec![Ok(None)], &[]), "{}", "V-SM-1");
        assert_eq!(merged(vec![file(r#"{"hello": "world"}"#)], &[]), r#"{"hello":"world"}"#, "V-SM-2");
        let files = vec![
            file(r#"{"hello": "there"}"#),
            Ok(None),
            Err(io::Error::other("it is a directory, not a regular file")),
            file("json-error"),
            file(r#"{"world": "thanks"}"#),
        ];
        assert_eq!(
            merged(files, &[]),
            r#"{"hello":"there","sidecar-errors":{"entry 2: ":"it is a directory, not a regular file","entry 3: ":"not valid JSON: expected value at line 1 column 1"},"world":"thanks"}"#,
            "V-SM-3"
        );
    }

    #[test]
    fn problems_of_the_delivery_join_those_of_the_files() {
        let problems = [("listing", "it is not complete".to_owned())];
        for (before, after) in [
            ("{}", r#"{"sidecar-errors":{"listing":"it is not complete"}}"#),
            (
                r#"{"sidecar-errors":{"entry 0: ":"gone"}}"#,
                r#"{"sidecar-errors":{"entry 0: ":"gone","listing":"it is not complete"}}"#,
            ),
            (r#"{"sidecar-errors":"mine"}"#, r#"{"sidecar-errors":{"listing":"it is not complete"}}"#),
        ] {
            let Ok(Value::Object(mut metadata)) = Value::parse(before) else { panic!("an object") };
            add_problems(&mut metadata, &[]);
            assert_eq!(common::json::to_go_string(&metadata), before);
            add_problems(&mut metadata, &problems);
            assert_eq!(common::json::to_go_string(&metadata), after);
        }
    }

    #[test]
    fn s_55_later_entries_overwrite_and_s_57_errors_overwrite_all() {
        let files = vec![
            file(r#"{"a":1,"b":{"x":1}}"#),
            file(r#"{"b":{"y":2},"sidecar-errors":"mine"}"#),
            file("null"),
            file("[]"),
        ];
        assert_eq!(
            merged(files, &["sh", "-c", "hidden"]),
            r#"{"a":1,"b":{"y":2},"sidecar-errors":{"entry 3: sh -c XXXXXX":"it holds no JSON object"}}"#
        );
    }
}
