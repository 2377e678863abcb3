//! Globs that select an item's files (C-32 … C-35).
//!
//! A pattern without `*` is one path. In others `**/` matches any number of
//! directories, any other `*` characters within a name, and `{a,b}` either
//! alternative; everything else is literal.

/// Maximum number of alternatives that one pattern expands to.
const MAX_ALTERNATIVES: usize = 1024;

/// The include and exclude lists.
#[derive(Debug)]
pub struct Globs {
    include: Vec<Glob>,
    exclude: Vec<Glob>,
}

impl Globs {
    /// Reads patterns.
    pub fn new(include: &[String], exclude: &[String]) -> Self {
        let read = |patterns: &[String]| patterns.iter().map(|text| Glob::new(text)).collect();
        Self { include: read(include), exclude: read(exclude) }
    }

    /// Returns whether a file is censored, by its path relative to its item.
    pub fn select(&self, path: &[u8]) -> bool {
        let any = |globs: &[Glob]| globs.iter().any(|glob| glob.matches(path));
        !any(&self.exclude) && (self.include.is_empty() || any(&self.include))
    }
}

#[derive(Debug)]
enum Glob {
    Path(String),
    Pattern(Vec<Vec<Token>>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// `**/`: any number of whole directories.
    Directories,
    /// `*`: any bytes but the slash.
    Name,
    Byte(u8),
}

impl Glob {
    fn new(text: &str) -> Self {
        if !text.contains('*') {
            return Self::Path(text.to_owned());
        }
        let clean = cleaned(&substituted(text, |name| std::env::var(name).unwrap_or_default()));
        Self::Pattern(alternatives(&clean).iter().map(|pattern| tokens(pattern)).collect())
    }

    fn matches(&self, path: &[u8]) -> bool {
        match self {
            Self::Path(only) => only.as_bytes() == path,
            // An item that is itself a file has no name to match.
            Self::Pattern(_) if path == b"." => false,
            Self::Pattern(alternatives) => alternatives.iter().any(|tokens| matches(tokens, path)),
        }
    }
}

/// Replaces `~` as first component, and components of the form `$NAME`.
fn substituted(pattern: &str, variable: impl Fn(&str) -> String) -> String {
    let component = |(at, part): (usize, &str)| match part {
        "~" if at == 0 => variable("HOME"),
        _ => part.strip_prefix('$').map_or_else(|| part.to_owned(), &variable),
    };
    pattern.split('/').enumerate().map(component).collect::<Vec<_>>().join("/")
}

/// Removes empty components and `.`, and resolves `..`.
fn cleaned(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if pattern.starts_with('/') => {}
            _ => parts.push(part),
        }
    }
    format!("{}{}", if pattern.starts_with('/') { "/" } else { "" }, parts.join("/"))
}

/// Expands `{a,b}`; an unclosed brace is literal.
fn alternatives(pattern: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(pattern) = open.pop() {
        let group = pattern
            .find('{')
            .and_then(|start| pattern[start..].find('}').map(|length| (start, start + length)));
        match group {
            Some((start, end)) if open.len() + done.len() < MAX_ALTERNATIVES => {
                let (before, after) = (&pattern[..start], &pattern[end + 1..]);
                open.extend(pattern[start + 1..end].split(',').map(|one| format!("{before}{one}{after}")));
            }
            Some(_) | None => done.push(pattern),
        }
    }
    done
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = pattern.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if let Some(behind) = rest.strip_prefix(b"**/") {
            tokens.push(Token::Directories);
            rest = behind;
        } else {
            tokens.push(if *first == b'*' { Token::Name } else { Token::Byte(*first) });
            rest = tail;
        }
    }
    tokens
}

/// Returns whether the tokens match the whole path, in time proportional to the
/// product of their lengths: `reached[i]` is true if the first `i` tokens match
/// the bytes read so far.
fn matches(tokens: &[Token], path: &[u8]) -> bool {
    if !ends_alike(tokens, path) {
        return false;
    }
    let mut reached = vec![false; tokens.len() + 1];
    let mut next = reached.clone();
    reached[0] = true;
    skip_empty(tokens, &mut reached);
    // Positions of `**/` inside a directory's name.
    let mut inside = vec![false; tokens.len()];
    for byte in path {
        next.fill(false);
        for (at, token) in tokens.iter().enumerate() {
            match token {
                Token::Byte(wanted) => next[at + 1] |= reached[at] && wanted == byte,
                Token::Name => next[at] |= reached[at] && *byte != b'/',
                Token::Directories => {
                    let within = reached[at] || inside[at];
                    next[at] |= within && *byte == b'/';
                    inside[at] = within && *byte != b'/';
                }
            }
        }
        skip_empty(tokens, &mut next);
        std::mem::swap(&mut reached, &mut next);
    }
    reached[tokens.len()]
}

