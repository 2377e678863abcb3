//! Values of INI files (C-13).
//!
//! Upstream's parser ends a value at `#` or `;`, even between quotes. Which part
//! of such a value is the secret depends on the reader, so both count: upstream's
//! value, and that of a parser that respects quotes.

use super::SecretBytes;
use zeroize::Zeroizing;

/// A malformed file, with the values found nevertheless.
#[derive(Debug)]
pub(super) struct Malformed {
    pub(super) values: Vec<SecretBytes>,
    pub(super) reason: String,
}

/// Returns the values of all sections.
pub(super) fn values(content: &[u8]) -> Result<Vec<SecretBytes>, Malformed> {
    let text = Zeroizing::new(String::from_utf8_lossy(content).into_owned());
    let mut reader = Reader { rest: text.trim_start_matches('\u{feff}'), number: 0 };
    let (mut values, mut bad_lines) = (Vec::new(), Vec::new());
    while let Some(line) = reader.line() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';', '[']) {
            continue;
        }
        match line.find(['=', ':']) {
            Some(at) => reader.value(line[at + 1..].trim(), &mut values),
            None => bad_lines.push(reader.number),
        }
    }
    values.retain(|value| !value.is_empty());
    values.dedup();
    match bad_lines.first() {
        Some(first) => {
            Err(Malformed { values, reason: format!("line {first} of the INI file has neither `=` nor `:`") })
        }
        None => Ok(values),
    }
}

struct Reader<'a> {
    rest: &'a str,
    number: usize,
}

impl<'a> Reader<'a> {
    fn line(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        Some(line)
    }

    /// Reads a value that begins with `first`, including continuation lines.
    fn value(&mut self, first: &str, values: &mut Vec<SecretBytes>) {
        let mut add = |value: &str| values.push(Zeroizing::new(value.as_bytes().to_vec()));
        for quote in ["\"\"\"", "`"] {
            if let Some(begun) = first.strip_prefix(quote) {
                return add(&self.until(begun, quote));
            }
        }
        let mut joined = Zeroizing::new(first.to_owned());
        while let Some(head) = joined.strip_suffix('\\') {
            let Some(next) = self.line() else { break };
            joined = Zeroizing::new(format!("{head}{}", next.trim()));
        }
        for quote in ['"', '\''] {
            let inner = joined.strip_prefix(quote).and_then(|rest| rest.split_once(quote));
            if let Some((inner, _)) = inner {
                add(inner);
            }
        }
        add(unquoted(&joined));
        let before_comment = joined.split(['#', ';']).next().unwrap_or_default().trim_end();
        add(unquoted(before_comment));
    }

    /// Reads up to the closing quote, over several lines if need be.
    fn until(&mut self, begun: &str, quote: &str) -> Zeroizing<String> {
        let mut value = Zeroizing::new(String::new());
        let mut line = begun;
        loop {
            if let Some((inside, _)) = line.split_once(quote) {
                value.push_str(inside);
                return value;
            }
            value.push_str(line);
            let Some(next) = self.line() else {
                return value;
            };
            value.push('\n');
            line = next;
        }
    }
}

/// Removes one pair of quotes around a value.
fn unquoted(value: &str) -> &str {
    let inner = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let values = values(text.as_bytes()).unwrap_or_else(|malformed| malformed.values);
        let mut values: Vec<_> =
            values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect();
        values.dedup();
        values
    }

    #[test]
    fn values_of_all_sections() {
        let text = "top = 1\n[default]\naws_access_key_id=id\n# no = comment\n; no\nsecret: s p\n\n[x]\ne=\n";
        assert_eq!(read(text), ["1", "id", "s p"]);
    }

    #[test]
    fn a_quoted_value_is_found_whatever_it_contains() {
        assert!(read("q=\"quo;ted-value\"\n").contains(&"quo;ted-value".to_owned()));
        assert!(read("q='a#b' # comment\n").contains(&"a#b".to_owned()));
        assert!(read("q=bare#word\n").contains(&"bare#word".to_owned()));
        assert!(read("q=bare # comment\n").contains(&"bare".to_owned()));
    }

    #[test]
    fn values_over_several_lines() {
        assert_eq!(
            read("a=`one\ntwo`\nb=\"\"\"x\ny\"\"\"\nc=con\\\n  tinued\n"),
            ["one\ntwo", "x\ny", "continued"]
        );
        assert_eq!(read("a=`never closed\nx=1"), ["never closed\nx=1"]);
    }

    #[test]
    fn a_line_without_delimiter_is_reported_and_the_rest_is_read() {
        let malformed = values(b"a=1\nnonsense\nb=2\n").expect_err("malformed");
        assert_eq!(malformed.values.len(), 2);
        assert!(malformed.reason.contains("line 2"), "{}", malformed.reason);
    }
}
