//! Quotes values in messages: on one line, and cut to a readable length.

/// Upper bound on the characters of a value in a message.
const MAX_CHARS: usize = 80;

/// Returns whether a character reorders the text around it (Unicode's `Bidi_Control`):
/// a name with one can look like another name.
pub fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Replaces control characters and those that reorder text by spaces.
pub fn without_controls(text: &str) -> String {
    text.replace(|c: char| c.is_control() || is_bidi_control(c), " ")
}

/// Returns the text on one line, cut after [`MAX_CHARS`].
pub(crate) fn shortened(text: &str) -> String {
    let end = text.char_indices().nth(MAX_CHARS).map_or(text.len(), |(at, _)| at);
    let mut shown = without_controls(&text[..end]);
    if text.chars().nth(MAX_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

/// Returns the shortened text in quotation marks.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", shortened(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_and_stay_on_one_line() {
        assert_eq!(quoted("a\nb\u{85}\u{202e}c"), "\"a b  c\"");
        assert_eq!(shortened(&"ä".repeat(MAX_CHARS)).chars().count(), MAX_CHARS);
        assert_eq!(shortened(&"ä".repeat(10_000)).chars().count(), MAX_CHARS + 1);
    }
}
