//! Patterns of about one length: looked for at every n-th place of the text.
//!
//! A gram is taken of the text at every `stride`-th place. As many grams stand
//! for each pattern, one for each remainder of its places by the stride, so
//! that wherever the pattern stands one of them is met, and only one.

use super::anchor::{Census, Choice};
use super::crowd::{Crowd, LARGE, Looked, search};
use super::family::{Families, has_grams};
use super::filter::{Filter, passes};
use super::gram::{Width, check, hash};
use super::patterns::Patterns;
use super::short::GRAM_BYTES;
use super::table::{Entry, Table};
use super::verify::Verifier;
use std::ops::Range;

/// More grams than this would not pay in time what they cost in memory.
const MOST_GRAMS: usize = 1 << 20;

/// Larger strides would not pay: reading the text takes longer then.
const MOST_STRIDE: usize = 16;

/// Places of the text that are looked at before what they gave is looked up:
/// many places are waited for together, whatever the cache misses.
const BLOCK: usize = 512;

/// From this length on patterns have the wide grams, which tell more.
const WIDE_FROM: usize = 8;

const WIDE: Width = Width::new(6);
const NARROW: Width = Width::new(GRAM_BYTES);

/// So many patterns can have narrow grams and still be told from most text.
const NARROW_PATTERNS: usize = 10_000;

/// Classes of patterns by their lengths, with the width of their grams: as few
/// as can be, because each looks at the whole text.
pub(super) fn classes(patterns: &Patterns, families: &Families) -> Vec<Class> {
    let has_narrow = patterns.iter().any(|(_, pattern)| (GRAM_BYTES..WIDE_FROM).contains(&pattern.len()));
    let classes = match (has_narrow, patterns.len() > NARROW_PATTERNS) {
        (false, _) => vec![(WIDE_FROM..usize::MAX, WIDE)],
        (true, false) => vec![(GRAM_BYTES..usize::MAX, NARROW)],
        (true, true) => vec![(GRAM_BYTES..WIDE_FROM, NARROW), (WIDE_FROM..usize::MAX, WIDE)],
    };
    classes
        .into_iter()
        .filter_map(|(lengths, width)| Class::new(patterns, families, &lengths, width))
        .collect()
}

/// The patterns of one class.
pub(super) struct Class {
    width: Width,
    stride: usize,
    filter: Filter,
    table: Table,
    crowd: Crowd,
    /// Most bytes of a pattern before one of its grams.
    before: usize,
    /// Most bytes of a pattern from one of its grams on.
    after: usize,
}

/// A pattern of a class.
struct Member<'a> {
    id: u32,
    pattern: &'a [u8],
    /// The length of the longest pattern that is found by it.
    longest: usize,
}

impl Class {
    /// `None` when no pattern belongs to it.
    fn new(patterns: &Patterns, families: &Families, lengths: &Range<usize>, width: Width) -> Option<Self> {
        let is_member = |id, pattern: &[u8]| {
            lengths.contains(&pattern.len()) && has_grams(pattern) && !families.is_follower(id)
        };
        let members = || patterns.iter().filter(|(id, pattern)| is_member(*id, pattern));
        let longest = |id| {
            let followers = families.followers(id).map(|id| patterns.get(id).len());
            followers.max().unwrap_or(0)
        };
        let shortest = members().map(|(_, pattern)| pattern.len()).min()?;
        let count = members().count();
        let stride = (shortest + 1 - width.bytes()).min(MOST_STRIDE).min((MOST_GRAMS / count).max(1));
        let census = Census::new(members().map(|(_, pattern)| pattern), width);
        let members = || members().map(|(id, pattern)| Member { id, pattern, longest: longest(id) });
        let class = Self::with_stride(members(), count, &census, width, stride);
        // One byte that differs is in all grams of `width` places beside each other.
        if class.table.largest() > LARGE && stride > width.bytes() {
            return Some(Self::with_stride(members(), count, &census, width, width.bytes()));
        }
        Some(class)
    }

