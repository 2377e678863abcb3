//! Transfers on their way: each object's attempt as one future that can be
//! given up.

use super::earlier::{self, Reading};
use super::object::Fingerprint;
use super::source::Source;
use super::store::{Precondition, Store, StoreError, Version, WriteError};
use super::transfer::{self, Limits, Stored, Upload, UploadError};
use crate::censor::Censor;
use crate::deliver::Failure;
use crate::settings::Settings;
use futures::StreamExt;
use futures::future::{AbortHandle, Abortable, LocalBoxFuture};
use futures::stream::FuturesUnordered;
use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A small object is read back to learn what somebody else wrote; larger ones
/// are overwritten.
const READ_BACK: usize = 64 << 10;

/// Another writer may be ahead of us this often before we simply write.
const MOST_TURNS: usize = 5;

/// An abort that the store does not answer in this time goes on by itself.
const CLEANED_UP_WITHIN: Duration = Duration::from_secs(1);

/// What all transfers share.
#[derive(Clone, Debug)]
pub struct Context {
    /// Where to.
    pub place: Rc<Place>,
    /// The secrets in force.
    pub censor: Option<Arc<Censor>>,
    /// What one attempt may use.
    pub limits: Limits,
    /// What an earlier sidecar of the same job has delivered.
    pub earlier: Reading,
}

/// Where objects go.
#[derive(Debug)]
pub enum Place {
    /// Into a store.
    Store(Store),
    /// Nowhere: a dry run.
    Nowhere,
    /// The store cannot be opened; the reason is for people.
    Broken(String),
}

impl Place {
    /// Opens the destination of these settings. That it cannot be opened fails
    /// the objects, not the program (U-66, 3.9).
    pub fn of(settings: &Settings) -> Self {
        let Some(destination) = settings.destination.as_ref().filter(|_| !settings.upload.dry_run) else {
            return Self::Nowhere;
        };
        match Store::open(destination, &settings.credentials) {
            Ok(store) => Self::Store(store),
            Err(error) => {
                tracing::error!(error = %error, dest = %destination, "The destination cannot be used");
                Self::Broken(error.to_string())
            }
        }
    }
}

impl Context {
    /// Which secrets are in force; 0 when nothing is censored.
    pub fn generation(&self) -> u64 {
        self.censor.as_ref().map_or(0, |censor| censor.generation())
    }

    /// The store, where there is one.
    pub fn store(&self) -> Option<&Store> {
        match &*self.place {
            Place::Store(store) => Some(store),
            Place::Nowhere | Place::Broken(_) => None,
        }
    }
}

/// How an object is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Whatever is there.
    Overwrite,
    /// Unless an earlier sidecar of the same job has stored just that.
    UnlessThere,
    /// A later policy may replace it: only while it is what was last seen.
    Provisional {
        /// What was last seen.
        known: Option<Version>,
        /// What somebody else wrote is left alone when it cannot be looked at.
        yields: bool,
    },
    /// Never back to an older number (U-14 as changed).
    LatestBuild(String),
}

/// How an attempt ended.
#[derive(Debug)]
pub enum Landed {
    /// The destination holds the object. `None` in a dry run.
    Stored(Option<Box<Stored>>),
    /// It does not.
    Failed(Failure),
    /// The attempt was given up, and nothing of it takes effect later.
    GivenUp,
}

/// What an attempt was started with.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// What was wanted then.
    pub fingerprint: Fingerprint,
    /// Which secrets were in force then.
    pub generation: u64,
}

/// All attempts on their way, by the numbers of their objects.
#[derive(Default)]
pub struct Flights {
    running: FuturesUnordered<LocalBoxFuture<'static, (u32, Sent, Landed)>>,
    handles: HashMap<u32, Handle>,
}

/// How an attempt is given up.
struct Handle {
    abort: AbortHandle,
    fence: Rc<Cell<Fence>>,
}

/// Whether a request that was sent can do harm when it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fence {
    /// It has a condition that fails once it was overtaken, or nothing overtakes it.
    Up,
    /// It would be applied whenever the store comes to it.
    Down,
}

impl std::fmt::Debug for Flights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flights").field("running", &self.running.len()).finish_non_exhaustive()
    }
}

