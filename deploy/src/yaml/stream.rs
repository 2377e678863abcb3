//! A stream taken apart into documents, as `kubectl` takes it apart.

use super::budget::Budget;
use super::document::{Document, Format, SyntaxError};
use super::{json, read};

/// The longest stream that is read: 16 MiB. An API server takes no object of
/// more than 3 MiB.
pub(crate) const MAX_STREAM_BYTES: usize = 16 << 20;

/// All documents of a stream, without those that are empty or only comments.
pub(crate) fn documents(text: &str) -> Result<(Format, Vec<Document<'_>>), SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{')
        && let Some(read) = json::documents(text)
    {
        return Ok((Format::Json, read?));
    }
    let mut budget = Budget::of_stream();
    let mut chunks = Vec::new();
    for (line, raw) in split(text) {
        let document = chunks.len() + 1;
        let start = raw.split_inclusive('\n').take_while(|line| is_comment(line)).map(str::len).sum();
        let (heading, body) = raw.split_at(start);
        if body.is_empty() {
            continue;
        }
        let line = line + heading.matches('\n').count();
        if body.starts_with('%') {
            let text = format!("line {}: a directive (%); remove it", line + 1);
            return Err(SyntaxError { document, text });
        }
        let node = read::document(body, line, &mut budget).map_err(|text| SyntaxError { document, text })?;
        chunks.push(Document { heading, text: body, node });
    }
    Ok((Format::Yaml, chunks))
}

fn is_comment(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

/// The texts between the document markers, each with the number of lines in
/// front of it. What stands behind a marker in its line belongs to the
/// document.
fn split(text: &str) -> Vec<(usize, &str)> {
    let mut chunks = Vec::new();
    // The line and the place at which the document began that is being read.
    let (mut first, mut begin, mut at) = (0, 0, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let marker =
            |marker| line.strip_prefix(marker).filter(|rest| rest.trim_start() != *rest || rest.is_empty());
        let end = at + line.len();
        let next = match (marker("---"), marker("...")) {
            (Some(rest), _) if !rest.trim().is_empty() => Some((number, end - rest.len())),
            (Some(_), _) | (None, Some(_)) => Some((number + 1, end)),
            (None, None) => None,
        };
        if let Some(next) = next {
            chunks.push((first, &text[begin..at]));
            (first, begin) = next;
        }
        at = end;
    }
    chunks.push((first, &text[begin..]));
    chunks
}
