//! Patterns that begin with another pattern.
//!
//! Where a pattern matches, all of its prefixes match. A few patterns with a
//! common prefix that is itself a pattern are therefore not looked for on their
//! own: they are compared where the prefix was found. The forms of one secret
//! are such a group: base64 with and without padding, in lines, whole.

use super::gram::has_grams;
use super::patterns::Selection;

/// No pattern has this number.
pub(super) const NONE: u32 = u32::MAX;

/// Maximum number of extensions compared one by one wherever their prefix matches.
const MAX_EXTENSIONS: usize = 16;

/// The prefix relation between patterns, by their numbers.
pub(super) struct PrefixGroups {
    /// The longest other pattern that is a prefix of each, or [`NONE`].
    shorter: Box<[u32]>,
    /// The number of patterns directly behind each that are found through it, with those
    /// left out among them.
    extensions: Box<[u8]>,
    /// Whether each is found through another one.
    is_extension: Box<[bool]>,
}

impl PrefixGroups {
    pub(super) fn new(selection: Selection<'_>) -> Self {
        let shorter = shorter(selection);
        let mut longer = vec![0; shorter.len()];
        for (id, shorter) in shorter.iter().enumerate().rev() {
            if *shorter != NONE {
                let shorter = *shorter as usize;
                longer[shorter] = longer[shorter].max(id - shorter + longer[id]);
            }
        }
        let leads = |id: u32| longer[id as usize] <= MAX_EXTENSIONS && has_grams(selection.patterns.get(id));
        let is_extension: Box<[bool]> =
            shorter.iter().map(|shorter| *shorter != NONE && leads(*shorter)).collect();
        let extensions = (0..)
            .zip(&is_extension)
            .map(|(id, is_extension)| if *is_extension || !leads(id) { 0 } else { longer[id as usize] })
            .map(|count| u8::try_from(count).unwrap_or(0))
            .collect();
        Self { shorter, extensions, is_extension }
    }

    /// Returns the longest pattern that is a proper prefix of this one, or [`NONE`].
    pub(super) fn shorter(&self, pattern: u32) -> u32 {
        self.shorter[pattern as usize]
    }

    /// Returns the patterns to compare where this one matches: all that begin
    /// with it, unless they are looked for on their own.
    pub(super) fn extensions(&self, pattern: u32) -> std::ops::Range<u32> {
        pattern + 1..pattern + 1 + u32::from(self.extensions[pattern as usize])
    }

    /// Returns whether it is found through another one.
    pub(super) fn is_extension(&self, pattern: u32) -> bool {
        self.is_extension[pattern as usize]
    }

    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.shorter) + size_of_val(&*self.extensions) + size_of_val(&*self.is_extension)
    }
}

fn shorter(selection: Selection<'_>) -> Box<[u32]> {
    let patterns = selection.patterns;
    let mut shorter = vec![NONE; patterns.len()].into_boxed_slice();
    let mut open: Vec<u32> = Vec::new();
    for (id, pattern) in selection.iter() {
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
