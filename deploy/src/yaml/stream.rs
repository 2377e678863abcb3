//! A stream taken apart into documents, as `kubectl` takes it apart.

use super::document::{Document, Format, SyntaxError};
use super::{json, read};

/// The longest stream that is read: 16 MiB. An API server takes no object of
/// more than 3 MiB.
pub(crate) const MAX_STREAM_BYTES: usize = 16 << 20;

/// All documents of a stream, without those that are empty or only comments.
pub(crate) fn documents(text: &str) -> Result<(Format, Vec<Document>), SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{')
        && let Some(read) = json::documents(text)
    {
        return Ok((Format::Json, read?));
    }
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
        let node = read::document(body, line).map_err(|text| SyntaxError { document, text })?;
        chunks.push(Document { heading: heading.to_owned(), text: body.to_owned(), node });
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
fn split(text: &str) -> Vec<(usize, String)> {
    let mut chunks = vec![(0, String::new())];
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let marker =
            |marker| line.strip_prefix(marker).filter(|rest| rest.trim_start() != *rest || rest.is_empty());
        if let Some(rest) = marker("---") {
            chunks.push((number, if rest.trim().is_empty() { String::new() } else { rest.to_owned() }));
            if rest.trim().is_empty()
                && let Some(chunk) = chunks.last_mut()
            {
                chunk.0 = number + 1;
            }
        } else if marker("...").is_some() {
            chunks.push((number + 1, String::new()));
        } else if let Some((_, chunk)) = chunks.last_mut() {
            chunk.push_str(line);
        }
    }
    chunks
}
