//! One event as one line of JSON.

use crate::json::append_go_string;
use crate::quote::without_controls;
use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;
use std::error::Error;
use std::fmt;
use std::io::Write;
use std::ops::Range;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// Keys that a record always has. A field of the call with one of these names
/// is renamed, `logrus_error` too (E-81), so that no key occurs twice.
const OWN_KEYS: &[&str] = &["component", "file", "func", "level", "logrus_error", "msg", "severity", "time"];

/// Bytes of a piece of memory that is kept for the next record: more than a usual one has.
const MAX_KEPT_BYTES: usize = 8 << 10;

/// The memory for records of a thread, which musl's allocator would otherwise take from the
/// system and give back with each of them.
#[derive(Default)]
struct Space {
    members: Vec<(Key, Range<usize>)>,
    values: Vec<u8>,
    line: Vec<u8>,
}

thread_local! {
    static SPACE: Cell<Space> = const { Cell::new(Space::new()) };
}

impl Space {
    const fn new() -> Self {
        Self { members: Vec::new(), values: Vec::new(), line: Vec::new() }
    }

    /// Takes the thread's, which is a new one while another record is made, or when the
    /// thread ends.
    fn take() -> Self {
        SPACE.try_with(Cell::take).unwrap_or_default()
    }

    /// Keeps it for the next record of this thread.
    fn keep(mut self) {
        if self.values.capacity().max(self.line.capacity()) <= MAX_KEPT_BYTES {
            self.members.clear();
            self.values.clear();
            self.line.clear();
            // A thread that ends makes no more records.
            let _ = SPACE.try_with(|space| space.set(self));
        }
    }
}

/// Formats the record of an event, its newline included, and gives it to `take`.
pub(super) fn with_line(event: &Event<'_>, component: &str, time: &str, take: impl FnOnce(&[u8])) {
    let Space { members, values, mut line } = Space::take();
    let mut fields = Fields { members, values, ..Fields::default() };
    event.record(&mut fields);
    let metadata = event.metadata();
    let level = level_text(*metadata.level(), fields.fatal);
    let file = format!("{}:{}", metadata.file().unwrap_or("unknown"), metadata.line().unwrap_or(0));
    let message = fields.message.take().unwrap_or_default();
    for (key, value) in [
        ("component", component),
        ("file", &file),
        ("func", metadata.module_path().unwrap_or_else(|| metadata.target())),
        ("level", level),
        ("msg", &message),
        ("severity", level),
        ("time", time),
    ] {
        fields.insert(Key(["", key]), |values| append_go_string(values, value));
    }
    line.push(b'{');
    for (key, value) in &fields.members {
        if line.len() > 1 {
            line.push(b',');
        }
        match key.0 {
            ["", name] => append_go_string(&mut line, name),
            pieces => append_go_string(&mut line, &pieces.concat()),
        }
        line.push(b':');
        line.extend_from_slice(&fields.values[value.clone()]);
    }
    line.extend_from_slice(b"}\n");
    take(&line);
    Space { members: fields.members, values: fields.values, line }.keep();
}

/// Formats an event as one line for people, its newline included: the program, the
/// message, the error if there is one, and no control or bidi character.
pub(super) fn plain(event: &Event<'_>, component: &str) -> Vec<u8> {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let mut line = format!("{component}: {}", fields.message.take().unwrap_or_default());
    if let Some(error) = &fields.error {
        line.push_str(": ");
        line.push_str(error);
    }
    let mut line = without_controls(&line);
    line.push('\n');
    line.into_bytes()
}

fn level_text(level: Level, fatal: bool) -> &'static str {
    match level {
        Level::ERROR if fatal => "fatal",
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

/// A key in two pieces: a prefix, usually none, and the name.
#[derive(Clone, Copy)]
struct Key([&'static str; 2]);

impl Key {
    fn cmp(self, other: Self) -> Ordering {
        let bytes = |key: Self| key.0.into_iter().flat_map(str::bytes);
        bytes(self).cmp(bytes(other))
    }
}

/// The members of a record, sorted by key, values as JSON in one piece of memory.
#[derive(Default)]
struct Fields {
    members: Vec<(Key, Range<usize>)>,
    values: Vec<u8>,
    message: Option<String>,
    error: Option<String>,
    fatal: bool,
}

impl Fields {
    fn insert(&mut self, key: Key, append: impl FnOnce(&mut Vec<u8>)) {
        let start = self.values.len();
        append(&mut self.values);
        let value = start..self.values.len();
        match self.members.binary_search_by(|member| member.0.cmp(key)) {
            Ok(at) => self.members[at].1 = value,
            Err(at) => self.members.insert(at, (key, value)),
        }
    }

    fn add(&mut self, field: &Field, append: impl FnOnce(&mut Vec<u8>)) {
        let name = field.name().strip_prefix("r#").unwrap_or(field.name());
        let prefix = if OWN_KEYS.contains(&name) { "fields." } else { "" };
        self.insert(Key([prefix, name]), append);
    }

    /// Adds a number or a boolean.
    fn add_literal(&mut self, field: &Field, value: impl fmt::Display) {
        self.add(field, |values| {
            write!(values, "{value}").expect("writing into memory does not fail");
        });
    }

    fn add_text(&mut self, field: &Field, value: Cow<'_, str>) {
        if field.name() == "message" {
            self.message = Some(value.into_owned());
            return;
        }
        self.add(field, |values| append_go_string(values, &value));
        if field.name() == "error" {
            self.error = Some(value.into_owned());
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add_text(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add_text(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "fatal" {
            self.fatal = value;
        } else {
            self.add_literal(field, value);
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add_literal(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add_literal(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinity and no NaN.
        if value.is_finite() {
            self.add_literal(field, value);
        } else {
            self.add_text(field, value.to_string().into());
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.add_text(field, value.to_string().into());
    }
}
