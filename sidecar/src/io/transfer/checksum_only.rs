//! Computes what an attempt would store, without a store.

use super::output::{ContentHeaders, Sink};
use super::pump::pump;
use super::{Stored, Upload, UploadError, gave_up};
use crate::censor::Censor;
use crate::io::store::WriteError;
use std::sync::{Arc, Weak};

/// Reads, censors and compresses a source as an attempt for a bucket would, and
/// discards the bytes. Dropping the future ends it at the next block.
pub async fn checksum_only(upload: &Upload, censor: Option<&Arc<Censor>>) -> Result<Stored, UploadError> {
    let awaited = Arc::new(());
    let mut sink = NoSink { head: None, awaited: Arc::downgrade(&awaited) };
    let (upload, censor) = (upload.clone(), censor.cloned());
    let thread = tokio::task::spawn_blocking(move || {
        let totals = pump(&upload, upload.compress, censor.as_deref(), &mut sink)?;
        let head = sink.head.ok_or_else(gave_up)?;
        Ok(Stored::new(&totals, &head, None))
    });
    let stored = thread.await.unwrap_or_else(|error| Err(super::thread_lost(&error)));
    drop(awaited);
    stored
}

struct NoSink {
    head: Option<ContentHeaders>,
    awaited: Weak<()>,
}

impl Sink for NoSink {
    type Error = WriteError;

    fn begin(&mut self, head: &ContentHeaders, _at_most: u64) -> Result<(), WriteError> {
        self.head = Some(head.clone());
        Ok(())
    }

    fn write(&mut self, _bytes: &[u8]) -> Result<(), WriteError> {
        self.wanted()
    }

    fn write_zeros(&mut self, _zeros: u64) -> Result<(), WriteError> {
        self.wanted()
    }

    fn wanted(&self) -> Result<(), WriteError> {
        if self.awaited.strong_count() == 0 { Err(gave_up()) } else { Ok(()) }
    }
}
