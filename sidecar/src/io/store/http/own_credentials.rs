//! Masks sidecar's own credentials in what servers answer: an error often repeats
//! the request, and ends up in records, in the manifest and in the termination
//! message.

use crate::censor::Censor;
use object_store::client::{HttpRequest, HttpRequestBody};
use reqwest::Url;
use reqwest::header::HeaderValue;
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// Headers that carry a credential, as the three providers and their token services
/// define them.
const HEADERS: [&str; 5] = [
    "authorization",
    "x-amz-security-token",
    "x-aws-ec2-metadata-token",
    "x-identity-header",
    "x-ms-copy-source-authorization",
];

/// Fields of a query or a form that carry a credential.
const FIELDS: [&str; 9] = [
    "assertion",
    "client_assertion",
    "client_secret",
    "refresh_token",
    "sig",
    "subject_token",
    "WebIdentityToken",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
];

/// Shorter values are words of everyday language in some setups of tests, and would
/// make an error unreadable.
const MIN_BYTES: usize = 8;

/// Upper bound on a form that is looked into: longer bodies are content.
const MAX_FORM_BYTES: usize = 64 << 10;

/// Tokens that are remembered: one an hour is more than a job needs.
const MAX_TOKENS: usize = 32;

/// Long-lived credentials of the clients, masked in answers that repeat them.
#[derive(Clone, Default)]
pub(super) struct Credentials(Arc<[Zeroizing<String>]>);

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("count", &self.0.len()).finish()
    }
}

impl Credentials {
    fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|value| value.as_str())
    }
}

impl FromIterator<String> for Credentials {
    fn from_iter<T: IntoIterator<Item = String>>(values: T) -> Self {
        Self(values.into_iter().map(Zeroizing::new).collect())
    }
}

/// The tokens that a client has sent of late, in the headers that held them: a server that
/// knows one may repeat it in the answer to a later request, which goes without it.
#[derive(Clone, Default)]
pub(super) struct Tokens(Arc<Mutex<Vec<HeaderValue>>>);

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("count", &self.headers().len()).finish()
    }
}

impl Tokens {
    fn remember<'a>(&self, headers: impl Iterator<Item = &'a HeaderValue>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for header in headers.filter(|header| is_token(header)) {
            if known.contains(header) {
                continue;
            }
            if known.len() == MAX_TOKENS {
                known.remove(0);
            }
            known.push(header.clone());
        }
    }

    fn headers(&self) -> Vec<HeaderValue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Returns whether a header is as good in another request: no signature of one.
fn is_token(header: &HeaderValue) -> bool {
    let signatures = [b"AWS4-HMAC-SHA256 ".as_slice(), b"SharedKey "];
    !signatures.iter().any(|scheme| header.as_bytes().starts_with(scheme))
}

/// The parts of a request that can carry credentials, and the long-lived ones behind
/// them, and the tokens of earlier requests. Shares memory with the request, so that a
/// request whose answer is fine costs next to nothing.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    headers: Vec<HeaderValue>,
    uri: String,
    form: Option<HttpRequestBody>,
    known: Credentials,
    tokens: Tokens,
}

impl Sent {
    pub(super) fn of(request: &HttpRequest, known: &Credentials, tokens: &Tokens) -> Self {
        let headers = HEADERS.iter().filter_map(|name| request.headers().get(*name));
        let headers: Vec<_> = headers.cloned().collect();
        tokens.remember(headers.iter());
        let is_form = request.method().as_str() == "POST"
            && request
                .headers()
                .get("content-type")
                .is_some_and(|kind| kind.as_bytes().ends_with(b"form-urlencoded"));
        Self {
            headers,
            uri: if request.uri().query().is_some() { request.uri().to_string() } else { String::new() },
            form: is_form.then(|| request.body().clone()),
            known: known.clone(),
            tokens: tokens.clone(),
        }
    }

    fn values(&self) -> Vec<String> {
        let mut values: Vec<String> = self.known.iter().map(str::to_owned).collect();
        let earlier = self.tokens.headers();
        for header in self.headers.iter().chain(&earlier) {
            // A token may have any characters but control characters; it was a text when it came.
            values.extend(header_credentials(&String::from_utf8_lossy(header.as_bytes())));
        }
        if let Ok(url) = Url::parse(&self.uri) {
            values.extend(fields(&url));
        }
        let form = self.form.as_ref().and_then(HttpRequestBody::as_bytes);
        if let Some(form) = form.filter(|form| form.len() <= MAX_FORM_BYTES)
            && let Ok(mut url) = Url::parse("form:/")
        {
            url.set_query(std::str::from_utf8(form).ok());
            values.extend(fields(&url));
        }
        values.retain(|value| value.len() >= MIN_BYTES);
        values
    }
}

