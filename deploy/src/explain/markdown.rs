//! The tables of the documents, as they stand between their markers.

use common::options::{BOOL, Field, Options, Shape, Value};
use entrypoint::options::EntrypointOptions;
use sidecar::options::{JobFlags, SidecarOptions};

/// All tables, each between the markers of its program.
pub(super) fn tables() -> String {
    let programs: [(&str, &[&dyn Options]); 3] = [
        (entrypoint::options::VARIABLE, &[&EntrypointOptions::default()]),
        (sidecar::options::VARIABLE, &[&SidecarOptions::default(), &JobFlags::default()]),
        ("entrypoint-wrapper", &[&entrypoint_wrapper::Flags::default()]),
    ];
    programs.map(|(name, objects)| format!("{}\n\n{}\n{END}\n", begin(name), table(objects))).join("\n")
}

fn begin(name: &str) -> String {
    format!("<!-- options of {name}: by `podutils explain --markdown` -->")
}

const END: &str = "<!-- end of options -->";

fn table(objects: &[&dyn Options]) -> String {
    let mut rows = Vec::new();
    for object in objects {
        add_rows("", *object, &mut rows);
    }
    let has_keys = rows.iter().any(|row| !row[0].is_empty());
    let head = ["key", "flag", "default", "meaning"].map(str::to_owned);
    let line = ["---"; 4].map(str::to_owned);
    let mut text = String::new();
    for row in [head, line].iter().chain(&rows) {
        let cells = if has_keys { &row[..] } else { &row[1..] };
        text.push('|');
        for cell in cells {
            let space = if cell.is_empty() { "" } else { " " };
            text.extend([space, cell, " |"]);
        }
        text.push('\n');
    }
    text
}

fn add_rows(prefix: &str, options: &dyn Options, rows: &mut Vec<[String; 4]>) {
    for (field, value) in options.rows() {
        let template = value.template().filter(|_| field.shape != Shape::Json);
        let is_inline = matches!(field.shape, Shape::Inline(_));
        let is_own_row = template.is_none() || !field.flag.is_empty();
        if is_own_row {
            let key = if field.key.is_empty() { String::new() } else { format!("`{prefix}{}`", field.key) };
            let meaning = field.help().replace('|', "\\|");
            rows.push([key, flags(field, value), default(field, value), meaning]);
        }
        if let Some(template) = template {
            let inner = if is_inline { prefix.to_owned() } else { format!("{prefix}{}.", field.key) };
            add_rows(&inner, template.as_ref(), rows);
        }
    }
}

/// The option's own flag and the name of its positional arguments.
fn flags(field: &'static Field, value: &dyn Value) -> String {
    let mut shown = Vec::new();
    for arg in value.args(field, "") {
        let name = arg.get_value_names().unwrap_or_default().first().map_or("", |name| name.as_str());
        match arg.get_long() {
            None if arg.is_positional() => shown.push(format!("`{}`", field.positional)),
            Some(long) if long == field.flag && name != BOOL => shown.push(format!("`--{long} {name}`")),
            Some(long) if long == field.flag => shown.push(format!("`--{long}`")),
            Some(_) | None => {}
        }
    }
    shown.join(", ")
}

fn default(field: &Field, value: &dyn Value) -> String {
    let json = field.in_force().unwrap_or_else(|| value.shown());
    match field.flag_default {
        Some(flag) if json.is_empty() => format!("flag: {flag}"),
        Some(flag) => format!("JSON: {json}, flag: {flag}"),
        None => json,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text between the markers of a program, markers included.
    fn block<'a>(document: &'a str, name: &str) -> Option<&'a str> {
        let (_, after) = document.split_once(&begin(name))?;
        let length = after.find(END).expect("the end of the table");
        Some(&after[..length])
    }

    #[test]
    fn the_documents_have_the_tables_of_the_programs() {
        let tables = tables();
        for (name, document) in [
            (entrypoint::options::VARIABLE, include_str!("../../../entrypoint/README.md")),
            (sidecar::options::VARIABLE, include_str!("../../../sidecar/README.md")),
            ("entrypoint-wrapper", include_str!("../../../entrypoint-wrapper/README.md")),
        ] {
            let is = block(document, name).unwrap_or_else(|| panic!("no markers of {name} in its README"));
            assert_eq!(Some(is.trim()), block(&tables, name).map(str::trim), "podutils explain --markdown");
        }
    }

    #[test]
    fn every_option_has_a_meaning() {
        for line in tables().lines().filter(|line| line.starts_with("| `") || line.starts_with("| |")) {
            let meaning = line.trim_end_matches('|').rsplit('|').next().unwrap_or_default().trim();
            assert!(meaning.len() > 10, "{line}");
        }
    }
}
