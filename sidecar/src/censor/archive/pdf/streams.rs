//! Finds the streams of a document by their keyword, wherever its tables say they are.

use super::super::bytes::{Cursor, ReadAt, SourceRange};
use super::super::format::is_zlib;
use memchr::memmem;
use std::io::{self, BufRead};

const KEYWORD: &[u8] = b"stream";

/// Length of the keyword and an end of a line.
const KEYWORD_BYTES: usize = KEYWORD.len() + 2;

/// Bytes in front of the keyword among which its dictionary is.
const MAX_DICTIONARY_BYTES: u64 = 1024;

/// Bytes that tell deflated data from others.
const PEEK_BYTES: usize = 66;

/// Filters that are not undone. Those of images are not among them: no text is in pictures.
const OTHER_FILTERS: [&[u8]; 6] =
    [b"/LZWDecode", b"/LZW ", b"/RunLengthDecode", b"/ASCIIHexDecode", b"/BrotliDecode", b"/Crypt"];

/// How a stream is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// As it is.
    None,
    /// By zlib.
    Deflated,
    /// As text, behind which it may be packed by zlib.
    Ascii85 { is_deflated: bool },
    /// Encrypted, or in another way.
    Hidden,
}

/// A stream.
#[derive(Debug)]
pub(super) struct Stream {
    /// The place of its first byte.
    pub(super) at: u64,
    pub(super) packing: Packing,
}

/// The streams of a document, in the order of their places.
pub(super) struct Streams<'a> {
    source: &'a dyn ReadAt,
    cursor: Cursor<'a>,
}

impl<'a> Streams<'a> {
    pub(super) fn new(source: &'a dyn ReadAt) -> Self {
        Self { source, cursor: Cursor::new(source) }
    }

    /// Returns the next stream; a stream's own content is searched, too.
    pub(super) fn next(&mut self) -> io::Result<Option<Stream>> {
        loop {
            let buffer = self.cursor.at_least(KEYWORD_BYTES)?;
            if buffer.len() < KEYWORD_BYTES {
                return Ok(None);
            }
            let Some(at) = memmem::find(buffer, KEYWORD) else {
                let searched = buffer.len() + 1 - KEYWORD.len();
                self.cursor.consume(searched);
                continue;
            };
            let Some(behind) = buffer.get(at + KEYWORD.len()..at + KEYWORD_BYTES) else {
                // Without more bytes it is at the end of the document.
                if at == 0 {
                    return Ok(None);
                }
                self.cursor.consume(at);
                continue;
            };
            let line_end = match behind {
                b"\r\n" => 2,
                [b'\r' | b'\n', _] => 1,
                _ => 0,
            };
            self.cursor.consume(at);
            let keyword = self.cursor.position();
            self.cursor.consume(KEYWORD.len() + line_end);
            if line_end > 0
                && let Some(packing) = self.packing(keyword)?
            {
                return Ok(Some(Stream { at: self.cursor.position(), packing }));
            }
        }
    }

    /// Continues behind a stream.
    pub(super) fn go_on(&mut self, at: u64) {
        if at > self.cursor.position() {
            self.cursor.seek(at);
        }
    }

    /// Returns how the stream behind a keyword is packed; `None` if that is the end of one.
    fn packing(&mut self, keyword: u64) -> io::Result<Option<Packing>> {
        let front = keyword.min(MAX_DICTIONARY_BYTES);
        let front = SourceRange::new(self.source, keyword - front, front).to_vec()?;
        if front.ends_with(b"end") {
            return Ok(None);
        }
        let dictionary = memmem::rfind(&front, b" obj").map_or(&front[..], |at| &front[at..]);
        let has = |name: &[u8]| memmem::find(dictionary, name).is_some();
        let is_deflated = has(b"/FlateDecode") || has(b"/Fl ");
        Ok(Some(if OTHER_FILTERS.iter().any(|name| has(name)) {
            Packing::Hidden
        } else if has(b"/ASCII85Decode") || has(b"/A85 ") {
            Packing::Ascii85 { is_deflated }
        } else if is_zlib(self.cursor.at_least(PEEK_BYTES)?) {
            Packing::Deflated
        } else if is_deflated {
            Packing::Hidden
        } else {
            Packing::None
        }))
    }
}
