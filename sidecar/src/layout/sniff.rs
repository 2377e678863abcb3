//! Detects a content type by the first bytes, as Go's `http.DetectContentType` does
//! (the algorithm of <https://mimesniff.spec.whatwg.org/> with Go's table).

/// The number of bytes at the beginning that decide.
pub const PREFIX_BYTES: usize = 512;

/// Returns the type of content that begins with `data`; only its first [`PREFIX_BYTES`]
/// count. Never empty: unknown binary content is
/// `application/octet-stream`.
pub fn content_type(data: &[u8]) -> &'static str {
    let data = &data[..data.len().min(PREFIX_BYTES)];
    let text = skip_white_space(data);
    HTML.iter()
        .find(|tag| is_tag(text, tag))
        .map(|_| HTML_TYPE)
        .or_else(|| is_xml(text).then_some(XML_TYPE))
        .or_else(|| EARLY.iter().find(|row| row.matches(data)).map(|row| row.kind))
        .or_else(|| is_mp4(data).then_some(MP4_TYPE))
        .or_else(|| LATE.iter().find(|row| row.matches(data)).map(|row| row.kind))
        .unwrap_or(if is_text(text) { TEXT_TYPE } else { BINARY_TYPE })
}

/// Returns every type that content can have; some come more than once.
pub fn all_types() -> impl Iterator<Item = &'static str> {
    EARLY.iter().chain(LATE).map(|row| row.kind).chain([
        HTML_TYPE,
        XML_TYPE,
        MP4_TYPE,
        TEXT_TYPE,
        BINARY_TYPE,
    ])
}

const HTML_TYPE: &str = "text/html; charset=utf-8";
const XML_TYPE: &str = "text/xml; charset=utf-8";
const MP4_TYPE: &str = "video/mp4";
const TEXT_TYPE: &str = "text/plain; charset=utf-8";
const BINARY_TYPE: &str = "application/octet-stream";

/// A row of the table: bytes at the beginning, compared under a mask.
struct Signature {
    mask: Option<&'static [u8]>,
    bytes: &'static [u8],
    kind: &'static str,
}

impl Signature {
    fn matches(&self, data: &[u8]) -> bool {
        let Some(mask) = self.mask else {
            return data.starts_with(self.bytes);
        };
        data.len() >= self.bytes.len()
            && data.iter().zip(mask).zip(self.bytes).all(|((byte, mask), wanted)| byte & mask == *wanted)
    }
}

const fn exact(bytes: &'static [u8], kind: &'static str) -> Signature {
    Signature { mask: None, bytes, kind }
}

const fn masked(mask: &'static [u8], bytes: &'static [u8], kind: &'static str) -> Signature {
    Signature { mask: Some(mask), bytes, kind }
}

/// Tags that make a beginning HTML, in any case, when a space or `>` follows.
const HTML: &[&[u8]] = &[
    b"<!DOCTYPE HTML",
    b"<HTML",
    b"<HEAD",
    b"<SCRIPT",
    b"<IFRAME",
    b"<H1",
    b"<DIV",
    b"<FONT",
    b"<TABLE",
    b"<A",
    b"<STYLE",
    b"<TITLE",
    b"<B",
    b"<BODY",
    b"<BR",
    b"<P",
    b"<!--",
];

const RIFF: &[u8] = b"\xFF\xFF\xFF\xFF\x00\x00\x00\x00\xFF\xFF\xFF\xFF";

const EARLY: &[Signature] = &[
    exact(b"%PDF-", "application/pdf"),
    exact(b"%!PS-Adobe-", "application/postscript"),
    masked(b"\xFF\xFF\x00\x00", b"\xFE\xFF\x00\x00", "text/plain; charset=utf-16be"),
    masked(b"\xFF\xFF\x00\x00", b"\xFF\xFE\x00\x00", "text/plain; charset=utf-16le"),
    masked(b"\xFF\xFF\xFF\x00", b"\xEF\xBB\xBF\x00", "text/plain; charset=utf-8"),
    exact(b"\x00\x00\x01\x00", "image/x-icon"),
    exact(b"\x00\x00\x02\x00", "image/x-icon"),
    exact(b"BM", "image/bmp"),
    exact(b"GIF87a", "image/gif"),
    exact(b"GIF89a", "image/gif"),
    masked(
        b"\xFF\xFF\xFF\xFF\x00\x00\x00\x00\xFF\xFF\xFF\xFF\xFF\xFF",
        b"RIFF\x00\x00\x00\x00WEBPVP",
        "image/webp",
    ),
    exact(b"\x89PNG\x0D\x0A\x1A\x0A", "image/png"),
    exact(b"\xFF\xD8\xFF", "image/jpeg"),
    masked(RIFF, b"FORM\x00\x00\x00\x00AIFF", "audio/aiff"),
    exact(b"ID3", "audio/mpeg"),
    exact(b"OggS\x00", "application/ogg"),
    exact(b"MThd\x00\x00\x00\x06", "audio/midi"),
    masked(RIFF, b"RIFF\x00\x00\x00\x00AVI ", "video/avi"),
    masked(RIFF, b"RIFF\x00\x00\x00\x00WAVE", "audio/wave"),
];

