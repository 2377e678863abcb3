//! Requests as the server saw them, and their fates.

use super::BUCKET;
use hyper::body::Incoming;
use hyper::{Method, Request};
use std::time::Duration;

/// A request as the server saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its method.
    pub method: Method,
    /// The object's key; empty for the bucket itself.
    pub key: String,
    /// The query, without the question mark.
    pub query: String,
    /// The access key it was signed with.
    pub access_key: String,
    /// Its `x-amz-content-sha256`: the hash of its content, or that the signature covers none.
    pub content_sha256: String,
    /// The names of its headers that the signature covers, with semicolons between them.
    pub signed_headers: String,
    /// It has a condition (`If-Match`, `If-None-Match`).
    pub is_conditional: bool,
    /// How many requests with this method, key and query came before.
    pub earlier: usize,
}

impl Seen {
    pub(super) fn of(request: &Request<Incoming>) -> Self {
        let path = request.uri().path().trim_start_matches('/');
        let key = path.strip_prefix(BUCKET).unwrap_or(path).trim_start_matches('/');
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let authorization = header("authorization").unwrap_or_default();
        let field = |name: &str| authorization.split(name).nth(1).and_then(|text| text.split(',').next());
        let credential = field("Credential=").and_then(|text| text.split('/').next());
        Self {
            method: request.method().clone(),
            key: key.to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            access_key: credential.unwrap_or_default().to_owned(),
            signed_headers: field("SignedHeaders=").unwrap_or_default().to_owned(),
            content_sha256: header("x-amz-content-sha256").unwrap_or_default().to_owned(),
            is_conditional: header("if-match").or(header("if-none-match")).is_some(),
            earlier: 0,
        }
    }

    /// Whether it has this header and the signature covers it.
    pub fn is_signed(&self, header: &str) -> bool {
        self.signed_headers.split(';').any(|name| name == header)
    }

    /// Whether it carries a part of an upload.
    pub fn is_part(&self) -> bool {
        self.method == Method::PUT && self.query.contains("partNumber=")
    }

    /// Whether an object appears by it: a plain put, or the end of a multipart upload.
    pub fn makes_an_object(&self) -> bool {
        self.method == Method::PUT && !self.is_part()
            || self.method == Method::POST && self.query.starts_with("uploadId=")
    }
}

/// Fate of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is served.
    None,
    /// It is answered with this status and not served.
    Status(u16),
    /// It is read, answered with this status and code of S3, and not served.
    Refuse(u16, &'static str),
    /// It is answered with 503 and these seconds in `Retry-After`.
    Busy(u32),
    /// Its body is read at this many bytes a second, then it is served.
    Slow(u64),
    /// A byte of its body is another one when it arrives.
    Corrupt,
    /// It is served, and the answer has this checksum (CRC64NVME) of what was stored.
    Checksum(&'static str),
    /// The connection is closed in the middle of its body.
    ResetInBody,
    /// It is served this much later.
    Delay(Duration),
    /// It is accepted and never answered.
    Hang,
    /// The connection is closed without an answer, and it is not served.
    Reset,
    /// It is served, and the connection is closed without an answer.
    LostAnswer,
}
