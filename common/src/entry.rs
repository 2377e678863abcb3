//! One wrapped container as options describe it (contract 1.4).
//!
//! `ENTRYPOINT_OPTIONS` has these keys inlined at its top level,
//! `SIDECAR_OPTIONS` has a list of such objects.

use crate::options::{flag, positional};

crate::options! {
    /// A wrapped process and the files that it and its entrypoint leave.
    pub struct Entry {
        /// The command with its arguments; looked up in `PATH`, without a shell; required.
        pub args: Vec<String> = positional("COMMAND"),
        /// The container's name, which the names of logs contain when there are several containers.
        pub container_name: String = flag("container-name").value("NAME"),
        /// The file that gets the command's output; required.
        pub process_log: String = flag("process-log").value("FILE").always(),
        /// The file that gets the exit code and appears last; required.
        pub marker_file: String = flag("marker-file").value("FILE").always(),
        /// The JSON file that the command may write; sidecar merges it into `finished.json`.
        pub metadata_file: String = flag("metadata-file").value("FILE").always(),
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
