//! The canonical form of a text: what remains when layout and escapes are gone.
//!
//! Text and patterns are put into the same form, so each way of writing a value is
//! one rule here, not a list of patterns, and rules combine: the output is a stack,
//! and a completed escape is replaced at its top by what it stands for, which can
//! complete another one (`&amp;quot;`, `%2541`, `\\u003d`).
//!
//! | rule | effect |
//! | --- | --- |
//! | white space, controls, NUL | dropped: line ends, indentation, UTF-16 and UTF-32 |
//! | quotes, `$`, `\|`, `=` | dropped: doubled quotes, shell words, table borders, soft line breaks |
//! | box drawing, soft hyphens, no-break spaces, zero-width characters | dropped |
//! | `ESC [ … m`, `ESC ] … BEL` | dropped |
//! | a quote, ` +` and the end of a line | the operator is dropped |
//! | `%XX` | the byte |
//! | `&name;`, `&#N;`, `&#xN;` | the character |
//! | any number of backslashes before `n`, `t`, … | dropped, as the control is |
//! | before `uXXXX`, `u{X}`, `UXXXXXXXX`, `xXX`, `x{X}`, octal digits | the character or byte |
//! | before anything else | dropped |

mod escapes;

/// No height of the stack.
const NONE: usize = usize::MAX;

/// How a byte is treated where no escape is open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// It stands for itself.
    Plain,
    /// It is dropped, and occurs in ordinary lines.
    Dropped,
    /// It is dropped, or begins an escape: a seam of the text.
    Seam,
    /// It needs a look at what is before it.
    Special,
}

/// The class of each byte.
pub(super) const CLASSES: [Class; 256] = {
    let mut classes = [Class::Plain; 256];
    let mut byte: u8 = 0;
    loop {
        classes[byte as usize] = match byte {
            b' ' | b'\'' | b'"' | b'`' | b'$' | b'|' | b'=' | 0x7f => Class::Dropped,
            b'\\' | b'%' | b'&' | 0..=0x1f => Class::Seam,
            b';' | 0x80..=0xff => Class::Special,
            _ => Class::Plain,
        };
        if byte == u8::MAX {
            break classes;
        }
        byte += 1;
    }
};

/// An escape that may be completed by the next bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    None,
    /// `%` and this many digits.
    Percent(usize),
    Backslash,
    /// A backslash, a letter, and this many digits of so many; 0 is any number up to a brace.
    Hex {
        digits: usize,
        of: usize,
        is_byte: bool,
    },
    /// A backslash, and this many digits.
    Octal(usize),
    Escape,
    Csi,
    /// A name, this long so far.
    Osc(usize),
    OscEscape,
}

/// A text in canonical form, and where each byte of it comes from.
#[derive(Debug)]
pub(super) struct Canonical {
    bytes: Vec<u8>,
    /// The range of the text that each byte stands for.
    ranges: Vec<(u32, u32)>,
    open: Open,
    /// The place on the stack where the open escape begins.
    start: usize,
    /// The stack's height if its top is a backslash that an escape stood for. The
    /// next byte can be another escape, so this one is not open.
    decoded_backslash: usize,
    /// The place behind the last quote that was dropped.
    quote_end: u32,
    /// The first half of a character beyond the basic plane, and the stack's height.
    surrogate: Option<(u32, usize)>,
}

impl Default for Canonical {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            ranges: Vec::new(),
            open: Open::None,
            start: 0,
            decoded_backslash: NONE,
            quote_end: u32::MAX,
            surrogate: None,
        }
    }
}

impl Drop for Canonical {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.bytes);
    }
}

