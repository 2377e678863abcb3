//! Keys of objects, whose directories many share.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// The key of an object: its directory with the slash that ends it, and its last component.
///
/// A job can leave tens of thousands of files under one path of 4,096 bytes, which is kept
/// once: a lister makes each key [`beside`](Self::beside) the one before.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// A pointer of one word.
    directory: Arc<Box<str>>,
    name: Box<str>,
}

/// A text in two pieces.
pub(super) type Pieces<'a> = (&'a str, &'a str);

impl Key {
    /// Splits a text.
    pub fn new(text: &str) -> Self {
        let (directory, name) = split(text);
        Self { directory: Arc::new(directory.into()), name: name.into() }
    }

    /// Splits a text; where it has the directory of another key, shares it.
    #[must_use]
    pub fn beside(other: Option<&Self>, text: &str) -> Self {
        let (directory, name) = split(text);
        match other {
            Some(other) if **other.directory == *directory => {
                Self { directory: Arc::clone(&other.directory), name: name.into() }
            }
            Some(_) | None => Self::new(text),
        }
    }

    /// Returns whether they share their directory.
    pub fn is_beside(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.directory, &other.directory)
    }

    /// Returns the length of its directory.
    pub fn directory_bytes(&self) -> usize {
        self.directory.len()
    }

    /// Returns the length of its last component.
    pub fn name_bytes(&self) -> usize {
        self.name.len()
    }

    /// Returns whether its last component ends with this.
    pub fn has_suffix(&self, suffix: &str) -> bool {
        self.name.ends_with(suffix)
    }

    /// Returns its pieces.
    pub(super) fn pieces(&self) -> Pieces<'_> {
        (&self.directory, &self.name)
    }
}

fn split(text: &str) -> (&str, &str) {
    text.split_at(text.rfind('/').map_or(0, |slash| slash + 1))
}

/// Compares the texts that the pieces make.
pub(super) fn compare((a, then_a): Pieces<'_>, (b, then_b): Pieces<'_>) -> Ordering {
    if a.len() > b.len() {
        return compare((b, then_b), (a, then_a)).reverse();
    }
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let (then_a, then_b) = (then_a.as_bytes(), then_b.as_bytes());
    let (same, rest) = b.split_at(a.len());
    let beside_rest = || {
        let (now, later) = then_a.split_at(then_a.len().min(rest.len()));
        now.cmp(&rest[..now.len()])
            .then_with(|| if now.len() < rest.len() { Ordering::Less } else { later.cmp(then_b) })
    };
    a.cmp(same).then_with(beside_rest)
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.directory, &other.directory) {
            return self.name.cmp(&other.name);
        }
        compare(self.pieces(), other.pieces())
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq<str> for Key {
    fn eq(&self, other: &str) -> bool {
        self.pieces() == split(other)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.directory, self.name)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_of_one_directory_share_it() {
        let first = Key::new("a/long/directory/one");
        let second = Key::beside(Some(&first), "a/long/directory/two");
        assert!(Arc::ptr_eq(&first.directory, &second.directory));
        let other = Key::beside(Some(&first), "a/long/directory/two/three");
        assert!(!Arc::ptr_eq(&first.directory, &other.directory));
        assert_eq!(second.to_string(), "a/long/directory/two");
        assert_eq!(Key::beside(Some(&first), "name").to_string(), "name");
        assert!(size_of::<Key>() <= 24);
    }

    proptest! {
        #[test]
        fn keys_have_the_order_and_the_equality_of_their_texts(a in "[ab/é]{0,8}", b in "[ab/é]{0,8}", cut in 0..9_usize) {
            let (one, other) = (Key::new(&a), Key::new(&b));
            prop_assert_eq!(one.cmp(&other), a.cmp(&b));
            prop_assert_eq!(one == other, a == b);
            prop_assert_eq!(one == *b, a == b);
            prop_assert_eq!(one.to_string(), a.clone());
            let whole = (b.as_str(), "");
            prop_assert_eq!(compare(one.pieces(), whole), a.cmp(&b));
            if let Some(pieces) = b.split_at_checked(cut) {
                prop_assert_eq!(compare(one.pieces(), pieces), a.cmp(&b));
                prop_assert_eq!(compare(pieces, one.pieces()), b.cmp(&a));
            }
        }
    }
}
