//! Parts over TLS whose content the signature leaves out (`UNSIGNED-PAYLOAD`): TLS guards
//! every byte already, and the signature's SHA-256 would read them all once more. A CRC-64
//! (`x-amz-checksum-crc64nvme`) takes its place, for what lies behind the end of TLS.
//!
//! Only parts. Some stores keep what arrived of an object in one piece whose connection
//! was cut, unless its signature covers the content. A part that was cut has no `ETag` here,
//! and so belongs to no object.

use super::bucket::Bucket;
use super::http::Outcome;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The client for uploads with such parts, until the store refuses one of their requests.
#[derive(Debug)]
pub(super) struct UnsignedParts {
    client: Arc<dyn Bucket>,
    is_refused: AtomicBool,
}

impl UnsignedParts {
    pub(super) fn new(client: Arc<dyn Bucket>) -> Self {
        Self { client, is_refused: AtomicBool::new(false) }
    }

    /// Returns whether an upload may begin with it.
    pub(super) fn is_in_use(&self) -> bool {
        !self.is_refused.load(Ordering::Relaxed)
    }

    pub(super) fn client(&self) -> Arc<dyn Bucket> {
        Arc::clone(&self.client)
    }

    /// Signs the content of all later uploads. Says so, once.
    pub(super) fn give_up(&self, error: &str) {
        if !self.is_refused.swap(true, Ordering::Relaxed) {
            tracing::info!(error, "The store refuses parts with unsigned content, signing it from now on");
        }
    }
}

/// Returns whether an upload with signed content can succeed where this was the answer:
/// stores refuse what they do not know with any of these, and not only with 501.
pub(super) fn may_refuse_unsigned(last: Option<&Outcome>) -> bool {
    match last {
        Some(Outcome::Answered { status, .. }) => {
            matches!(status, 400 | 401 | 403 | 405 | 411 | 415 | 422 | 500 | 501)
        }
        Some(Outcome::NoAnswer(_)) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::client::HttpErrorKind;

    #[test]
    fn an_outage_or_a_condition_refuses_no_unsigned_part() {
        let answered = |status| {
            let outcome = Outcome::Answered { status, retry_after: None, transient: false, hint: None };
            may_refuse_unsigned(Some(&outcome))
        };
        for status in [400, 403, 411, 500, 501] {
            assert!(answered(status), "{status}");
        }
        for status in [200, 304, 404, 409, 412, 413, 429, 502, 503, 504] {
            assert!(!answered(status), "{status}");
        }
        assert!(!may_refuse_unsigned(Some(&Outcome::NoAnswer(HttpErrorKind::Timeout))));
        assert!(!may_refuse_unsigned(None));
    }
}
