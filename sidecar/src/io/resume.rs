//! Resuming after a restart: the bucket's own manifest names what an earlier
//! sidecar of the same job has delivered, so that large objects need not be sent
//! again. The log volume, which is hostile, is never asked.

use super::panics::caught;
use super::source::Source;
use super::store::Store;
use super::transfer::{self, Stored, Upload};
use crate::censor::Censor;
use flate2::read::GzDecoder;
use futures::FutureExt;
use futures::future::{LocalBoxFuture, Shared};
use serde::Deserialize;
use std::collections::HashMap;
use std::io::Read;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A manifest that is larger than this, unpacked, is ignored.
const MAX_BYTES: u64 = 16 << 20;

/// A store that is slower to read from is not asked further.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// The objects that a manifest says are stored, by their keys.
#[derive(Debug, Default)]
pub struct PreviousManifest(HashMap<Box<str>, ManifestEntry>);

/// One object of a manifest.
#[derive(Debug, Deserialize)]
struct ManifestEntry {
    #[serde(default)]
    key: Box<str>,
    #[serde(default)]
    state: Box<str>,
    #[serde(default)]
    source_bytes: u64,
    #[serde(default)]
    stored_bytes: u64,
    #[serde(default)]
    stored_crc32c: Box<str>,
    #[serde(default)]
    content_type: Option<Box<str>>,
    #[serde(default)]
    content_encoding: Option<Box<str>>,
}

/// A manifest that is read when it is first asked for.
pub type LazyManifest = Shared<LocalBoxFuture<'static, Rc<PreviousManifest>>>;

/// Reads the manifest with this key, once, when it is first asked for. Where it
/// cannot be read, for whatever reason, everything is sent.
pub fn read_lazily(store: Option<Rc<Store>>, key: String) -> LazyManifest {
    async move {
        let Some(store) = store else { return Rc::default() };
        // A panic in a shared future would be one in everybody who waits for it.
        let manifest = caught(async {
            let text = tokio::time::timeout(READ_TIMEOUT, text(&store, &key)).await.ok().flatten();
            text.map_or_else(PreviousManifest::default, |text| PreviousManifest::parse(&text))
        });
        Rc::new(manifest.await.unwrap_or_default())
    }
    .boxed_local()
    .shared()
}

async fn text(store: &Store, key: &str) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut take = |block: &[u8]| {
        text.extend_from_slice(block);
        text.len() as u64 <= MAX_BYTES
    };
    let head = store.read_through(key, &mut take).await.ok()??;
    if head.content_encoding.as_deref() != Some("gzip") {
        return Some(text);
    }
    let mut unpacked = Vec::new();
    GzDecoder::new(text.as_slice()).take(MAX_BYTES + 1).read_to_end(&mut unpacked).ok()?;
    Some(unpacked)
}

impl PreviousManifest {
    fn parse(text: &[u8]) -> Self {
        if text.len() as u64 > MAX_BYTES {
            return Self::default();
        }
        let Ok(document) = serde_json::from_slice::<Document>(text) else { return Self::default() };
        let stored = document.objects.into_iter().filter(|entry| *entry.state == *"stored");
        Self(stored.map(|entry| (entry.key.clone(), entry)).collect())
    }

    /// Returns whether the manifest names an object from a source of this size.
    pub fn knows(&self, key: &str, source_bytes: u64) -> bool {
        self.0.get(key).is_some_and(|entry| entry.source_bytes == source_bytes)
    }

    /// Returns whether what would be stored is what the manifest says is there.
    pub fn claims(&self, key: &str, stored: &Stored) -> bool {
        self.0.get(key).is_some_and(|entry| {
            entry.source_bytes == stored.source_bytes
                && entry.stored_bytes == stored.stored_bytes
                && *entry.stored_crc32c == *common::report::crc32c_text(stored.stored_crc32c)
                && entry.content_type.as_deref() == stored.content_type.as_deref()
                && entry.content_encoding.as_deref() == stored.content_encoding.as_deref()
        })
    }
}

/// The part of a manifest that is of interest here.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    objects: Vec<ManifestEntry>,
}

/// Returns what an earlier sidecar has stored, when an attempt would store exactly
/// that and the store still has it.
pub async fn already_stored(
    previous: &LazyManifest,
    store: &Store,
    upload: &Upload,
    censor: Option<&Arc<Censor>>,
) -> Option<Stored> {
    let Source::File(file) = &upload.source else { return None };
    // To copy a file takes as long as to compare it.
    if !store.keeps_attributes() {
        return None;
    }
    let previous = previous.clone().await;
    // The attempt that follows reports whatever cannot be opened, read or asked.
    if !previous.knows(&upload.key, file.open().ok()?.stamp().size) {
        return None;
    }
    let stored = transfer::checksum_only(upload, censor).await.ok()?;
    let same = !stored.changed && previous.claims(&upload.key, &stored);
    let head = if same { store.head(&upload.key).await.ok()?? } else { return None };
    (head.bytes == stored.stored_bytes).then_some(stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> Stored {
        Stored {
            source_bytes: 9,
            source_crc32c: 1,
            stored_bytes: 7,
            stored_crc32c: 0xf1e2_d3c4,
            censored: 0,
            note: None,
            changed: false,
            content_type: Some("text/plain; charset=utf-8".to_owned()),
            content_encoding: Some("gzip".to_owned()),
            version: None,
            source_stamp: None,
        }
    }

    const MANIFEST: &str = r#"{"version":1,"unknown":[{"objects":1}],"objects":[
        {"key":"a","state":"stored","source_bytes":9,"source_crc32c":"00000001","stored_bytes":7,
         "stored_crc32c":"f1e2d3c4","content_type":"text/plain; charset=utf-8","content_encoding":"gzip","more":{}},
        {"key":"b","state":"changed","source_bytes":9,"stored_bytes":7,"stored_crc32c":"f1e2d3c4"},
        {"key":"c","state":"failed","error":"x"}]}"#;

    #[test]
    fn only_the_very_same_object_counts_as_there() {
        let previous = PreviousManifest::parse(MANIFEST.as_bytes());
        assert!(previous.knows("a", 9) && previous.claims("a", &stored()));
        assert!(!previous.knows("a", 8) && !previous.knows("b", 9) && !previous.knows("c", 0));
        for differing in [
            Stored { source_bytes: 8, ..stored() },
            Stored { stored_bytes: 8, ..stored() },
            Stored { stored_crc32c: 1, ..stored() },
            Stored { content_type: None, ..stored() },
            Stored { content_encoding: None, ..stored() },
        ] {
            assert!(!previous.claims("a", &differing), "{differing:?}");
        }
    }

    #[test]
    fn what_is_no_manifest_knows_nothing() {
        for text in ["", "[]", "{\"objects\":3}", "{\"objects\":[3]}", "null"] {
            assert!(PreviousManifest::parse(text.as_bytes()).0.is_empty(), "{text}");
        }
        let large = vec![b' '; usize::try_from(MAX_BYTES).expect("it fits") + 1];
        assert!(PreviousManifest::parse(&large).0.is_empty());
    }
}
