//! Quotes values in messages: on one line, and cut to a readable length.

/// Upper bound on the characters of a value in a message.
const MAX_CHARS: usize = 80;

/// Returns the text on one line, cut after [`MAX_CHARS`].
pub(crate) fn shortened(text: &str) -> String {
    let mut shown: String =
        text.chars().take(MAX_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
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
        assert_eq!(quoted("a\nb"), "\"a b\"");
        assert_eq!(shortened(&"ä".repeat(MAX_CHARS)).chars().count(), MAX_CHARS);
        assert_eq!(shortened(&"ä".repeat(10_000)).chars().count(), MAX_CHARS + 1);
    }
}
