//! The fields of a tar header, and its validity (POSIX.1-2024 pax, "ustar
//! Interchange Format"; GNU tar manual, "Basic Tar Format").

use std::ops::Range;

/// Size of a block.
pub(super) const BYTES: usize = 512;

pub(super) const SIZE: Range<usize> = 124..136;
pub(super) const CHECKSUM: Range<usize> = 148..156;
pub(super) const TYPE: usize = 156;
pub(super) const MAGIC: Range<usize> = 257..265;

/// Returns whether a block is a header: its checksum and its size are valid.
pub(super) fn is_header(block: &[u8; BYTES]) -> bool {
    // Most blocks of most files end here.
    let Some(stated) = checksum(&block[CHECKSUM]) else { return false };
    let is_valid = stated == sum(block) || stated == signed_sum(block);
    // A member without content has no size; readers disagree about what would follow.
    let is_empty = matches!(block[TYPE], b'2'..=b'6');
    is_valid && number(&block[SIZE]).is_some_and(|size| !is_empty || size == 0)
}

/// Returns whether an archive can begin with this block.
pub(super) fn is_first_header(block: &[u8; BYTES]) -> bool {
    is_header(block) && block[0] != 0 && (block[MAGIC].starts_with(b"ustar") || block[MAGIC] == [0; 8])
}

/// Sums all bytes, with spaces in place of the checksum.
pub(super) fn sum(block: &[u8; BYTES]) -> u64 {
    let all = block.iter().enumerate();
    all.map(|(at, byte)| u64::from(if CHECKSUM.contains(&at) { b' ' } else { *byte })).sum()
}

/// Sums all bytes as signed numbers, as some old writers did. A negative sum
/// equals nothing.
fn signed_sum(block: &[u8; BYTES]) -> u64 {
    let all = block.iter().enumerate();
    let sum: i64 =
        all.map(|(at, byte)| i64::from(if CHECKSUM.contains(&at) { 32 } else { byte.cast_signed() })).sum();
    u64::try_from(sum).unwrap_or(u64::MAX)
}

/// Returns a text field without the zero that ends it.
pub(super) fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    &field[..end]
}

/// Reads a checksum like the most lenient of the common tools: GNU tar passes over a zero in
/// front, Python reads nothing behind a zero, and bsdtar nothing behind the digits.
fn checksum(field: &[u8]) -> Option<u64> {
    let field = field.strip_prefix(&[0]).unwrap_or(field).trim_ascii_start();
    let digits = field.iter().take_while(|byte| (b'0'..=b'7').contains(byte));
    digits.fold(None, |sum, digit| Some(sum.unwrap_or(0) << 3 | u64::from(digit - b'0')))
}

fn octal(field: &[u8]) -> Option<u64> {
    let digits = text(field).trim_ascii();
    if digits.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

/// Reads octal digits, or a binary number that its first bit marks.
pub(super) fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 == 0 {
        return octal(field);
    }
    let (high, low) = field.split_at(field.len() - 8);
    let is_small = high[0] == 0x80 && high[1..].iter().all(|byte| *byte == 0);
    let value = u64::from_be_bytes(low.try_into().ok()?);
    (is_small && value <= i64::MAX.cast_unsigned()).then_some(value)
}
