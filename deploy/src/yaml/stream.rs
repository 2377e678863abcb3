//! A stream taken apart into documents, as `kubectl` takes it apart.

use super::{Node, json, read};

/// The longest stream that is read: 16 MiB. An API server takes no object of
/// more than 3 MiB.
pub(crate) const MAX_STREAM_BYTES: usize = 16 << 20;

/// Something that is no YAML, with where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Syntax {
    /// The document's number, from 1 on.
    pub(crate) document: usize,
    /// One line: where, and what.
    pub(crate) text: String,
}

/// How documents are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Yaml,
    Json,
}

/// One document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// Comments in front of the first line, as they were.
    pub(crate) heading: String,
    /// The text from its first line on, as it was.
    pub(crate) text: String,
    /// What it says.
    pub(crate) node: Node,
}

/// All documents of a stream, without those that are empty or only comments.
pub(crate) fn documents(text: &str) -> Result<(Format, Vec<Chunk>), Syntax> {
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
            return Err(Syntax { document, text });
        }
        let node = read::document(body, line).map_err(|text| Syntax { document, text })?;
        chunks.push(Chunk { heading: heading.to_owned(), text: body.to_owned(), node });
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