impl Canonical {
    /// Decodes a whole text, of less than 4 GiB.
    pub(super) fn decode(&mut self, text: &[u8]) {
        self.bytes.clear();
        self.ranges.clear();
        (self.open, self.decoded_backslash, self.surrogate) = (Open::None, NONE, None);
        self.quote_end = u32::MAX;
        let mut at = 0;
        while at < text.len() {
            if self.open == Open::None && self.decoded_backslash != self.bytes.len() {
                let plain =
                    text[at..].iter().take_while(|byte| CLASSES[usize::from(**byte)] == Class::Plain).count();
                if plain == 1 {
                    // A byte a line.
                    self.append(text[at], (place(at), place(at + 1)));
                } else {
                    self.bytes.extend_from_slice(&text[at..at + plain]);
                    self.ranges.extend((at..at + plain).map(|at| (place(at), place(at + 1))));
                }
                at += plain;
                while at < text.len() && CLASSES[usize::from(text[at])] == Class::Dropped {
                    at += 1;
                    if matches!(text[at - 1], b'"' | b'\'' | b'`') {
                        self.quote_end = place(at);
                    }
                }
                if at == text.len() || CLASSES[usize::from(text[at])] == Class::Plain {
                    continue;
                }
                match text[at] {
                    b'\n' => {
                        self.line_end();
                        at += 1;
                        continue;
                    }
                    b'\\' | b'%' => {
                        if let Some(end) = self.whole_escape(text, at) {
                            at = end;
                            continue;
                        }
                    }
                    _ => {}
                }
            }
            self.push(text[at], (place(at), place(at + 1)));
            at += 1;
        }
        // A blank ends what is open.
        self.push(b' ', (place(at), place(at)));
        self.open = Open::None;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns whether there are so many bytes of a kind in a row that a seam parts,
    /// and nothing else.
    pub(super) fn has_parted_run(&self, length: usize, text: &[u8], is_kind: impl Fn(u8) -> bool) -> bool {
        let (mut run, mut is_parted, mut end) = (0, false, 0);
        for (byte, range) in self.bytes.iter().zip(&self.ranges) {
            if !is_kind(*byte) {
                (run, is_parted) = (0, false);
                continue;
            }
            if range.0 != end && run > 0 {
                let gap = text.get(end as usize..range.0 as usize).unwrap_or_default();
                is_parted = gap.iter().any(|byte| CLASSES[usize::from(*byte)] == Class::Seam);
                run = if is_parted { run } else { 0 };
            }
            is_parted |= range.1 != range.0 + 1;
            (run, end) = (run + 1, range.1);
            if run >= length && is_parted {
                return true;
            }
        }
        false
    }

    /// Returns the ranges of the text that a range of canonical bytes stands for.
    /// Text between two of them is part of the value, unless it is the end of a line.
    pub(super) fn origins(&self, from: usize, to: usize, text: &[u8], mut found: impl FnMut(usize, usize)) {
        let ranges = &self.ranges[from..to];
        let Some(first) = ranges.first() else { return };
        let mut span = *first;
        for range in &ranges[1..] {
            let gap = text.get(span.1 as usize..range.0 as usize).unwrap_or_default();
            if gap.contains(&b'\n') {
                found(span.0 as usize, span.1 as usize);
                span = *range;
            } else {
                span.1 = span.1.max(range.1);
            }
        }
        found(span.0 as usize, span.1 as usize);
    }

    fn append(&mut self, byte: u8, range: (u32, u32)) {
        self.bytes.push(byte);
        self.ranges.push(range);
    }

    fn truncate(&mut self, height: usize) {
        self.bytes.truncate(height);
        self.ranges.truncate(height);
    }

    /// Opens an escape whose bytes are on the stack from here on.
    fn begin(&mut self, open: Open) {
        (self.open, self.start) = (open, self.bytes.len());
    }

    /// Handles one byte of the text, or of what an escape stood for.
    fn push(&mut self, byte: u8, range: (u32, u32)) {
        if byte == 0 {
            return;
        }
        match self.open {
            Open::None => self.plain(byte, range),
            Open::Percent(digits) => self.percent(digits, byte, range),
            Open::Backslash => self.backslash(byte, range),
            Open::Hex { digits, of, is_byte } => self.hex(digits, of, is_byte, byte, range),
            Open::Octal(digits) => self.octal(digits, byte, range),
            Open::Escape | Open::Csi | Open::Osc(_) | Open::OscEscape => self.terminal(byte, range),
        }
    }

    fn plain(&mut self, byte: u8, range: (u32, u32)) {
        let is_raw = range.1 == range.0 + 1;
        if self.decoded_backslash == self.bytes.len() && !(is_raw && matches!(byte, b'\\' | b'%')) {
            self.decoded_backslash = NONE;
            (self.open, self.start) = (Open::Backslash, self.bytes.len() - 1);
            return self.backslash(byte, range);
        }
        match byte {
            b'\\' if !is_raw => {
                self.append(byte, range);
                self.decoded_backslash = self.bytes.len();
            }
            b'%' => {
                self.begin(Open::Percent(0));
                self.append(byte, range);
            }
            b'\\' => {
                self.begin(Open::Backslash);
                self.append(byte, range);
            }
            0x1b => {
                self.begin(Open::Escape);
                self.append(byte, range);
            }
            b';' => self.entity(range),
            b'\n' | b'\r' => self.line_end(),
            0x80..=0xff => {
                self.append(byte, range);
                self.decoration();
            }
            _ if CLASSES[usize::from(byte)] == Class::Plain || byte == b'&' => self.append(byte, range),
            _ => {}
        }
    }

    /// Drops the operator that joins two quoted parts of a value, behind a quote in the same
    /// line.
    fn line_end(&mut self) {
        if self.bytes.last() == Some(&b'+')
            && let [.., before, operator] = self.ranges.as_slice()
            && before.1 < self.quote_end
            && Some(operator.0) == self.quote_end.checked_add(1)
        {
            self.truncate(self.bytes.len() - 1);
        }
        self.quote_end = u32::MAX;
    }

    /// Drops a character that only decorates.
    fn decoration(&mut self) {
        let length = match self.bytes.as_slice() {
            [.., 0xe2, 0x94..=0x96, _]
            | [.., 0xe2, 0x80, 0x8b..=0x8f | 0xa8 | 0xa9]
            | [.., 0xef, 0xbb, 0xbf]
            | [.., 0xef, 0xbf, 0xbd] => 3,
            [.., 0xc2, 0xa0 | 0xad] => 2,
            _ => return,
        };
        self.truncate(self.bytes.len() - length);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a part of a window, which has less than 4 GiB")]
fn place(at: usize) -> u32 {
    at as u32
}

/// Returns the canonical form of a value.
pub fn canonical(value: &[u8]) -> Vec<u8> {
    let mut form = Canonical::default();
    form.decode(value);
    std::mem::take(&mut form.bytes)
}
