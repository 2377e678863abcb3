//! A member's metadata: in the directory, and in front of its data.

use super::super::Stop;
use super::super::bytes::{ReadAt, SourceRange};
use super::super::format::ZIP_MEMBER;
use super::super::walk::Walk;
use super::{DEFLATED, MIN_ZIP64_BYTES, STORED, compressed_format};

const MAGIC: &[u8] = b"PK\x01\x02";
const BYTES: usize = 46;
pub(super) const LOCAL_BYTES: usize = 30;
const DESCRIPTOR_MAGIC: &[u8] = b"PK\x07\x08";

pub(super) const ENCRYPTED: u16 = 1 | 1 << 13;
const HAS_DESCRIPTOR: u16 = 1 << 3;
/// AES encryption of `WinZip`, which has a method of its own.
pub(super) const AES: u16 = 99;

const SIZES_64: u16 = 1;
const VERSION_64: u16 = 45;

/// Binary extra fields: times, owners, and the mark of JAR files.
const BINARY: [u16; 6] = [0x000a, 0x5455, 0x5855, 0x7855, 0x7875, 0xcafe];
const MAX_BINARY_BYTES: usize = 64;

/// Extra fields with a Unicode name or comment, and a checksum of the original.
const UNICODE: [u16; 2] = [0x7075, 0x6375];

const PLACEHOLDER_SUFFIX: &[u8] = b".withheld.txt";

/// An entry of the directory.
#[derive(Clone)]
pub(super) struct Entry {
    made_by: u16,
    needed: u16,
    flags: u16,
    pub(super) method: u16,
    /// Time and date.
    time: [u8; 4],
    pub(super) crc: u32,
    pub(super) packed: u64,
    pub(super) size: u64,
    /// Internal and external attributes.
    attributes: [u8; 6],
    /// The offset of its local header in the file.
    pub(super) offset: u64,
    pub(super) name: Vec<u8>,
    pub(super) extra: Vec<u8>,
    pub(super) comment: Vec<u8>,
}

/// The local header.
pub(super) struct Local {
    pub(super) name: Vec<u8>,
    pub(super) extra: Vec<u8>,
    pub(super) data_at: u64,
}

/// A member's checksum and sizes.
#[derive(Clone, Copy)]
pub(super) struct Measured {
    pub(super) crc: u32,
    pub(super) packed: u64,
    pub(super) size: u64,
}

/// The result of writing a member.
pub(super) struct Written {
    /// The entry that replaced it, if any.
    pub(super) entry: Option<Entry>,
    pub(super) sums: Measured,
    /// Checksum and sizes follow the data.
    pub(super) is_streamed: bool,
}

pub(super) fn number16(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
}

pub(super) fn number32(bytes: &[u8], at: usize) -> u32 {
    u32::from(number16(bytes, at)) | u32::from(number16(bytes, at + 2)) << 16
}

pub(super) fn number64(bytes: &[u8], at: usize) -> u64 {
    u64::from(number32(bytes, at)) | u64::from(number32(bytes, at + 4)) << 32
}

impl Entry {
    /// Reads the first entry, and returns its length too.
    pub(super) fn read(entries: &dyn ReadAt, base: u64) -> Result<(Self, u64), Stop> {
        const DAMAGED: Stop = Stop::Damaged("its directory cannot be read");
        let fixed = SourceRange::new(entries, 0, BYTES as u64).to_vec()?;
        if fixed.len() < BYTES || !fixed.starts_with(MAGIC) {
            return Err(DAMAGED);
        }
        let lengths = [28, 30, 32].map(|at| usize::from(number16(&fixed, at)));
        let texts_length = lengths.iter().sum::<usize>();
        let texts = SourceRange::new(entries, BYTES as u64, texts_length as u64).to_vec()?;
        if texts.len() < texts_length {
            return Err(DAMAGED);
        }
        let (name, rest) = texts.split_at(lengths[0]);
        let (extra, comment) = rest.split_at(lengths[1]);
        let [size, packed, offset] =
            numbers_64(extra, [24, 20, 42].map(|at| number32(&fixed, at))).ok_or(DAMAGED)?;
        let mut attributes = [0; 6];
        attributes.copy_from_slice(&fixed[36..42]);
        let entry = Self {
            made_by: number16(&fixed, 4),
            needed: number16(&fixed, 6),
            flags: number16(&fixed, 8),
            method: number16(&fixed, 10),
            time: number32(&fixed, 12).to_le_bytes(),
            crc: number32(&fixed, 16),
            packed,
            size,
            attributes,
            offset: base.checked_add(offset).ok_or(DAMAGED)?,
            name: name.to_vec(),
            extra: extra.to_vec(),
            comment: comment.to_vec(),
        };
        Ok((entry, (BYTES + texts_length) as u64))
    }

