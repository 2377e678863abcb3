//! Classifies a store's failures by what the next attempt can expect.

use super::WriteError;
use super::error_text::element;
use super::http::{Ended, Outcome};
use super::tokens::TokenError;
use common::quote::without_controls;
use std::error::Error;

/// Upper bound on a message, in bytes: a proxy may answer with a whole page.
const MAX_MESSAGE_BYTES: usize = 400;

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
pub(super) fn classify(error: &object_store::Error, ended: &Ended) -> Failure {
    let message = message(error, ended);
    let permanent = |message| Failure::Write(WriteError::Permanent(message));
    match ended.last.as_ref() {
        // Without a request, credentials or names are wrong.
        None => permanent(message),
        Some(Outcome::NoAnswer(_)) if message.to_lowercase().contains("certificate") => permanent(message),
        Some(Outcome::NoAnswer(_)) => transient(message, None),
        Some(&Outcome::Answered { status, retry_after, transient: is_transient, .. }) => match status {
            // A success that was cut off, that holds an error in its body, or that lacks what
            // the store always sends with it.
            200..=299 => transient(message, None),
            // What a token service answers says nothing about the object.
            304 | 404 | 412 if is_of_token(error) => permanent(message),
            412 | 304 => Failure::Write(WriteError::PreconditionFailed),
            404 => Failure::NotFound(message),
            501 => Failure::NotImplemented(message),
            400 if message.contains("NotImplemented") => Failure::NotImplemented(message),
            // Azure's answer to a condition that the object be absent.
            409 if message.contains("BlobAlreadyExists") => Failure::Write(WriteError::PreconditionFailed),
            _ if is_transient => transient(message, retry_after),
            _ => permanent(message),
        },
    }
}

/// Returns whether there was no token to send the request with.
fn is_of_token(error: &object_store::Error) -> bool {
    let mut causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.any(<dyn Error>::is::<TokenError>)
}

fn transient(message: String, retry_after: Option<std::time::Duration>) -> Failure {
    Failure::Write(WriteError::Transient { message, retry_after })
}