impl Flights {
    /// Starts an attempt at what has this fingerprint, which fails when it takes
    /// longer than `patience`.
    pub fn start(
        &mut self,
        number: u32,
        fingerprint: Fingerprint,
        context: &Rc<Context>,
        upload: Upload,
        (manner, patience): (Manner, Option<Duration>),
    ) {
        let sent = Sent { fingerprint, generation: context.generation() };
        let (abort, registration) = AbortHandle::new_pair();
        let context = Rc::clone(context);
        let fence = Rc::new(Cell::new(Fence::Up));
        self.handles.insert(number, Handle { abort, fence: Rc::clone(&fence) });
        self.running.push(Box::pin(async move {
            // The attempt is dropped at the end of this statement, before its
            // clean-up is awaited.
            let attempt = attempt(&context, upload, manner, &fence);
            let attempt = within(patience, attempt, &context, &fence);
            let landed = Abortable::new(attempt, registration).await;
            if let (Err(_), Some(store)) = (&landed, context.store()) {
                // Parts without their completion make no object, so that nothing
                // has to wait until the store has thrown them away.
                let _ = tokio::time::timeout(CLEANED_UP_WITHIN, store.settled()).await;
            }
            (number, sent, landed.unwrap_or(Landed::GivenUp))
        }));
    }

    /// Gives an attempt up; it still lands. Where the store knows no conditions
    /// nothing keeps an abandoned write from taking effect later, so it is
    /// waited for instead: the request's own time-out bounds that.
    pub fn give_up(&self, number: u32, context: &Context) {
        let conditional = context.store().is_none_or(Store::conditional_writes);
        if let Some(handle) = self.handles.get(&number)
            && conditional
            && handle.fence.get() == Fence::Up
        {
            handle.abort.abort();
        }
    }

    /// The next attempt that lands; pending for ever while none runs.
    pub async fn land(&mut self) -> (u32, Sent, Landed) {
        match self.running.next().await {
            Some(landed) => {
                self.handles.remove(&landed.0);
                landed
            }
            None => std::future::pending().await,
        }
    }

    /// How many attempts run.
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Whether no attempt runs.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }
}

/// Ends an attempt that takes too long, unless its request could do harm later.
async fn within(
    patience: Option<Duration>,
    attempt: impl Future<Output = Landed>,
    context: &Context,
    fence: &Cell<Fence>,
) -> Landed {
    let Some(patience) = patience else { return attempt.await };
    tokio::pin!(attempt);
    if let Ok(landed) = tokio::time::timeout(patience, &mut attempt).await {
        return landed;
    }
    if fence.get() == Fence::Down || !context.store().is_none_or(Store::conditional_writes) {
        return attempt.await;
    }
    let message = format!("no answer within {} s", patience.as_secs());
    Landed::Failed(Failure::Transient { message, wish: None })
}

async fn attempt(context: &Context, mut upload: Upload, manner: Manner, fence: &Cell<Fence>) -> Landed {
    let store = match &*context.place {
        Place::Store(store) => store,
        Place::Nowhere => {
            tracing::info!(dest = %upload.key, "Would upload");
            return Landed::Stored(None);
        }
        Place::Broken(reason) => return Landed::Failed(Failure::Permanent(reason.clone())),
    };
    if let Some(reason) = withheld(context, &upload) {
        return Landed::Failed(Failure::Withheld(reason));
    }
    let stored = match manner {
        Manner::Overwrite => {
            upload.precondition = Precondition::Overwrite;
            transfer::upload(store, &upload, context.censor.as_ref(), &context.limits).await
        }
        Manner::UnlessThere => match earlier::there(context, store, &upload).await {
            Some(stored) => {
                tracing::info!(dest = %upload.key, "It is there already, by the bucket's manifest");
                Ok(stored)
            }
            None => transfer::upload(store, &upload, context.censor.as_ref(), &context.limits).await,
        },
        Manner::Provisional { known, yields } => {
            upload.precondition = known.map_or(Precondition::IfAbsent, Precondition::IfVersion);
            match provisional(context, store, &mut upload, yields, fence).await {
                Ok(Some(stored)) => Ok(stored),
                Ok(None) => return Landed::Stored(None),
                Err(error) => Err(error),
            }
        }
        Manner::LatestBuild(build_id) => match latest_build(context, store, &mut upload, &build_id).await {
            Ok(stored) => stored,
            Err(newer) => {
                return Landed::Failed(Failure::Skipped(format!("it holds the newer build {newer}")));
            }
        },
    };
    match stored {
        Ok(stored) => Landed::Stored(Some(Box::new(stored))),
        Err(error) => Landed::Failed(failure(error, &upload)),
    }
}

