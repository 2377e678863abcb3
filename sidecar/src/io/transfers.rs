//! Requests on their way: each object's as one future that can be aborted.

use super::context::{Context, Place};
use super::fault_injection;
use super::object::{Fingerprint, Input, Outcome, Record};
use super::panics::caught;
use super::resume;
use super::source::Source;
use super::store::{Store, StoreError, Version, WriteError};
use super::transfer::{self, Stored, Upload, UploadError};
use crate::deliver::{Failure, ObjectStatus};
use futures::StreamExt;
use futures::future::{AbortHandle, Abortable, LocalBoxFuture};
use futures::stream::FuturesUnordered;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

/// The largest object whose content is read back.
const MAX_READ_BACK_BYTES: usize = 64 << 10;

/// An abort that the store does not answer in this time goes on by itself.
const CLEAN_UP_TIMEOUT: Duration = Duration::from_secs(1);

/// A request for an object.
#[derive(Debug)]
pub enum Request {
    /// Send it.
    Put {
        /// The object, with its precondition.
        upload: Box<Upload>,
        /// Not when an earlier sidecar has stored exactly this.
        unless_stored: bool,
        /// The content to send instead where a directory cannot take this one, or sending it
        /// fails by a fault of our own.
        spare: Option<Source>,
    },
    /// Look at what the destination holds.
    LookAt {
        /// Its key at the destination.
        key: String,
        /// The content is wanted too.
        content: bool,
    },
}

/// All requests on their way, at most one for each object. `start` one, and await
/// `next_ended` for its answer.
#[derive(Default)]
pub struct Transfers {
    running: FuturesUnordered<LocalBoxFuture<'static, (u32, Input)>>,
    handles: HashMap<u32, AbortHandle>,
}

impl std::fmt::Debug for Transfers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transfers").field("running", &self.running.len()).finish_non_exhaustive()
    }
}

impl Transfers {
    /// Starts a request for the object with this number.
    pub fn start(&mut self, number: u32, context: &Rc<Context>, mut request: Request) {
        let (handle, registration) = AbortHandle::new_pair();
        let context = Rc::clone(context);
        let spare = request.take_spare();
        self.handles.insert(number, handle);
        self.running.push(Box::pin(async move {
            // The request is dropped at the end of this statement, before its
            // clean-up is awaited. What it shares with others is the store, which
            // holds nothing that a panic could leave half done.
            let answered = async {
                let answered = caught(answer(number, &context, request)).await;
                match spare {
                    Some(spare) => spared(answered, number, &context, spare).await,
                    None => answered,
                }
            };
            let ended = Abortable::new(answered, registration).await;
            if let (Err(_) | Ok(Err(_)), Some(store)) = (&ended, context.store()) {
                // Parts without their completion make no object, so that nothing
                // has to wait until the store has thrown them away.
                let _ = tokio::time::timeout(CLEAN_UP_TIMEOUT, store.settled()).await;
            }
            let outcome = match ended {
                Ok(Ok(answer)) => return (number, answer),
                Ok(Err(panic)) => Outcome::Failed(Failure::Permanent(panic)),
                Err(_) => Outcome::Aborted,
            };
            (number, Input::TransferEnded(number, outcome))
        }));
    }

    /// Aborts a request; it still ends.
    pub fn abort(&self, number: u32) {
        if let Some(handle) = self.handles.get(&number) {
            handle.abort();
        }
    }

    /// The answer to the next request that ends; pending for ever while none runs.
    pub async fn next_ended(&mut self) -> Input {
        match self.running.next().await {
            Some((number, answer)) => {
                self.handles.remove(&number);
                answer
            }
            None => std::future::pending().await,
        }
    }

    /// Returns whether no request runs.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }
}

impl Request {
    /// Takes out what is sent in its place where it cannot be stored.
    fn take_spare(&mut self) -> Option<Box<Upload>> {
        match self {
            Self::Put { upload, spare, .. } => {
                let source = spare.take()?;
                Some(Box::new(Upload { source, ..Upload::clone(upload) }))
            }
            Self::LookAt { .. } => None,
        }
    }
}

