//! The memory that listed objects take, for the share that a listing has of it.

use super::object::{ItemPath, Origin, Wanted};
use crate::deliver::Key;

/// Bytes of an object without its names: its place in the plan, in the order of keys and
/// in the queue, the record of what was stored, and what the allocator adds. Measured:
/// 230 with a hundred thousand files.
const OBJECT_BYTES: usize = 256;

/// Bytes of a shared directory, and of a path of its own, beside their texts.
const SHARED_BYTES: usize = 64;

/// Sums up what objects take, one after another: neighbours share their directory.
#[derive(Debug, Default)]
pub(super) struct Weigher {
    key: Option<Key>,
    path: Option<ItemPath>,
}

impl Weigher {
    /// Returns the bytes that an object takes beside those before it.
    pub(super) fn weigh(&mut self, wanted: &Wanted) -> usize {
        let mut bytes = OBJECT_BYTES + wanted.key.name_bytes();
        if !self.key.as_ref().is_some_and(|last| last.is_beside(&wanted.key)) {
            bytes += SHARED_BYTES + wanted.key.directory_bytes();
            self.key = Some(wanted.key.clone());
        }
        match &wanted.source {
            Origin::Item { path: Some(path), .. } => {
                bytes += SHARED_BYTES + path.name_bytes();
                if !self.path.as_ref().is_some_and(|last| last.is_beside(path)) {
                    bytes += SHARED_BYTES + path.directory_bytes();
                    self.path = Some(ItemPath::clone(path));
                }
            }
            Origin::Document(content) => bytes += content.len(),
            Origin::Item { path: None, .. } | Origin::Compressed(_) | Origin::Log(_) => {}
        }
        bytes
    }

    /// As [`weigh`](Self::weigh), for one that is not sent, with the reason.
    pub(super) fn weigh_refused(&mut self, (wanted, reason): &(Wanted, String)) -> usize {
        self.weigh(wanted) + reason.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::Class;
    use crate::io::listing::document;

    #[test]
    fn i8_a_directory_counts_once() {
        let long = "d".repeat(4000);
        let mut weigher = Weigher::default();
        let first = document(format!("{long}/1"), Class::Artifact, "".into());
        let alone = weigher.weigh(&first);
        assert!(alone > 4000);
        let key = Key::beside(Some(&first.key), &format!("{long}/2"));
        let beside = Wanted { key, ..first.clone() };
        assert!(weigher.weigh(&beside) < 300);
        let elsewhere = Wanted { key: Key::new(&format!("{long}/3")), ..first };
        assert_eq!(weigher.weigh(&elsewhere), alone, "a copy of its own");
    }
}