/// Under `strict` nothing that is censored leaves when a secret is missing.
fn withheld(context: &Context, upload: &Upload) -> Option<String> {
    let censor = context.censor.as_ref().filter(|_| upload.censor)?;
    censor.withholds_everything().map(str::to_owned)
}

/// Writes on the condition that the object is still what was last seen. What
/// somebody else wrote meanwhile is seen now. With credentials that may write but
/// not read it cannot be seen: a result then yields to the one that is there,
/// which is of the same job; anything else is written without a condition, and
/// from then on waited for, because it may not be applied after the final one.
async fn provisional(
    context: &Context,
    store: &Store,
    upload: &mut Upload,
    yields: bool,
    fence: &Cell<Fence>,
) -> Result<Option<Stored>, UploadError> {
    for _ in 0..MOST_TURNS {
        let stored = transfer::upload(store, upload, context.censor.as_ref(), &context.limits).await;
        if stored != Err(UploadError::Write(WriteError::PreconditionFailed)) {
            return stored.map(Some);
        }
        upload.precondition = match store.current_version(&upload.key).await {
            Ok(Some(version)) => Precondition::IfVersion(version),
            Ok(None) => Precondition::IfAbsent,
            Err(StoreError::Transient(message)) => {
                return Err(UploadError::Write(WriteError::Transient { message, retry_after: None }));
            }
            Err(StoreError::Permanent(_) | StoreError::Setup(_)) if yields => return Ok(None),
            Err(StoreError::Permanent(_) | StoreError::Setup(_)) => break,
        };
    }
    if yields {
        // Somebody writes it all the time.
        return Ok(None);
    }
    upload.precondition = Precondition::Overwrite;
    fence.set(Fence::Down);
    transfer::upload(store, upload, context.censor.as_ref(), &context.limits).await.map(Some)
}

/// Writes a build id unless a newer one is there, which is the error.
async fn latest_build(
    context: &Context,
    store: &Store,
    upload: &mut Upload,
    build_id: &str,
) -> Result<Result<Stored, UploadError>, String> {
    for _ in 0..MOST_TURNS {
        if !store.conditional_writes() {
            break;
        }
        upload.precondition = match store.read_small(&upload.key, READ_BACK).await {
            Ok(None) => Precondition::IfAbsent,
            Ok(Some((held, version))) => match newer(&held, build_id) {
                Some(newer) => return Err(newer),
                None => Precondition::IfVersion(version),
            },
            // Credentials that may only write are common: then as upstream.
            Err(_) => break,
        };
        let stored = transfer::upload(store, upload, None, &context.limits).await;
        if stored != Err(UploadError::Write(WriteError::PreconditionFailed)) {
            return Ok(stored);
        }
    }
    upload.precondition = Precondition::Overwrite;
    Ok(transfer::upload(store, upload, None, &context.limits).await)
}

/// The build id that is held, when both are numbers and it is the larger one.
fn newer(held: &[u8], build_id: &str) -> Option<String> {
    let held = std::str::from_utf8(held).ok()?.trim();
    let (there, ours): (u128, u128) = (held.parse().ok()?, build_id.trim().parse().ok()?);
    (there > ours).then(|| held.to_owned())
}

fn failure(error: UploadError, upload: &Upload) -> Failure {
    match error {
        UploadError::Source(_) if is_gone(&upload.source) => {
            Failure::Skipped("it was gone before it could be read".to_owned())
        }
        UploadError::Write(WriteError::Transient { message, retry_after }) => {
            Failure::Transient { message, wish: retry_after }
        }
        UploadError::Withheld(reason) => Failure::Withheld(reason),
        error @ (UploadError::Source(_)
        | UploadError::Write(WriteError::Permanent(_) | WriteError::PreconditionFailed)) => {
            Failure::Permanent(error.to_string())
        }
    }
}

fn is_gone(source: &Source) -> bool {
    match source {
        Source::Bytes(_) | Source::Compressed(_) => false,
        Source::File(file) => file.open().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_larger_numbers_are_newer() {
        assert_eq!(newer(b"12\n", "9").as_deref(), Some("12"));
        for (held, ours) in [("9", "12"), ("12", "12"), ("x", "1"), ("2", "x"), ("", "1")] {
            assert_eq!(newer(held.as_bytes(), ours), None, "{held} {ours}");
        }
        assert!(newer(b"1944444444444444445", "1944444444444444444").is_some());
    }
}
