//! Retries single parts where the library sends them: on Azure, whose attributes of an
//! object it takes only that way.

use super::http::{Outcome, last_outcome};
use crate::deliver::{MAX_PART_ATTEMPTS, backoff};
use crate::io::jitter::jitter;
use crate::io::pause::pause;
use async_trait::async_trait;
use object_store::retry::{RetryContext, RetryPolicy};

/// The retry policy for the parts that the library sends.
#[derive(Debug)]
pub(super) struct PartRetry;

#[async_trait]
impl RetryPolicy for PartRetry {
    async fn retry(&self, context: RetryContext) -> bool {
        let attempt = u8::try_from(context.attempt).unwrap_or(u8::MAX);
        let retry_after = match last_outcome() {
            Some(Outcome::Answered { transient: true, retry_after, .. }) => retry_after,
            Some(Outcome::NoAnswer(_)) => None,
            Some(Outcome::Answered { .. }) | None => return false,
        };
        if attempt >= MAX_PART_ATTEMPTS {
            return false;
        }
        pause(backoff(attempt, jitter(), retry_after)).await;
        true
    }
}
