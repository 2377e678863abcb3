//! Media types by number: very many objects have few types, and what is
//! remembered of each has no room for a text of its own.

use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, PoisonError};

/// Types are the built-in ones and those of the options and the image's
/// databases: far fewer than numbers.
static KINDS: Mutex<Vec<Arc<str>>> = Mutex::new(Vec::new());

/// What is beyond the numbers, which no sensible database reaches.
const UNKNOWN: &str = "application/octet-stream";

/// A media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind(NonZeroU16);

impl Kind {
    /// The number of a type.
    pub fn of(text: &str) -> Self {
        let mut kinds = KINDS.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kinds.iter().position(|kind| **kind == *text).unwrap_or_else(|| {
            kinds.push(text.into());
            kinds.len() - 1
        });
        Self(u16::try_from(at + 1).ok().and_then(NonZeroU16::new).unwrap_or(NonZeroU16::MAX))
    }

    /// The type.
    pub fn text(self) -> Arc<str> {
        let kinds = KINDS.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.get(usize::from(self.0.get()) - 1).map_or_else(|| UNKNOWN.into(), Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_one_number_and_comes_back() {
        let (plain, other) = (Kind::of("text/plain; charset=utf-8"), Kind::of("image/of-this-test"));
        assert_ne!(plain, other);
        assert_eq!(Kind::of("image/of-this-test"), other);
        assert_eq!(&*other.text(), "image/of-this-test");
        assert_eq!(&*plain.text(), "text/plain; charset=utf-8");
    }
}