/// Returns whether the path ends with the literal that the pattern ends with. Every
/// file of a job is compared with every glob, and few get past this.
fn ends_alike(tokens: &[Token], path: &[u8]) -> bool {
    let mut end = path.iter().rev();
    let literal = tokens.iter().rev().map_while(|token| match token {
        Token::Byte(byte) => Some(byte),
        Token::Name | Token::Directories => None,
    });
    for byte in literal {
        if end.next() != Some(byte) {
            return false;
        }
    }
    true
}

/// Lets stars and `**/` match nothing.
fn skip_empty(tokens: &[Token], reached: &mut [bool]) {
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Directories | Token::Name => reached[at + 1] |= reached[at],
            Token::Byte(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(include: &[&str], exclude: &[&str], path: &str) -> bool {
        let owned = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        Globs::new(&owned(include), &owned(exclude)).select(path.as_bytes())
    }

    #[test]
    fn v_ci_1_to_3() {
        assert!(select(&[], &[], "/usr/bin/bash"));
        assert!(!select(&["/tmp/**/*"], &[], "/usr/bin/bash"));
        assert!(!select(&["/usr/**/*"], &["/usr/bin/**/*"], "/usr/bin/bash"));
    }

    #[test]
    fn the_rules_of_c_35() {
        let rows = [
            ("secrets", "secrets", true),
            ("secrets", "secrets/a", false),
            ("secrets/*", "secrets/a", true),
            ("secrets/*", "secrets/a/b", false),
            ("secrets/**", "secrets/a", true),
            ("secrets/**", "secrets/a/b", false),
            ("secrets/**/*", "secrets/a/b", true),
            ("**/exclude", "exclude", true),
            ("**/exclude", "first/exclude", true),
            ("**/exclude", "first/excluded", false),
            ("**/exclude", "first/xexclude", false),
            ("**/a/**/b", "x/a/y/z/b", true),
            ("**/a/**/b", "x/xa/b", false),
            ("*.{log,txt}", "a.txt", true),
            ("*.{log,txt}", "a.xml", false),
            ("*.{log", "a.{log", true),
            ("{a,b}", "a", false),
            ("?*", "xa", false),
            ("?*", "?a", true),
            ("[a]*", "a", false),
            ("*", "a", true),
            ("*", ".", false),
            ("**/*", ".", false),
            (".", ".", true),
            ("./x//y/../*", "x/z", true),
            ("A*", "a", false),
            ("*.xml", ".xml", true),
            ("*.xml", "xml", false),
            ("**/junit.xml", "junit.xml", true),
            ("**/junit.xml", "unit.xml", false),
            ("*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ];
        for (pattern, path, expected) in rows {
            assert_eq!(Glob::new(pattern).matches(path.as_bytes()), expected, "{pattern} {path}");
        }
    }

    /// The same rules, one after the other, without regard to time.
    fn matches_by_trial(tokens: &[Token], path: &[u8]) -> bool {
        let Some((first, rest)) = tokens.split_first() else { return path.is_empty() };
        match first {
            Token::Byte(byte) => path.first() == Some(byte) && matches_by_trial(rest, &path[1..]),
            Token::Name => (0..=path.len())
                .take_while(|&length| !path[..length].contains(&b'/'))
                .any(|length| matches_by_trial(rest, &path[length..])),
            Token::Directories => (0..=path.len())
                .filter(|&length| length == 0 || path[length - 1] == b'/')
                .any(|length| matches_by_trial(rest, &path[length..])),
        }
    }

    proptest::proptest! {
        #[test]
        fn patterns_match_what_trying_finds(
            pattern in proptest::collection::vec(proptest::sample::select(vec!["a", "b", "/", "*", "**/"]), 0..7),
            path in "[ab/]{0,8}",
        ) {
            let tokens = tokens(&pattern.concat());
            proptest::prop_assert_eq!(matches(&tokens, path.as_bytes()), matches_by_trial(&tokens, path.as_bytes()));
        }
    }

    #[test]
    fn variables_are_components() {
        let variable = |name: &str| format!("<{name}>");
        assert_eq!(substituted("~/a/$B/*", variable), "<HOME>/a/<B>/*");
        assert_eq!(substituted("a/~/x$B", variable), "a/~/x$B");
    }
}
