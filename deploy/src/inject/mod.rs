//! `podutils inject`: pods, decorated for supervision and delivery.
//!
//! ```text
//! text ──yaml──▶ documents ──kinds──▶ templates ──model──▶ Pod
//!                                        │   refuse: what stands in the way
//!                                        ▼
//!                         pod: wrap, add parts, resolve times and users ──yaml──▶ text
//!                                        │
//!                                        └──check: what cannot work in the result
//! ```
//!
//! Names, paths, order and option JSON are those of Prow's decoration (contract
//! 9.1), so that people and tools find what they know. Nothing is written unless
//! every document of the stream can be decorated.

mod admission;
mod amounts;
mod azure;
mod budget;
mod check;
mod collector;
mod containers;
mod controller;
mod decoration;
mod expand;
mod field_path;
mod flags;
mod fragments;
mod krm;
mod model;
mod named_options;
mod options;
mod overlay;
mod pod;
mod preconditions;
mod resources;
mod secrets;
mod selection;
mod template_path;
mod user;
mod workloads;

pub(crate) use admission::{Admission, Decorated};
pub(crate) use flags::command;
pub(crate) use options::Options;

use crate::terminal::{self, Problem};
use crate::yaml::{self, Document, Format, Node};
use decoration::Decoration;
use field_path::Finding;
use options::Mode;
use std::io::Read;
use std::sync::LazyLock;
use workloads::{Content, Search};

/// Decorates or checks, and returns the exit status.
pub(crate) fn run(options: &Options) -> Result<u8, Problem> {
    let text = input(options)?;
    let (format, documents) = yaml::documents(&text)
        .map_err(|syntax| Problem::new(format!("document {}, {}", syntax.document, syntax.text)))?;
    if documents.is_empty() {
        return Err(Problem::new(
            "there is no document in the input; allowed is YAML or JSON with pods in it",
        ));
    }
    match &options.mode {
        Mode::Check => check_all(&documents, &options.search),
        Mode::Krm => krm::run(format, documents),
        Mode::Inject { decoration, explain } => {
            inject_all(format, documents, decoration, &options.search, *explain)
        }
    }
}

/// The whole input, unless it is too long.
fn input(options: &Options) -> Result<String, Problem> {
    let (reader, name): (Box<dyn Read>, String) = match &options.file {
        None => (Box::new(std::io::stdin()), "standard input".to_owned()),
        Some(path) => {
            let name = path.display().to_string();
            let file = std::fs::File::open(path).map_err(|error| {
                Problem::new(format!("{name}: {error}; allowed is a readable file, or -"))
            })?;
            (Box::new(file), name)
        }
    };
    let mut bytes = Vec::new();
    let most = u64::try_from(yaml::MAX_STREAM_BYTES).unwrap_or(u64::MAX);
    reader
        .take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Problem::new(format!("{name}: {error}")))?;
    if bytes.len() > yaml::MAX_STREAM_BYTES {
        return Err(Problem::new(format!("{name}: longer than {}", terminal::size(most))));
    }
    String::from_utf8(bytes).map_err(|_| Problem::new(format!("{name}: not UTF-8, so not YAML")))
}

/// A line about a field of a document.
fn about(document: usize, finding: &Finding) -> String {
    terminal::harmless(&format!("document {document}, {finding}"))
}

/// The outcome when no pod is found: an error, unless whatever is not known passes.
fn no_pods(search: &Search) -> Result<&'static str, Problem> {
    let text = if search.selection.is_all() {
        "there is no pod in any document"
    } else {
        "no document with a pod in it is selected; see --select and --selector"
    };
    if search.pass_unknown { Ok(text) } else { Err(Problem::new(text)) }
}