    /// Reads the local header.
    pub(super) fn local(&self, source: &dyn ReadAt) -> Result<Local, Stop> {
        let fixed = SourceRange::new(source, self.offset, LOCAL_BYTES as u64).to_vec()?;
        if fixed.len() < LOCAL_BYTES || !fixed.starts_with(ZIP_MEMBER) {
            return Err(Stop::Damaged("a member is not where its directory says"));
        }
        let (name, extra) = (number16(&fixed, 26), number16(&fixed, 28));
        let texts_at = self.offset + LOCAL_BYTES as u64;
        let mut texts = SourceRange::new(source, texts_at, u64::from(name) + u64::from(extra)).to_vec()?;
        let extra_bytes = texts.split_off(usize::from(name).min(texts.len()));
        let data_at = texts_at + u64::from(name) + u64::from(extra);
        Ok(Local { name: texts, extra: extra_bytes, data_at })
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.flags & ENCRYPTED != 0 || self.method == AES
    }

    /// Returns whether its data is scanned as it is: not packed, or by an unknown method.
    pub(super) fn is_plain(&self) -> bool {
        self.is_encrypted() || self.method != DEFLATED && compressed_format(self.method).is_none()
    }

    /// Returns whether a secret in it can be masked.
    pub(super) fn is_masked_inside(&self) -> bool {
        !self.is_encrypted() && (self.method == STORED || !self.is_plain())
    }

    /// Returns the entry with another size, of a deflated member.
    pub(super) fn deflated(&self, size: u64) -> Self {
        Self { size, method: DEFLATED, ..self.clone() }
    }

    /// Returns the entry of a stored text that replaces it.
    pub(super) fn placeholder(&self) -> Self {
        let name: Vec<u8> = self.name.iter().copied().rev().skip_while(|byte| *byte == b'/').collect();
        let mut name: Vec<u8> = name.into_iter().rev().collect();
        name.truncate(usize::from(u16::MAX) - PLACEHOLDER_SUFFIX.len());
        name.extend(PLACEHOLDER_SUFFIX);
        let flags = self.flags & !(ENCRYPTED | HAS_DESCRIPTOR);
        Self { flags, method: STORED, name, extra: Vec::new(), ..self.clone() }
    }

    /// Returns the local header; without `sums` a descriptor follows the data.
    pub(super) fn header(&self, sums: Option<&Measured>, extra: &[u8]) -> Vec<u8> {
        let is_large = sums.map_or(self.size >= MIN_ZIP64_BYTES, Measured::is_large);
        let (crc, packed, size) = sums.map_or((0, 0, 0), |sums| (sums.crc, sums.packed, sums.size));
        let long = |number: u64| if is_large { u32::MAX } else { u32::try_from(number).unwrap_or(u32::MAX) };
        let mut extra = extra.to_vec();
        if is_large {
            extra.splice(0..0, field_64(&[size, packed]));
        }
        let mut header = ZIP_MEMBER.to_vec();
        header.extend(self.needed(is_large).to_le_bytes());
        header.extend(self.flags(sums.is_none()).to_le_bytes());
        header.extend(self.method.to_le_bytes());
        header.extend(self.time);
        header.extend([crc, long(packed), long(size)].map(u32::to_le_bytes).concat());
        header.extend([length(&self.name), length(&extra)].concat());
        header.extend(&self.name);
        header.extend(extra);
        header
    }