/// Returns the store's own words in one line, without what was sent to it.
pub(super) fn message(error: &object_store::Error, ended: &Ended) -> String {
    let text = ended.masked(&chain(error));
    let (status, hint) = match ended.last.as_ref() {
        Some(Outcome::Answered { status, hint, .. }) => (Some(status), hint.as_deref()),
        Some(Outcome::NoAnswer(_)) | None => (None, None),
    };
    let said = match (element(&text, "Code"), element(&text, "Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(only), None) | (None, Some(only)) => only.to_owned(),
        (None, None) => text,
    };
    let said = match status {
        // The library's own text names it already.
        Some(status) if !said.contains(&status.to_string()) => format!("{status} {said}"),
        Some(_) | None => said,
    };
    match hint {
        // It names what a header of the answer said.
        Some(hint) => format!("{}: {}", one_line(&said), one_line(&ended.masked(hint))),
        None => one_line(&said),
    }
}

/// Joins an error and its causes; many leave the cause out of their own text.
fn chain(error: &object_store::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if let Some(json) = cause.downcast_ref::<serde_json::Error>() {
            return without_quotes(&text, &cause_text, json);
        }
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// Names the position of an error in JSON instead of the value there: only the answers of
/// token services are read as JSON by the library, so that it may be a token.
fn without_quotes(text: &str, quoting: &str, error: &serde_json::Error) -> String {
    let position =
        format!("the answer is not what it should be (line {}, column {})", error.line(), error.column());
    match text.split_once(quoting) {
        Some((before, behind)) => format!("{before}{position}{behind}"),
        None => format!("{text}: {position}"),
    }
}

/// Collapses white space and control characters, and truncates. Drops the passwords of
/// addresses, which endpoints and proxies may have.
pub(super) fn one_line(text: &str) -> String {
    let text = without_controls(text);
    let text = without_user_info(&text);
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() > MAX_MESSAGE_BYTES {
        line.truncate(line.floor_char_boundary(MAX_MESSAGE_BYTES));
        line.push('…');
    }
    line
}

/// Drops `user:password@` of every address in a text (RFC 3986, 3.2.1).
fn without_user_info(text: &str) -> String {
    let mut pieces = text.split("://");
    let mut clean = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(|c: char| "/?# \"'".contains(c)).unwrap_or(piece.len());
        let host = piece[..end].rfind('@').map_or(0, |at| at + 1);
        clean.push_str("://");
        clean.push_str(&piece[host..]);
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::store::error_text::{is_transient, is_transient_code};
    use object_store::client::HttpErrorKind;
    use std::time::Duration;

    fn generic(text: &str) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: text.to_owned().into() }
    }

    fn answered(status: u16) -> Ended {
        let transient = is_transient(status);
        let retry_after = Some(Duration::from_secs(7));
        Ended::with(Outcome::Answered { status, retry_after, transient, hint: None })
    }

    #[test]
    fn statuses_decide() {
        let classified = |status| classify(&generic("text"), &answered(status));
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
    fn an_absent_token_service_is_no_absent_object() {
        let error = object_store::Error::Generic { store: "GCS", source: Box::new(TokenError::Malformed) };
        for status in [304, 404, 412] {
            let classified = classify(&error, &answered(status));
            assert!(matches!(classified, Failure::Write(WriteError::Permanent(_))), "{status}");
        }
        let unavailable = classify(&error, &answered(503));
        assert!(matches!(unavailable, Failure::Write(WriteError::Transient { .. })));
    }

    #[test]
    fn the_stores_message_is_one_line() {
        let error = generic("x <Error><Code>AccessDenied</Code>\n<Message>Access\nDenied.</Message></Error>");
        let classified = classify(&error, &answered(403)).into_write_error();
        assert_eq!(classified, WriteError::Permanent("403 AccessDenied: Access Denied.".to_owned()));
        assert!(is_transient_code("RequestTimeTooSkewed") && !is_transient_code("AccessDenied"));
        assert!(one_line(&"ä".repeat(1000)).len() < 420);
    }

    #[test]
    fn a_hint_follows_the_stores_words() {
        let hint = Some("set the region".to_owned());
        let outcome = Outcome::Answered { status: 301, retry_after: None, transient: false, hint };
        let classified = classify(&generic("moved"), &Ended::with(outcome)).into_write_error();
        assert_eq!(classified.to_string(), "301 Generic S3 error: moved: set the region");
    }

    #[test]
    fn a_token_in_json_that_cannot_be_read_is_not_quoted() {
        let json = || serde_json::from_str::<u64>("\n\"ya29.a-token\"").expect_err("a text");
        let wrapped = object_store::client::HttpError::new(HttpErrorKind::Decode, json());
        let sources: [Box<dyn Error + Send + Sync>; 2] = [Box::new(json()), Box::new(wrapped)];
        for source in sources {
            let error = object_store::Error::Generic { store: "GCS", source };
            let text = classify(&error, &answered(200)).into_write_error().to_string();
            assert!(text.contains("(line 2, column 14)") && !text.contains("ya29"), "{text}");
        }
    }

    #[test]
    fn addresses_lose_their_passwords() {
        let text = "PUT https://user:pass%40@host/a@b?c failed: http://me@proxy:80";
        assert_eq!(one_line(text), "PUT https://host/a@b?c failed: http://proxy:80");
    }

    #[test]
    fn no_answer_is_transient_unless_trust_is_missing() {
        let no_answer = |text: &str, kind| classify(&generic(text), &Ended::with(Outcome::NoAnswer(kind)));
        let reset = no_answer("connection reset", HttpErrorKind::Interrupted);
        assert!(matches!(reset, Failure::Write(WriteError::Transient { .. })));
        let untrusted = no_answer("invalid peer certificate: UnknownIssuer", HttpErrorKind::Connect);
        assert!(matches!(untrusted, Failure::Write(WriteError::Permanent(_))));
        assert!(matches!(
            classify(&generic("no key"), &Ended::default()),
            Failure::Write(WriteError::Permanent(_))
        ));
    }
}
