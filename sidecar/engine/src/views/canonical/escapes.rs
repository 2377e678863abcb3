//! The escapes, each of which is replaced on the stack by what it stands for.

use super::{CLASSES, Canonical, Class, Open, place};
use std::sync::LazyLock;

/// Maximum length of an escape of a terminal that names something.
const MAX_OSC_BYTES: usize = 512;

/// Maximum length of an entity between `&` and `;`.
const MAX_ENTITY_BYTES: usize = 10;

/// Names of characters in ASCII (HTML 5), each behind its character.
const ASCII_NAMES: &str = "\tTab \nNewLine !excl \"QUOT #num $dollar %percnt &AMP (lpar )rpar *ast +plus ,comma \
    .period /sol :colon ;semi <LT =equals >GT ?quest @commat [lsqb [lbrack \\bsol ]rsqb ]rbrack ^Hat _lowbar `grave \
    {lcub {lbrace |vert |verbar }rcub }rbrace";

/// Names of the characters from U+00A0 on (HTML 4.01, 24.2).
const LATIN_NAMES: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn \
    sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml \
    Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times \
    Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute \
    ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml \
    yacute thorn yuml";

/// Returns the character of an entity with a name.
fn named(name: &[u8]) -> Option<u32> {
    let usual = match name {
        b"amp" => b'&',
        b"lt" => b'<',
        b"gt" => b'>',
        b"quot" => b'"',
        b"apos" => b'\'',
        _ => 0,
    };
    if usual != 0 {
        return Some(usual.into());
    }
    let key = key(name)?;
    NAMES.binary_search_by_key(&key, |other| other.0).ok().map(|at| NAMES[at].1)
}

/// All other names in ascending order: a text can consist of entities that are none.
static NAMES: LazyLock<Box<[(u64, u32)]>> = LazyLock::new(|| {
    let ascii = ASCII_NAMES.split(' ').filter_map(|name| name.as_bytes().split_first());
    let ascii = ascii.filter_map(|(c, name)| Some((key(name)?, (*c).into())));
    let latin = LATIN_NAMES.split(' ').zip(0xa0..).filter_map(|(name, c)| Some((key(name.as_bytes())?, c)));
    let mut names: Box<[_]> = ascii.chain(latin).chain(key(b"euro").map(|key| (key, 0x20ac))).collect();
    names.sort_unstable();
    names
});

/// Returns a name as a number; `None` if it is longer than all names.
fn key(name: &[u8]) -> Option<u64> {
    let mut bytes = [0; 8];
    bytes.get_mut(..name.len())?.copy_from_slice(name);
    Some(u64::from_le_bytes(bytes))
}

/// Returns whether a byte stands for itself wherever an escape stands for it.
fn is_plain(byte: u8) -> bool {
    CLASSES[usize::from(byte)] == Class::Plain
}

impl Canonical {
    /// Handles the escape that begins here at once, where it is whole and nothing follows from
    /// it: as byte by byte, but fast. Returns the place behind it; `None` if it is another one.
    /// None is open, and the top of the stack is no backslash that an escape stood for.
    #[inline]
    pub(super) fn whole_escape(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let rest = &text[at..];
        if rest[0] == b'%' {
            let value = hex_byte(rest.get(1..3)?).filter(|value| is_plain(*value))?;
            self.append(value, (place(at), place(at + 3)));
            return Some(at + 3);
        }
        let backslashes = rest.iter().take_while(|byte| **byte == b'\\').count();
        let next = at + backslashes + 1;
        let (value, end) = match *rest.get(backslashes)? {
            b'n' | b'r' | b't' | b'b' | b'f' | b'v' | b'a' | b'"' | b'\'' | b' ' => return Some(next),
            b'u' => {
                let digits = text.get(next..next + 4)?.strip_prefix(b"00")?;
                (hex_byte(digits)?, next + 4)
            }
            b'x' => (hex_byte(text.get(next..next + 2)?)?, next + 2),
            b'U' | b'e' | b'E' | b'0'..=b'7' => return None,
            byte => (byte, next),
        };
        if !is_plain(value) {
            return None;
        }
        if text[next - 1] == b'u' {
            self.surrogate = None;
        }
        self.append(value, (place(at), place(end)));
        Some(end)
    }

