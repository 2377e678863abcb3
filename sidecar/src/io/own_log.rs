//! Sidecar's own log: every record goes to stderr, and into bounded memory
//! until the first upload begins (S-60, S-61).

use crate::censor::Censor;
use crate::layout::value::Value;
use bytes::Bytes;
use common::records::Sink;
use std::collections::VecDeque;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes kept of the beginning, and again as many of the end.
const KEPT: usize = 512 << 10;

/// Empties a terminal's line.
const CLEAR: &str = "\r\x1b[K";

/// Fields that are never masked: sidecar itself makes them.
const OURS: &[&str] = &["component", "file", "func", "level", "severity", "time"];

/// Where records go. Clones are the same log.
#[derive(Clone, Debug, Default)]
pub struct OwnLog(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    censor: Mutex<Option<Arc<Censor>>>,
    /// Whether the terminal's last line is a bar.
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
    /// From now on records are masked with these secrets.
    pub fn censor_with(&self, censor: &Arc<Censor>) {
        *self.0.censor.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(censor));
    }

    /// Draws a bar in the terminal's last line, which the next record replaces.
    pub fn draw(&self, bar: &str) {
        self.0.bar.store(!bar.is_empty(), Ordering::Relaxed);
        // Nobody watches when stderr is gone.
        let _ = write!(std::io::stderr(), "{CLEAR}{bar}");
    }

    /// The first upload begins: what comes later goes to stderr only.
    pub fn freeze(&self) {
        self.kept().frozen = true;
    }

    /// The records up to the first upload, one a line.
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
        // A record that panicked half way leaves the log usable.
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for OwnLog {
    fn write_line(&self, line: &[u8]) {
        let censor = self.0.censor.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let masked = censor.map(|censor| masked(line, &censor));
        let line = masked.as_deref().unwrap_or(line);
        // Nobody is left to tell when stderr is gone.
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
        if self.tail.is_empty() && self.head.len() + line.len() <= KEPT {
            self.head.extend_from_slice(line);
            return;
        }
        self.tail_bytes += line.len();
        self.tail.push_back(line.to_vec());
        while self.tail_bytes > KEPT && self.tail.len() > 1 {
            self.tail_bytes -= self.tail.pop_front().map_or(0, |line| line.len());
            self.left_out += 1;
        }
    }
}

/// The record with every text of others masked, string by string.
fn masked(line: &[u8], censor: &Censor) -> Vec<u8> {
    let text = String::from_utf8_lossy(line);
    let Ok(Value::Object(members)) = Value::parse(&text) else {
        return censor.text(&text).into_bytes();
    };
    let mask = |text: &str| censor.text(text);
    let mask_member = |(key, value): (String, Value)| {
        let value = if OURS.contains(&key.as_str()) { value } else { value.masked(&mask) };
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
        assert!(content.len() < 2 * KEPT + 1000);
        assert!(content.ends_with(b"last\n"));
        let text = String::from_utf8_lossy(&content);
        assert!(text.contains("records are left out here"));
    }
}
