//! Stores into a directory: one thread reads, transforms and writes.

use super::output::{ContentHeaders, Sink};
use super::pump::pump;
use super::{Stored, Upload, UploadError, gave_up};
use crate::censor::Censor;
use crate::io::store::{Draft, Local, WriteError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Makes one attempt. Dropping the future gives it up: the object does not appear
/// afterwards.
pub(super) async fn store(
    local: &Local,
    upload: &Upload,
    censor: Option<&Arc<Censor>>,
) -> Result<Stored, UploadError> {
    let given_up = GivenUp::default();
    let _guard = GiveUpOnDrop(given_up.clone());
    let (local, upload, censor) = (local.clone(), upload.clone(), censor.cloned());
    let thread = tokio::task::spawn_blocking(move || copy(&local, &upload, censor.as_deref(), &given_up));
    thread.await.unwrap_or_else(|error| Err(super::thread_lost(&error)))
}

fn copy(
    local: &Local,
    upload: &Upload,
    censor: Option<&Censor>,
    given_up: &GivenUp,
) -> Result<Stored, UploadError> {
    let mut sink = FileSink { local, upload, given_up, open: None };
    // Directories keep no content encoding, so nothing is compressed for them.
    let totals = pump(upload, false, censor, &mut sink)?;
    let Some((draft, head)) = sink.open else {
        return Err(gave_up().into());
    };
    let is_given_up = given_up.lock();
    if *is_given_up {
        return Err(gave_up().into());
    }
    let version = draft.commit(&upload.precondition)?;
    Ok(Stored::new(&totals, &head, Some(version)))
}

struct FileSink<'a> {
    local: &'a Local,
    upload: &'a Upload,
    given_up: &'a GivenUp,
    open: Option<(Draft, ContentHeaders)>,
}

impl Sink for FileSink<'_> {
    type Error = WriteError;

    fn begin(&mut self, head: &ContentHeaders, _at_most: u64) -> Result<(), WriteError> {
        self.open = Some((self.local.create(&self.upload.key)?, head.clone()));
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.wanted()?;
        self.open.as_mut().map_or(Ok(()), |(draft, _)| draft.write(bytes))
    }

    fn write_zeros(&mut self, zeros: u64) -> Result<(), WriteError> {
        self.wanted()?;
        self.open.as_mut().map_or(Ok(()), |(draft, _)| draft.leave_hole(zeros))
    }

    fn wanted(&self) -> Result<(), WriteError> {
        if *self.given_up.lock() { Err(gave_up()) } else { Ok(()) }
    }
}

/// True once the attempt has been given up. The lock is held while the object
/// gets its name, so that this cannot happen after giving up.
#[derive(Clone, Default)]
struct GivenUp(Arc<Mutex<bool>>);

impl GivenUp {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct GiveUpOnDrop(GivenUp);

impl Drop for GiveUpOnDrop {
    fn drop(&mut self) {
        *self.0.lock() = true;
    }
}
