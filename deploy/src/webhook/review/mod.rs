//! An `AdmissionReview` (`admission.k8s.io/v1`) and the answer to it.

use super::metrics::Outcome;
use super::patch;
use crate::inject::{Admission, Decorated};
use crate::yaml::{self, Format};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Longer warnings may be cut by the API server (KEP 1693), and too many of them dropped.
const MAX_WARNING_CHARS: usize = 250;
const MAX_WARNINGS: usize = 8;

/// Upper bound on the text of a refusal.
const MAX_REFUSAL_CHARS: usize = 2000;

/// The HTTP status that a refusal gives the client: the pod cannot be processed.
const UNPROCESSABLE: u16 = 422;

/// The treatment of a pod that cannot be decorated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undecoratable {
    Refuse,
    Pass,
}

#[derive(Deserialize)]
struct Review<'a> {
    #[serde(borrow, rename = "apiVersion")]
    version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    request: Request<'a>,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    uid: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Kind<'a>,
    #[serde(borrow, default)]
    operation: Cow<'a, str>,
    #[serde(borrow, default, rename = "subResource")]
    subresource: Cow<'a, str>,
    #[serde(borrow, default)]
    namespace: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Kind<'a> {
    #[serde(borrow, default)]
    group: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(rename = "apiVersion")]
    version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Status {
    code: u16,
    message: String,
}

/// The answer to a review, and what to record of it.
#[derive(Debug)]
pub(super) struct Reviewed {
    pub(super) body: Vec<u8>,
    pub(super) outcome: Outcome,
    /// The namespace and name of the pod, as far as it has one.
    pub(super) pod: String,
    /// Why it was not decorated; empty when it was.
    pub(super) reason: String,
}

const VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// Answers a review; the error says in one line why it is none.
pub(super) fn review(
    body: &[u8],
    admission: &Admission,
    undecoratable: Undecoratable,
) -> Result<Reviewed, String> {
    // What is skipped is not looked at otherwise.
    let body = std::str::from_utf8(body).map_err(|_| format!("no {KIND}: it is not UTF-8"))?;
    let review: Review<'_> = serde_json::from_str(body).map_err(|error| format!("no {KIND}: {error}"))?;
    if review.version != VERSION || review.kind != KIND {
        return Err(format!("{KIND} of {VERSION} is all that is understood here"));
    }
    let request = review.request;
    let decision = decide(&request, admission);
    let mut response = Response {
        uid: &request.uid,
        allowed: true,
        patch_type: None,
        patch: None,
        status: None,
        warnings: Vec::new(),
    };
    let mut reason = String::new();
    let outcome = match decision {
        Ok(Decision::Unchanged(why)) => {
            why.clone_into(&mut reason);
            Outcome::Unchanged
        }
        Ok(Decision::Patch(patch, warnings)) => {
            response.patch_type = Some("JSONPatch");
            response.patch = Some(patch);
            response.warnings = shortened(&warnings);
            Outcome::Decorated
        }
        Err(lines) => {
            let message = cut(&lines.join("; "), MAX_REFUSAL_CHARS);
            let outcome = match undecoratable {
                Undecoratable::Refuse => {
                    response.allowed = false;
                    response.status = Some(Status { code: UNPROCESSABLE, message: message.clone() });
                    Outcome::Refused
                }
                Undecoratable::Pass => {
                    response.warnings = shortened(&[format!("pod-utils: not decorated: {message}")]);
                    Outcome::LetThrough
                }
            };
            reason = message;
            outcome
        }
    };
    let answer = Answer { version: VERSION, kind: KIND, response };
    let body = serde_json::to_vec(&answer).map_err(|error| error.to_string())?;
    let pod = crate::terminal::harmless(&format!("{}/{}", request.namespace, request.name));
    Ok(Reviewed { body, outcome, pod, reason })
}

/// The decision about the object of a request.
enum Decision {
    /// It stays as it is, with the reason.
    Unchanged(&'static str),
    /// A JSON Patch in base64, and warnings.
    Patch(String, Vec<String>),
}

/// Decides about a request; the error has one line for each thing that is in the way.
fn decide(request: &Request<'_>, admission: &Admission) -> Result<Decision, Vec<String>> {
    let is_new_pod = request.kind.group.is_empty()
        && request.kind.kind == "Pod"
        && request.operation == "CREATE"
        && request.subresource.is_empty();
    let Some(object) = request.object.filter(|_| is_new_pod) else {
        return Ok(Decision::Unchanged("it is no new pod"));
    };
    let one = |text: String| vec![text];
    let (format, mut documents) = yaml::documents(object.get()).map_err(|syntax| one(syntax.text))?;
    let (Some(document), true, Format::Json) = (documents.pop(), documents.is_empty(), format) else {
        return Err(one("the object is no JSON object".to_owned()));
    };
    match admission.decorate(&document.node)? {
        Decorated::Unchanged(why) => Ok(Decision::Unchanged(why)),
        Decorated::Changed(pod, warnings) => {
            let operations = patch::difference(&document.node, &pod);
            let patch = serde_json::to_vec(&operations).map_err(|error| one(error.to_string()))?;
            Ok(Decision::Patch(STANDARD.encode(patch), warnings))
        }
    }
}

fn shortened(warnings: &[String]) -> Vec<String> {
    let mut short: Vec<_> =
        warnings.iter().take(MAX_WARNINGS).map(|warning| cut(warning, MAX_WARNING_CHARS)).collect();
    if warnings.len() > MAX_WARNINGS {
        short.push(format!("and {} more warnings", warnings.len() - MAX_WARNINGS));
    }
    short
}

fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests;
