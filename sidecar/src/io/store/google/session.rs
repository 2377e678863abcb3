//! Resumable uploads: an object in pieces, one after the other.
//!
//! Only the last piece may have any length, and it must say how long all is: it is held
//! until the upload is completed, because with it the object becomes visible. The others
//! are multiples of 256 KiB.

use super::super::WriteError;
use super::super::failure::{Failure, classify, message};
use super::super::http::{Ended, Outcome, with_call_context};
use super::request::{self, Answer, Resource, send};
use super::{JsonApi, crc32c_text};
use crate::deliver::{MAX_PART_ATTEMPTS, backoff};
use crate::io::jitter::jitter;
use crate::io::pause::pause;
use bytes::Bytes;
use object_store::PutResult;
use std::sync::Arc;
use tokio::sync::{Mutex, watch};

/// An upload that has begun. Clones are the same one.
#[derive(Clone, Debug)]
pub(in crate::io::store) struct Session {
    api: JsonApi,
    url: String,
    state: Arc<Mutex<State>>,
    /// The number of the part whose turn it is.
    turn: Arc<watch::Sender<usize>>,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes that the store has taken.
    sent: u64,
    crc32c: u32,
    held: Bytes,
}

impl Session {
    pub(super) fn new(api: JsonApi, url: String) -> Self {
        let turn = Arc::new(watch::Sender::new(0));
        Self { api, url, state: Arc::default(), turn }
    }

    /// Sends a part when all before it are sent; holds the last one.
    pub(in crate::io::store) async fn send_part(
        &self,
        number: usize,
        content: Bytes,
        is_last: bool,
    ) -> Result<(), WriteError> {
        // The sender lives as long as `self`, so that waiting cannot fail.
        let _ = self.turn.subscribe().wait_for(|turn| *turn == number).await;
        let mut state = self.state.lock().await;
        state.crc32c = crc32c::crc32c_append(state.crc32c, &content);
        if is_last {
            state.held = content;
        } else {
            self.send_piece(&mut state, content, None).await.map_err(Failure::into_write_error)?;
        }
        drop(state);
        self.turn.send_replace(number + 1);
        Ok(())
    }

    /// Sends the last part, which makes the object visible if its condition holds.
    pub(in crate::io::store) async fn complete(&self) -> Result<PutResult, Failure> {
        let mut state = self.state.lock().await;
        let (piece, sum) = (std::mem::take(&mut state.held), state.crc32c);
        let bytes = state.sent + piece.len() as u64;
        let answer = self.send_piece(&mut state, piece, Some(sum)).await?;
        let stored = Resource::parse(&answer).map_err(|error| classify(&error, &Ended::default()))?;
        let crc32c = crc32c_text(sum);
        // fake-gcs-server 1.56 ends an upload that is only asked how far it is.
        let is_cut = stored.bytes().is_some_and(|stored| stored != bytes);
        if is_cut || stored.crc32c.as_ref().is_some_and(|stored| *stored != crc32c) {
            let message = "the store has other bytes than were sent".to_owned();
            return Err(Failure::Write(WriteError::Transient { message, retry_after: None }));
        }
        Ok(stored.put_result())
    }

    /// Throws away what was sent.
    pub(in crate::io::store) async fn abort(&self) -> object_store::Result<()> {
        // 499 is the answer to an upload that was cancelled.
        request::open(&self.api, "DELETE", &self.url, &[], Vec::new().into()).await.map(drop)
    }

    /// Sends a piece, which is the last one where it has the sum of all; a failure that
    /// may pass repeats what the store has not taken of it.
    async fn send_piece(
        &self,
        state: &mut State,
        mut piece: Bytes,
        last: Option<u32>,
    ) -> Result<Answer, Failure> {
        let mut attempt = 1;
        loop {
            let end = state.sent + piece.len() as u64;
            let total = last.map_or("*".to_owned(), |_| end.to_string());
            let range = match piece.len() {
                0 => format!("bytes */{total}"),
                _ => format!("bytes {}-{}/{total}", state.sent, end - 1),
            };
            let mut headers = vec![("content-range", range)];
            headers.extend(last.map(|sum| ("x-goog-hash", format!("crc32c={}", crc32c_text(sum)))));
            let sending = send(&self.api, "PUT", &self.url, &headers, piece.clone().into());
            let (sent, ended) = with_call_context(None, sending).await;
            let failure = match sent {
                Ok(answer) if last.is_some() == (answer.status != 308) => {
                    state.sent = end;
                    return Ok(answer);
                }
                Ok(answer) => {
                    let message = format!("{} is no answer to a piece of an upload", answer.status);
                    Failure::Write(WriteError::Transient { message, retry_after: None })
                }
                // The upload is over, or forgotten: a new one sends the object again.
                Err(error) if matches!(ended.last, Some(Outcome::Answered { status: 404 | 410, .. })) => {
                    let said = message(&error, &ended);
                    let message = format!("the store does not know the upload any more: {said}");
                    return Err(Failure::Write(WriteError::Transient { message, retry_after: None }));
                }
                Err(error) => classify(&error, &ended),
            };
            let Failure::Write(WriteError::Transient { retry_after, .. }) = &failure else {
                return Err(failure);
            };
            if attempt == MAX_PART_ATTEMPTS {
                return Err(failure);
            }
            pause(backoff(attempt, jitter(), *retry_after)).await;
            attempt += 1;
            match self.taken().await {
                Some(Taken::All(answer)) if last.is_some() => return Ok(answer),
                Some(Taken::Bytes(taken)) if taken >= state.sent && taken <= end => {
                    let skip = usize::try_from(taken - state.sent).unwrap_or(0);
                    let _ = piece.split_to(skip.min(piece.len()));
                    state.sent = taken;
                }
                Some(Taken::All(_) | Taken::Bytes(_)) | None => {}
            }
        }
    }

    /// Asks how much the store has taken; `None` where it does not say.
    async fn taken(&self) -> Option<Taken> {
        let headers = [("content-range", "bytes */*".to_owned())];
        let asking = send(&self.api, "PUT", &self.url, &headers, Vec::new().into());
        let answer = with_call_context(None, asking).await.0.ok()?;
        if answer.status != 308 {
            return Some(Taken::All(answer));
        }
        let last = answer.header("range").and_then(|range| range.strip_prefix("bytes=0-"));
        Some(Taken::Bytes(last.map_or(Some(0), |last| last.parse::<u64>().ok()?.checked_add(1))?))
    }
}

/// State of an upload in the store.
enum Taken {
    /// Everything: its object is there.
    All(Answer),
    /// So many bytes.
    Bytes(u64),
}
