//! The job's announcement at its destination, before it begins.
//!
//! `started.json` says when the job began, as initupload's does in a pod; and writing it proves
//! that the credentials and the bucket are right, which nothing else proves: a policy can allow
//! writing alone.

use super::destination::Destination;
use crate::terminal::{self, Problem};
use common::timestamp::Timestamp;
use job_page::escape::visible;
use sidecar::io::store::StoreError;
use std::time::Duration;

/// A store that takes longer is away, or nearly so.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Writes it. A refusal that waiting does not change is an error; a store that is away can be
/// back when the job has ended.
pub(super) async fn announce(destination: &Destination, begin: Timestamp) -> Result<(), Problem> {
    let why = match tokio::time::timeout(ANSWER_TIMEOUT, destination.announce(begin)).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(StoreError::Transient(why))) => why,
        Ok(Err(error @ (StoreError::Setup(_) | StoreError::Setting(_) | StoreError::Permanent(_)))) => {
            let (place, why) = (destination.display(), error.to_string());
            return Err(Problem::new(format!(
                "--out: {} cannot be written: {}; nothing was started",
                visible(&place),
                visible(&why)
            )));
        }
        Err(_) => format!("no answer within {}", terminal::time(ANSWER_TIMEOUT)),
    };
    terminal::line(&format!(
        "warning: the destination does not answer, the results are tried all the same: {}",
        visible(&why)
    ));
    Ok(())
}
