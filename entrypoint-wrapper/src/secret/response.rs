//! Classifies the API server's response, or the lack of one.

use reqwest::StatusCode;
use serde::Deserialize;
use std::error::Error;
use std::time::Duration;

/// A message of the server is cut here.
const SHOWN: usize = 1000;

/// The failure of a write. Messages are one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Trying again may help.
    Transient {
        /// The cause.
        message: String,
        /// The server's `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// It will not.
    Permanent(String),
}

impl Failure {
    pub(super) fn into_message(self) -> String {
        match self {
            Self::Transient { message, .. } | Self::Permanent(message) => message,
        }
    }

    /// Nothing or only half of an answer came. Only a server that cannot prove
    /// who it is makes that permanent.
    pub(super) fn without_answer(error: &reqwest::Error) -> Self {
        let message = format!("the API server cannot be reached: {}", chain(error));
        if is_bad_certificate(error) {
            Self::Permanent(message)
        } else {
            Self::Transient { message, retry_after: None }
        }
    }
}

/// The server's `Status` object, as far as people need it.
#[derive(Deserialize)]
struct Status {
    message: String,
}

/// Judges an answer by its status, its `Retry-After` and its body.
///
/// Transient are 429 (the server is busy) and 5xx (it is starting, or its store
/// is not there). The rest says something about this request: no such Secret
/// (404), no permission (403), too large (413), refused content (422).
pub(super) fn judge(status: StatusCode, retry_after: Option<&str>, body: &[u8]) -> Result<(), Failure> {
    if status.is_success() {
        return Ok(());
    }
    let said = said(body);
    let message = if said.is_empty() {
        format!("the API server answered {status}")
    } else {
        format!("the API server answered {status}: {said}")
    };
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        let retry_after = retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        Err(Failure::Transient { message, retry_after })
    } else {
        Err(Failure::Permanent(message))
    }
}

/// The message in a `Status` object, else the text itself, on one line.
fn said(body: &[u8]) -> String {
    let status = serde_json::from_slice::<Status>(body).map(|status| status.message);
    let text = status.unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned());
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut line = words.collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(SHOWN) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// The error and what caused it. The first is reqwest's own, which names the URL.
fn chain(error: &reqwest::Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        // Wrappers often repeat what they wrap.
        if texts.last().is_none_or(|last| !last.ends_with(&text)) {
            texts.push(text);
        }
        source = error.source();
    }
    texts.join(": ")
}

fn is_bad_certificate(error: &reqwest::Error) -> bool {
    matches!(
        error.source().and_then(tls_error),
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented)
    )
}

/// Finds the rustls error wherever it is wrapped. An I/O error hides its inner error
/// from its own `source`.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(inner) => tls_error(inner),
        None => error.source().and_then(tls_error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, retry_after: Option<&str>, body: &str) -> Result<(), Failure> {
        judge(StatusCode::from_u16(status).expect("a status"), retry_after, body.as_bytes())
    }

    #[test]
    fn which_answers_are_worth_another_attempt() {
        for status in [200, 201] {
            assert_eq!(judged(status, None, ""), Ok(()));
        }
        for status in [429, 500, 502, 503, 504] {
            assert!(
                matches!(judged(status, None, ""), Err(Failure::Transient { retry_after: None, .. })),
                "{status}"
            );
        }
        for status in [301, 400, 401, 403, 404, 405, 409, 413, 415, 422] {
            assert!(matches!(judged(status, None, ""), Err(Failure::Permanent(_))), "{status}");
        }
    }

    #[test]
    fn retry_after_counts_seconds() {
        let asked = |text| match judged(429, Some(text), "") {
            Err(Failure::Transient { retry_after, .. }) => retry_after,
            other => panic!("{other:?}"),
        };
        assert_eq!(asked("3"), Some(Duration::from_secs(3)));
        assert_eq!(asked(" 0 "), Some(Duration::ZERO));
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:00 GMT"), None);
        assert_eq!(asked("-1"), None);
    }

    #[test]
    fn the_message_of_the_server_is_passed_on_in_one_line() {
        let forbidden = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"secrets \"e2e\" is forbidden: User \"system:serviceaccount:ns:default\" cannot update resource \"secrets\"\nin API group \"\" in the namespace \"ns\"","reason":"Forbidden","code":403}"#;
        let told = judged(403, None, forbidden).expect_err("refused").into_message();
        assert_eq!(
            told,
            "the API server answered 403 Forbidden: secrets \"e2e\" is forbidden: User \"system:serviceaccount:ns:default\" \
             cannot update resource \"secrets\" in API group \"\" in the namespace \"ns\""
        );
        let told = judged(502, None, "<html>\n<h1>Bad gateway</h1>").expect_err("refused").into_message();
        assert_eq!(told, "the API server answered 502 Bad Gateway: <html> <h1>Bad gateway</h1>");
        let told = judged(500, None, &"ä".repeat(5000)).expect_err("refused").into_message();
        assert!(told.chars().count() < SHOWN + 100 && told.ends_with('…'), "{told}");
        assert_eq!(
            judged(404, None, "\n").expect_err("refused").into_message(),
            "the API server answered 404 Not Found"
        );
    }
}
