//! Texts of keys and of log lines.

use std::fmt::Write;

/// Escapes a path for a key: bytes that are not UTF-8, and for buckets control
/// characters too, become `%XX`.
pub(super) fn escaped(path: &[u8], local: bool) -> String {
    let mut key = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() && !local {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    // Writing to a String does not fail.
                    let _ = write!(key, "%{byte:02X}");
                }
            } else {
                key.push(c);
            }
        }
        for byte in chunk.invalid() {
            // As above.
            let _ = write!(key, "%{byte:02X}");
        }
    }
    key
}

/// Words a system error as Go does: in lower case, without its number.
pub(super) fn go_text(error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::NotFound {
        return "no such file or directory".to_owned();
    }
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    if error.kind() == std::io::ErrorKind::PermissionDenied { text.to_lowercase() } else { text.to_owned() }
}
