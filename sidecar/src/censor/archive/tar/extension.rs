//! Metadata of the next member: pax records and GNU's long names.

use super::super::Stop;
use super::super::walk::Walk;
use super::header::{Header, padding};
use std::io::Write;
use std::ops::Range;

/// Records with numeric values, which are never masked.
const NUMBERS: [&[u8]; 9] =
    [b"size", b"mtime", b"atime", b"ctime", b"uid", b"gid", b"SCHILY.dev", b"SCHILY.ino", b"SCHILY.nlink"];

/// All metadata of one member, masked.
#[derive(Default)]
pub(super) struct Extensions(Vec<Item>);

struct Item {
    header: Header,
    content: Vec<u8>,
    /// The keys and values of a pax header's records.
    records: Vec<(Range<usize>, Range<usize>)>,
}

/// Reads and masks the content of an extension header.
pub(super) fn read(header: Header, content: Vec<u8>, walk: Walk<'_>) -> Result<Extensions, Stop> {
    let is_pax = matches!(header.letter(), b'x' | b'g');
    let records = if is_pax { records(&content) } else { None };
    let mut item = Item { header, content, records: records.unwrap_or_default() };
    if item.records.is_empty() {
        walk.mask_text(&mut item.content)?;
    }
    for (key, value) in &item.records {
        let is_known = NUMBERS.contains(&&item.content[key.clone()]);
        let is_number = |byte: &u8| byte.is_ascii_digit() || b".-".contains(byte);
        if is_known && item.content[value.clone()].iter().all(is_number) {
            continue;
        }
        walk.mask_text(&mut item.content[value.clone()])?;
        if !is_standard(&item.content[key.clone()]) {
            walk.mask_text(&mut item.content[key.clone()])?;
        }
    }
    Ok(Extensions(vec![item]))
}

/// Returns whether a key is the standard's or GNU's, and never masked.
fn is_standard(key: &[u8]) -> bool {
    let known: [&[u8]; 8] =
        [b"path", b"linkpath", b"uname", b"gname", b"comment", b"charset", b"hdrcharset", b"SCHILY.fflags"];
    known.contains(&key) || NUMBERS.contains(&key) || key.starts_with(b"GNU.")
}

/// Parses records `LENGTH KEY=VALUE\n`; `None` if the content is anything else.
fn records(content: &[u8]) -> Option<Vec<(Range<usize>, Range<usize>)>> {
    let mut records = Vec::new();
    let mut at = 0;
    while at < content.len() {
        let space = content[at..].iter().take(20).position(|byte| *byte == b' ')?;
        let length: usize = std::str::from_utf8(&content[at..at + space]).ok()?.parse().ok()?;
        let end = at.checked_add(length).filter(|end| *end <= content.len())?;
        let start = at + space + 1;
        let line = content.get(start..end)?;
        let equals = line.iter().position(|byte| *byte == b'=')?;
        if line.last() != Some(&b'\n') {
            return None;
        }
        records.push((start..start + equals, start + equals + 1..end - 1));
        at = end;
    }
    Some(records)
}

impl Extensions {
    /// Returns metadata with a path that is too long for a header.
    pub(super) fn path_only(like: &Header, path: &[u8]) -> Self {
        let content = record(b"path", path);
        let header = like.extension(b'x', content.len() as u64);
        Self(vec![Item { header, content, records: Vec::new() }])
    }

    pub(super) fn append(&mut self, mut more: Self) {
        self.0.append(&mut more.0);
    }

    /// Returns the value of a record; the last one counts.
    fn value(&self, wanted: &[u8]) -> Option<&[u8]> {
        let of_item = |item: &Item| {
            let mut records = item.records.iter().rev();
            let found = records.find(|(key, _)| &item.content[key.clone()] == wanted);
            found.map(|(_, value)| value.clone())
        };
        self.0.iter().rev().find_map(|item| of_item(item).map(|value| &item.content[value]))
    }

    /// Returns GNU's long name or long link.
    fn long(&self, letter: u8) -> Option<&[u8]> {
        let item = self.0.iter().rev().find(|item| item.header.letter() == letter)?;
        Some(item.content.split(|byte| *byte == 0).next().unwrap_or_default())
    }

    pub(super) fn size(&self) -> Option<u64> {
        std::str::from_utf8(self.value(b"size")?).ok()?.parse().ok()
    }

    pub(super) fn is_sparse(&self) -> bool {
        let is_sparse = |item: &Item| {
            item.records.iter().any(|(key, _)| item.content[key.clone()].starts_with(b"GNU.sparse"))
        };
        self.0.iter().any(is_sparse)
    }

    /// Returns whether the content begins with the map of a sparse file (version 1.0).
    pub(super) fn has_sparse_map_inside(&self) -> bool {
        let is = |key: &[u8], value: &[u8]| self.value(key) == Some(value);
        is(b"GNU.sparse.major", b"1") && is(b"GNU.sparse.minor", b"0")
    }

    /// Returns the member's path.
    pub(super) fn path(&self, header: &Header) -> Vec<u8> {
        let path = self.value(b"GNU.sparse.name").or_else(|| self.value(b"path"));
        path.or_else(|| self.long(b'L')).map_or_else(|| header.path(), <[u8]>::to_vec)
    }

    /// Returns a link's target.
    pub(super) fn link_name(&self, header: &Header) -> Vec<u8> {
        let link = self.value(b"linkpath").or_else(|| self.long(b'K'));
        link.map_or_else(|| header.link(), <[u8]>::to_vec)
    }

    /// Writes the headers, with a new size if there is one.
    pub(super) fn write(self, output: &mut dyn Write, new_size: Option<u64>) -> Result<(), Stop> {
        for mut item in self.0 {
            if let Some(size) = new_size {
                item.set_size(size);
            }
            output.write_all(item.header.bytes())?;
            output.write_all(&item.content)?;
            output.write_all(&vec![0; padding(item.content.len() as u64)])?;
        }
        Ok(())
    }
}

impl Item {
    fn set_size(&mut self, size: u64) {
        let is_size = |key: &Range<usize>| &self.content[key.clone()] == b"size";
        if !self.records.iter().any(|(key, _)| is_size(key)) {
            return;
        }
        let size = size.to_string();
        let value = |key: &Range<usize>, value: &Range<usize>| {
            let value = if is_size(key) { size.as_bytes() } else { &self.content[value.clone()] };
            record(&self.content[key.clone()], value)
        };
        self.content = self.records.iter().flat_map(|(key, old)| value(key, old)).collect();
        self.records = records(&self.content).unwrap_or_default();
        self.header.set_size(self.content.len() as u64);
    }
}

/// Encodes a record, whose length includes its own digits.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length += 1;
    }
    [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}
