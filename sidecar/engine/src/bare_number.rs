//! Numbers of JSON, YAML and CSV, which stay numbers when a part is masked, so that
//! a document can still be parsed.

/// Number of released bytes that are remembered: a number is rarely longer.
const REMEMBERED_BYTES: usize = 32;

/// The last bytes of what was released.
#[derive(Debug, Default)]
pub(super) struct Behind {
    bytes: [u8; REMEMBERED_BYTES],
    count: usize,
}

impl Behind {
    /// Remembers the end of what is released now.
    pub(super) fn remember(&mut self, released: &[u8]) {
        let new = &released[released.len().saturating_sub(REMEMBERED_BYTES)..];
        let kept = self.count.min(REMEMBERED_BYTES - new.len());
        self.bytes.copy_within(self.count - kept..self.count, 0);
        self.bytes[kept..kept + new.len()].copy_from_slice(new);
        self.count = kept + new.len();
    }

    /// Returns the digit to mask a range with if all of it is part of a number that
    /// stands alone as a value.
    pub(super) fn number_mask(&self, window: &[u8], start: usize, stop: usize) -> Option<u8> {
        let part = window.get(start..stop)?;
        if !part.iter().all(|byte| is_numeric(*byte)) || !part.iter().any(u8::is_ascii_digit) {
            return None;
        }
        let before = || window[..start].iter().rev().chain(self.bytes[..self.count].iter().rev());
        let mut before = before().skip_while(|byte| is_numeric(**byte)).skip_while(|byte| is_blank(**byte));
        let mut after =
            window[stop..].iter().skip_while(|byte| is_numeric(**byte)).skip_while(|byte| is_blank(**byte));
        let begins = before.next().is_some_and(|byte| matches!(byte, b':' | b',' | b'[' | b'\n'));
        let ends = after.next().is_some_and(|byte| matches!(byte, b',' | b']' | b'}' | b'\n' | b'\r'));
        // Nines would show a secret of nines.
        let digit = if part.iter().all(|byte| *byte == b'9') { b'8' } else { b'9' };
        (begins && ends).then_some(digit)
    }
}

fn is_numeric(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E')
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}
