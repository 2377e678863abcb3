//! Stores into a bucket: a thread fills parts, the runtime sends them.
//!
//! ```text
//! pump ──▶ part being filled ──▶ channel ──▶ parts being sent
//!   ▲         one permit each, for as long as it is in memory
//!   └────────────── waits for a permit before it begins a part
//! ```
//!
//! Parts of a file that is delivered as it is are not in memory but read again when they
//! are sent. When they are others by then, the object begins anew, with its parts in
//! memory: a file that is written to all the time arrives that way.

use super::output::{PumpError, Totals};
use super::part_sink::{Part, PartSink, SecondReading};
use super::pump::pump;
use super::{Limits, Stored, Upload, UploadError, gave_up};
use crate::censor::Censor;
use crate::io::store::{Differs, Multipart, PartContent, Properties, Remote, WriteError};
use futures::StreamExt;
use futures::stream::unfold;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

/// Makes one attempt. Dropping the future stops the thread at its next part
/// and aborts a multipart upload.
pub(super) async fn store(
    remote: &Remote,
    upload: &Upload,
    censor: Option<&Arc<Censor>>,
    limits: &Limits,
) -> Result<Stored, UploadError> {
    let differs = Differs::default();
    let terms = remote.second_reading(&upload.precondition).map(|terms| SecondReading {
        needs_sha256: terms.needs_sha256,
        differs: differs.clone(),
        pieces: remote.pieces(),
    });
    match store_once(remote, upload, censor, limits, terms).await {
        Err(error) if differs.get() => {
            let (key, error) = (&upload.key, error.to_string());
            tracing::debug!(key, error, "The file changed while it was sent; it is sent once more");
            store_once(remote, upload, censor, limits, None).await
        }
        ended => ended,
    }
}

async fn store_once(
    remote: &Remote,
    upload: &Upload,
    censor: Option<&Arc<Censor>>,
    limits: &Limits,
    second_reading: Option<SecondReading>,
) -> Result<Stored, UploadError> {
    let (sender, mut parts) = mpsc::channel(1);
    let permits = Arc::new(Semaphore::new(limits.parts_in_memory.max(1)));
    let _closing = CloseOnDrop(Arc::clone(&permits));
    let sink = PartSink::new(remote, sender, permits, *limits, second_reading);
    let thread = start(upload.clone(), censor.cloned(), sink);
    let Some(first) = parts.recv().await else {
        return Err(match finished(thread).await {
            Ok(_) => gave_up().into(),
            Err(error) => error,
        });
    };
    let head = first.head.clone();
    let properties = Properties {
        content_type: head.content_type.clone(),
        content_encoding: head.content_encoding,
        metadata: upload.metadata.clone(),
    };
    let (totals, version) = match first {
        Part { content: PartContent::Memory(bytes), last: true, .. } => {
            let totals = finished(thread).await?;
            let put = remote.put(&upload.key, bytes, &properties, &upload.precondition);
            (totals, put.await?)
        }
        first => {
            let mut multipart =
                Multipart::begin(remote, &upload.key, &properties, &upload.precondition).await?;
            send(remote, &mut multipart, first, &mut parts, limits).await?;
            // Only a source that was read to its end makes an object.
            let totals = finished(thread).await?;
            (totals, multipart.complete(remote).await?)
        }
    };
    Ok(Stored::new(&totals, &head, version))
}

/// Sends all parts, several at a time: each has a permit to be in memory, or gets one to
/// be on its way.
async fn send(
    remote: &Remote,
    multipart: &mut Multipart,
    first: Part,
    parts: &mut mpsc::Receiver<Part>,
    limits: &Limits,
) -> Result<(), WriteError> {
    let permits = &remote.file_parts(limits.file_parts_in_flight);
    let mut permitted = pin!(unfold((Some(first), parts), |(first, parts)| async move {
        let mut part = match first {
            Some(first) => first,
            None => parts.recv().await?,
        };
        if let PartContent::File(part) = &mut part.content {
            part.permit = Some(Arc::new(Arc::clone(permits).acquire_owned().await.ok()?));
        }
        Some((part, (None, parts)))
    }));
    let mut over = false;
    loop {
        tokio::select! {
            part = permitted.next(), if !over => match part {
                Some(part) => multipart.send_part(remote, part.content, part.last)?,
                None => over = true,
            },
            Some(result) = multipart.part_sent() => result?,
            else => return Ok(()),
        }
    }
}

fn start(upload: Upload, censor: Option<Arc<Censor>>, mut sink: PartSink) -> JoinHandle<Pumped> {
    tokio::task::spawn_blocking(move || {
        let totals = pump(&upload, upload.compress, censor.as_deref(), &mut sink)?;
        sink.finish().map_err(PumpError::Sink)?;
        Ok(totals)
    })
}

type Pumped = Result<Totals, PumpError<WriteError>>;

async fn finished(thread: JoinHandle<Pumped>) -> Result<Totals, UploadError> {
    match thread.await {
        Ok(pumped) => Ok(pumped?),
        Err(error) => Err(super::thread_lost(&error)),
    }
}

/// Wakes the thread that waits for memory when the attempt is given up.
struct CloseOnDrop(Arc<Semaphore>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}
