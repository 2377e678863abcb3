//! One wrapped container as options describe it (contract 1.4).
//!
//! `ENTRYPOINT_OPTIONS` has these keys inlined at its top level,
//! `SIDECAR_OPTIONS` has a list of such objects.

use crate::json::{Document, JsonError, Notes, Raw};
use serde::Serialize;

/// A wrapped process and the files that it and its entrypoint leave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The command and its arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// The container's name; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub container_name: String,
    /// The file that gets stdout and stderr.
    pub process_log: String,
    /// The file that gets the code.
    pub marker_file: String,
    /// The JSON file that the job may write; only sidecar reads it; may be empty.
    pub metadata_file: String,
}

impl Document for Entry {
    const KEYS: &'static [&'static str] =
        &["args", "container_name", "process_log", "marker_file", "metadata_file"];

    fn set(&mut self, key: &'static str, value: Raw<'_>, _notes: &mut Notes) -> Result<(), JsonError> {
        match key {
            "args" => value.set_strings(&mut self.args),
            "container_name" => value.set_string(&mut self.container_name),
            "process_log" => value.set_string(&mut self.process_log),
            "marker_file" => value.set_string(&mut self.marker_file),
            "metadata_file" => value.set_string(&mut self.metadata_file),
            _ => unreachable!("only the keys above are passed"),
        }
    }
}

/// An entry that names no place for its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// There is no `process_log`.
    #[error("process_log is empty; allowed is the path of the file that gets the output")]
    ProcessLog,
    /// There is no `marker_file`.
    #[error("marker_file is empty; allowed is the path of the file that gets the code")]
    MarkerFile,
}

impl Entry {
    /// Checks what every entry must have (O-30), in upstream's order.
    pub fn validate(&self) -> Result<(), EntryError> {
        if self.process_log.is_empty() {
            Err(EntryError::ProcessLog)
        } else if self.marker_file.is_empty() {
            Err(EntryError::MarkerFile)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn o_30_the_log_is_checked_before_the_marker_and_nothing_else() {
        let mut entry = Entry::default();
        assert_eq!(entry.validate(), Err(EntryError::ProcessLog));
        entry.process_log = "/logs/log".to_owned();
        assert_eq!(entry.validate(), Err(EntryError::MarkerFile));
        entry.marker_file = "/logs/marker".to_owned();
        assert_eq!(entry.validate(), Ok(()));
    }

    #[test]
    fn an_entry_is_written_as_contract_1_4_says_and_read_back() {
        let text = r#"{"args":["make","test"],"container_name":"test","process_log":"/logs/log","marker_file":"/logs/m","metadata_file":"/logs/x"}"#;
        let mut entry = Entry::default();
        assert!(json::decode(&mut entry, text).expect("decoded").is_empty());
        assert_eq!(json::to_go_string(&entry), text);
        assert_eq!(
            json::to_go_string(&Entry::default()),
            r#"{"process_log":"","marker_file":"","metadata_file":""}"#
        );
    }
}
