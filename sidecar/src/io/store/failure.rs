//! Classifies a store's failures by what the next attempt can expect.

use super::WriteError;
use super::http::Outcome;
use std::error::Error;

/// Upper bound on a message, in bytes: a proxy may answer with a whole page.
const MAX_MESSAGE_BYTES: usize = 400;

/// S3's codes with a 4xx status after which a later attempt can succeed.
const TRANSIENT_CODES: &[&str] = &[
    "RequestTimeout",
    "ExpiredToken",
    "TokenRefreshRequired",
    "BadDigest",
    "IncompleteBody",
    "XAmzContentSHA256Mismatch",
    "OperationAborted",
    "ConditionalRequestConflict",
];

/// A failed operation, classified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The object, or its bucket, does not exist.
    NotFound(String),
    /// The store does not implement the operation.
    NotImplemented(String),
    /// The failure as the end of a write.
    Write(WriteError),
}

impl Failure {
    pub(super) fn into_write_error(self) -> WriteError {
        match self {
            Self::NotFound(message) | Self::NotImplemented(message) => WriteError::Permanent(message),
            Self::Write(error) => error,
        }
    }
}

/// Classifies an error by how the operation's last request ended.
pub(super) fn classify(error: &object_store::Error, last: Option<Outcome>) -> Failure {
    let message = message(error, last);
    let permanent = |message| Failure::Write(WriteError::Permanent(message));
    match last {
        // Without a request, credentials or names are wrong.
        None => permanent(message),
        Some(Outcome::NoAnswer(_)) if message.to_lowercase().contains("certificate") => permanent(message),
        Some(Outcome::NoAnswer(_)) => transient(message, None),
        Some(Outcome::Answered { status, retry_after }) => match status {
            // A success that was cut off, or that holds an error in its body.
            200..=299 => transient(message, None),
            412 | 304 => Failure::Write(WriteError::PreconditionFailed),
            404 => Failure::NotFound(message),
            501 => Failure::NotImplemented(message),
            400 if message.contains("NotImplemented") => Failure::NotImplemented(message),
            // Azure's answer to a condition that the object be absent.
            409 if message.contains("BlobAlreadyExists") => Failure::Write(WriteError::PreconditionFailed),
            status if is_transient(status) => transient(message, retry_after),
            _ if TRANSIENT_CODES.iter().any(|code| message.contains(code)) => transient(message, retry_after),
            _ => permanent(message),
        },
    }
}

/// Returns whether a later attempt can succeed after this status.
pub(super) fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 409 | 425 | 429 | 500..=599)
}

fn transient(message: String, retry_after: Option<std::time::Duration>) -> Failure {
    Failure::Write(WriteError::Transient { message, retry_after })
}

/// Returns the store's own words in one line.
fn message(error: &object_store::Error, last: Option<Outcome>) -> String {
    let text = chain(error);
    let said = match (element(&text, "Code"), element(&text, "Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(only), None) | (None, Some(only)) => only.to_owned(),
        (None, None) => return one_line(&text),
    };
    match last {
        Some(Outcome::Answered { status, .. }) => one_line(&format!("{status} {said}")),
        Some(Outcome::NoAnswer(_)) | None => one_line(&said),
    }
}

/// Joins an error and its causes; many leave the cause out of their own text.
fn chain(error: &object_store::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// Returns the content of an XML element, as S3 and GCS write errors.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (content, _) = rest.split_once(&format!("</{name}>"))?;
    Some(content).filter(|content| !content.is_empty())
}

/// Collapses white space and control characters, and truncates.
pub(super) fn one_line(text: &str) -> String {
    let text = text.replace(|c: char| c.is_control(), " ");
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() > MAX_MESSAGE_BYTES {
        line.truncate(line.floor_char_boundary(MAX_MESSAGE_BYTES));
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::client::HttpErrorKind;
    use std::time::Duration;

    fn generic(text: &str) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: text.to_owned().into() }
    }

    fn answered(status: u16) -> Outcome {
        Outcome::Answered { status, retry_after: Some(Duration::from_secs(7)) }
    }

    #[test]
    fn statuses_decide() {
        let classified = |status| classify(&generic("text"), Some(answered(status)));
        for status in [408, 409, 425, 429, 500, 502, 503, 504] {
            let Failure::Write(WriteError::Transient { retry_after, .. }) = classified(status) else {
                panic!("{status} is transient");
            };
            assert_eq!(retry_after, Some(Duration::from_secs(7)));
        }
        for status in [301, 400, 401, 403] {
            assert!(matches!(classified(status), Failure::Write(WriteError::Permanent(_))), "{status}");
        }
        assert!(matches!(classified(404), Failure::NotFound(_)));
        assert!(matches!(classified(501), Failure::NotImplemented(_)));
        assert_eq!(classified(412), Failure::Write(WriteError::PreconditionFailed));
        assert!(matches!(classified(200), Failure::Write(WriteError::Transient { .. })));
    }

    #[test]
    fn the_stores_message_is_one_line() {
        let error = generic("x <Error><Code>AccessDenied</Code>\n<Message>Access\nDenied.</Message></Error>");
        let classified = classify(&error, Some(answered(403))).into_write_error();
        assert_eq!(classified, WriteError::Permanent("403 AccessDenied: Access Denied.".to_owned()));
        let slow = generic("<Code>RequestTimeout</Code>");
        assert!(matches!(classify(&slow, Some(answered(400))), Failure::Write(WriteError::Transient { .. })));
        assert!(one_line(&"ä".repeat(1000)).len() < 420);
    }

    #[test]
    fn no_answer_is_transient_unless_trust_is_missing() {
        let no_answer = |text: &str, kind| classify(&generic(text), Some(Outcome::NoAnswer(kind)));
        let reset = no_answer("connection reset", HttpErrorKind::Interrupted);
        assert!(matches!(reset, Failure::Write(WriteError::Transient { .. })));
        let untrusted = no_answer("invalid peer certificate: UnknownIssuer", HttpErrorKind::Connect);
        assert!(matches!(untrusted, Failure::Write(WriteError::Permanent(_))));
        assert!(matches!(classify(&generic("no key"), None), Failure::Write(WriteError::Permanent(_))));
    }
}
