//! Values in messages: on one line, and never longer than a reader wants.

/// Messages show at most this many characters of a value.
const LIMIT: usize = 80;

/// The text on one line, cut where it is long.
pub(crate) fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(LIMIT).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(LIMIT).is_some() {
        shown.push('…');
    }
    shown
}

/// The same in quotation marks.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", shortened(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_and_stay_on_one_line() {
        assert_eq!(quoted("a\nb"), "\"a b\"");
        assert_eq!(shortened(&"ä".repeat(LIMIT)).chars().count(), LIMIT);
        assert_eq!(shortened(&"ä".repeat(10_000)).chars().count(), LIMIT + 1);
    }
}
