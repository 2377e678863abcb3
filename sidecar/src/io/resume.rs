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
use job_page::manifest::{self, Object};
use std::collections::HashMap;
use std::io::Read;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A manifest that is larger than this, unpacked, is ignored.
const MAX_BYTES: u64 = 16 << 20;

/// The part of `delivery.memory` that a manifest may take as it is stored, and once more
/// what is kept of it: the job decides how large it is.
const MEMORY_DIVISOR: u64 = 16;

/// Smaller objects are sent again rather than asked about.
const MIN_OBJECT_BYTES: u64 = 1 << 20;

/// A store that is slower to read from is not asked further.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// The large objects that a manifest says are stored, by their keys.
#[derive(Debug, Default)]
pub struct PreviousManifest(HashMap<Box<str>, StoredObject>);

/// An object as a manifest describes it.
#[derive(Debug)]
struct StoredObject {
    source_bytes: u64,
    stored_bytes: u64,
    stored_crc32c: Box<str>,
    content_type: Option<Box<str>>,
    content_encoding: Option<Box<str>>,
}

/// A manifest that is read when it is first asked for.
pub type LazyManifest = Shared<LocalBoxFuture<'static, Rc<PreviousManifest>>>;

/// Reads the manifest with this key, once, when it is first asked for, into a part of
/// `memory`, which is `delivery.memory` in bytes. Where it cannot be read, for whatever
/// reason, everything is sent.
pub fn read_lazily(store: Option<Rc<Store>>, key: String, memory: u64) -> LazyManifest {
    async move {
        let Some(store) = store else { return Rc::default() };
        let room = usize::try_from(memory / MEMORY_DIVISOR).unwrap_or(usize::MAX);
        // A panic in a shared future would be one in everybody who waits for it.
        let manifest = caught(async {
            let read = tokio::time::timeout(READ_TIMEOUT, read(&store, &key, room));
            read.await.ok().flatten().unwrap_or_default()
        });
        Rc::new(manifest.await.unwrap_or_default())
    }
    .boxed_local()
    .shared()
}

async fn read(store: &Store, key: &str, room: usize) -> Option<PreviousManifest> {
    let (mut stored, mut is_whole) = (Vec::new(), true);
    let mut take = |block: &[u8]| {
        is_whole = stored.len() + block.len() <= room;
        if is_whole {
            stored.extend_from_slice(block);
        }
        is_whole
    };
    let head = store.read_through(key, &mut take).await.ok()??;
    if !is_whole {
        return None;
    }
    let is_packed = head.content_encoding.as_deref() == Some("gzip");
    let text: &mut dyn Read = if is_packed { &mut GzDecoder::new(&stored[..]) } else { &mut &stored[..] };
    Some(PreviousManifest::parse(text, room))
}

impl PreviousManifest {
    /// Reads a manifest as a stream, and keeps what fits into `room` bytes.
    fn parse(text: &mut dyn Read, mut room: usize) -> Self {
        let mut known = Self::default();
        let read = manifest::read(text.take(MAX_BYTES), &mut |object| {
            let bytes = bytes_kept(&object);
            let is_of_use = object.is_stored() && object.source_bytes > MIN_OBJECT_BYTES;
            if is_of_use && bytes <= room {
                room -= bytes;
                known.0.insert(Box::from(object.key.as_str()), object.into());
            }
        });
        if read.is_ok() { known } else { Self::default() }
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

/// Returns the bytes that an object takes if it is kept: a map that grows has twice the room,
/// for a moment three times.
fn bytes_kept(object: &Object) -> usize {
    let optional = [&object.stored_crc32c, &object.content_type, &object.content_encoding];
    let texts = std::iter::once(&object.key).chain(optional.into_iter().flatten());
    3 * size_of::<(Box<str>, StoredObject)>() + texts.map(String::len).sum::<usize>()
}

impl From<Object> for StoredObject {
    fn from(object: Object) -> Self {
        Self {
            source_bytes: object.source_bytes,
            stored_bytes: object.stored_bytes.unwrap_or_default(),
            stored_crc32c: object.stored_crc32c.unwrap_or_default().into(),
            content_type: object.content_type.map(Into::into),
            content_encoding: object.content_encoding.map(Into::into),
        }
    }
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
            source_bytes: 9_000_000,
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
        {"key":"a","state":"stored","source_bytes":9000000,"source_crc32c":"00000001","stored_bytes":7,
         "stored_crc32c":"f1e2d3c4","content_type":"text/plain; charset=utf-8","content_encoding":"gzip","more":{}},
        {"key":"b","state":"changed","source_bytes":9000000,"stored_bytes":7,"stored_crc32c":"f1e2d3c4"},
        {"key":"c","state":"failed","error":"x"}]}"#;

    #[test]
    fn only_the_very_same_object_counts_as_there() {
        let previous = PreviousManifest::parse(&mut MANIFEST.as_bytes(), 1000);
        assert!(previous.knows("a", 9_000_000) && previous.claims("a", &stored()));
        assert!(
            !previous.knows("a", 8_000_000) && !previous.knows("b", 9_000_000) && !previous.knows("c", 0)
        );
        for differing in [
            Stored { source_bytes: 8_000_000, ..stored() },
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
        let late = MANIFEST.replace("]}", "],}");
        for text in ["", "[]", "{\"objects\":3}", "{\"objects\":[3]}", "null", &late] {
            assert!(PreviousManifest::parse(&mut text.as_bytes(), 1000).0.is_empty(), "{text}");
        }
        let large = format!("{}{MANIFEST}", " ".repeat(usize::try_from(MAX_BYTES).expect("it fits")));
        assert!(PreviousManifest::parse(&mut large.as_bytes(), 1000).0.is_empty());
    }

    #[test]
    fn i3_no_more_is_kept_than_there_is_room_for() {
        let object = |number: u32, bytes: u32| {
            format!(r#"{{"key":"{number:0100}","state":"stored","source_bytes":{bytes},"stored_bytes":7}}"#)
        };
        // A small object takes no room.
        let objects: Vec<_> =
            (0..10_000).flat_map(|n| [object(n, 1 << 20), object(n + 10_000, 1 << 21)]).collect();
        let manifest = format!(r#"{{"version":1,"objects":[{}]}}"#, objects.join(","));
        let parse = |room| PreviousManifest::parse(&mut manifest.as_bytes(), room);
        assert_eq!(parse(usize::MAX).0.len(), 10_000);
        let some = parse(1 << 20);
        let taken = some.0.capacity() * size_of::<(Box<str>, StoredObject)>() + 100 * some.0.len();
        assert!(taken <= 1 << 20 && some.0.len() > 1000, "{taken} bytes, {} objects", some.0.len());
        assert!(some.knows(&format!("{:0100}", 10_000), 1 << 21));
    }

    #[tokio::test]
    async fn i3_a_manifest_without_room_is_not_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let destination = crate::destination::Destination::LocalDir { root: dir.path().to_owned() };
        let store = Store::open(&destination, &crate::destination::Credentials::default()).expect("opened");
        std::fs::write(dir.path().join("manifest.json"), MANIFEST).expect("written");
        let store = Rc::new(store);
        let read = |memory| read_lazily(Some(Rc::clone(&store)), "manifest.json".to_owned(), memory);
        assert!(read(20 << 20).await.knows("a", 9_000_000));
        let tight = MEMORY_DIVISOR * MANIFEST.len() as u64;
        assert!(read(tight).await.knows("a", 9_000_000));
        assert!(!read(tight - 1).await.knows("a", 9_000_000));
    }
}
