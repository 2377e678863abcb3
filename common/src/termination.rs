//! The last words of a container, where Kubernetes looks for them
//! (<https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/>).

use std::path::Path;

/// The default of a container's `terminationMessagePath`.
pub const TERMINATION_MESSAGE_PATH: &str = "/dev/termination-log";

/// Kubernetes takes at most 4096 bytes from one container; one line of a quarter
/// is what people read in a table.
const MAX_BYTES: usize = 1024;

/// Writes one line, when the file exists: the kubelet makes it before it starts
/// the container, and elsewhere nobody wants it.
pub fn write(path: &Path, message: &str) {
    if !path.is_file() {
        return;
    }
    // Only a courtesy: records and results say the same.
    let _ = std::fs::write(path, line(message));
}

fn line(message: &str) -> String {
    let mut line = message.replace(char::is_control, " ");
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
        assert_eq!(line(&"ä".repeat(4000)).len(), MAX_BYTES + "…\n".len());
    }
}
