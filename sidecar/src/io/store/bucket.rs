//! The client of a bucket, and what it stores beside an object's bytes.

use object_store::list::PaginatedListStore;
use object_store::multipart::MultipartStore;
use object_store::{Attribute, Attributes, ObjectStore};
use std::fmt::Write;

/// A client of a bucket: objects in one piece, and in parts; listings page by page.
pub(super) trait Bucket: ObjectStore + MultipartStore + PaginatedListStore {}

impl<T: ObjectStore + MultipartStore + PaginatedListStore> Bucket for T {}

/// An object's attributes beside its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::io) struct Properties {
    pub(in crate::io) content_type: String,
    pub(in crate::io) content_encoding: Option<&'static str>,
    pub(in crate::io) metadata: Vec<(String, String)>,
}

/// The provider, where stores differ: preconditions on completions, checksums,
/// names of metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    S3,
    Gcs,
    Azure,
}

impl Properties {
    /// Returns the properties as the library has them, under names that the store takes.
    pub(super) fn attributes(&self, dialect: Dialect) -> Attributes {
        let mut attributes = Attributes::new();
        if !self.content_type.is_empty() {
            attributes.insert(Attribute::ContentType, self.content_type.clone().into());
        }
        if let Some(encoding) = self.content_encoding {
            attributes.insert(Attribute::ContentEncoding, encoding.into());
        }
        for (name, value) in &self.metadata {
            let (name, value) = match dialect {
                Dialect::Gcs => (name.clone(), value.clone()),
                Dialect::S3 => (path_escaped(&name.to_lowercase()), path_escaped(value)),
                Dialect::Azure => (identifier(name), path_escaped(value)),
            };
            attributes.insert(Attribute::Metadata(name.into()), value.into());
        }
        attributes
    }
}

/// Escapes as Go's `url.PathEscape`, which upstream's S3 client applies to
/// metadata (U-72).
fn path_escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+=:@".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

/// Converts a name to an identifier of C#, which Azure's metadata requires.
fn identifier(name: &str) -> String {
    name.replace(|c: char| !c.is_ascii_alphanumeric(), "_").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_escaped_as_upstream_does_on_s3() {
        assert_eq!(path_escaped("gs://bucket/a b"), "gs:%2F%2Fbucket%2Fa%20b");
        assert_eq!(path_escaped("x-goog-meta-link"), "x-goog-meta-link");
        assert_eq!(identifier("X-Goog-Meta-Link"), "x_goog_meta_link");
    }
}
