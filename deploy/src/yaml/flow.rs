//! Counts the values of flow collections before a document is parsed.
//!
//! A bracket where a key may begin is not parsed before its closing one is seen, because the
//! whole of it may be that key: the parser keeps every token of it. So a document with more
//! commas than it may have values is looked at first. Between brackets and outside of quotes a
//! comma separates two values, whatever else the text is.

/// Returns whether the brackets of a document hold more values than `limit`, judged by their
/// commas. Block scalars are skipped, as far as indentation shows them.
pub(super) fn holds_more_than(text: &str, limit: usize) -> bool {
    if memchr::memchr_iter(b',', text.as_bytes()).nth(limit).is_none() {
        return false;
    }
    let mut count = 0;
    let mut rest = text;
    // The indentation of the key whose block scalar this may be.
    let mut block: Option<usize> = None;
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let indent = line.len() - line.trim_start_matches(' ').len();
        if block.is_some_and(|key| indent > key || line.trim().is_empty()) {
            rest = after;
            continue;
        }
        block = None;
        let (column, content) = content(line);
        let opens = content.starts_with(['[', '{']);
        let at =
            if opens { Some(0) } else { [": [", ": {"].iter().filter_map(|open| content.find(open)).min() };
        if let Some(at) = at {
            let from = column + at;
            let (commas, end) = collection(&rest[from..]);
            count += commas;
            if count > limit {
                return true;
            }
            rest = &rest[from + end..];
            continue;
        }
        if opens_block(content) {
            block = Some(column);
        }
        rest = after;
    }
    false
}

/// The column and the text of a line behind its indentation and the marks of list items.
fn content(line: &str) -> (usize, &str) {
    let mut content = line.trim_start_matches(' ');
    while let Some(inner) = ["- ", "? "].iter().find_map(|mark| content.strip_prefix(mark)) {
        content = inner.trim_start_matches(' ');
    }
    (line.len() - content.len(), content)
}

/// Returns whether a line ends with the head of a block scalar.
fn opens_block(content: &str) -> bool {
    let text = content.split_once(" #").map_or(content, |(text, _)| text).trim_end();
    let last = text.rsplit([' ', '\t']).next().unwrap_or_default();
    last.strip_prefix(['|', '>']).is_some_and(|rest| rest.chars().all(|c| "+-0123456789".contains(c)))
}

/// Counts the commas of the collections that open in `text`, up to where all are closed, and
/// returns the length of that part.
fn collection(text: &str) -> (usize, usize) {
    let bytes = text.as_bytes();
    let (mut commas, mut depth, mut at) = (0, 0_usize, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return (commas, at + 1);
                }
            }
            b',' if depth > 0 => commas += 1,
            quote @ (b'"' | b'\'') if begins_scalar(bytes, at) => at = quoted(bytes, at, quote),
            b'#' if at > 0 && bytes[at - 1].is_ascii_whitespace() => {
                at += memchr::memchr(b'\n', &bytes[at..]).unwrap_or(bytes.len() - at);
            }
            _ => {}
        }
        at += 1;
    }
    (commas, bytes.len())
}

/// Returns whether a quotation mark opens a scalar: one inside a plain text is a part of it.
fn begins_scalar(bytes: &[u8], at: usize) -> bool {
    let before = bytes[..at].iter().rev().find(|byte| !byte.is_ascii_whitespace());
    before.is_none_or(|byte| b"[{,:?".contains(byte))
}

/// Returns where a quoted scalar ends, or the end of the text.
fn quoted(bytes: &[u8], open: usize, quote: u8) -> usize {
    let mut at = open + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quote == b'"' => at += 1,
            b'\'' if quote == b'\'' && bytes.get(at + 1) == Some(&quote) => at += 1,
            byte if byte == quote => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_between_brackets_are_counted() {
        let commas = "a,".repeat(10);
        for (text, is_more) in [
            (format!("[{commas}a]"), true),
            (format!("- - [{commas}a]"), true),
            (format!("x: 1\n? [{commas}a]\n"), true),
            (format!("x: [{commas}a]"), true),
            (format!("x:\n  {{{}}}\n", "a: b,".repeat(10)), true),
            (format!("[\n {}\n]", "a,\n ".repeat(10)), true),
            (format!("[a, 'it''s, {commas}', b]"), false),
            (format!("[a, \"\\\", {commas}\", b]"), false),
            (format!("[a, # {commas}\n b]"), false),
            (format!("x: {commas}\n"), false),
            (format!("x: |\n  [{commas}a]\n"), false),
            (format!("- x: >-\n    {{{commas}a}}\n"), false),
            (format!("- x: |+ # text\n    [{commas}a\n  y: [b]\n"), false),
            (format!("- x: |\n    text\n  y: [{commas}a]\n"), true),
            (format!("[don't, {commas}a]"), true),
        ] {
            assert_eq!(holds_more_than(&text, 5), is_more, "{text}");
        }
        assert!(!holds_more_than("[a,b,c,d,e,f]", 5));
        assert!(holds_more_than("[a,b,c,d,e,f,g]", 5));
        assert!(holds_more_than("{a: [b,c,d],\n e: [f,g,h], i: j}", 5));
    }
}