fn check_all(documents: &[Document<'_>], search: &Search) -> Result<u8, Problem> {
    let mut lines = Vec::new();
    let mut pods = 0;
    for (index, document) in documents.iter().enumerate() {
        let findings = match workloads::content(&document.node, search) {
            Ok(Content::NoPods | Content::BuiltElsewhere(..)) => Vec::new(),
            Ok(Content::Templates(templates)) => {
                pods += templates.len();
                templates.iter().flat_map(|template| check::findings(&document.node, template)).collect()
            }
            Err(finding) => vec![finding],
        };
        lines.extend(findings.iter().map(|finding| about(index + 1, finding)));
    }
    if pods == 0 && lines.is_empty() {
        terminal::line(&format!("warning: {}", no_pods(search)?));
    }
    let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    terminal::print(text.as_bytes())?;
    Ok(u8::from(!lines.is_empty()))
}

fn inject_all(
    format: Format,
    documents: Vec<Document<'_>>,
    decoration: &Decoration,
    search: &Search,
    explain: bool,
) -> Result<u8, Problem> {
    match decorated(format, documents, decoration, search)? {
        Ok(output) => {
            for line in output.changes.iter().filter(|_| explain).chain(&output.warnings) {
                terminal::line(line);
            }
            terminal::print(output.text.as_bytes())?;
            Ok(0)
        }
        Err(errors) => {
            for error in errors {
                terminal::raw(&format!("error: {error}"));
            }
            Ok(common::codes::EXIT_FAILURE)
        }
    }
}

/// The options of [`decorated_as_usual`].
static USUAL: LazyLock<Options> = LazyLock::new(|| {
    let words = [flags::SUBCOMMAND, "--out=s3://ci", "--image-prefix=reg", "--build-id=7"];
    let matches = command().try_get_matches_from(words).expect("flags of this program");
    Options::from_matches(&matches).expect("values that are allowed")
});

/// Decorates a stream with the least options; the error has a line for each thing that is in the way.
pub(crate) fn decorated_as_usual(text: &str) -> Result<String, String> {
    let Mode::Inject { decoration, .. } = &USUAL.mode else { return Err("no decoration".to_owned()) };
    let (format, documents) =
        yaml::documents(text).map_err(|syntax| format!("document {}, {}", syntax.document, syntax.text))?;
    let output = decorated(format, documents, decoration, &USUAL.search).map_err(|problem| problem.text)?;
    output.map(|output| output.text).map_err(|errors| errors.join("\n"))
}

/// A decorated stream, and lines for people.
#[derive(Debug, Default)]
struct Output {
    text: String,
    changes: Vec<String>,
    warnings: Vec<String>,
}

/// Decorates a stream; the inner error has one line for each thing that is in the
/// way.
fn decorated(
    format: Format,
    documents: Vec<Document<'_>>,
    decoration: &Decoration,
    search: &Search,
) -> Result<Result<Output, Vec<String>>, Problem> {
    let several = documents.len() > 1;
    let mut output = Output::default();
    let mut errors = Vec::new();
    let mut has_pods = false;
    for (index, mut document) in documents.into_iter().enumerate() {
        let warning = |warning: &Finding| format!("warning: {}", about(index + 1, warning));
        match inject(&mut document.node, decoration, search) {
            Ok(None) => {}
            Ok(Some(outcome)) => {
                has_pods |= outcome.is_decorated;
                if outcome.is_decorated {
                    // The document is what its nodes say now.
                    document.text = "";
                }
                output.changes.extend(outcome.changes.iter().map(|change| about(index + 1, change)));
                output.warnings.extend(outcome.warnings.iter().map(warning));
            }
            Err(findings) => errors.extend(findings.iter().map(|finding| about(index + 1, finding))),
        }
        write(&mut output.text, format, &document, several);
    }
    if !errors.is_empty() {
        return Ok(Err(errors));
    }
    if has_pods {
        output.warnings.extend(decoration.doubts());
    } else {
        output.warnings.push(format!("warning: {}", no_pods(search)?));
    }
    Ok(Ok(output))
}

/// Decorates every pod of a document; `None` when there is none in it.
fn inject(
    document: &mut Node,
    decoration: &Decoration,
    search: &Search,
) -> Result<Option<pod::Outcome>, Vec<Finding>> {
    let mut all = pod::Outcome::default();
    let templates = match workloads::content(document, search).map_err(|finding| vec![finding])? {
        Content::NoPods => return Ok(None),
        Content::BuiltElsewhere(kind, owner) => {
            let text =
                format!("{kind} is left alone: {owner} builds its pods from other things than templates");
            all.warnings.push(Finding::new("kind", text));
            return Ok(Some(all));
        }
        Content::Templates(templates) => templates,
    };
    all.is_decorated = true;
    let mut findings = Vec::new();
    for template in &templates {
        match pod::decorate(document, template, decoration) {
            Ok(outcome) => {
                all.changes.extend(outcome.changes);
                all.warnings.extend(outcome.warnings);
                all.warnings.extend(check::findings(document, template));
            }
            Err(found) => findings.extend(found),
        }
    }
    if findings.is_empty() { Ok(Some(all)) } else { Err(findings) }
}

/// Appends a document: as it was, unless its text was taken away.
fn write(out: &mut String, format: Format, document: &Document<'_>, several: bool) {
    match format {
        Format::Json => out.push_str(&yaml::to_json(&document.node)),
        Format::Yaml => {
            if several {
                out.push_str("---\n");
            }
            out.push_str(document.heading);
            if document.text.is_empty() {
                out.push_str(&yaml::to_yaml(&document.node));
            } else {
                out.push_str(document.text);
                if !document.text.ends_with('\n') {
                    out.push('\n');
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
