//! Patterns that begin with another one.
//!
//! Where a pattern stands, all that are beginnings of it stand too. A few
//! patterns that begin with the same one are therefore not looked for by
//! themselves: they are compared where that one was found. Forms of one secret
//! are such a family: base64 with and without padding, in lines, whole.

use super::patterns::Patterns;
use super::runs::is_run;
use super::short::GRAM_BYTES;

/// No pattern has this number.
pub(super) const NONE: u32 = u32::MAX;

/// So many are compared one after another wherever the first one stands.
const MOST: u32 = 16;

/// Which patterns are beginnings of which, by their numbers.
pub(super) struct Families {
    /// The longest other pattern that is a beginning of each, or [`NONE`].
    shorter: Box<[u32]>,
    /// How many patterns directly behind each are found by it.
    followers: Box<[u8]>,
    /// Whether each is found by another one.
    is_follower: Box<[bool]>,
}

impl Families {
    pub(super) fn new(patterns: &Patterns) -> Self {
        let shorter = shorter(patterns);
        let mut longer = vec![0_u32; shorter.len()];
        for (id, shorter) in shorter.iter().enumerate().rev() {
            if *shorter != NONE {
                longer[*shorter as usize] += longer[id] + 1;
            }
        }
        let leads = |id: u32| longer[id as usize] <= MOST && has_grams(patterns.get(id));
        let is_follower: Box<[bool]> =
            shorter.iter().map(|shorter| *shorter != NONE && leads(*shorter)).collect();
        let followers = (0..)
            .zip(&is_follower)
            .map(|(id, is_follower)| if *is_follower || !leads(id) { 0 } else { longer[id as usize] })
            .map(|count| u8::try_from(count).unwrap_or(0))
            .collect();
        Self { shorter, followers, is_follower }
    }

    /// The longest pattern that is a proper beginning of this one, or [`NONE`].
    pub(super) fn shorter(&self, pattern: u32) -> u32 {
        self.shorter[pattern as usize]
    }

    /// The patterns to compare where this one stands: all that begin with it,
    /// unless they are looked for by themselves.
    pub(super) fn followers(&self, pattern: u32) -> std::ops::Range<u32> {
        pattern + 1..pattern + 1 + u32::from(self.followers[pattern as usize])
    }

    /// Whether it is found by another one.
    pub(super) fn is_follower(&self, pattern: u32) -> bool {
        self.is_follower[pattern as usize]
    }

    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.shorter) + size_of_val(&*self.followers) + size_of_val(&*self.is_follower)
    }
}

/// Whether a pattern is found by its grams.
pub(super) fn has_grams(pattern: &[u8]) -> bool {
    pattern.len() >= GRAM_BYTES && !is_run(pattern)
}

fn shorter(patterns: &Patterns) -> Box<[u32]> {
    let mut shorter = vec![NONE; patterns.len()].into_boxed_slice();
    let mut open: Vec<u32> = Vec::new();
    for (id, pattern) in patterns.iter() {
        if open.last().is_some_and(|last| patterns.is_exact(*last) != patterns.is_exact(id)) {
            open.clear();
        }
        while open.last().is_some_and(|last| !pattern.starts_with(patterns.get(*last))) {
            open.pop();
        }
        if let Some(last) = open.last() {
            shorter[id as usize] = *last;
        }
        open.push(id);
    }
    shorter
}
