//! The termination message of a container
//! (<https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/>).

use crate::quote::without_controls;
use std::path::Path;

/// The default of a container's `terminationMessagePath`.
pub const TERMINATION_MESSAGE_PATH: &str = "/dev/termination-log";

/// Upper bound on a message in bytes. Kubernetes accepts 4,096 from a container; a
/// quarter of that is as much as people read in a table.
const MAX_BYTES: usize = 1024;

/// Writes one line, if the file exists: the kubelet creates it before it starts the
/// container, and outside Kubernetes nothing reads it.
pub fn write(path: &Path, message: &str) {
    write_with_output(path, message, &[]);
}

/// Writes one line and below it the end of a command's output, if the file exists.
pub fn write_with_output(path: &Path, message: &str, output: &[u8]) {
    if !path.is_file() {
        return;
    }
    // A character that the cut has split at the front is left out.
    let is_inside = |byte: &&u8| **byte & 0xc0 == 0x80;
    let split = output.iter().take(3).take_while(is_inside).count();
    let text = [line(message).as_str(), &String::from_utf8_lossy(&output[split..])].concat();
    // A courtesy: records and results hold the same.
    let _ = std::fs::write(path, text);
}

fn line(message: &str) -> String {
    let mut line = without_controls(message);
    if line.len() > MAX_BYTES {
        line.truncate(line.floor_char_boundary(MAX_BYTES));
        line.push('…');
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_line_in_a_file_that_was_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log");
        write(&path, "nobody reads it");
        assert!(!path.exists());
        std::fs::write(&path, "").expect("made");
        write(&path, "timed\nout\u{1b}[31m");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "timed out [31m\n");
        write_with_output(&path, "exited with code 3", &"aä\nb\n".as_bytes()[2..]);
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "exited with code 3\n\nb\n");
        assert_eq!(line(&"ä".repeat(4000)).len(), MAX_BYTES + "…\n".len());
    }
}
