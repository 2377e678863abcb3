//! Ways to break the core, which the checks must find.

use sidecar::deliver::Weights;

/// A flaw of the core, or of what carries its effects out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// It writes the result without a manifest.
    ResultBeforeManifest,
    /// It takes a transfer that is to be aborted for one that has ended.
    AbortNotAwaited,
    /// It does not see markers.
    DeafToMarkers,
    /// It never tries again what waits for another attempt.
    PausesForgotten,
    /// It sends more objects together than it may.
    TooManyTransfers,
    /// It sends more bytes than the operator allows.
    SentBytesUnlimited,
}

/// The limits that a core has which may be broken.
pub(super) fn weights(mutation: Option<Mutation>, weights: Weights) -> Weights {
    match mutation {
        Some(Mutation::TooManyTransfers) => Weights { in_flight: weights.in_flight + 1, ..weights },
        Some(Mutation::SentBytesUnlimited) => Weights { sent_bytes: None, ..weights },
        Some(_) | None => weights,
    }
}
