//! Numbers of JSON, YAML and CSV, which stay numbers when a part is masked, so that
//! a document can still be parsed.

/// Number of released bytes that are remembered: a number is rarely longer.
const REMEMBERED_BYTES: usize = 32;

/// Tags of YAML whose text must be a number, quoted or not.
const NUMBER_TAGS: [&[u8]; 2] = [b"!!int", b"!!float"];

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
    /// stands alone as a value. With `is_end` no bytes follow the window.
    pub(super) fn number_mask(&self, window: &[u8], start: usize, stop: usize, is_end: bool) -> Option<u8> {
        let part = window.get(start..stop)?;
        if !part.iter().all(|byte| is_numeric(*byte)) || !part.iter().any(u8::is_ascii_digit) {
            return None;
        }
        let digits = window[..start].iter().rev().take_while(|byte| is_numeric(**byte)).count();
        let rest = window[stop..].iter().take_while(|byte| is_numeric(**byte)).count();
        let after = &window[stop + rest..];
        let ends = ends(after, is_end);
        if !ends && !matches!(after, [b'"' | b'\'', ..]) {
            return None;
        }
        let before = self.context(&window[..start - digits]);
        let is_number = is_tagged_text(&before, after) || begins(&before) && ends;
        // Nines would show a secret of nines.
        let digit = if part.iter().all(|byte| *byte == b'9') { b'8' } else { b'9' };
        is_number.then_some(digit)
    }

    /// Returns the last bytes in front of a number, of which a part can have been released.
    fn context(&self, front: &[u8]) -> Vec<u8> {
        let mut context = self.bytes[..self.count].to_vec();
        context.extend_from_slice(&front[front.len().saturating_sub(REMEMBERED_BYTES)..]);
        let digits = context.iter().rev().take_while(|byte| is_numeric(**byte)).count();
        context.truncate(context.len() - digits);
        context
    }
}

/// Returns whether a quoted text must be a number because of its tag.
fn is_tagged_text(before: &[u8], after: &[u8]) -> bool {
    let Some((quote, before)) = before.split_last() else { return false };
    matches!(quote, b'"' | b'\'') && after.first() == Some(quote) && has_number_tag(without_blanks(before))
}

fn has_number_tag(before: &[u8]) -> bool {
    NUMBER_TAGS.iter().any(|tag| before.ends_with(tag))
}

/// Returns whether a value can begin behind these bytes.
fn begins(before: &[u8]) -> bool {
    let before = without_blanks(before);
    match before.last() {
        Some(b':' | b',' | b'[' | b'\n') => true,
        Some(b'-') => is_item(before),
        _ => has_number_tag(before),
    }
}

/// Returns whether the dashes at the end mark an item of a list: nothing else is in the line.
fn is_item(mut before: &[u8]) -> bool {
    while let Some(front) = before.strip_suffix(b"-") {
        before = without_blanks(front);
    }
    matches!(before.last(), None | Some(b'\n'))
}

/// Returns whether a value can end in front of these bytes.
fn ends(after: &[u8], is_end: bool) -> bool {
    let blanks = after.iter().take_while(|byte| is_blank(**byte)).count();
    match after.get(blanks) {
        Some(b',' | b']' | b'}' | b'\n' | b'\r') => true,
        Some(b'#') => blanks > 0,
        Some(_) => false,
        None => is_end,
    }
}

fn without_blanks(bytes: &[u8]) -> &[u8] {
    let blanks = bytes.iter().rev().take_while(|byte| is_blank(**byte)).count();
    &bytes[..bytes.len() - blanks]
}

pub(super) fn is_numeric(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E')
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}
