//! Sidecar's own log: every record goes to stderr, and into bounded memory until
//! the first upload starts (S-60, S-61).

use crate::censor::Censor;
use crate::layout::value::Value;
use bytes::Bytes;
use common::records::Sink;
use std::collections::VecDeque;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Upper bound on the beginning that is kept, and on the end.
const MAX_KEPT_BYTES: usize = 512 << 10;

/// Clears a terminal's line.
const CLEAR: &str = "\r\x1b[K";

/// Fields that are never masked, because sidecar itself writes them.
const OWN_FIELDS: &[&str] = &["component", "file", "func", "level", "severity", "time"];

/// The sink of all records. Clones share one log.
#[derive(Clone, Debug, Default)]
pub struct OwnLog(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    censor: Mutex<Option<Arc<Censor>>>,
    /// The terminal's last line is a bar.
    bar: AtomicBool,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    head: Vec<u8>,
    tail: VecDeque<Vec<u8>>,
    tail_bytes: usize,
    left_out: usize,
    frozen: bool,
}

impl OwnLog {
    /// Masks all further records with these secrets.
    pub fn censor_with(&self, censor: &Arc<Censor>) {
        *self.0.censor.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(censor));
    }

    /// Draws a bar in the terminal's last line, which the next record replaces.
    pub fn draw(&self, bar: &str) {
        self.0.bar.store(!bar.is_empty(), Ordering::Relaxed);
        // Without stderr nobody is watching.
        let _ = write!(std::io::stderr(), "{CLEAR}{bar}");
    }

    /// Ends what is kept: the first upload starts, and later records go to stderr
    /// only.
    pub fn freeze(&self) {
        self.kept().frozen = true;
    }

    /// Returns the records up to the first upload, one a line.
    pub fn content(&self) -> Bytes {
        let kept = self.kept();
        let mut content = kept.head.clone();
        if kept.left_out > 0 {
            let note =
                format!("{{\"level\":\"info\",\"msg\":\"{} records are left out here\"}}\n", kept.left_out);
            content.extend_from_slice(note.as_bytes());
        }
        kept.tail.iter().for_each(|line| content.extend_from_slice(line));
        content.into()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A panic while a record was written leaves the log usable.
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for OwnLog {
    fn write_line(&self, line: &[u8]) {
        let censor = self.0.censor.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let masked = censor.map(|censor| masked(line, &censor));
        let line = masked.as_deref().unwrap_or(line);
        // Without stderr there is nobody to report the failure to.
        if self.0.bar.swap(false, Ordering::Relaxed) {
            let _ = std::io::stderr().write_all(CLEAR.as_bytes());
        }
        let _ = std::io::stderr().write_all(line);
        self.kept().add(line);
    }
}

impl Kept {
    fn add(&mut self, line: &[u8]) {
        if self.frozen {
            return;
        }
        if self.tail.is_empty() && self.head.len() + line.len() <= MAX_KEPT_BYTES {
            self.head.extend_from_slice(line);
            return;
        }
        self.tail_bytes += line.len();
        self.tail.push_back(line.to_vec());
        while self.tail_bytes > MAX_KEPT_BYTES && self.tail.len() > 1 {
            self.tail_bytes -= self.tail.pop_front().map_or(0, |line| line.len());
            self.left_out += 1;
        }
    }
}

/// Masks the texts of a record that come from outside, string by string.
fn masked(line: &[u8], censor: &Censor) -> Vec<u8> {
    let text = String::from_utf8_lossy(line);
    let Ok(Value::Object(members)) = Value::parse(&text) else {
        return censor.text(&text).into_bytes();
    };
    let mask = |text: &str| censor.text(text);
    let mask_member = |(key, value): (String, Value)| {
        let value = if OWN_FIELDS.contains(&key.as_str()) { value } else { value.masked(&mask) };
        (key, value)
    };
    let record = Value::Object(members.into_iter().map(mask_member).collect());
    let mut bytes = common::json::to_go_string(&record).into_bytes();
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_61_the_log_ends_when_the_first_upload_begins() {
        let log = OwnLog::default();
        log.kept().add(b"one\n");
        log.kept().add(b"Starting to upload\n");
        log.freeze();
        log.kept().add(b"later\n");
        assert_eq!(log.content(), "one\nStarting to upload\n");
    }

    #[test]
    fn i8_memory_is_bounded_and_says_what_it_left_out() {
        let log = OwnLog::default();
        let line = [b'x'; 1000];
        for _ in 0..10_000 {
            log.kept().add(&line);
        }
        log.kept().add(b"last\n");
        let content = log.content();
        assert!(content.len() < 2 * MAX_KEPT_BYTES + 1000);
        assert!(content.ends_with(b"last\n"));
        let text = String::from_utf8_lossy(&content);
        assert!(text.contains("records are left out here"));
    }
}
