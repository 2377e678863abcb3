//! Reads answers within bounds.
//!
//! Only the content of an object, and the page of a listing, can be long. Whatever
//! else a server says is read to [`MAX_ANSWER_BYTES`], whatever length it announces:
//! the library would reserve that much memory at once.

use super::checksum;
use crate::io::store::error_text::{element, is_transient, is_transient_code};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use object_store::client::{HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use std::borrow::Cow;
use std::time::SystemTime;

/// Upper bound on an answer without an object: tokens, keys and errors are far
/// shorter.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// Upper bound on a page of a listing: 1,000 keys of 1,024 bytes, each byte escaped.
const MAX_LISTING_BYTES: usize = 16 << 20;

/// Marks a request whose answer is the content of an object: an extension.
#[derive(Clone, Copy, Debug)]
pub(in crate::io::store) struct ObjectContent;

/// The kind of answer that a request should get.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    kind: Kind,
    /// Bytes of the request's content.
    sent: usize,
    /// The checksum of what is stored by it.
    checksum: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An object's content, or only its head.
    Object,
    Listing,
    Other,
}

impl Expected {
    pub(super) fn of(request: &HttpRequest) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let path = request.uri().path();
        // S3 and Google's XML API, Azure, Google's JSON API.
        let lists = || {
            query.contains("list-type=2")
                || query.contains("comp=list")
                || path.starts_with("/storage/v1/b/") && path.ends_with("/o")
        };
        let kind = match request.method().as_str() {
            "HEAD" => Kind::Object,
            "GET" if request.extensions().get::<ObjectContent>().is_some() => Kind::Object,
            "GET" if lists() => Kind::Listing,
            _ => Kind::Other,
        };
        Self { kind, sent: request.body().content_length(), checksum: checksum::of(request) }
    }
}

/// An answer that has been read, but for an object's content.
#[derive(Debug)]
pub(super) struct ReadAnswer {
    pub(super) response: HttpResponse,
    /// A later attempt can succeed.
    pub(super) transient: bool,
    /// A sentence for people about the error.
    pub(super) hint: Option<String>,
}

/// Reads an answer. `masked` masks credentials in the text of an error.
pub(super) async fn read(
    response: HttpResponse,
    expected: Expected,
    masked: impl Fn(&str) -> String,
) -> Result<ReadAnswer, HttpError> {
    let status = response.status();
    if status.is_success() && expected.kind == Kind::Object {
        return Ok(ReadAnswer { response, transient: false, hint: None });
    }
    let limit = if expected.kind == Kind::Listing { MAX_LISTING_BYTES } else { MAX_ANSWER_BYTES };
    let (head, body) = response.into_parts();
    let (bytes, is_whole) = collect(body, limit).await?;
    let text = || String::from_utf8_lossy(&bytes);
    // S3 can report the failure of a completion after it has answered 200.
    if status.is_success() && !(expected.kind == Kind::Other && text().contains("<Error>")) {
        if !is_whole {
            return Err(HttpError::new(HttpErrorKind::Decode, TooLong(limit)));
        }
        if let Some(sent) = &expected.checksum {
            checksum::check(sent, &head.headers, &text())
                .map_err(|error| HttpError::new(HttpErrorKind::Decode, error))?;
        }
        let response = HttpResponse::from_parts(head, bytes.into());
        return Ok(ReadAnswer { response, transient: false, hint: None });
    }
    let text = masked(&without_markup(&text()));
    let code = element(&text, "Code").unwrap_or_default();
    let transient = status.is_success() || is_transient(status.as_u16()) || is_transient_code(code);
    let hint = hint(status, &head.headers, code, expected.sent);
    Ok(ReadAnswer { response: HttpResponse::from_parts(head, text.into()), transient, hint })
}

/// Collects up to `limit` bytes; returns them, and whether that is all.
async fn collect(body: HttpResponseBody, limit: usize) -> Result<(Bytes, bool), HttpError> {
    let mut blocks = body.bytes_stream();
    let mut bytes = BytesMut::new();
    while let Some(block) = blocks.next().await {
        let block = block?;
        let room = limit - bytes.len();
        bytes.extend_from_slice(&block[..block.len().min(room)]);
        if block.len() > room {
            return Ok((bytes.freeze(), false));
        }
    }
    Ok((bytes.freeze(), true))
}

/// An answer has more bytes than any of its kind.
#[derive(Debug)]
struct TooLong(usize);

impl std::fmt::Display for TooLong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the answer has more than {} bytes", self.0)
    }
}

impl std::error::Error for TooLong {}

/// Returns the title of an HTML page, as proxies answer; another text as it is.
fn without_markup(text: &str) -> Cow<'_, str> {
    let start = text.trim_start().get(..256).unwrap_or(text).to_ascii_lowercase();
    if !start.starts_with("<html") && !start.starts_with("<!doctype html") {
        return Cow::Borrowed(text);
    }
    // Lower case has the same length in ASCII, so that positions agree.
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title>").and_then(|at| {
        let start = at + "<title>".len();
        Some(text[start..start + lower[start..].find("</title>")?].trim())
    });
    Cow::Owned(title.unwrap_or("a page of HTML without a title").to_owned())
}

/// Returns what the head of an error says beside its text.
fn hint(status: StatusCode, headers: &HeaderMap, code: &str, sent: usize) -> Option<String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if code == "RequestTimeTooSkewed" {
        return header("date").and_then(skew);
    }
    match status.as_u16() {
        413 => Some(format!(
            "the store, or a proxy before it, refuses a request with {sent} bytes; it must allow at least that \
             (nginx: client_max_body_size)"
        )),
        301 | 307 | 308 | 400 | 403 => header("x-amz-bucket-region").map(|region| {
            format!("the bucket is in the region {region:?}: set it as `region` or in AWS_REGION")
        }),
        302 | 303 => Some("redirects are not followed".to_owned()),
        _ => None,
    }
}

/// Says by how much this machine's clock differs from an answer's `Date`.
fn skew(date: &str) -> Option<String> {
    let theirs = httpdate::parse_http_date(date).ok()?;
    let now = SystemTime::now();
    Some(match now.duration_since(theirs) {
        Ok(ahead) => format!("the clock here is {} s ahead of the store's", ahead.as_secs()),
        Err(behind) => format!("the clock here is {} s behind the store's", behind.duration().as_secs()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_proxies_are_cut_to_their_title() {
        let page = "<html>\r\n<head><title>502 Bad Gateway</title></head><body>nginx</body></html>";
        assert_eq!(without_markup(page), "502 Bad Gateway");
        assert_eq!(without_markup("<!DOCTYPE html><TITLE> ü </TITLE>"), "ü");
        assert_eq!(without_markup("<HTML>x"), "a page of HTML without a title");
        assert_eq!(without_markup("<Error><Code>x</Code></Error>"), "<Error><Code>x</Code></Error>");
    }

    #[test]
    fn a_skewed_clock_is_said_in_seconds() {
        let hour_ago = SystemTime::now() - std::time::Duration::from_hours(1);
        let said = skew(&httpdate::fmt_http_date(hour_ago)).expect("a date");
        assert!(
            said.starts_with("the clock here is 360") && said.ends_with("s ahead of the store's"),
            "{said}"
        );
        assert!(skew("Thu, 01 Jan 2099 00:00:00 GMT").expect("a date").contains("behind"));
        assert_eq!(skew("yesterday"), None);
    }
}
