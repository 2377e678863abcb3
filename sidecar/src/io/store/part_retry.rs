//! A part that failed for a moment is sent again by itself: with hundreds of
//! them, an object would otherwise begin again and again and never arrive.

use super::failure::passes;
use super::http::{Outcome, last_outcome};
use crate::deliver::backoff;
use async_trait::async_trait;
use object_store::retry::{RetryContext, RetryFailure, RetryPolicy};
use std::hash::{BuildHasher, RandomState};

/// Attempts for one part. Beyond that the object's own attempts count.
const MOST_ATTEMPTS: usize = 4;

/// The policy for parts of all uploads.
#[derive(Debug)]
pub(super) struct PartRetry;

#[async_trait]
impl RetryPolicy for PartRetry {
    async fn retry(&self, context: RetryContext) -> bool {
        let again = match context.failure {
            RetryFailure::Status(status) => passes(status.as_u16()),
            RetryFailure::Transport(_) => true,
            // The library may tell more kinds apart some day.
            _ => false,
        };
        if !again || context.attempt >= MOST_ATTEMPTS {
            return false;
        }
        let wish = match last_outcome() {
            Some(Outcome::Answered { retry_after, .. }) => retry_after,
            Some(Outcome::NoAnswer(_)) | None => None,
        };
        let attempt = u8::try_from(context.attempt).unwrap_or(u8::MAX);
        // The upper half of a random number is one, too.
        let jitter = (RandomState::new().hash_one(0_u8) >> 32) as u32;
        tokio::time::sleep(backoff(attempt, jitter, wish)).await;
        true
    }
}
