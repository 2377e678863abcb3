//! The checksum that a store has of what it stored, beside the one of what was sent.
//!
//! S3 answers with it to an object or a part that was sent with one, and to the completion
//! of such an upload.

use super::CALL;
use crate::io::store::error_text::element;
use object_store::client::HttpRequest;
use reqwest::header::HeaderMap;

/// The header with a CRC-64 of content, as base64.
const HEADER: &str = "x-amz-checksum-crc64nvme";

/// The same in the answer to a completion.
const ELEMENT: &str = "ChecksumCRC64NVME";

/// Tells the call's completion the checksum of the whole object, as base64.
pub(in crate::io::store) fn expect_checksum(checksum: Option<String>) {
    let _ = CALL.try_with(|call| call.borrow_mut().checksum = checksum);
}

/// Returns the checksum of what a request stores, where it is known. The call knows that of
/// content from then on.
pub(super) fn of(request: &HttpRequest) -> Option<String> {
    match request.method().as_str() {
        "PUT" => {
            let checksum = request.headers().get(HEADER)?.to_str().ok()?;
            let _ = CALL.try_with(|call| call.borrow_mut().ended.checksum = Some(checksum.to_owned()));
            Some(checksum.to_owned())
        }
        "POST" if super::is_completion(request) => {
            CALL.try_with(|call| call.borrow().checksum.clone()).ok().flatten()
        }
        _ => None,
    }
}

/// Fails where the store's checksum of what it stored is another one than `sent`.
pub(super) fn check(sent: &str, headers: &HeaderMap, text: &str) -> Result<(), OtherContent> {
    let header = headers.get(HEADER).and_then(|value| value.to_str().ok());
    // A dash and a number follow a checksum of checksums.
    let stored = header.or_else(|| element(text, ELEMENT)).filter(|stored| !stored.contains('-'));
    match stored {
        Some(stored) if stored != sent => Err(OtherContent),
        Some(_) | None => Ok(()),
    }
}

/// The store has not stored what was sent.
#[derive(Debug)]
pub(super) struct OtherContent;

impl std::fmt::Display for OtherContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the store's checksum is not that of what was sent, so that it has stored something else")
    }
}

impl std::error::Error for OtherContent {}

#[cfg(test)]
mod tests {
    use super::super::with_call_context;
    use super::*;
    use object_store::HeaderValue;
    use object_store::client::HttpRequestBody;

    fn request(method: &str, uri: &str) -> HttpRequest {
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = method.parse().expect("a method");
        *request.uri_mut() = uri.parse().expect("a URI");
        request
    }

    #[test]
    fn only_another_checksum_is_wrong() {
        let answer = |header: Option<&'static str>, text: &str| {
            let header =
                header.map(|value| (HEADER.parse().expect("a name"), HeaderValue::from_static(value)));
            check("AAAAAAAAAAA=", &header.into_iter().collect(), text).is_ok()
        };
        assert!(answer(None, ""));
        assert!(answer(Some("AAAAAAAAAAA="), ""));
        assert!(!answer(Some("AAAAAAAAAAE="), ""));
        let completed = |sum: &str| format!("<CompleteMultipartUploadResult><ETag>\"1\"</ETag>{sum}</…>");
        assert!(answer(None, &completed("")));
        assert!(answer(None, &completed("<ChecksumCRC64NVME>AAAAAAAAAAA=</ChecksumCRC64NVME>")));
        assert!(!answer(None, &completed("<ChecksumCRC64NVME>AAAAAAAAAAE=</ChecksumCRC64NVME>")));
        assert!(answer(None, &completed("<ChecksumCRC64NVME>AAAAAAAAAAE=-3</ChecksumCRC64NVME>")));
    }

    #[tokio::test]
    async fn the_checksum_of_the_whole_belongs_to_the_completion() {
        let mut part = request("PUT", "http://store/bucket/key?partNumber=1&uploadId=x");
        assert_eq!(of(&part), None);
        part.headers_mut().insert(HEADER, HeaderValue::from_static("cGFydA=="));
        let completion = request("POST", "http://store/bucket/key?uploadId=x");
        assert_eq!(of(&completion), None, "outside of a call");
        let asked = with_call_context(None, async {
            expect_checksum(Some("d2hvbGU=".to_owned()));
            let begin = request("POST", "http://store/bucket/key?uploads");
            [&part, &begin, &completion].map(of)
        });
        let (asked, _) = asked.await;
        assert_eq!(asked, [Some("cGFydA==".to_owned()), None, Some("d2hvbGU=".to_owned())]);
    }
}
