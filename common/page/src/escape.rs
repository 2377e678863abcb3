//! Hostile text made harmless: names and logs come from the job.

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

/// A line of a log: a tab stays a gap, colours are left out, the rest is [`visible`].
pub fn line(text: &str) -> String {
    visible(&without_colours(text).replace('\t', "    ")).into_owned()
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

/// Leaves out `ESC [ numbers m`, which only colours.
fn without_colours(text: &str) -> Cow<'_, str> {
    if !text.contains("\u{1b}[") {
        return Cow::Borrowed(text);
    }
    let mut rest = text;
    let mut plain = String::with_capacity(text.len());
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = after.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(after.len());
        rest = if after[end..].starts_with('m') {
            &after[end + 1..]
        } else {
            plain.push_str("\u{1b}[");
            after
        };
    }
    plain.push_str(rest);
    Cow::Owned(plain)
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
    fn colours_are_left_out_of_lines_and_other_sequences_stay_visible() {
        assert_eq!(line("\u{1b}[1;31mred\u{1b}[0m\tplain"), "red    plain");
        assert_eq!(line("\u{1b}[2J\u{1b}[8mhidden"), "\\u{1b}[2Jhidden");
        assert_eq!(line("\u{1b}[3"), "\\u{1b}[3");
    }

    #[test]
    fn json_stays_json() {
        let text = serde_json::to_string_pretty(&["\u{202e}\u{9b}\u{e0041}"]).expect("written");
        let safe = json(&text);
        assert!(!safe.chars().any(|c| acts(c) && c != '\n'), "{safe}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&safe).expect("read"), ["\u{202e}\u{9b}\u{e0041}"]);
    }
}
