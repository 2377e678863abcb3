//! One event as one line of JSON.

use crate::json::to_go_string;
use crate::quote::without_controls;
use std::error::Error;
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// Keys that a record always has. A field of the call with one of these names
/// is renamed, `logrus_error` too (E-81), so that no key occurs twice.
const OWN_KEYS: &[&str] = &["component", "file", "func", "level", "logrus_error", "msg", "severity", "time"];

/// Formats the record of an event, its newline included.
pub(super) fn line(event: &Event<'_>, component: &str, time: &str) -> Vec<u8> {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let metadata = event.metadata();
    let level = level_text(*metadata.level(), fields.fatal);
    let file = format!("{}:{}", metadata.file().unwrap_or("unknown"), metadata.line().unwrap_or(0));
    for (key, value) in [
        ("component", component),
        ("file", &file),
        ("func", metadata.module_path().unwrap_or_else(|| metadata.target())),
        ("level", level),
        ("msg", &fields.message.take().unwrap_or_default()),
        ("severity", level),
        ("time", time),
    ] {
        fields.insert(key.to_owned(), to_go_string(value));
    }
    let mut line = String::from("{");
    for (key, value) in &fields.members {
        if line.len() > 1 {
            line.push(',');
        }
        line.extend([&to_go_string(key), ":", value]);
    }
    line.push_str("}\n");
    line.into_bytes()
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

/// The members of a record, sorted by key, values as JSON.
#[derive(Default)]
struct Fields {
    members: Vec<(String, String)>,
    message: Option<String>,
    error: Option<String>,
    fatal: bool,
}

impl Fields {
    fn insert(&mut self, key: String, value: String) {
        match self.members.binary_search_by(|member| member.0.cmp(&key)) {
            Ok(at) => self.members[at].1 = value,
            Err(at) => self.members.insert(at, (key, value)),
        }
    }

    fn add(&mut self, field: &Field, value: String) {
        let name = field.name().strip_prefix("r#").unwrap_or(field.name());
        let clash = OWN_KEYS.contains(&name);
        self.insert(format!("{}{name}", if clash { "fields." } else { "" }), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = Some(value.to_owned());
        } else {
            if field.name() == "error" {
                self.error = Some(value.to_owned());
            }
            self.add(field, to_go_string(value));
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "fatal" {
            self.fatal = value;
        } else {
            self.add(field, value.to_string());
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.to_string());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.to_string());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        let text = value.to_string();
        // JSON has no infinity and no NaN.
        self.add(field, if value.is_finite() { text } else { to_go_string(&text) });
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.record_str(field, &value.to_string());
    }
}
