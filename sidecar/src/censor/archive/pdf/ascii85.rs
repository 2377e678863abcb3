//! Data as text of 85 letters (`/ASCII85Decode`), up to its `~>`.

use super::super::Stop;
use super::super::bytes::Cursor;
use std::io::{self, BufRead, Read};

/// Digits of a group, which stand for four bytes.
const GROUP: usize = 5;

/// Reads what the text stands for. Errors carry a [`Stop`].
pub(super) struct Ascii85<'a> {
    text: Cursor<'a>,
    group: [u8; GROUP],
    count: usize,
    is_done: bool,
    bytes: Vec<u8>,
    taken: usize,
}

impl<'a> Ascii85<'a> {
    pub(super) fn new(text: Cursor<'a>) -> Self {
        Self { text, group: [0; GROUP], count: 0, is_done: false, bytes: Vec::new(), taken: 0 }
    }

    /// Returns the length of the text so far.
    pub(super) fn position(&self) -> u64 {
        self.text.position()
    }

    /// Decodes what is in the buffer.
    fn decode(&mut self) -> Result<(), Stop> {
        let text = self.text.fill_buf()?;
        if text.is_empty() {
            return Err(Stop::Truncated);
        }
        let (mut read, mut is_text) = (0, true);
        for letter in text {
            read += 1;
            match letter {
                b'!'..=b'u' => {
                    self.group[self.count] = letter - b'!';
                    self.count += 1;
                    if self.count == GROUP {
                        self.bytes.extend(value(self.group));
                        self.count = 0;
                    }
                }
                b'z' if self.count == 0 => self.bytes.extend([0; 4]),
                b'~' => {
                    self.is_done = true;
                    break;
                }
                0 | b'\t' | b'\n' | 0xc | b'\r' | b' ' => {}
                _ => {
                    is_text = false;
                    break;
                }
            }
        }
        self.text.consume(read);
        if self.is_done && self.count > 1 {
            self.group[self.count..].fill(b'u' - b'!');
            self.bytes.extend(&value(self.group)[..self.count - 1]);
        }
        if is_text { Ok(()) } else { Err(Stop::Damaged("its data cannot be unpacked")) }
    }
}

/// Returns the text of some bytes, without its end.
pub(super) fn encoded(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len().div_ceil(4) * GROUP);
    for part in bytes.chunks(4) {
        let mut group = [0; 4];
        group[..part.len()].copy_from_slice(part);
        let mut value = u32::from_be_bytes(group);
        let mut digits = [0; GROUP];
        for digit in digits.iter_mut().rev() {
            *digit = (value % 85).to_le_bytes()[0] + b'!';
            value /= 85;
        }
        text.extend_from_slice(&digits[..=part.len()]);
    }
    text
}

fn value(group: [u8; GROUP]) -> [u8; 4] {
    group
        .iter()
        .fold(0_u32, |value, digit| value.wrapping_mul(85).wrapping_add(u32::from(*digit)))
        .to_be_bytes()
}

impl BufRead for Ascii85<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.taken == self.bytes.len() && !self.is_done {
            self.bytes.clear();
            self.taken = 0;
            self.decode()?;
        }
        Ok(&self.bytes[self.taken..])
    }

    fn consume(&mut self, bytes: usize) {
        self.taken += bytes;
    }
}

impl Read for Ascii85<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let read = bytes.len().min(into.len());
        into[..read].copy_from_slice(&bytes[..read]);
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &[u8]) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        Ascii85::new(Cursor::new(&text)).read_to_end(&mut bytes).map(|_| bytes)
    }

    #[test]
    fn groups_of_any_length() {
        assert_eq!(decoded(b"87cURD]i,\"Ebo80~>").expect("text"), b"Hello World!");
        assert_eq!(decoded(b"87cUR\n D]i,\"Ebo7~>x").expect("text"), b"Hello World");
        assert_eq!(decoded(b"z!!~>").expect("text"), b"\0\0\0\0\0");
        assert_eq!(decoded(b"~>").expect("text"), b"");
    }

    #[test]
    fn encoded_bytes_are_read_again() {
        let bytes: Vec<u8> = (0..=255).rev().chain([0; 9]).collect();
        for length in 0..bytes.len() {
            let text = [encoded(&bytes[..length]), b"\n~>".to_vec()].concat();
            assert_eq!(decoded(&text).expect("text"), &bytes[..length]);
        }
    }

    #[test]
    fn bytes_that_are_no_text_end_it() {
        assert!(decoded(b"87cUR").is_err());
        assert!(decoded(b"87\xffcUR~>").is_err());
    }
}