/// Sends the spare after a failure that may be up to what was sent.
async fn spared(
    answered: Result<Input, String>,
    number: u32,
    context: &Context,
    upload: Box<Upload>,
) -> Result<Input, String> {
    let is_directory = context.store().is_some_and(|store| !store.keeps_attributes());
    let error = match &answered {
        Err(panic) => panic,
        Ok(Input::TransferEnded(_, Outcome::Failed(Failure::Permanent(error)))) if is_directory => error,
        Ok(_) => return answered,
    };
    tracing::error!(dest = %upload.key, error = %context.masked(error), "It cannot be stored, and a shorter one is sent in its place");
    context.shortened.set(true);
    let request = Request::Put { upload, unless_stored: false, spare: None };
    caught(answer(number, context, request)).await
}

async fn answer(number: u32, context: &Context, request: Request) -> Input {
    let outcome = match (&context.place, request) {
        (Place::Broken(reason), _) => Outcome::Failed(Failure::Permanent(reason.clone())),
        (Place::Nowhere, Request::Put { upload, .. }) => {
            tracing::info!(dest = %upload.key, "Would upload");
            Outcome::DryRun
        }
        (Place::Nowhere, Request::LookAt { .. }) => {
            return Input::ObjectLookedAt(number, ObjectStatus::Absent);
        }
        (Place::Store(store), Request::Put { upload, unless_stored, .. }) => {
            put(context, store, &upload, unless_stored).await
        }
        (Place::Store(store), Request::LookAt { key, content }) => {
            return Input::ObjectLookedAt(number, look_at(store, &key, content).await);
        }
    };
    Input::TransferEnded(number, outcome)
}

async fn put(context: &Context, store: &Store, upload: &Upload, unless_stored: bool) -> Outcome {
    fault_injection::point(format_args!("transfer {}", upload.key));
    if let Some(reason) = withheld(context, upload) {
        return Outcome::Failed(Failure::Withheld(reason));
    }
    let censor = context.censor.as_ref();
    let there = if unless_stored {
        resume::already_stored(&context.previous, store, upload, censor).await
    } else {
        None
    };
    let stored = match there {
        Some(stored) => {
            tracing::info!(dest = %upload.key, "It is there already, by the bucket's manifest");
            Ok(stored)
        }
        None => transfer::upload(store, upload, censor, &context.limits).await,
    };
    match stored {
        Ok(stored) => outcome(stored, context),
        Err(UploadError::Write(WriteError::PreconditionFailed)) => Outcome::PreconditionFailed,
        Err(error) => Outcome::Failed(failure(error, &upload.source)),
    }
}

fn outcome(stored: Stored, context: &Context) -> Outcome {
    let fingerprint = |stamp| Fingerprint::of_file(stamp).under(context.generation());
    Outcome::Stored {
        read: stored.source_stamp.as_ref().map(fingerprint),
        changed: stored.changed,
        bytes: stored.stored_bytes,
        record: Record::new(stored, &context.types),
    }
}

/// Under `strict` nothing that is censored leaves when a secret is missing.
fn withheld(context: &Context, upload: &Upload) -> Option<String> {
    let censor = context.censor.as_ref().filter(|_| upload.censor)?;
    censor.withholds_everything().map(str::to_owned)
}

async fn look_at(store: &Store, key: &str, content: bool) -> ObjectStatus<Version> {
    let found = if content {
        store.read_small(key, MAX_READ_BACK_BYTES).await
    } else {
        store.current_version(key).await.map(|found| found.map(|version| (Vec::new(), version)))
    };
    match found {
        Ok(Some((content, version))) => ObjectStatus::Present { version, content },
        Ok(None) => ObjectStatus::Absent,
        Err(StoreError::Transient(message)) => ObjectStatus::Unanswered(message),
        Err(StoreError::Permanent(_) | StoreError::Setup(_) | StoreError::Setting(_)) => {
            ObjectStatus::Unreadable
        }
    }
}

fn failure(error: UploadError, source: &Source) -> Failure {
    match error {
        UploadError::Source(_) if is_gone(source) => {
            Failure::Skipped("it was gone before it could be read".to_owned())
        }
        UploadError::Write(WriteError::Transient { message, retry_after }) => {
            Failure::Transient { message, wish: retry_after }
        }
        UploadError::Withheld(reason) => Failure::Withheld(reason),
        UploadError::OverLimit(reason) => Failure::OverLimit(reason),
        error @ UploadError::Moved => Failure::Unsteady(error.to_string()),
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
