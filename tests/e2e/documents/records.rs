//! Pins: deploy/README.md, "Records worth an alert".
//!
//! Alerts match on the beginning of a record: each text that the table has is written.

use super::{root, texts};
use std::fs;

/// The texts in the first column of the table, without what an ellipsis leaves out.
fn texts_of_table(document: &str) -> Vec<&str> {
    let table = document.split("### Records worth an alert").nth(1).unwrap_or_default();
    let rows =
        table.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = rows.skip(2).filter_map(|row| row.split('|').nth(1));
    let texts = cells.filter_map(|cell| cell.split('`').nth(1));
    texts.map(|text| text.trim_matches([' ', '…'])).collect()
}

#[test]
fn every_record_worth_an_alert_is_written() {
    let document = fs::read_to_string(root().join("deploy/README.md")).expect("a document");
    let sources = texts(&[".rs"]);
    let sidecar = root().join("sidecar/src");
    let listed = texts_of_table(&document);
    assert!(listed.len() > 10, "{listed:?}");
    for text in listed {
        let is_written = sources
            .iter()
            .any(|(path, source)| path.starts_with(&sidecar) && source.contains(text.trim_end_matches(':')));
        assert!(is_written, "{text:?} is in deploy/README.md, and sidecar does not write it");
    }
}