    /// Replaces an entity that ends here.
    pub(super) fn entity(&mut self, range: (u32, u32)) {
        let from = self.bytes.len().saturating_sub(MAX_ENTITY_BYTES + 1);
        let Some(start) = self.bytes[from..].iter().rposition(|byte| *byte == b'&').map(|at| from + at)
        else {
            return self.append(b';', range);
        };
        let name = &self.bytes[start + 1..];
        let number = |digits: &[u8], radix| {
            std::str::from_utf8(digits).ok().and_then(|digits| u32::from_str_radix(digits, radix).ok())
        };
        let c = match name {
            [b'#', b'x' | b'X', digits @ ..] => number(digits, 16),
            [b'#', digits @ ..] => number(digits, 10),
            name => named(name),
        };
        match c {
            Some(c) => self.replace(start, range.1, |this, range| this.character(c, range)),
            None => self.append(b';', range),
        }
    }

    /// Replaces the stack from `start` on by what it stands for.
    fn replace(&mut self, start: usize, end: u32, with: impl FnOnce(&mut Self, (u32, u32))) {
        let from = self.ranges[start].0;
        self.truncate(start);
        self.open = Open::None;
        with(self, (from, end));
    }

    /// Gives up an open escape, whose bytes stay, and handles the next byte.
    fn give_up(&mut self, byte: u8, range: (u32, u32)) {
        self.open = Open::None;
        self.plain(byte, range);
    }

    pub(super) fn percent(&mut self, digits: usize, byte: u8, range: (u32, u32)) {
        if byte.is_ascii_whitespace() {
            return;
        }
        // The obsolete `escape` of JavaScript.
        if byte == b'u' && digits == 0 {
            self.append(byte, range);
            self.open = Open::Hex { digits: 0, of: 4, is_byte: false };
            return;
        }
        if !byte.is_ascii_hexdigit() {
            return self.give_up(byte, range);
        }
        self.append(byte, range);
        self.open = Open::Percent(digits + 1);
        if digits == 1 {
            let value = hex_value(&self.bytes[self.start + 1..]);
            self.replace(self.start, range.1, |this, range| this.push(low_byte(value), range));
        }
    }

    pub(super) fn backslash(&mut self, byte: u8, range: (u32, u32)) {
        match byte {
            b'\\' => self.ranges[self.start].1 = range.1,
            b'n' | b'r' | b't' | b'b' | b'f' | b'v' | b'a' => self.replace(self.start, range.1, |_, _| {}),
            b'e' | b'E' => self.replace(self.start, range.1, |this, range| this.push(0x1b, range)),
            b'u' | b'U' | b'x' => {
                self.append(byte, range);
                let of = match byte {
                    b'u' => 4,
                    b'U' => 8,
                    _ => 2,
                };
                self.open = Open::Hex { digits: 0, of, is_byte: byte == b'x' };
            }
            b'0'..=b'7' => {
                self.append(byte, range);
                self.open = Open::Octal(1);
            }
            // A control that is not escaped ends a line that goes on in the next one.
            _ => self.replace(self.start, range.1, |this, before| {
                let is_escaped = CLASSES[usize::from(byte)] != Class::Seam || byte > b' ';
                this.plain(byte, if is_escaped { (before.0, range.1) } else { range });
            }),
        }
    }

