//! Hostile text made harmless: names and logs come from the job.

use crate::sgr::{Piece, pieces};
use std::borrow::Cow;

/// The text with every character that a terminal or a browser would act on
/// instead of showing it as a visible escape: control characters, and those that
/// turn the direction of writing, join or take no room.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// A line of a log: a tab stays a gap, colours stay, the rest is [`visible`].
pub fn coloured_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => line.push_str(&visible(&text.replace('\t', "    "))),
            Piece::Colour(numbers) => line.extend(["\u{1b}[", numbers, "m"]),
        }
    }
    line
}

/// JSON text in which nothing acts. Such characters appear in strings only.
pub fn json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) && c != '\n' {
            let mut units = [0; 2];
            safe.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Unicode's format characters that change what others look like (`Bidi_Control`,
/// `Default_Ignorable_Code_Point` without the selectors of emoji), and line separators.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text without sequences that only colour.
pub fn without_colours(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return Cow::Borrowed(text);
    }
    let texts = pieces(text).filter_map(|piece| match piece {
        Piece::Text(text) => Some(text),
        Piece::Colour(_) => None,
    });
    Cow::Owned(texts.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_a_terminal() {
        assert_eq!(visible("a\u{1b}]0;title\u{7}\nb\u{9b}2J"), "a\\u{1b}]0;title\\u{7}\\u{a}b\\u{9b}2J");
        assert_eq!(visible("\u{202e}txt.exe\u{200b}"), "\\u{202e}txt.exe\\u{200b}");
        assert_eq!(visible("größe.txt 👍🏽"), "größe.txt 👍🏽");
    }

    #[test]
    fn colours_stay_in_lines_and_other_sequences_are_visible() {
        let line = coloured_line("\u{1b}[1;31mred\u{1b}[0m\tplain\u{1b}[2J\u{1b}[8mhidden");
        assert_eq!(line, "\u{1b}[1;31mred\u{1b}[0m    plain\\u{1b}[2J\u{1b}[8mhidden");
        assert_eq!(without_colours(&line), "red    plain\\u{1b}[2Jhidden");
        assert_eq!(coloured_line("\u{1b}[3"), "\\u{1b}[3");
    }

    #[test]
    fn json_stays_json() {
        let text = serde_json::to_string_pretty(&["\u{202e}\u{9b}\u{e0041}"]).expect("written");
        let safe = json(&text);
        assert!(!safe.chars().any(|c| acts(c) && c != '\n'), "{safe}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&safe).expect("read"), ["\u{202e}\u{9b}\u{e0041}"]);
    }
}
