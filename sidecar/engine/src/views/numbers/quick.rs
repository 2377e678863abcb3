//! Quick looks at a list: the numbers that most lists consist of, and whether there are digits
//! enough for a value.

use super::super::MIN_VIEW_BYTES;
use super::hex_digit;

/// Bytes whose digits are counted together; fewer than a byte counts.
const BLOCK_BYTES: usize = 128;

/// Returns the number that a text begins with, and its length, if nothing but its digits must
/// be looked at to tell.
#[inline]
pub(super) fn plain_number(text: [u8; 4], radix: u32) -> Option<(u8, usize)> {
    let [first, second, third, fourth] = text;
    let (value, length, behind) = if radix == 16 {
        let is_pair = first.is_ascii_hexdigit() && second.is_ascii_hexdigit();
        (is_pair.then(|| hex_digit(first) << 4 | hex_digit(second))?, 2, third)
    } else {
        let digit = |byte: u8| byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
        let (value, length, behind) = match (digit(first)?, digit(second), digit(third)) {
            (first, None, _) => (first, 1, second),
            (first, Some(second), None) => (10 * first + second, 2, third),
            (first, Some(second), Some(third)) => (100 * first + 10 * second + third, 3, fourth),
        };
        (u8::try_from(value).ok()?, length, behind)
    };
    (!behind.is_ascii_alphanumeric()).then_some((value, length))
}

/// Returns whether a text has digits enough for a value: a byte takes one decimal digit, or two
/// hexadecimal ones side by side unless an `x` is in front of it.
pub(super) fn may_hold_value(text: &[u8], radix: u32) -> bool {
    let mut left = MIN_VIEW_BYTES;
    let shifted = text.get(1..).unwrap_or_default();
    let mut blocks = text.chunks(BLOCK_BYTES).zip(shifted.chunks(BLOCK_BYTES));
    blocks.any(|(block, shifted)| {
        // Vector instructions, because nothing depends on what a byte is.
        let prefixes = block.iter().fold(0_u8, |sum, byte| sum + u8::from(*byte | 0x20 == b'x'));
        let count = if radix == 10 {
            block.iter().fold(0_u8, |sum, byte| sum + u8::from(byte.is_ascii_digit()))
        } else {
            let pairs = block.iter().zip(shifted);
            let is_digit = |byte: &u8| u8::from(byte.is_ascii_hexdigit());
            pairs.fold(0_u8, |sum, (one, other)| sum + is_digit(one) * is_digit(other))
        };
        left = left.saturating_sub(usize::from(count));
        left == 0 || radix == 16 && prefixes > 0
    })
}
