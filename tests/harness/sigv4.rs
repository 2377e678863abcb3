//! Checks a signature of AWS, as a service does
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

use crate::web::Asked;
use ring::digest::{SHA256, digest};
use ring::hmac;
use std::fmt::Write;

/// The fields of an `Authorization` header.
#[derive(Debug)]
struct Authorization<'a> {
    key: &'a str,
    date: &'a str,
    scope: &'a str,
    region: &'a str,
    service: &'a str,
    headers: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix("AWS4-HMAC-SHA256 Credential=")?;
        let (credential, rest) = rest.split_once(", SignedHeaders=")?;
        let (headers, signature) = rest.split_once(", Signature=")?;
        let (key, scope) = credential.split_once('/')?;
        let mut parts = scope.split('/');
        let (date, region, service) = (parts.next()?, parts.next()?, parts.next()?);
        (parts.next() == Some("aws4_request")).then_some(())?;
        Some(Self { key, date, scope, region, service, headers, signature })
    }
}

/// Returns the access key with which a request is signed, when its signature by this secret
/// key for this service is right and covers host, date, and each of `covered`.
pub fn signer(asked: &Asked, secret: &str, service: &str, covered: &[&str]) -> Option<String> {
    let authorization = Authorization::parse(asked.header("authorization"))?;
    let signed: Vec<&str> = authorization.headers.split(';').collect();
    let is_covered = |name: &&str| signed.contains(name);
    if authorization.service != service || !["host", "x-amz-date"].iter().chain(covered).all(is_covered) {
        return None;
    }
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let mut query: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    query.sort_unstable();
    let mut canonical = format!("{}\n{path}\n{}\n", asked.method, query.join("&"));
    for name in &signed {
        let value = asked.header(name).split_whitespace().collect::<Vec<_>>().join(" ");
        // Writing to a string does not fail.
        let _ = writeln!(canonical, "{name}:{value}");
    }
    // Nor does this.
    let _ = write!(canonical, "\n{}\n{}", authorization.headers, hex(digest(&SHA256, &asked.bytes).as_ref()));
    let hashed = hex(digest(&SHA256, canonical.as_bytes()).as_ref());
    let date = asked.header("x-amz-date");
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{}\n{hashed}", authorization.scope);
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [authorization.date, authorization.region, service, "aws4_request"] {
        key = mac(&key, part);
    }
    let is_right = date.starts_with(authorization.date) && hex(&mac(&key, &text)) == authorization.signature;
    is_right.then(|| authorization.key.to_owned())
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published example of IAM's `ListUsers`.
    #[test]
    fn the_example_of_the_documentation_is_right_and_any_change_is_not() {
        let example = || {
            let headers = [
                ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                ("host", "iam.amazonaws.com"),
                ("x-amz-date", "20150830T123600Z"),
                (
                    "authorization",
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                     SignedHeaders=content-type;host;x-amz-date, \
                     Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
                ),
            ];
            Asked {
                method: "GET".to_owned(),
                path: "/?Version=2010-05-08&Action=ListUsers".to_owned(),
                headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
                ..Asked::default()
            }
        };
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        assert_eq!(signer(&example(), secret, "iam", &["content-type"]).as_deref(), Some("AKIDEXAMPLE"));
        assert_eq!(signer(&example(), "another", "iam", &[]), None);
        assert_eq!(signer(&example(), secret, "iam", &["x-other"]), None);
        let other = Asked { path: "/?Action=DeleteUsers&Version=2010-05-08".to_owned(), ..example() };
        assert_eq!(signer(&other, secret, "iam", &[]), None);
        let other = Asked { bytes: "x".into(), ..example() };
        assert_eq!(signer(&other, secret, "iam", &[]), None);
    }
}
