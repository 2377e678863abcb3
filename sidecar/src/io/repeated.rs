//! Warnings that a job can cause in any number: of each kind the first hundred are written,
//! and the others are counted.

use std::collections::BTreeMap;

/// Warnings of one kind that are written.
const MAX_WRITTEN: u64 = 100;

/// Upper bound on the kinds that are told apart.
const MAX_KINDS: usize = 100;

/// The kind of all others.
const OTHERS: &str = "another reason";

/// Counts warnings by their kind: the words of a reason up to the first number in it.
#[derive(Debug, Default)]
pub(super) struct Repeated(BTreeMap<Box<str>, u64>);

impl Repeated {
    /// Counts a warning with this reason; returns whether it is to be written.
    pub(super) fn admits(&mut self, reason: &str) -> bool {
        let words = reason.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default().trim_end();
        let kind = if self.0.len() < MAX_KINDS || self.0.contains_key(words) { words } else { OTHERS };
        let count = self.0.entry(kind.into()).or_default();
        *count += 1;
        *count <= MAX_WRITTEN
    }

    /// Returns each kind with records that were not written, and their number; forgets
    /// all kinds.
    pub(super) fn take_unwritten(&mut self) -> impl Iterator<Item = (Box<str>, u64)> + use<> {
        let all = std::mem::take(&mut self.0).into_iter();
        all.filter(|(_, count)| *count > MAX_WRITTEN).map(|(kind, count)| (kind, count - MAX_WRITTEN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i8_a_hundred_of_each_kind_are_written_and_the_rest_is_counted() {
        let mut repeated = Repeated::default();
        let long = |number: u64| format!("its key would have {number} bytes");
        let written = (0..1000).filter(|number| repeated.admits(&long(*number))).count();
        assert_eq!(written, 100);
        assert!(repeated.admits("it is a socket"));
        let left: Vec<_> = repeated.take_unwritten().collect();
        assert_eq!(left, [("its key would have".into(), 900)]);
        assert_eq!(repeated.take_unwritten().count(), 0);
    }

    #[test]
    fn i8_kinds_without_number_are_one_kind() {
        let mut repeated = Repeated::default();
        let word = |number: u32| {
            (0..8).map(|bit| if number >> bit & 1 == 1 { 'a' } else { 'b' }).collect::<String>()
        };
        for number in 0..256 {
            repeated.admits(&word(number));
        }
        assert!(repeated.0.len() <= MAX_KINDS + 1, "{}", repeated.0.len());
        assert_eq!(repeated.take_unwritten().collect::<Vec<_>>(), [(OTHERS.into(), 56)]);
    }
}
