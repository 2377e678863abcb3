//! Parts of a value that stand for it where it was shortened.
//!
//! Tools cut long values in the middle or at an end. A part of such a value is
//! looked for like any pattern; where it stands, the text before and behind it is
//! compared with the value, as far as both are equal.

use super::gram::has_grams;
use super::patterns::{Pattern, Patterns, Surroundings};
use super::prefix_groups::PrefixGroups;
use zeroize::Zeroizing;

/// Work of comparing one value, beside its bytes, in units of about a nanosecond.
const COMPARE_WORK: usize = 8;

/// Parts and their surroundings, while patterns are not numbered.
#[derive(Default)]
pub(super) struct UnnumberedExcerpts(Vec<(Zeroizing<Vec<u8>>, Surroundings)>);

impl UnnumberedExcerpts {
    /// Notes the surroundings of a pattern that has some.
    pub(super) fn push(&mut self, pattern: &mut Pattern) {
        if let Some(surroundings) = pattern.take_surroundings().filter(|_| has_grams(pattern.bytes())) {
            self.0.push((Zeroizing::new(pattern.bytes().to_vec()), surroundings));
        }
    }

    /// Replaces each part by its number.
    pub(super) fn numbered(mut self, patterns: &Patterns) -> Excerpts {
        self.0.sort_unstable_by(|a, b| a.0.as_slice().cmp(&b.0));
        let mut from = 0;
        let numbered = self.0.into_iter().filter_map(|(bytes, surroundings)| {
            // Both are in ascending order.
            from = patterns.number(&bytes, from)?;
            Some((from, surroundings))
        });
        Excerpts(numbered.collect())
    }
}

/// All parts of values by the numbers of their patterns, in ascending order.
pub(super) struct Excerpts(Vec<(u32, Surroundings)>);

impl Excerpts {
    fn of(&self, pattern: u32) -> &[(u32, Surroundings)] {
        let from = self.0.partition_point(|excerpt| excerpt.0 < pattern);
        let count = self.0[from..].iter().take_while(|excerpt| excerpt.0 == pattern).count();
        &self.0[from..from + count]
    }

    /// Returns whether there is none at all.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether this pattern is a part of a value.
    #[inline]
    pub(super) fn has(&self, pattern: u32) -> bool {
        !self.0.is_empty() && !self.of(pattern).is_empty()
    }

    /// Returns the range around a match of this pattern that belongs to a value, and
    /// the work of comparing.
    pub(super) fn around(
        &self,
        pattern: u32,
        text: &[u8],
        start: usize,
        end: usize,
    ) -> (usize, usize, usize) {
        self.of(pattern).iter().fold((start, end, 0), |(from, to, done), (_, surroundings)| {
            let (before, behind) = surroundings.reach(text, start, end);
            let work = COMPARE_WORK + before + behind;
            (from.min(start - before), to.max(end + behind), done + work)
        })
    }

    /// Returns the most bytes before the start of this pattern, and from its start on,
    /// that are masked where it is found, with the patterns found through it.
    pub(super) fn extent(&self, pattern: u32, patterns: &Patterns, groups: &PrefixGroups) -> (usize, usize) {
        groups.extensions(pattern).chain([pattern]).fold((0, 0), |(before, after), id| {
            let length = patterns.get(id).len();
            let of = if self.is_empty() { &[] } else { self.of(id) };
            let before_it = of.iter().map(|excerpt| excerpt.1.before.len()).max().unwrap_or(0);
            let behind_it = of.iter().map(|excerpt| excerpt.1.behind.len()).max().unwrap_or(0);
            (before.max(before_it), after.max(length + behind_it))
        })
    }

    pub(super) fn memory(&self) -> usize {
        let bytes = self.0.iter().map(|(_, of)| of.before.capacity() + of.behind.capacity()).sum::<usize>();
        self.0.capacity() * size_of::<(u32, Surroundings)>() + bytes
    }
}
