//! The clients of a bucket: what the store refuses to one is done by the next.

use super::WriteError;
use super::bucket::Bucket;
use super::failure::{Failure, classify, message};
use super::http::{Ended, Extra, Outcome, with_call_context};
use super::refusable::{Refusable, may_refuse};
use super::upload::Upload;
use object_store::path::Path;
use object_store::{PutMultipartOptions, PutOptions, PutPayload, PutResult};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Codes of S3 that refuse the client whatever it asks for.
const RIGHTS: [&str; 3] = ["AccessDenied", "AccountProblem", "InvalidAccessKeyId"];

/// Failures that another attempt may cure and that are taken for nothing else: content that was
/// damaged on its way, a store that is out of order.
const MAX_TRANSIENT: u32 = 3;

/// The clients of a bucket.
#[derive(Debug)]
pub(super) struct Clients {
    store: Arc<dyn Bucket>,
    checksums: Option<Arc<Refusable>>,
    unsigned_parts: Option<Arc<Refusable>>,
    /// The store has taken an object with a checksum: it refuses none for that.
    takes_checksums: AtomicBool,
    /// Transient failures of objects with a checksum.
    transient: AtomicU32,
}

impl Clients {
    pub(super) fn new(store: Arc<dyn Bucket>) -> Self {
        Self {
            store,
            checksums: None,
            unsigned_parts: None,
            takes_checksums: AtomicBool::new(false),
            transient: AtomicU32::new(0),
        }
    }

    pub(super) fn with_checksums(self, client: Refusable) -> Self {
        Self { checksums: Some(Arc::new(client)), ..self }
    }

    pub(super) fn with_unsigned_parts(self, client: Option<Refusable>) -> Self {
        Self { unsigned_parts: client.map(Arc::new), ..self }
    }

    /// Returns the client that asks for nothing that a store may refuse.
    pub(super) fn store(&self) -> &Arc<dyn Bucket> {
        &self.store
    }

    /// Stores an object in one request, or in two where the store refuses the first.
    pub(super) async fn put(
        &self,
        path: &Path,
        content: PutPayload,
        options: PutOptions,
        extra: Option<Extra>,
    ) -> (object_store::Result<PutResult>, Ended) {
        let mut refusal = None;
        loop {
            let asking = self.checksums.as_ref().filter(|client| refusal.is_none() && client.is_in_use());
            let client = asking.map_or_else(|| Arc::clone(&self.store), |asking| asking.client());
            let put = client.put_opts(path, content.clone(), options.clone());
            let (result, ended) = with_call_context(extra.clone(), put).await;
            if asking.is_some() {
                match &result {
                    Ok(_) => self.takes_checksums.store(true, Ordering::Relaxed),
                    Err(error) => refusal = self.refusal(error, &ended),
                }
            }
            if asking.is_none() || refusal.is_none() {
                self.settle(refusal, &ended);
                return (result, ended);
            }
        }
    }

    /// Returns the error, if the store may have refused the checksum of an object.
    fn refusal(&self, error: &object_store::Error, ended: &Ended) -> Option<String> {
        let text = message(error, ended);
        let is_transient = matches!(classify(error, ended), Failure::Write(WriteError::Transient { .. }));
        let is_for_checksum = may_refuse(ended.last.as_ref())
            && !self.takes_checksums.load(Ordering::Relaxed)
            && !RIGHTS.iter().any(|code| text.contains(code));
        if is_for_checksum && is_transient && self.transient.fetch_add(1, Ordering::Relaxed) < MAX_TRANSIENT {
            return None;
        }
        is_for_checksum.then_some(text)
    }

    /// Sends no checksums any more where an object was refused with one and not without it.
    fn settle(&self, refusal: Option<String>, ended: &Ended) {
        let was_answered = matches!(ended.last, Some(Outcome::Answered { .. }));
        if let (Some(refusal), Some(checksums)) = (refusal, &self.checksums)
            && was_answered
            && !may_refuse(ended.last.as_ref())
        {
            checksums.give_up(&refusal);
        }
    }

    /// Starts an upload in parts.
    pub(super) async fn begin_upload(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> (object_store::Result<Upload>, Ended) {
        let mut refused = Vec::new();
        let clients = [&self.unsigned_parts, &self.checksums];
        for client in clients.into_iter().flatten().filter(|client| client.is_in_use()) {
            let store = client.client();
            let begin = store.create_multipart_opts(path, options.clone());
            match with_call_context(None, begin).await {
                (Ok(id), ended) => {
                    give_up(refused);
                    return (Ok(Upload::refusable(Arc::clone(client), path.clone(), id)), ended);
                }
                (Err(error), ended) if may_refuse(ended.last.as_ref()) => {
                    refused.push((client, message(&error, &ended)));
                }
                (Err(error), ended) => return (Err(error), ended),
            }
        }
        let (result, ended) = with_call_context(None, self.store.create_multipart_opts(path, options)).await;
        let begun = result.map(|id| {
            give_up(refused);
            Upload::named(Arc::clone(&self.store), path.clone(), id)
        });
        (begun, ended)
    }
}

/// Goes without what the store has refused, now that the same has succeeded without it.
fn give_up(refused: Vec<(&Arc<Refusable>, String)>) {
    for (client, error) in refused {
        client.give_up(&error);
    }
}