    /// Returns the directory entry.
    pub(super) fn record(&self, written: &Written, offset: u64) -> Vec<u8> {
        let Measured { crc, packed, size } = written.sums;
        let large: Vec<u64> =
            [size, packed, offset].into_iter().filter(|number| *number >= u64::from(u32::MAX)).collect();
        let long = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
        let mut extra = self.extra.clone();
        if !large.is_empty() {
            extra.splice(0..0, field_64(&large));
        }
        let mut record = MAGIC.to_vec();
        record.extend(self.made_by.to_le_bytes());
        record.extend(self.needed(!large.is_empty()).to_le_bytes());
        record.extend(self.flags(written.is_streamed).to_le_bytes());
        record.extend(self.method.to_le_bytes());
        record.extend(self.time);
        record.extend([crc.to_le_bytes(), long(packed), long(size)].concat());
        record.extend([length(&self.name), length(&extra), length(&self.comment), [0; 2]].concat());
        record.extend(self.attributes);
        record.extend(long(offset));
        record.extend([&self.name, &extra, &self.comment].into_iter().flatten());
        record
    }

    fn needed(&self, is_large: bool) -> u16 {
        if is_large { self.needed.max(VERSION_64) } else { self.needed }
    }

    fn flags(&self, has_descriptor: bool) -> u16 {
        self.flags & !HAS_DESCRIPTOR | if has_descriptor { HAS_DESCRIPTOR } else { 0 }
    }
}

impl Measured {
    fn is_large(&self) -> bool {
        self.size.max(self.packed) >= MIN_ZIP64_BYTES
    }

    /// Returns the descriptor that follows the data.
    pub(super) fn descriptor(&self, is_large: bool) -> Vec<u8> {
        let long = |number: u64| {
            if is_large {
                number.to_le_bytes().to_vec()
            } else {
                u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes().to_vec()
            }
        };
        [DESCRIPTOR_MAGIC, &self.crc.to_le_bytes(), &long(self.packed), &long(self.size)].concat()
    }
}

/// Encodes the length of a text that was read from such a field, or grew a little.
fn length(text: &[u8]) -> [u8; 2] {
    u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes()
}

fn field_64(numbers: &[u64]) -> Vec<u8> {
    let data: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    [&SIZES_64.to_le_bytes(), &length(&data), data.as_slice()].concat()
}

/// Splits an extra text into its fields and the rest that is no field.
fn fields(mut extra: &[u8]) -> (Vec<(u16, &[u8])>, &[u8]) {
    let mut fields = Vec::new();
    while let Some(data) = extra.get(4..4 + usize::from(number16(extra, 2))).filter(|_| extra.len() >= 4) {
        fields.push((number16(extra, 0), data));
        extra = &extra[4 + data.len()..];
    }
    (fields, extra)
}

/// Reads numbers that can be in the 64-bit field, in this order.
fn numbers_64<const N: usize>(extra: &[u8], short: [u32; N]) -> Option<[u64; N]> {
    let (fields, _) = fields(extra);
    let field = fields.into_iter().find(|(kind, _)| *kind == SIZES_64).map_or(&[][..], |(_, data)| data);
    let mut at = 0;
    let mut long = [0; N];
    for (long, short) in long.iter_mut().zip(short) {
        *long = short.into();
        if short == u32::MAX {
            field.get(at..at + 8)?;
            *long = number64(field, at);
            at += 8;
        }
    }
    Some(long)
}

/// Returns extra fields as they are rewritten, with texts masked.
pub(super) fn masked_extra(walk: Walk<'_>, extra: &[u8]) -> Result<Vec<u8>, Stop> {
    let (fields, rest) = fields(extra);
    let mut masked = Vec::new();
    for (kind, data) in fields {
        let mut data = data.to_vec();
        let is_binary = BINARY.contains(&kind) && data.len() <= MAX_BINARY_BYTES;
        let is_changed = kind != SIZES_64 && !is_binary && walk.mask_text(&mut data)?;
        // The numbers are written anew, and a second name goes with the first.
        if kind == SIZES_64 || is_changed && UNICODE.contains(&kind) {
            continue;
        }
        masked.extend([kind.to_le_bytes(), length(&data)].concat());
        masked.extend(data);
    }
    let mut rest = rest.to_vec();
    walk.mask_text(&mut rest)?;
    Ok(masked)
}
