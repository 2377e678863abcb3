//! The colours of a log: `Select Graphic Rendition` of ECMA-48, as classes.

use std::fmt::Write;

/// The begin of a control sequence.
const CSI: &str = "\u{1b}[";

/// A piece of a line between two sequences that colour it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Text.
    Text(&'a str),
    /// The numbers of a sequence, separated by semicolons; none means a reset.
    Colour(&'a str),
}

/// Splits a text at the sequences that do nothing but colour.
pub fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((numbers, after)) = sequence(rest) {
            rest = after;
            return Some(Piece::Colour(numbers));
        }
        // A sequence that does something else is text.
        let mut begins = rest.match_indices(CSI).map(|(at, _)| at);
        let end = begins.find(|at| sequence(&rest[*at..]).is_some()).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(Piece::Text(piece))
    })
}

/// Splits a sequence that colours off the begin of a text.
fn sequence(text: &str) -> Option<(&str, &str)> {
    let numbers = text.strip_prefix(CSI)?;
    let end = numbers.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    numbers[end..].starts_with('m').then(|| (&numbers[..end], &numbers[end + 1..]))
}

/// The look of a piece of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent attributes")]
pub struct Style {
    bold: bool,
    dim: bool,
    italic: bool,
    underlined: bool,
    struck: bool,
    inverse: bool,
    /// One of 16 colours.
    front: Option<u8>,
    back: Option<u8>,
}

impl Style {
    /// Applies the numbers of a sequence. Text that would be concealed stays visible.
    pub fn apply(&mut self, numbers: &str) {
        let mut numbers = numbers.split(';').map(|number| number.parse::<u16>().unwrap_or(0));
        while let Some(number) = numbers.next() {
            match number {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                3 => self.italic = true,
                4 => self.underlined = true,
                7 => self.inverse = true,
                9 => self.struck = true,
                22 => (self.bold, self.dim) = (false, false),
                23 => self.italic = false,
                24 => self.underlined = false,
                27 => self.inverse = false,
                29 => self.struck = false,
                30..=37 | 90..=97 => self.front = Some(basic(number - 30)),
                40..=47 | 100..=107 => self.back = Some(basic(number - 40)),
                39 => self.front = None,
                49 => self.back = None,
                38 => self.front = extended(&mut numbers).or(self.front),
                48 => self.back = extended(&mut numbers).or(self.back),
                _ => {}
            }
        }
    }

    /// The CSS classes; empty for plain text.
    pub fn classes(self) -> String {
        let flags = [
            (self.bold, "sb"),
            (self.dim, "sd"),
            (self.italic, "si"),
            (self.underlined, "su"),
            (self.struck, "ss"),
            (self.inverse, "sv"),
        ];
        let mut classes: Vec<_> = flags.iter().filter(|(is_on, _)| *is_on).map(|(_, class)| *class).collect();
        let front = self.front.map(|colour| format!("f{colour}"));
        let back = self.back.map(|colour| format!("g{colour}"));
        classes.extend(front.as_deref());
        classes.extend(back.as_deref());
        classes.join(" ")
    }
}

/// Bright colours follow 60 numbers after the others.
fn basic(number: u16) -> u8 {
    let number = if number >= 60 { number - 60 + 8 } else { number };
    u8::try_from(number).unwrap_or(7)
}

/// A colour of the 256, or one of its own: the nearest of the 16.
fn extended(numbers: &mut impl Iterator<Item = u16>) -> Option<u8> {
    match numbers.next()? {
        5 => match numbers.next()? {
            basic @ 0..=15 => u8::try_from(basic).ok(),
            cube @ 16..=231 => {
                let level = |step: u16| (cube - 16) / step % 6 * 51;
                Some(nearest(level(36), level(6), level(1)))
            }
            grey @ 232..=255 => Some(nearest((grey - 232) * 11, (grey - 232) * 11, (grey - 232) * 11)),
            _ => None,
        },
        2 => {
            let (red, green, blue) = (numbers.next()?, numbers.next()?, numbers.next()?);
            Some(nearest(red, green, blue))
        }
        _ => None,
    }
}

fn nearest(red: u16, green: u16, blue: u16) -> u8 {
    let most = red.max(green).max(blue);
    if most - red.min(green).min(blue) < 32 {
        return match most {
            0..=63 => 0,
            64..=143 => 8,
            144..=219 => 7,
            _ => 15,
        };
    }
    let is_on = |level: u16| u8::from(level * 2 > most);
    (is_on(red) | is_on(green) << 1 | is_on(blue) << 2) + if most > 200 { 8 } else { 0 }
}

/// A line for a terminal that shows colours: they end with it.
pub fn for_terminal(line: &str) -> String {
    let mut text = line.to_owned();
    if line.contains(CSI) {
        // Writing to a string does not fail.
        let _ = write!(text, "{CSI}0m");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(sequence: &str) -> String {
        let mut style = Style::default();
        style.apply(sequence);
        style.classes()
    }

    #[test]
    fn sequences_are_split_off() {
        let all: Vec<_> = pieces("\u{1b}[31mred\u{1b}[0m \u{1b}[2J\u{1b}[1;4mx\u{1b}[").collect();
        assert_eq!(
            all,
            [
                Piece::Colour("31"),
                Piece::Text("red"),
                Piece::Colour("0"),
                Piece::Text(" \u{1b}[2J"),
                Piece::Colour("1;4"),
                Piece::Text("x\u{1b}["),
            ]
        );
        assert_eq!(pieces("größe").collect::<Vec<_>>(), [Piece::Text("größe")]);
        assert_eq!(pieces("").count(), 0);
        assert_eq!(pieces("\u{1b}[31m").collect::<Vec<_>>(), [Piece::Colour("31")]);
        assert_eq!(pieces("a\u{1b}[2Jb\u{1b}[31mc").count(), 3);
    }

    #[test]
    fn numbers_become_classes() {
        for (sequence, expected) in [
            ("1;31", "sb f1"),
            ("", ""),
            ("0", ""),
            ("1;22", ""),
            ("97;41", "f15 g1"),
            ("38;5;196", "f9"),
            ("38;5;244", "f8"),
            ("48;2;0;0;255", "g12"),
            ("38;2;1", ""),
            ("8", ""),
            ("99999;4", "su"),
            ("2;3;7;9", "sd si ss sv"),
            ("3;23;4;24;7;27;9;29;31;39;41;49", ""),
        ] {
            assert_eq!(classes(sequence), expected, "{sequence}");
        }
    }

    #[test]
    fn colours_end_with_the_line() {
        assert_eq!(for_terminal("\u{1b}[31mred"), "\u{1b}[31mred\u{1b}[0m");
        assert_eq!(for_terminal("plain"), "plain");
    }
}