    pub(super) fn hex(&mut self, digits: usize, of: usize, is_byte: bool, byte: u8, range: (u32, u32)) {
        let first = self.start + 2;
        match byte {
            // A line can end within.
            _ if byte.is_ascii_whitespace() => {}
            b'{' if digits == 0 && of > 0 && of < 8 => {
                self.append(byte, range);
                self.open = Open::Hex { digits: 0, of: 0, is_byte: false };
            }
            b'}' if of == 0 && digits > 0 => {
                let value = hex_value(&self.bytes[first + 1..]);
                self.replace(self.start, range.1, |this, range| this.character(value, range));
            }
            _ if byte.is_ascii_hexdigit() && (of > 0 || digits < 6) => {
                self.append(byte, range);
                self.open = Open::Hex { digits: digits + 1, of, is_byte };
                if digits + 1 == of {
                    let value = hex_value(&self.bytes[first..]);
                    self.replace(self.start, range.1, |this, range| {
                        if is_byte { this.push(low_byte(value), range) } else { this.character(value, range) }
                    });
                }
            }
            _ => self.give_up(byte, range),
        }
    }

    pub(super) fn octal(&mut self, digits: usize, byte: u8, range: (u32, u32)) {
        let is_digit = (b'0'..=b'7').contains(&byte);
        if is_digit {
            self.append(byte, range);
            self.open = Open::Octal(digits + 1);
        }
        if digits == 2 || !is_digit {
            let digits = &self.bytes[self.start + 1..];
            let value = digits.iter().fold(0, |value, digit| value * 8 + u32::from(digit - b'0'));
            let end = self.ranges.last().map_or(range.1, |last| last.1);
            self.replace(self.start, end, |this, range| this.push(low_byte(value), range));
        }
        if !is_digit {
            self.push(byte, range);
        }
    }

    /// Drops the escapes of terminals; their first byte is on the stack.
    pub(super) fn terminal(&mut self, byte: u8, range: (u32, u32)) {
        let is_raw = self.ranges.get(self.start).is_some_and(|range| range.1 == range.0 + 1);
        self.open = match (self.open, byte) {
            (Open::Escape, b'[') | (Open::Csi, 0x20..=0x3f) => Open::Csi,
            (Open::Escape, b']') if is_raw => Open::Osc(0),
            (Open::Osc(_), 0x1b) => Open::OscEscape,
            (Open::Osc(length), _) if byte != 7 && byte != b'\n' && length < MAX_OSC_BYTES => {
                Open::Osc(length + 1)
            }
            (Open::Csi, 0x40..=0x7e) | (Open::Osc(_) | Open::OscEscape, _) => {
                self.truncate(self.start);
                Open::None
            }
            _ => {
                self.truncate(self.start);
                self.open = Open::None;
                return self.push(byte, range);
            }
        };
    }

    /// Handles a character as its bytes in UTF-8; two halves become one.
    fn character(&mut self, c: u32, range: (u32, u32)) {
        let first = self.surrogate.take().filter(|(_, height)| *height == self.bytes.len());
        if (0xd800..0xdc00).contains(&c) {
            self.surrogate = Some((c, self.bytes.len()));
            return;
        }
        let c = match first {
            Some((first, _)) if (0xdc00..0xe000).contains(&c) => {
                0x1_0000 + ((first - 0xd800) << 10) + (c - 0xdc00)
            }
            _ => c,
        };
        let Some(c) = char::from_u32(c) else { return };
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            self.push(byte, range);
        }
    }
}

/// Returns the byte of two digits; `None` if others are among them.
fn hex_byte(digits: &[u8]) -> Option<u8> {
    let [high, low] = digits else { return None };
    let value = |digit: u8| char::from(digit).to_digit(16);
    Some(low_byte(value(*high)? << 4 | value(*low)?))
}

fn low_byte(value: u32) -> u8 {
    value.to_le_bytes()[0]
}

fn hex_value(digits: &[u8]) -> u32 {
    let digits = std::str::from_utf8(digits).unwrap_or_default();
    u32::from_str_radix(digits, 16).unwrap_or(0)
}
