//! Options with their values, one row for each.

use super::redact;
use common::options::{Options, Shape, Value};
use job_page::escape::visible;

/// One key with its value.
pub(super) struct Row {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) is_default: bool,
    pub(super) meaning: &'static str,
}

/// A row for every key.
pub(super) fn rows(options: &dyn Options) -> Vec<Row> {
    let mut rows = Vec::new();
    add_rows("", options, &mut rows);
    rows
}

fn add_rows(prefix: &str, options: &dyn Options, rows: &mut Vec<Row>) {
    let initial = options.initial();
    for ((field, value), (_, initial)) in options.rows().into_iter().zip(initial.rows()) {
        let path = format!("{prefix}{}", field.key);
        let objects = value.objects();
        if let Shape::Inline(_) = field.shape {
            for object in objects {
                add_rows(prefix, object, rows);
            }
        } else if field.key.is_empty() {
            // A flag of the command line, which JSON replaces.
        } else if value.is_list() && !objects.is_empty() {
            for (index, object) in objects.into_iter().enumerate() {
                add_rows(&format!("{path}[{index}]."), object, rows);
            }
        } else if let Some(object) = objects.first() {
            add_rows(&format!("{path}."), *object, rows);
        } else if field.shape != Shape::Json
            && field.in_force().is_none()
            && let Some(template) = value.template()
        {
            add_rows(&format!("{path}."), template.as_ref(), rows);
        } else {
            let is_default = value.json() == initial.json();
            let in_force = field.in_force().filter(|_| is_default);
            let value = in_force.unwrap_or_else(|| shown(value));
            rows.push(Row { key: path, value, is_default, meaning: field.help() });
        }
    }
}

/// A value on one line.
fn shown(value: &dyn Value) -> String {
    let text = value.shown();
    if text.is_empty() {
        return "–".to_owned();
    }
    let shown = match serde_json::from_str::<Vec<String>>(&text) {
        Ok(words) => serde_json::to_string(&redact::words(&words)).unwrap_or_default(),
        Err(_) => redact::text(&text),
    };
    visible(&shown).into_owned()
}