const LATE: &[Signature] = &[
    exact(b"\x1A\x45\xDF\xA3", "video/webm"),
    // Embedded OpenType: the letters LP at offset 34.
    masked(
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xFF\xFF",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0LP",
        "application/vnd.ms-fontobject",
    ),
    exact(b"\x00\x01\x00\x00", "font/ttf"),
    exact(b"OTTO", "font/otf"),
    exact(b"ttcf", "font/collection"),
    exact(b"wOFF", "font/woff"),
    exact(b"wOF2", "font/woff2"),
    exact(b"\x1F\x8B\x08", "application/x-gzip"),
    exact(b"PK\x03\x04", "application/zip"),
    exact(b"Rar!\x1A\x07\x00", "application/x-rar-compressed"),
    exact(b"Rar!\x1A\x07\x01\x00", "application/x-rar-compressed"),
    exact(b"\x00\x61\x73\x6D", "application/wasm"),
];

/// Skips leading white space, which does not include the vertical tab here.
fn skip_white_space(data: &[u8]) -> &[u8] {
    let start = data.iter().position(|byte| !matches!(byte, b'\t' | b'\n' | 0x0C | b'\r' | b' '));
    &data[start.unwrap_or(data.len())..]
}

fn is_tag(data: &[u8], tag: &[u8]) -> bool {
    data.len() > tag.len()
        && data[..tag.len()].eq_ignore_ascii_case(tag)
        && matches!(data[tag.len()], b' ' | b'>')
}

fn is_xml(data: &[u8]) -> bool {
    data.starts_with(b"<?xml")
}

/// Returns whether this is an ISO base media file with a brand that begins with
/// `mp4`.
fn is_mp4(data: &[u8]) -> bool {
    let Some(&[a, b, c, d]) = data.first_chunk() else {
        return false;
    };
    let size = u32::from_be_bytes([a, b, c, d]) as usize;
    if data.len() < 12 || data.len() < size || !size.is_multiple_of(4) || &data[4..8] != b"ftyp" {
        return false;
    }
    // Bytes 12..16 are the minor version and no brand.
    (8..size).step_by(4).filter(|at| *at != 12).any(|at| data.get(at..at + 3) == Some(b"mp4"))
}

/// Returns whether every byte can be part of a text.
fn is_text(data: &[u8]) -> bool {
    !data.iter().any(|byte| matches!(byte, 0..=0x08 | 0x0B | 0x0E..=0x1A | 0x1C..=0x1F))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_documents_and_binaries_are_told_apart() {
        for (data, kind) in [
            (&b""[..], "text/plain; charset=utf-8"),
            (b"hello\n", "text/plain; charset=utf-8"),
            (b"{\"a\":1}", "text/plain; charset=utf-8"),
            (b"\x1b[31mred\x1b[0m", "text/plain; charset=utf-8"),
            (b"a\x00b", "application/octet-stream"),
            (b"\x01\x02", "application/octet-stream"),
            (b"\n <!doctype html>", "text/html; charset=utf-8"),
            (b"<html", "text/plain; charset=utf-8"),
            (b"<bx>", "text/plain; charset=utf-8"),
            (b"  <?xml version='1.0'?>", "text/xml; charset=utf-8"),
            (b"%PDF-1.7", "application/pdf"),
            (b"\x1f\x8b\x08\x00", "application/x-gzip"),
            (b"PK\x03\x04rest", "application/zip"),
            (b"\x89PNG\r\n\x1a\n", "image/png"),
            (b"RIFF1234WEBPVP8 ", "image/webp"),
            (b"RIFF1234WAVEfmt ", "audio/wave"),
            (b"\xFE\xFFab", "text/plain; charset=utf-16be"),
            (b"\xEF\xBB\xBFa", "text/plain; charset=utf-8"),
            (b"\x00asm", "application/wasm"),
            (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom", "video/mp4"),
            (b"\x00\x00\x00\x14ftypisom\x00\x00\x00\x00iso2", "application/octet-stream"),
        ] {
            assert_eq!(content_type(data), kind, "{data:?}");
        }
    }

    #[test]
    fn only_the_first_bytes_count() {
        let mut data = vec![b'a'; PREFIX_BYTES];
        data.push(0);
        assert_eq!(content_type(&data), "text/plain; charset=utf-8");
        data[PREFIX_BYTES - 1] = 0;
        assert_eq!(content_type(&data), "application/octet-stream");
    }
}
