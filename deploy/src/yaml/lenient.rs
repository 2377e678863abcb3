//! Indentation that Kubernetes' parser does not ask for.
//!
//! libyaml, and so `sigs.k8s.io/yaml`, lets a line within brackets or quotes begin
//! at any column, and takes a tab behind `key:`. YAML 1.2 does not. White space at
//! the begin of such a line means nothing, so more of it changes no meaning: text
//! that cannot be read as it is gets it, and is read again.
//!
//! ```yaml
//! args: [
//!   a,
//! ]
//! ```

/// Where a character stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Context {
    /// Outside of brackets and quotes.
    Block,
    /// Within this many brackets, the outermost of which stands at this column.
    Flow { depth: usize, column: usize },
}

/// A line-by-line reader of a document.
struct Indenter {
    out: String,
    context: Context,
    /// The open quotation mark with its column.
    quote: Option<(char, usize)>,
    /// Within a block scalar: lines that are indented more than this belong to it,
    /// and once its first line is known, those indented as much as that.
    block: Option<(usize, Option<usize>)>,
    changed: bool,
}

/// Returns the document with the indentation that YAML 1.2 wants; `None` if nothing
/// had to be changed, or it ends within brackets or quotes.
pub(super) fn indented(text: &str) -> Option<String> {
    let mut indenter = Indenter {
        out: String::with_capacity(text.len() + 256),
        context: Context::Block,
        quote: None,
        block: None,
        changed: false,
    };
    for line in text.split_inclusive('\n') {
        indenter.line(line);
    }
    let is_complete = indenter.quote.is_none() && indenter.context == Context::Block;
    (is_complete && indenter.changed).then_some(indenter.out)
}

impl Indenter {
    fn line(&mut self, line: &str) {
        let content = line.trim_start_matches(' ');
        let indent = line.len() - content.len();
        if self.is_in_block_scalar(content, indent) {
            self.out.push_str(line);
            return;
        }
        let column = match (self.quote, self.context) {
            (Some((_, column)), _) | (None, Context::Flow { column, .. }) => Some(column),
            (None, Context::Block) => None,
        };
        let is_blank = content.trim().is_empty();
        if let Some(column) = column.filter(|column| !is_blank && indent <= *column) {
            self.out.extend(std::iter::repeat_n(' ', column + 1 - indent));
            self.changed = true;
        }
        self.scan(line);
    }

    fn is_in_block_scalar(&mut self, content: &str, indent: usize) -> bool {
        let Some((parent, first)) = self.block else { return false };
        if content.trim().is_empty() {
            return true;
        }
        let belongs = first.map_or(indent > parent, |first| indent >= first);
        self.block = belongs.then(|| (parent, first.or(Some(indent))));
        belongs
    }

    /// Copies a line and follows its brackets and quotes.
    fn scan(&mut self, line: &str) {
        let mut chars = line.char_indices().peekable();
        // A token begins here: what stands in front are indicators and white space.
        let mut at_token = true;
        let mut key_column = 0;
        while let Some((column, c)) = chars.next() {
            let next = chars.peek().map(|(_, next)| *next);
            if let Some((mark, _)) = self.quote {
                self.out.push(c);
                match (c, next) {
                    ('\\', Some(escaped)) if mark == '"' => {
                        self.out.push(escaped);
                        chars.next();
                    }
                    ('\'', Some('\'')) if mark == '\'' => {
                        self.out.push('\'');
                        chars.next();
                    }
                    _ if c == mark => self.quote = None,
                    _ => {}
                }
                at_token = false;
                continue;
            }
            let is_space_before = column == 0 || line[..column].ends_with([' ', '\t']);
            if c == '#' && is_space_before {
                self.out.push_str(&line[column..]);
                return;
            }
            let in_flow = matches!(self.context, Context::Flow { .. });
            let begins_token = at_token || in_flow && line[..column].ends_with([',', '[', '{', ':', ' ']);
            match c {
                '"' | '\'' if begins_token => self.quote = Some((c, column)),
                '[' | '{' if at_token || in_flow => self.open(column),
                ']' | '}' if in_flow => self.close(),
                '|' | '>' if at_token && !in_flow && is_block_header(&line[column..]) => {
                    self.block = Some((key_column, None));
                    self.out.push_str(&line[column..]);
                    return;
                }
                _ => {}
            }
            let is_indicator = matches!(c, '-' | '?' | ':') && next.is_none_or(char::is_whitespace);
            if c == '\t' && at_token && !in_flow && line[..column].trim_end_matches('\t').ends_with(':') {
                self.out.push(' ');
                self.changed = true;
                continue;
            }
            self.out.push(c);
            if at_token && !is_indicator && !c.is_whitespace() {
                key_column = key_column.max(if is_key_begin(line, column) { column } else { key_column });
            }
            if at_token && c == '-' && is_indicator {
                key_column = column;
            }
            at_token = is_indicator && (at_token || c == ':')
                || c.is_whitespace() && at_token
                || at_token && matches!(c, '&' | '!');
            if at_token && matches!(c, '&' | '!') {
                self.copy_property(&mut chars);
            }
        }
    }

    /// Copies the rest of an anchor or a tag, behind which a token may begin.
    fn copy_property(&mut self, chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>) {
        while let Some((_, c)) = chars.next_if(|(_, c)| !c.is_whitespace()) {
            self.out.push(c);
        }
    }

    fn open(&mut self, column: usize) {
        self.context = match self.context {
            Context::Block => Context::Flow { depth: 1, column },
            Context::Flow { depth, column } => Context::Flow { depth: depth + 1, column },
        };
    }

    fn close(&mut self) {
        self.context = match self.context {
            Context::Block | Context::Flow { depth: 0 | 1, .. } => Context::Block,
            Context::Flow { depth, column } => Context::Flow { depth: depth - 1, column },
        };
    }
}

/// Returns whether a key of a block mapping begins at this column.
fn is_key_begin(line: &str, column: usize) -> bool {
    line[column..].contains(": ")
        || line[column..].trim_end().ends_with(':')
        || line[column..].contains(":\t")
}

/// Returns whether this is `|` or `>` with indicators and a comment only.
fn is_block_header(text: &str) -> bool {
    let rest = text[1..].trim_start_matches(|c: char| c.is_ascii_digit() || "+-".contains(c));
    rest.trim().is_empty() || rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#')
}
