//! Finds the places of a text at which lists of numbers may be.

/// Distance of the places that are examined.
const SAMPLE_BYTES: usize = 8;

/// Bytes of the places that are examined together.
const BLOCK_BYTES: usize = 8 * SAMPLE_BYTES;

/// Numbers in a row that make a list.
const MIN_NUMBERS: usize = 4;

/// Maximum number of digits that stand together: four bytes.
pub(super) const MAX_DIGITS: usize = 8;

/// Maximum number of bytes between two numbers: an indentation and an end of a line.
pub(super) const MAX_GAP_BYTES: usize = 64;

/// Finds places within lists. A list has at least 23 bytes, and so two samples in a row
/// without other letters, one of which is even.
pub(super) fn each_list(window: &[u8], from: usize, to: usize, mut found: impl FnMut(usize)) {
    // Where a list was found, the next samples would only find it again.
    let mut next = 0;
    let mut check = |at: usize| {
        if at < next {
            return;
        }
        let Some(both) = window.get(at..).and_then(|rest| rest.first_chunk::<{ 2 * SAMPLE_BYTES }>()) else {
            return;
        };
        let is_other = both
            .as_chunks::<SAMPLE_BYTES>()
            .0
            .iter()
            .fold(0, |any, word| any | other_letters(u64::from_le_bytes(*word)));
        if is_other == 0 && are_in_list(both) && is_list(&window[at..]) {
            found(at);
            next = at + BLOCK_BYTES;
        }
    };
    let mut at = from;
    for block in window[from.min(window.len())..].as_chunks::<BLOCK_BYTES>().0 {
        if at >= to {
            return;
        }
        let is_other = [0, 2, 4, 6]
            .map(|sample| other_letters(u64::from_le_bytes(block.as_chunks::<SAMPLE_BYTES>().0[sample])));
        if is_other.contains(&0) {
            for even in (0..4).filter(|even| is_other[*even] == 0) {
                let place = at + 2 * even * SAMPLE_BYTES;
                if let Some(before) = place.checked_sub(SAMPLE_BYTES) {
                    check(before);
                }
                check(place);
            }
        }
        at += BLOCK_BYTES;
    }
    // The first sample of the rest can be even.
    at = at.saturating_sub(SAMPLE_BYTES);
    while at < to {
        if is_list(&window[at..]) {
            found(at);
        }
        at += SAMPLE_BYTES;
    }
}

/// Returns zero if all of eight bytes are digits, separators, or letters of
/// hexadecimal numbers; G, H, P and X count as such, because that is quick to tell.
#[inline]
fn other_letters(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let is_letter = word >> 6;
    let is_late = word >> 3 | word >> 4;
    let is_odd = word | word >> 1 | word >> 2;
    is_letter & is_late & is_odd & ONES
}

/// Returns whether all bytes can be part of a list, and some are digits: of a time with a
/// fraction they cannot. What precedes the first number alone tells nothing.
fn are_in_list(bytes: &[u8]) -> bool {
    const LETTERS: [bool; 256] = {
        let mut letters = [false; 256];
        let mut byte: u8 = 0;
        while byte < 128 {
            letters[byte as usize] = byte.is_ascii_hexdigit()
                || is_gap(byte)
                || matches!(byte, b'\n' | b'-' | b'\\' | b'x' | b'X');
            byte += 1;
        }
        letters
    };
    bytes.iter().filter(|byte| LETTERS[usize::from(**byte)]).count() == bytes.len()
        && bytes.iter().any(u8::is_ascii_hexdigit)
}

/// Returns whether numbers of a byte follow each other here, from the next one on,
/// with the same text between them: times of day have several.
fn is_list(text: &[u8]) -> bool {
    let first = digits(text);
    // The sample can lie within what separates two numbers.
    let mut rest = &text[if first == 0 { gap(text) } else { 0 }..];
    rest = &rest[digits(rest)..];
    let (mut count, mut between) = (0, None);
    while count < MIN_NUMBERS {
        let gap = gap(rest);
        if gap == 0 || !is_same_gap(between.get_or_insert(&rest[..gap]), &rest[..gap]) {
            return false;
        }
        rest = &rest[gap..];
        let digits = digits(rest);
        if digits == 0 || digits > MAX_DIGITS {
            return false;
        }
        count += digits.div_ceil(2);
        rest = &rest[digits..];
    }
    true
}

/// Returns the number of digits that a text begins with, at most one more than a number has.
fn digits(text: &[u8]) -> usize {
    text.iter().take(MAX_DIGITS + 1).take_while(|byte| byte.is_ascii_hexdigit()).count()
}

/// Returns whether the same separates two pairs of numbers: columns have more blanks in
/// front of short ones.
fn is_same_gap(one: &[u8], other: &[u8]) -> bool {
    let is_visible = |byte: &&u8| **byte != b' ';
    one == other
        || one.contains(&b' ') == other.contains(&b' ')
            && one.iter().filter(is_visible).eq(other.iter().filter(is_visible))
}

/// Returns the length of what separates two numbers.
fn gap(text: &[u8]) -> usize {
    let is_part = |byte: &&u8| is_gap(**byte) || matches!(**byte, b'\n' | b'-' | b'\\');
    let gap = text.iter().take(MAX_GAP_BYTES).take_while(is_part).count();
    match &text[gap..] {
        [b'0', b'x' | b'X', ..] => gap + 2,
        [b'x', ..] if gap > 0 => gap + 1,
        _ => gap,
    }
}

/// Returns whether a byte separates numbers.
#[inline]
pub(super) const fn is_gap(byte: u8) -> bool {
    const GAPS: [bool; 256] = {
        let mut gaps = [false; 256];
        let mut all: &[u8] = b" ,;:\t\r[]{}()";
        while let [first, rest @ ..] = all {
            gaps[*first as usize] = true;
            all = rest;
        }
        gaps
    };
    GAPS[byte as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_list_is_found_wherever_a_text_ends() {
        for before in 0..200 {
            let text = [&vec![b'.'; before][..], b"21 23 25 27 29 2b 2d 2f"].concat();
            let mut found = Vec::new();
            each_list(&text, 0, text.len(), |at| found.push(at));
            assert!(!found.is_empty(), "{before}");
        }
    }
}