/// Masks the credentials that were sent, and the long-lived ones behind them, in any
/// of the forms in which secrets are found.
pub(super) fn masked<'a>(sent: impl IntoIterator<Item = &'a Sent>, text: &str) -> String {
    let mut values: Vec<_> = sent.into_iter().flat_map(Sent::values).collect();
    values.sort_unstable();
    values.dedup();
    if values.is_empty() { text.to_owned() } else { Censor::of_values(&values).text(text) }
}

/// Returns the credentials of a header: a token or signature behind the name of its
/// scheme, else the whole value.
fn header_credentials(value: &str) -> Vec<String> {
    let Some((scheme, rest)) = value.split_once(' ') else { return vec![value.to_owned()] };
    match scheme {
        "AWS4-HMAC-SHA256" => {
            rest.split_once("Signature=").map(|(_, signature)| signature.to_owned()).into_iter().collect()
        }
        "SharedKey" => rest.rsplit_once(':').map(|(_, signature)| signature.to_owned()).into_iter().collect(),
        _ => vec![rest.to_owned()],
    }
}

fn fields(url: &Url) -> Vec<String> {
    let is_credential = |name: &str| FIELDS.iter().any(|field| field.eq_ignore_ascii_case(name));
    url.query_pairs().filter(|(name, _)| is_credential(name)).map(|(_, value)| value.into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(change: impl FnOnce(&mut HttpRequest), text: &str) -> String {
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        change(&mut request);
        super::masked([&Sent::of(&request, &Credentials::default(), &Tokens::default())], text)
    }

    fn header(name: &'static str, value: &'static str) -> impl FnOnce(&mut HttpRequest) {
        move |request| {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }

    #[test]
    fn headers_that_an_error_repeats_are_masked() {
        let bearer = header("authorization", "Bearer ya29.a-token");
        assert_eq!(masked(bearer, "got 'Bearer ya29.a-token'"), "got 'Bearer XXXXXXXXXXXX'");
        let signed = header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=KEY/x, SignedHeaders=y, Signature=0123456789abcdef",
        );
        assert_eq!(masked(signed, "<S>0123456789abcdef</S> KEY"), "<S>XXXXXXXXXXXXXXXX</S> KEY");
        let shared = header("authorization", "SharedKey account:c2lnbmF0dXJl");
        assert_eq!(masked(shared, "account c2lnbmF0dXJl"), "account XXXXXXXXXXXX");
        let session = header("x-amz-security-token", "session/token+of==");
        assert_eq!(masked(session, "session%2Ftoken%2Bof%3D%3D!"), "XXXXXXXXXXXXXXXXXXXXXXXXXX!");
        let beyond_ascii = |request: &mut HttpRequest| {
            let value = HeaderValue::from_bytes("Bearer the-tökén".as_bytes()).expect("a value");
            request.headers_mut().insert("authorization", value);
        };
        let mask = "X".repeat("the-tökén".len());
        assert_eq!(masked(beyond_ascii, "got the-tökén"), format!("got {mask}"));
    }

    #[test]
    fn tokens_of_earlier_requests_are_masked_and_few_are_kept() {
        let tokens = Tokens::default();
        let send = |value: &str| {
            let mut request = HttpRequest::new(HttpRequestBody::empty());
            request.headers_mut().insert("authorization", value.parse().expect("a value"));
            Sent::of(&request, &Credentials::default(), &tokens)
        };
        let said = "0123456789abcdef, the-first-token, the-second-token";
        send("AWS4-HMAC-SHA256 Credential=KEY/x, SignedHeaders=y, Signature=0123456789abcdef");
        send("Bearer the-first-token");
        let second = send("Bearer the-second-token");
        assert_eq!(super::masked([&second], said), "0123456789abcdef, XXXXXXXXXXXXXXX, XXXXXXXXXXXXXXXX");
        for _ in 0..2 {
            for number in 0..MAX_TOKENS {
                send(&format!("Bearer token-number-{number}"));
            }
        }
        assert_eq!(tokens.headers().len(), MAX_TOKENS);
    }

    #[test]
    fn fields_of_a_query_or_a_form_are_masked() {
        let sas = |request: &mut HttpRequest| {
            *request.uri_mut() = "https://a.blob/c?sv=2021-08-06&sig=c2lnbmF0%2BdXJl".parse().expect("a URI");
        };
        let said = "sig=c2lnbmF0%2BdXJl or c2lnbmF0+dXJl of 2021-08-06";
        assert_eq!(masked(sas, said), "sig=XXXXXXXXXXXXXXX or XXXXXXXXXXXXX of 2021-08-06");
        let form = |request: &mut HttpRequest| {
            *request = HttpRequest::new("grant_type=refresh&client_secret=hunter2hunter2".to_owned().into());
            *request.method_mut() = "POST".parse().expect("a method");
            header("content-type", "application/x-www-form-urlencoded")(request);
        };
        assert_eq!(masked(form, "bad hunter2hunter2 refresh"), "bad XXXXXXXXXXXXXX refresh");
    }
}