    fn with_stride<'a>(
        members: impl Iterator<Item = Member<'a>>,
        count: usize,
        census: &Census,
        width: Width,
        stride: usize,
    ) -> Self {
        let (mut grams, mut before, mut after) = (Vec::with_capacity(count * stride), 0, 0);
        let mut chosen = vec![Choice::default(); stride];
        for Member { id, pattern, longest } in members {
            census.choose(pattern, &mut chosen);
            for choice in &chosen {
                before = before.max(choice.place);
                after = after.max(pattern.len().max(longest) - choice.place);
                let gram = width.at(pattern, choice.place);
                grams.push((gram, Entry::new(gram, id, choice.place)));
            }
        }
        let mut filter = Filter::new(grams.len());
        for (gram, _) in &grams {
            filter.insert(hash(*gram));
        }
        let mut table = Table::new(&grams);
        let crowd = Crowd::new(&mut table);
        Self { width, stride, filter, table, crowd, before, after }
    }

    /// Most bytes that are held back before the next place to look at.
    pub(super) fn before(&self) -> usize {
        self.before
    }

    /// Looks at every place from `from` on whose matches the window holds to
    /// their ends, and returns the first place it did not look at.
    pub(super) fn scan(&self, from: usize, end: bool, verifier: &mut Verifier<'_>) -> usize {
        let window = verifier.window();
        let needed = if end { self.width.bytes() } else { self.after };
        let Some(last) = window.len().checked_sub(needed) else { return from };
        let mut passed = [0; BLOCK];
        let mut candidates = Vec::new();
        let (mut at, mut work, mut without_crowd) = (from, 0, None);
        while at <= last {
            let places = ((last - at) / self.stride + 1).min(BLOCK);
            let count = self.sift(window, at, places, &mut passed);
            if count > 0 {
                for &place in &passed[..count] {
                    work += self.look_up(place, without_crowd.is_some(), verifier, &mut candidates);
                }
                candidates.retain(|(pattern, start)| verifier.may_stand(*pattern, *start));
                for (pattern, start) in candidates.drain(..) {
                    verifier.candidate(pattern, start);
                }
            }
            at += places * self.stride;
            if without_crowd.is_none()
                && self.crowd.takes_over(work, (at - from) / self.stride, verifier.patterns())
            {
                without_crowd = Some(at);
            }
        }
        if let Some(from) = without_crowd {
            self.crowd.find(from.saturating_sub(self.before), verifier);
        }
        at
    }

    /// Puts the places that pass the filter to the front of `found` and returns how many there are.
    fn sift(&self, window: &[u8], from: usize, places: usize, found: &mut Found) -> usize {
        let whole = self.sift_whole(window, from, places, found);
        let (mut at, end) = (from + whole.places * self.stride, from + places * self.stride);
        let mut count = whole.found;
        while at < end {
            if passes(self.filter.words(), hash(self.width.at(window, at))) != 0 {
                found[count] = at;
                count += 1;
            }
            at += self.stride;
        }
        count
    }

    /// The same for as many places as can be looked at four at a time.
    fn sift_whole(&self, window: &[u8], from: usize, places: usize, found: &mut Found) -> Sifted {
        let (words, mask) = (self.filter.words(), self.width.mask());
        match self.stride {
            1 => sift_whole::<1>(words, mask, window, from, places, found),
            2 => sift_whole::<2>(words, mask, window, from, places, found),
            3 => sift_whole::<3>(words, mask, window, from, places, found),
            4 => sift_whole::<4>(words, mask, window, from, places, found),
            5 => sift_whole::<5>(words, mask, window, from, places, found),
            6 => sift_whole::<6>(words, mask, window, from, places, found),
            7 => sift_whole::<7>(words, mask, window, from, places, found),
            8 => sift_whole::<8>(words, mask, window, from, places, found),
            9 => sift_whole::<9>(words, mask, window, from, places, found),
            10 => sift_whole::<10>(words, mask, window, from, places, found),
            11 => sift_whole::<11>(words, mask, window, from, places, found),
            12 => sift_whole::<12>(words, mask, window, from, places, found),
            13 => sift_whole::<13>(words, mask, window, from, places, found),
            14 => sift_whole::<14>(words, mask, window, from, places, found),
            15 => sift_whole::<15>(words, mask, window, from, places, found),
            16 => sift_whole::<16>(words, mask, window, from, places, found),
            _ => Sifted { places: 0, found: 0 },
        }
    }

    /// Collects the patterns that may stand around a place, and returns how much work that was.
    fn look_up(
        &self,
        at: usize,
        without_crowd: bool,
        verifier: &mut Verifier<'_>,
        candidates: &mut Vec<(u32, usize)>,
    ) -> usize {
        let gram = self.width.at(verifier.window(), at);
        let bucket = self.table.bucket(hash(gram));
        if without_crowd && bucket.len() > LARGE {
            return 0;
        }
        let check = check(gram);
        match search(bucket, check, at, verifier, candidates) {
            Looked::Searched(work) => work,
            Looked::Small => {
                for entry in bucket.iter().filter(|entry| entry.check() == check) {
                    candidates.extend(at.checked_sub(entry.place()).map(|start| (entry.pattern(), start)));
                }
                0
            }
        }
    }

    pub(super) fn memory(&self) -> usize {
        self.filter.memory() + self.table.memory() + self.crowd.memory()
    }
}

/// Places that passed the filter.
type Found = [usize; BLOCK];

/// How many places were looked at, and how many of them passed.
struct Sifted {
    places: usize,
    found: usize,
}

/// With the stride known to the compiler, four places cost one check of bounds.
#[inline(never)]
fn sift_whole<const STRIDE: usize>(
    words: &[u64],
    mask: u64,
    window: &[u8],
    from: usize,
    places: usize,
    found: &mut Found,
) -> Sifted {
    let mut sifted = Sifted { places: 0, found: 0 };
    let mut at = from;
    while sifted.places + 4 <= places {
        let Some(four) = window.get(at..at + 3 * STRIDE + 8) else { break };
        let passes = [0, 1, 2, 3].map(|index| {
            let mut word = [0; 8];
            word.copy_from_slice(&four[index * STRIDE..index * STRIDE + 8]);
            passes(words, hash(u64::from_le_bytes(word) & mask))
        });
        if passes[0] | passes[1] | passes[2] | passes[3] != 0 {
            for (index, passes) in passes.into_iter().enumerate() {
                found[sifted.found % BLOCK] = at + index * STRIDE;
                sifted.found += usize::from(passes != 0);
            }
        }
        at += 4 * STRIDE;
        sifted.places += 4;
    }
    sifted
}
