//! What an earlier sidecar of the same job has delivered, by the bucket's own
//! manifest. One that is restarted need not send large objects again that are
//! there. The log volume, which is hostile, is never asked.

use super::flight::{Context, Place};
use super::source::Source;
use super::store::Store;
use super::transfer::{self, Stored, Upload};
use flate2::read::GzDecoder;
use futures::FutureExt;
use futures::future::{LocalBoxFuture, Shared};
use serde::Deserialize;
use std::collections::HashMap;
use std::io::Read;
use std::rc::Rc;
use std::time::Duration;

/// A manifest that is larger than this, unpacked, is not looked into.
const LARGEST: u64 = 16 << 20;

/// Nothing waits longer than this for a store that may be slow to read from.
const WITHIN: Duration = Duration::from_secs(5);

/// The objects that a manifest says are stored, by their keys.
#[derive(Debug, Default)]
pub struct Earlier(HashMap<Box<str>, Claim>);

/// What a manifest says of an object.
#[derive(Debug, Deserialize)]
struct Claim {
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

/// The manifest, read when it is first asked for.
pub type Reading = Shared<LocalBoxFuture<'static, Rc<Earlier>>>;

/// Will read the manifest with this key, once. Whatever keeps it from being read
/// means that everything is sent: nothing there, no permission, no JSON.
pub fn reading(place: Rc<Place>, key: String) -> Reading {
    async move {
        let Place::Store(store) = &*place else { return Rc::default() };
        let text = tokio::time::timeout(WITHIN, text(store, &key)).await.ok().flatten();
        Rc::new(text.map_or_else(Earlier::default, |text| Earlier::parse(&text)))
    }
    .boxed_local()
    .shared()
}

async fn text(store: &Store, key: &str) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut take = |block: &[u8]| {
        text.extend_from_slice(block);
        text.len() as u64 <= LARGEST
    };
    let head = store.read_through(key, &mut take).await.ok()??;
    if head.content_encoding.as_deref() != Some("gzip") {
        return Some(text);
    }
    let mut unpacked = Vec::new();
    GzDecoder::new(text.as_slice()).take(LARGEST + 1).read_to_end(&mut unpacked).ok()?;
    Some(unpacked)
}

impl Earlier {
    fn parse(text: &[u8]) -> Self {
        if text.len() as u64 > LARGEST {
            return Self::default();
        }
        let Ok(document) = serde_json::from_slice::<Document>(text) else { return Self::default() };
        let stored = document.objects.into_iter().filter(|claim| *claim.state == *"stored");
        Self(stored.map(|claim| (claim.key.clone(), claim)).collect())
    }

    /// Whether the manifest tells of an object from a source of this size.
    pub fn knows(&self, key: &str, source_bytes: u64) -> bool {
        self.0.get(key).is_some_and(|claim| claim.source_bytes == source_bytes)
    }

    /// Whether what would be stored is what the manifest says is there.
    pub fn claims(&self, key: &str, stored: &Stored) -> bool {
        self.0.get(key).is_some_and(|claim| {
            claim.source_bytes == stored.source_bytes
                && claim.stored_bytes == stored.stored_bytes
                && *claim.stored_crc32c == *common::report::crc32c_text(stored.stored_crc32c)
                && claim.content_type.as_deref() == stored.content_type.as_deref()
                && claim.content_encoding.as_deref() == stored.content_encoding.as_deref()
        })
    }
}

/// A manifest, as far as it is of interest here.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    objects: Vec<Claim>,
}

/// What an earlier sidecar has stored, when an attempt would store just that and
/// the store still has it.
pub async fn there(context: &Context, store: &Store, upload: &Upload) -> Option<Stored> {
    let Source::File(file) = &upload.source else { return None };
    // To copy a file takes as long as to compare it.
    if !store.keeps_attributes() {
        return None;
    }
    let earlier = context.earlier.clone().await;
    // Whatever cannot be opened, read or asked is told by the attempt that follows.
    if !earlier.knows(&upload.key, file.open().ok()?.stamp().size) {
        return None;
    }
    let stored = transfer::checksum_only(upload, context.censor.as_ref()).await.ok()?;
    let same = !stored.changed && earlier.claims(&upload.key, &stored);
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
        let earlier = Earlier::parse(MANIFEST.as_bytes());
        assert!(earlier.knows("a", 9) && earlier.claims("a", &stored()));
        assert!(!earlier.knows("a", 8) && !earlier.knows("b", 9) && !earlier.knows("c", 0));
        for differing in [
            Stored { source_bytes: 8, ..stored() },
            Stored { stored_bytes: 8, ..stored() },
            Stored { stored_crc32c: 1, ..stored() },
            Stored { content_type: None, ..stored() },
            Stored { content_encoding: None, ..stored() },
        ] {
            assert!(!earlier.claims("a", &differing), "{differing:?}");
        }
    }

    #[test]
    fn what_is_no_manifest_knows_nothing() {
        for text in ["", "[]", "{\"objects\":3}", "{\"objects\":[3]}", "null"] {
            assert!(Earlier::parse(text.as_bytes()).0.is_empty(), "{text}");
        }
        let large = vec![b' '; usize::try_from(LARGEST).expect("it fits") + 1];
        assert!(Earlier::parse(&large).0.is_empty());
    }
}
