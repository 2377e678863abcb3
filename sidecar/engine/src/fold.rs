//! Hexadecimal digits without their case.
//!
//! Hexadecimal numbers and percent-encoding occur in upper, lower and mixed case.
//! Their patterns are stored folded, and compared with a folded copy of the
//! window that is made for the first candidate.

use std::cell::OnceCell;

/// A window, with a folded copy made on demand.
pub(super) struct Texts<'a> {
    plain: &'a [u8],
    folded: OnceCell<Vec<u8>>,
}

impl<'a> Texts<'a> {
    pub(super) fn new(plain: &'a [u8]) -> Self {
        Self { plain, folded: OnceCell::new() }
    }

    pub(super) fn plain(&self) -> &'a [u8] {
        self.plain
    }

    pub(super) fn folded(&self) -> &[u8] {
        self.folded.get_or_init(|| folded_copy(self.plain))
    }
}

/// Makes the folded copy. Not inlined: the compiler takes a cell's initializer for
/// cold code and would optimize it for size.
#[inline(never)]
fn folded_copy(plain: &[u8]) -> Vec<u8> {
    let mut copy = plain.to_vec();
    fold(&mut copy);
    copy
}

/// Returns whether a byte is a letter whose case can be ignored.
pub(super) fn is_folded(byte: u8) -> bool {
    byte.is_ascii_hexdigit() && byte.is_ascii_alphabetic()
}

/// Turns A to F into a to f.
pub(super) fn fold(bytes: &mut [u8]) {
    for byte in bytes {
        *byte = folded(*byte);
    }
}

/// Returns the byte with A to F turned into a to f.
#[inline]
pub fn folded(byte: u8) -> u8 {
    byte | u8::from(byte.wrapping_sub(b'A') < 6) << 5
}

/// Returns all spellings of a few bytes in either case.
pub(super) fn variants(bytes: &[u8]) -> Vec<Vec<u8>> {
    let append = |to: &mut Vec<Vec<u8>>, byte| {
        for variant in to {
            variant.push(byte);
        }
    };
    let mut variants = vec![Vec::with_capacity(bytes.len())];
    for byte in bytes {
        if is_folded(*byte) {
            let mut upper = variants.clone();
            append(&mut upper, byte.to_ascii_uppercase());
            append(&mut variants, byte.to_ascii_lowercase());
            variants.extend(upper);
        } else {
            append(&mut variants, *byte);
        }
    }
    variants
}
