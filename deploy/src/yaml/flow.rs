//! Bounds flow collections before a document is parsed.
//!
//! A bracket where a key may begin is not parsed before its closing one is seen, because the
//! whole of it may be that key: the parser keeps every token of it. So a document with more
//! commas than it may have values, or enough indicators to fill the memory with tokens, is
//! looked at first. Between brackets and outside of quotes a comma separates two values,
//! whatever else the text is.

use super::budget::too_many_nodes;

/// Upper bound on what the parser keeps of one collection, its text included.
const MAX_KEPT_BYTES: usize = 32 << 20;

/// Upper bound on the space of a token beside its text, as measured with saphyr-parser 0.3.4.
const TOKEN_BYTES: usize = 192;

/// The contents of flow collections.
#[derive(Debug, Default)]
struct Held {
    commas: usize,
    /// The bytes that the parser keeps at most of one of them.
    kept: usize,
}

/// Checks that the brackets of a document hold at most `limit` values, judged by their
/// commas, and can be parsed in little memory. Block scalars are skipped, as far as
/// indentation shows them. The error says what is wrong.
pub(super) fn check(text: &str, limit: usize) -> Result<(), String> {
    let bytes = text.as_bytes();
    let tokens: usize = bytes.iter().map(|byte| tokens_of(*byte)).sum();
    let has_few_commas = memchr::memchr_iter(b',', bytes).nth(limit).is_none();
    if has_few_commas && text.len() + tokens * TOKEN_BYTES <= MAX_KEPT_BYTES {
        return Ok(());
    }
    let mut held = Held::default();
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
            let end = held.add(&rest[from..], opens);
            if held.commas > limit {
                return Err(too_many_nodes());
            }
            if held.kept > MAX_KEPT_BYTES {
                return Err(
                    "too much in one pair of brackets; write its members in lines of their own".to_owned()
                );
            }
            rest = &rest[from + end..];
            continue;
        }
        if opens_block(content) {
            block = Some(column);
        }
        rest = after;
    }
    Ok(())
}

/// Returns how many tokens an indicator stands for at most: a colon for those of a key, a
/// value and a scalar, a bracket for its closing one too, and a tag has texts of its own.
fn tokens_of(byte: u8) -> usize {
    match byte {
        b':' => 3,
        b',' | b'[' | b'{' | b'!' => 2,
        b'&' | b'*' | b'?' => 1,
        _ => 0,
    }
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

impl Held {
    /// Adds the collection that `text` begins with, or the one behind its first colon, and
    /// returns the length of that part. Only where it may be a key is all of it kept, not
    /// just each of its members.
    fn add(&mut self, text: &str, may_be_key: bool) -> usize {
        let bytes = text.as_bytes();
        let first_kept = usize::from(!may_be_key);
        let (mut depth, mut at, mut begin, mut tokens) = (0_usize, 0, 0, 0);
        while at < bytes.len() {
            match bytes[at] {
                b'[' | b'{' => {
                    if depth <= first_kept {
                        (begin, tokens) = (at, 0);
                    }
                    depth += 1;
                }
                b']' | b'}' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return at + 1;
                    }
                }
                b',' if depth > 0 => self.commas += 1,
                quote @ (b'"' | b'\'') if begins_scalar(bytes, at) => at = quoted(bytes, at, quote),
                b'#' if at > 0 && bytes[at - 1].is_ascii_whitespace() => {
                    at += memchr::memchr(b'\n', &bytes[at..]).unwrap_or(bytes.len() - at);
                }
                _ => {}
            }
            if depth > first_kept {
                tokens += bytes.get(at).map_or(0, |byte| tokens_of(*byte));
                self.kept = self.kept.max(at - begin + tokens * TOKEN_BYTES);
            }
            at += 1;
        }
        bytes.len()
    }
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
            assert_eq!(check(&text, 5).is_err(), is_more, "{text}");
        }
        assert!(check("[a,b,c,d,e,f]", 5).is_ok());
        assert!(check("[a,b,c,d,e,f,g]", 5).is_err());
        assert!(check("{a: [b,c,d],\n e: [f,g,h], i: j}", 5).is_err());
    }
    #[test]
    fn what_the_parser_keeps_of_brackets_is_bounded() {
        for (member, fits) in [("{a: b},", 20_000), ("a,", 80_000), ("!!str a,", 25_000)] {
            let members = |count: usize| member.repeat(count);
            for (text, is_kept) in [
                (format!("[{}x]", members(fits)), false),
                (format!("[{}x]", members(fits * 5 / 2)), true),
                (format!("- [{}x]", members(fits * 5 / 2)), true),
                (format!("x: [{}x]", members(fits * 5 / 2)), false),
                (format!("x: [[{}x]]", members(fits * 5 / 2)), true),
                (format!("x: [[{}x], [{0}x]]", members(fits)), false),
            ] {
                assert_eq!(check(&text, usize::MAX).is_err(), is_kept, "{}", &text[..20]);
            }
        }
        let long = "x".repeat(MAX_KEPT_BYTES);
        assert!(check(&format!("x: {long}"), usize::MAX).is_ok());
        assert!(check(&format!("[{long}]"), usize::MAX).is_err());
    }
}
