//! How the requests of a call ended.

use super::Outcome;
use super::own_credentials::{Sent, masked};

/// The last outcome of a call, and what may stand in no error of it.
#[derive(Debug, Default)]
pub(in crate::io::store) struct Ended {
    /// The outcome of the last request; `None` when none was sent.
    pub(in crate::io::store) last: Option<Outcome>,
    /// The checksum that went with content, as S3 writes it.
    pub(in crate::io::store) checksum: Option<String>,
    /// The credentials of each request: the library quotes a success that it cannot
    /// read, body and headers, and a broken store or proxy may repeat the request there.
    pub(super) sent: Vec<Sent>,
}

impl Ended {
    /// Masks the credentials that were sent in the text of an error. The text must be whole:
    /// a part of a credential is not found.
    pub(in crate::io::store) fn masked(&self, text: &str) -> String {
        masked(&self.sent, text)
    }

    /// Adds later requests.
    pub(super) fn append(&mut self, later: Self) {
        self.last = later.last.or(self.last.take());
        self.checksum = later.checksum.or(self.checksum.take());
        self.sent.extend(later.sent);
    }
}

#[cfg(test)]
impl Ended {
    pub(in crate::io::store) fn with(last: Outcome) -> Self {
        Self { last: Some(last), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::own_credentials::{Credentials, Tokens};
    use super::super::{adopt, record, with_call_context};
    use super::*;
    use crate::io::store::failure::classify;
    use object_store::HeaderValue;
    use object_store::client::{HttpRequest, HttpRequestBody};

    fn sent(token: &'static str) -> Sent {
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        request.headers_mut().insert("authorization", HeaderValue::from_static(token));
        Sent::of(&request, &Credentials::default(), &Tokens::default())
    }

    #[test]
    fn an_error_that_quotes_a_success_shows_nothing_that_was_sent() {
        let hint = Some("the region \"ya29.a-token\"".to_owned());
        let last = Outcome::Answered { status: 200, retry_after: None, transient: false, hint };
        let ended = Ended { last: Some(last), checksum: None, sent: vec![sent("Bearer ya29.a-token")] };
        // The limit of a message may fall into the token.
        for length in [0, 340, 350, 360, 500] {
            let text = format!("{} no number: 'Bearer ya29.a-token'", "x".repeat(length));
            let error = object_store::Error::Generic { store: "S3", source: text.into() };
            let text = classify(&error, &ended).into_write_error().to_string();
            assert!(text.contains("region") && !text.contains("ya29"), "{text}");
        }
    }

    #[tokio::test]
    async fn what_a_call_inside_another_one_has_sent_is_masked_too() {
        let ((), ended) = with_call_context(None, async {
            record(sent("Bearer the-first-token"));
            let ((), inner) =
                with_call_context(None, async { record(sent("Bearer the-second-token")) }).await;
            adopt(inner);
        })
        .await;
        let text = ended.masked("the-first-token, the-second-token");
        assert_eq!(text, "XXXXXXXXXXXXXXX, XXXXXXXXXXXXXXXX");
    }
}
