//! Credentials files of well-known kinds, recognized by their name and content.
//!
//! Tools print a single value of such a file, so each value whose key names a
//! secret becomes a secret of its own, and so do long ones that look generated.
//!
//! | module | contents |
//! | --- | --- |
//! | `keys` | the judgement of a key |
//! | `values` | the values found, and those inside a value |
//! | `documents` | JSON and YAML |
//! | `markup` | XML |
//! | `lines` | keys and values, `.netrc`, URLs, `htpasswd`, PEM |

mod documents;
mod keys;
mod lines;
mod markup;
#[cfg(test)]
mod tests;
mod values;

use super::SecretBytes;
use serde_json::Value;
use values::Values;
use zeroize::Zeroizing;

/// Maximum size of a file that is looked into.
const MAX_BYTES: usize = 1 << 20;

/// A recognized file.
pub(super) struct Recognized {
    /// How it was read, for people.
    pub(super) format: &'static str,
    /// Its values, each once.
    pub(super) values: Vec<SecretBytes>,
}

/// Whose file it is: a hostile program's output is not given to a parser of YAML.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Operator,
    Job,
}

/// Recognizes a file; `None` if it is a plain text without a value inside.
pub(super) fn recognize(name: &str, content: &[u8], owner: Owner) -> Option<Recognized> {
    let text = std::str::from_utf8(content).ok().filter(|text| text.len() <= MAX_BYTES)?;
    let text = text.trim_start_matches('\u{feff}').trim();
    let mut values = Values::default();
    let format = read(name, text, owner, &mut values);
    let found = values.into_found();
    let values: Vec<_> = found.into_iter().filter(|value| value.as_slice() != text.as_bytes()).collect();
    (!values.is_empty()).then_some(Recognized { format, values })
}

/// Reads a text in the first format that fits.
fn read(name: &str, text: &str, owner: Owner, values: &mut Values) -> &'static str {
    if text.starts_with(['{', '[', '"'])
        && let Ok(document) = serde_json::from_str::<Value>(text)
    {
        return of_document(document, values);
    }
    if text.starts_with('<') {
        markup::of_xml(text, values);
        return "XML";
    }
    if lines::of_pem(text, values) {
        return "PEM";
    }
    if lines::of_netrc(text, values) {
        return "netrc";
    }
    if lines::of_urls(text, values) {
        return "URLs";
    }
    if lines::of_htpasswd(text, values) {
        return "htpasswd";
    }
    if owner == Owner::Operator && is_like_yaml(name, text) {
        let mut of_yaml = Values::default();
        if documents::of_yaml(text, &mut of_yaml) {
            *values = of_yaml;
            return "YAML";
        }
    }
    let mut of_pairs = Values::default();
    if text.contains('\n') || text.contains('=') || name.starts_with('.') || text.contains(": ") {
        let is_all = lines::of_pairs(text, &mut of_pairs);
        if is_all && !is_connection(text) {
            *values = of_pairs;
            return "keys and values";
        }
    }
    // A URL or a connection string, or a text with some in it.
    values.consider("", text);
    values.of_urls(text);
    "text"
}

fn of_document(document: Value, values: &mut Values) -> &'static str {
    if let Value::String(text) = document {
        values.add(&Zeroizing::new(text));
        return "a quoted text";
    }
    let has = |key: &str| document.get(key).is_some();
    let format = if has("auths") {
        "registry credentials"
    } else if document.get("type").is_some_and(|kind| kind == "service_account") {
        "a service account"
    } else {
        "JSON"
    };
    documents::of_json("", document, values);
    format
}

/// Returns whether a text may be YAML, which almost any text is: its name or its
/// first lines say so.
fn is_like_yaml(name: &str, text: &str) -> bool {
    let is_named = [".yaml", ".yml"].iter().any(|end| name.ends_with(end)) || name.contains("kubeconfig");
    let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let is_mapping = |line: &str| {
        line.starts_with("---")
            || line.starts_with("- ")
            || line.split_once(':').is_some_and(|(key, value)| {
                !key.contains(char::is_whitespace) && (value.is_empty() || value.starts_with(' '))
            })
    };
    is_named || lines.next().is_some_and(is_mapping)
}

/// Returns whether a text of one line is pairs with separators, as of ADO and ODBC.
fn is_connection(text: &str) -> bool {
    !text.contains('\n') && text.contains(';') && text.matches('=').count() > 1
}
