//! What an earlier sidecar of the same job has delivered, by the bucket's own
//! manifest. One that is restarted need not send large objects again that are
//! there. The log volume, which is hostile, is never asked.

use super::flight::Place;
use super::store::Store;
use super::transfer::Stored;
use flate2::read::GzDecoder;
use futures::FutureExt;
use futures::future::{LocalBoxFuture, Shared};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::HashMap;
use std::fmt;
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
        serde_json::from_slice::<Document>(text).map(|document| document.0).unwrap_or_default()
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

/// A manifest, of which only the objects are kept, and of them only those that
/// are stored as their source was.
struct Document(Earlier);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Document;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a manifest")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Document, A::Error> {
                let mut objects = Objects::default();
                while let Some(name) = members.next_key::<String>()? {
                    if name == "objects" {
                        objects = members.next_value()?;
                    } else {
                        members.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Document(Earlier(objects.0)))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[derive(Default)]
struct Objects(HashMap<Box<str>, Claim>);

impl<'de> Deserialize<'de> for Objects {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements;
        impl<'de> Visitor<'de> for Elements {
            type Value = Objects;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of objects")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Objects, A::Error> {
                let mut objects = Objects::default();
                while let Some(claim) = list.next_element::<Claim>()? {
                    if *claim.state == *"stored" {
                        objects.0.insert(claim.key.clone(), claim);
                    }
                }
                Ok(objects)
            }
        }
        deserializer.deserialize_seq(Elements)
    }
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
