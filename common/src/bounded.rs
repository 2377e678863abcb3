//! Lists in documents of ours of which only the first members are kept.
//!
//! Whoever can write to a destination can forge what is read from it: the others of a million
//! members are counted, not held.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// The first `MAX` members of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct First<T, const MAX: usize> {
    /// The members in their order.
    pub kept: Vec<T>,
    /// Number of further ones.
    pub left_out: usize,
}

/// Reads a list and keeps its first `MAX` members.
pub fn first<'de, const MAX: usize, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    First::<T, MAX>::deserialize(deserializer).map(|first| first.kept)
}

/// Reads an object and keeps its first `MAX` members.
pub fn first_members<'de, const MAX: usize, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    deserializer.deserialize_map(Members::<T, MAX>(PhantomData))
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for First<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(List(PhantomData))
    }
}

struct List<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for List<T, MAX> {
    type Value = First<T, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut first = First { kept: Vec::new(), left_out: 0 };
        while first.kept.len() < MAX {
            match list.next_element()? {
                Some(member) => first.kept.push(member),
                None => return Ok(first),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            first.left_out += 1;
        }
        Ok(first)
    }
}

struct Members<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Members<T, MAX> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut first = BTreeMap::new();
        while first.len() < MAX {
            let Some((name, value)) = members.next_entry()? else { return Ok(first) };
            first.insert(name, value);
        }
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_members_are_counted() {
        let read = |text: &str| serde_json::from_str::<First<u8, 2>>(text).expect("a list");
        assert_eq!(read("[1, 2]"), First { kept: vec![1, 2], left_out: 0 });
        // They need not even be of the type.
        assert_eq!(read("[1, 2, {}, [3], 4]"), First { kept: vec![1, 2], left_out: 3 });
        let mut json = serde_json::Deserializer::from_str(r#"{"b": 1, "a": 2, "c": 3}"#);
        let members = first_members::<2, u8, _>(&mut json).expect("an object");
        assert_eq!(members.into_iter().collect::<Vec<_>>(), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    }
}
