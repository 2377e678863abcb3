//! Retries single parts: an object of hundreds of parts would otherwise start
//! again with every transient failure, and never complete.

use super::failure::is_transient;
use super::http::{Outcome, last_outcome};
use crate::deliver::backoff;
use crate::io::jitter::jitter;
use async_trait::async_trait;
use object_store::retry::{RetryContext, RetryFailure, RetryPolicy};

/// Upper bound on the attempts for one part; beyond it the object's own count.
const MAX_ATTEMPTS: usize = 4;

/// The retry policy for the parts of all uploads.
#[derive(Debug)]
pub(super) struct PartRetry;

#[async_trait]
impl RetryPolicy for PartRetry {
    async fn retry(&self, context: RetryContext) -> bool {
        let again = match context.failure {
            RetryFailure::Status(status) => is_transient(status.as_u16()),
            RetryFailure::Transport(_) => true,
            // The library may distinguish more kinds some day.
            _ => false,
        };
        if !again || context.attempt >= MAX_ATTEMPTS {
            return false;
        }
        let retry_after = match last_outcome() {
            Some(Outcome::Answered { retry_after, .. }) => retry_after,
            Some(Outcome::NoAnswer(_)) | None => None,
        };
        let attempt = u8::try_from(context.attempt).unwrap_or(u8::MAX);
        tokio::time::sleep(backoff(attempt, jitter(), retry_after)).await;
        true
    }
}
