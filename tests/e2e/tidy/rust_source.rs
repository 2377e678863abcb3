//! As much of Rust's syntax as the paths of a source file need.

use super::sources;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The names of a module below its crate's root.
pub(super) type Path = Vec<String>;

/// A source file without its tests.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Where it is.
    pub(super) file: PathBuf,
    /// The module it holds.
    pub(super) module: Path,
    /// The code: comments, texts and tests are blank, lines as they were.
    pub(super) text: String,
    /// The paths in `use` declarations, and all others that begin with `crate` or
    /// `super`, with their lines.
    pub(super) paths: Vec<(usize, Path)>,
    /// The names that `pub use` hands on, with their paths.
    pub(super) reexports: BTreeMap<String, Path>,
}

impl Source {
    /// Reads the paths out of a file's text.
    pub(super) fn parse(file: PathBuf, module: Path, text: &str) -> Self {
        let text = without_tests(&blank(text));
        let tokens = tokens(&text);
        let mut source = Self { file, module, text, paths: Vec::new(), reexports: BTreeMap::new() };
        let mut at = 0;
        while at < tokens.len() {
            let (line, token) = &tokens[at];
            // `use<'a>` in a type names what the type captures.
            let imports = tokens.get(at + 1).is_some_and(|(_, next)| next != "<");
            if token == "use" && imports {
                let public = at > 0 && matches!(tokens[at - 1].1.as_str(), "pub" | ")");
                let mut found = Vec::new();
                at = use_tree(&tokens, at + 1, &mut Vec::new(), &mut found);
                for (path, name) in found {
                    if public {
                        source.reexports.insert(name, path.clone());
                    }
                    source.paths.push((*line, path));
                }
            } else if matches!(token.as_str(), "crate" | "super") && !within_visibility(&tokens, at) {
                let mut path = vec![token.clone()];
                while tokens.get(at + 1).is_some_and(|(_, token)| token == "::")
                    && tokens.get(at + 2).is_some_and(|(_, token)| is_name(token))
                {
                    path.push(tokens[at + 2].1.clone());
                    at += 2;
                }
                // A macro is at the root of its crate wherever it is defined.
                if tokens.get(at + 1).is_none_or(|(_, next)| next != "!") {
                    source.paths.push((*line, path));
                }
            }
            at += 1;
        }
        source
    }
}

/// `pub(crate)`, `pub(super)` and `pub(in crate::…)` import nothing.
fn within_visibility(tokens: &[(usize, String)], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).map_or("", |at| tokens[at].1.as_str());
    (before(1) == "(" && before(2) == "pub") || (before(1) == "in" && before(2) == "(" && before(3) == "pub")
}

/// Reads one tree of a `use` declaration; the names that it brings, and the place after it.
fn use_tree(
    tokens: &[(usize, String)],
    mut at: usize,
    prefix: &mut Path,
    found: &mut Vec<(Path, String)>,
) -> usize {
    let depth = prefix.len();
    while let Some((_, token)) = tokens.get(at) {
        match token.as_str() {
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|(_, token)| token != "}") {
                    at = use_tree(tokens, at, prefix, found);
                    match tokens.get(at).map(|(_, token)| token.as_str()) {
                        Some(",") => at += 1,
                        Some("}") => {}
                        _ => return at,
                    }
                }
                prefix.truncate(depth);
                return at + 1;
            }
            ";" | "," | "}" => break,
            "as" => {
                let name = tokens.get(at + 1).map_or(String::new(), |(_, token)| token.clone());
                found.push((prefix.clone(), name));
                prefix.truncate(depth);
                return at + 2;
            }
            "::" | "*" => {}
            name => prefix.push(name.to_owned()),
        }
        at += 1;
    }
    let name = prefix.iter().rev().find(|name| *name != "self").cloned().unwrap_or_default();
    found.push((prefix.clone(), name));
    prefix.truncate(depth);
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::` and single characters, with their lines.
fn tokens(text: &str) -> Vec<(usize, String)> {
    let mut tokens = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = match first {
                _ if word > 0 => word,
                ':' if rest.starts_with("::") => 2,
                _ => first.len_utf8(),
            };
            if !first.is_whitespace() {
                tokens.push((number + 1, rest[..length].to_owned()));
            }
            rest = &rest[length..];
        }
    }
    tokens
}

/// The text with blanks in place of comments and of what stands in quotation marks.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let raw = rest.strip_prefix('r').map(|tail| tail.len() - tail.trim_start_matches('#').len());
        let raw = raw.filter(|hashes| rest[1 + hashes..].starts_with('"') && !out.ends_with(is_part_of_word));
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(hashes) = raw {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = hashes + 2;
            rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len())
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' && is_character(rest) {
            quoted(rest, '\'')
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &rest[length..];
    }
    out
}

fn is_part_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Tells `'x'` from a lifetime.
fn is_character(rest: &str) -> bool {
    let mut chars = rest.chars().skip(1);
    match chars.next() {
        Some('\\') => true,
        Some(_) => chars.next() == Some('\''),
        None => false,
    }
}

/// The length of a text in these quotation marks, both included.
fn quoted(rest: &str, mark: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == mark => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// The text with blank lines in place of items under `#[cfg(test)]`.
fn without_tests(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with("#[cfg(test)]") {
            out.push('\n');
            let indentation = line.len() - line.trim_start().len();
            for line in lines.by_ref() {
                out.push('\n');
                let closes =
                    line.len() - line.trim_start().len() == indentation && line.trim_start().starts_with('}');
                let ends =
                    line.trim_end().ends_with(';') && line.len() - line.trim_start().len() == indentation;
                let whole = line.trim_end().ends_with('}') && line.contains('{');
                if closes || ends || whole {
                    break;
                }
            }
        } else {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// The modules that a file declares for its tests only.
fn test_modules(text: &str) -> Vec<String> {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (at, _) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("#[cfg(test)]")) {
        let declared = lines[at + 1..].iter().find(|line| !line.starts_with("#["));
        let name = declared.and_then(|line| line.split_once("mod ")?.1.strip_suffix(';'));
        found.extend(name.map(str::to_owned));
    }
    found
}

/// The files of a crate, without those that are tests.
pub(super) fn sources_of(src: &std::path::Path) -> Vec<Source> {
    let mut tests: Vec<Path> = Vec::new();
    let mut files = Vec::new();
    for (file, text) in sources(src) {
        let relative = file.strip_prefix(src).expect("inside").with_extension("");
        let mut module: Path =
            relative.iter().map(|part| part.to_str().expect("a plain name").to_owned()).collect();
        if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
            module.pop();
        }
        tests.extend(test_modules(&text).into_iter().map(|name| [module.as_slice(), &[name]].concat()));
        files.push((file, module, text));
    }
    files.retain(|(_, module, _)| !tests.iter().any(|test| module.starts_with(test)));
    files.into_iter().map(|(file, module, text)| Source::parse(file, module, &text)).collect()
}
