//! A client that asks for what some stores do not know, until its store refuses it.

use super::bucket::Bucket;
use super::http::Outcome;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The favour that such a client asks of the store, and goes without after a refusal.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asks {
    /// To verify a CRC-64 (`x-amz-checksum-crc64nvme`) of what is sent.
    Checksums,
    /// To take parts whose content the signature leaves out (`UNSIGNED-PAYLOAD`), with
    /// a CRC-64.
    ///
    /// TLS guards every byte already, and the signature's SHA-256 would read them all once
    /// more. Only parts: some stores keep what arrived of an object in one piece whose
    /// connection was cut, unless its signature covers the content. A part that was cut has
    /// no `ETag` here, and so belongs to no object.
    UnsignedParts,
}

impl Asks {
    fn refusal(self) -> &'static str {
        match self {
            Self::Checksums => "The store refuses checksums, sending none from now on",
            Self::UnsignedParts => "The store refuses parts with unsigned content, signing it from now on",
        }
    }
}

/// The client, until the store refuses one of its requests.
#[derive(Debug)]
pub(super) struct Refusable {
    client: Arc<dyn Bucket>,
    asks: Asks,
    is_refused: AtomicBool,
}

impl Refusable {
    pub(super) fn new(client: Arc<dyn Bucket>, asks: Asks) -> Self {
        Self { client, asks, is_refused: AtomicBool::new(false) }
    }

    /// Returns whether something may begin with it.
    pub(super) fn is_in_use(&self) -> bool {
        !self.is_refused.load(Ordering::Relaxed)
    }

    pub(super) fn client(&self) -> Arc<dyn Bucket> {
        Arc::clone(&self.client)
    }

    /// Goes without it from now on. Says so, once.
    pub(super) fn give_up(&self, error: &str) {
        if !self.is_refused.swap(true, Ordering::Relaxed) {
            tracing::info!(error, "{}", self.asks.refusal());
        }
    }
}

/// Returns whether the same can succeed without what a client asks for, where this was the
/// answer: stores refuse what they do not know with any of these, and not only with 501.
pub(super) fn may_refuse(last: Option<&Outcome>) -> bool {
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
    fn an_outage_or_a_condition_refuses_nothing() {
        let answered = |status| {
            let outcome = Outcome::Answered { status, retry_after: None, transient: false, hint: None };
            may_refuse(Some(&outcome))
        };
        for status in [400, 403, 411, 500, 501] {
            assert!(answered(status), "{status}");
        }
        for status in [200, 304, 404, 409, 412, 413, 429, 502, 503, 504] {
            assert!(!answered(status), "{status}");
        }
        assert!(!may_refuse(Some(&Outcome::NoAnswer(HttpErrorKind::Timeout))));
        assert!(!may_refuse(None));
    }
}
