//! Patterns of similar length, looked for at every n-th place of the text.
//!
//! A gram of the text is examined at every `stride`-th place. Each pattern is
//! represented by `stride` grams, one for each remainder of their places modulo
//! the stride, so that wherever it stands exactly one of them is examined.

use super::anchor::{Census, Choice};
use super::dense_buckets::{DenseBuckets, MAX_SPARSE, MAX_UNSORTED, search};
use super::excerpts::Excerpts;
use super::filter::{Filter, passes};
use super::gram::{GRAM_BYTES, Width, check, has_grams, hash, long_check};
use super::patterns::Selection;
use super::prefix_groups::PrefixGroups;
use super::table::{Entry, Table};
use super::verify::Verifier;
use std::ops::Range;
use std::sync::OnceLock;

/// Upper bound on the number of grams; more would save less time than they cost memory.
const MAX_GRAMS: usize = 1 << 20;

/// Upper bound on the stride; beyond it reading the text takes longest.
const MAX_STRIDE: usize = 16;

/// Number of places filtered before those that pass are looked up, so that their
/// cache misses overlap.
const BLOCK_PLACES: usize = 512;

/// Minimum length of patterns with wide grams, which are more selective.
const MIN_WIDE_BYTES: usize = 8;

/// Work of looking up a place, and of a candidate, in units of about a nanosecond.
const LOOK_UP_WORK: usize = 4;
const CANDIDATE_WORK: usize = 8;

/// Number of places looked up between two checks of the budget.
const PLACES_BETWEEN_CHECKS: usize = 64;

const WIDE: Width = Width::new(6);
const NARROW: Width = Width::new(GRAM_BYTES);

/// Maximum number of patterns that narrow grams still distinguish from most text.
const MAX_NARROW_PATTERNS: usize = 10_000;

/// Divides the patterns into classes by length: as few as possible, because each
/// examines the whole text.
pub(super) fn classes(
    selection: Selection<'_>,
    prefix_groups: &PrefixGroups,
    excerpts: &Excerpts,
) -> Vec<LengthClass> {
    let has_narrow =
        selection.iter().any(|(_, pattern)| (GRAM_BYTES..MIN_WIDE_BYTES).contains(&pattern.len()));
    let classes = match (has_narrow, selection.iter().count() > MAX_NARROW_PATTERNS) {
        (false, _) => vec![(MIN_WIDE_BYTES..usize::MAX, WIDE)],
        (true, false) => vec![(GRAM_BYTES..usize::MAX, NARROW)],
        (true, true) => vec![(GRAM_BYTES..MIN_WIDE_BYTES, NARROW), (MIN_WIDE_BYTES..usize::MAX, WIDE)],
    };
    classes
        .into_iter()
        .filter_map(|(lengths, width)| {
            LengthClass::new(selection, (prefix_groups, excerpts), &lengths, width)
        })
        .collect()
}

/// The patterns of one range of lengths.
pub(super) struct LengthClass {
    width: Width,
    stride: usize,
    filter: Filter,
    table: Table,
    dense: DenseBuckets,
    /// Maximum number of bytes of a match before a gram.
    before: usize,
    /// Maximum number of bytes of a match from a gram on.
    after: usize,
    /// The bytes to mask around the grams of each bucket when comparing takes too
    /// long; computed on demand.
    extents: OnceLock<Box<[Extent]>>,
}

/// Maximum numbers of bytes before and from a gram on, of the patterns of a bucket.
#[derive(Clone, Copy, Default)]
struct Extent {
    before: u32,
    after: u32,
}

/// A pattern of a length class.
struct Member<'a> {
    id: u32,
    pattern: &'a [u8],
    /// The most bytes that are masked before its start, and from there on, where it
    /// is found.
    extent: (usize, usize),
}

impl LengthClass {
    /// Builds the class; `None` when no pattern belongs to it.
    fn new(
        selection: Selection<'_>,
        (prefix_groups, excerpts): (&PrefixGroups, &Excerpts),
        lengths: &Range<usize>,
        width: Width,
    ) -> Option<Self> {
        let is_member = |id, pattern: &[u8]| {
            lengths.contains(&pattern.len()) && has_grams(pattern) && !prefix_groups.is_extension(id)
        };
        let members = || selection.iter().filter(|(id, pattern)| is_member(*id, pattern));
        let shortest = members().map(|(_, pattern)| pattern.len()).min()?;
        let count = members().count();
        let stride = (shortest + 1 - width.bytes()).min(MAX_STRIDE).min((MAX_GRAMS / count).max(1));
        let census = Census::new(members().map(|(_, pattern)| pattern), width);
        let extent = |id| excerpts.extent(id, selection.patterns, prefix_groups);
        let members = || members().map(|(id, pattern)| Member { id, pattern, extent: extent(id) });
        let class = Self::with_stride(members(), count, &census, width, stride);
        // A byte that differs is part of the grams at `width` adjacent places.
        if class.table.largest() > MAX_SPARSE && stride > width.bytes() {
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
        for Member { id, pattern, extent } in members {
            census.choose(pattern, &mut chosen);
            for choice in &chosen {
                before = before.max(extent.0 + choice.place);
                after = after.max(extent.1 - choice.place);
                let gram = width.at(pattern, choice.place);
                let long = long_check(pattern, choice.place);
                grams.push((gram, Entry::new(long.unwrap_or(check(gram)), id, choice.place)));
            }
        }
        let mut filter = Filter::new(grams.len());
        for (gram, _) in &grams {
            filter.insert(hash(*gram));
        }
        let mut table = Table::new(&grams);
        let dense = DenseBuckets::new(&mut table);
        Self { width, stride, filter, table, dense, before, after, extents: OnceLock::new() }
    }

    /// Maximum number of bytes held back before the next place to examine.
    pub(super) fn before(&self) -> usize {
        self.before
    }

    /// Examines every place from `from` on whose matches the window contains to
    /// their ends, and returns the first place it did not examine.
    ///
    /// Text that exceeds the budget of the dense buckets is left to their automata,
    /// text that exceeds the verifier's is masked wherever a gram of a pattern
    /// stands: that takes linear time, and shows nothing.
    pub(super) fn scan(&self, from: usize, end: bool, verifier: &mut Verifier<'_>) -> usize {
        let window = verifier.window();
        let needed = if end { self.width.bytes() } else { self.after };
        let Some(last) = window.len().checked_sub(needed) else { return from };
        verifier.allow_work((last + 1).saturating_sub(from));
        let mut passed = [0; BLOCK_PLACES];
        let mut candidates = Vec::new();
        let (mut at, mut without_dense) = (from, None);
        'blocks: while at <= last {
            let places = ((last - at) / self.stride + 1).min(BLOCK_PLACES);
            let count = self.filter_block(window, at, places, &mut passed);
            for places in passed[..count].chunks(PLACES_BETWEEN_CHECKS) {
                for &place in places {
                    self.look_up(place, without_dense.is_some(), verifier, &mut candidates);
                }
                Self::compare(&mut candidates, verifier);
                if without_dense.is_none()
                    && self.dense.takes_over(verifier.dense_work(), at - from, verifier.patterns())
                {
                    without_dense = Some(at);
                    verifier.leave_dense();
                    continue 'blocks;
                }
                if verifier.is_exhausted() {
                    return self.mask_unverified(without_dense.unwrap_or(at), last, verifier);
                }
            }
            at += places * self.stride;
        }
        if let Some(first) = without_dense {
            self.dense.find(first.saturating_sub(self.before), verifier);
            if verifier.is_exhausted() {
                return self.mask_unverified(first, last, verifier);
            }
        }
        at
    }

    /// Compares candidates until the verifier is exhausted, and removes all.
    fn compare(candidates: &mut Vec<(u32, usize)>, verifier: &mut Verifier<'_>) {
        verifier.spend(CANDIDATE_WORK * candidates.len());
        candidates.retain(|(pattern, start)| verifier.may_match(*pattern, *start));
        for (pattern, start) in candidates.drain(..) {
            if verifier.is_exhausted() {
                return;
            }
            verifier.candidate(pattern, start);
        }
    }

    /// Masks whatever can be part of a match, by the grams alone; otherwise as
    /// [`scan`](Self::scan).
    fn mask_unverified(&self, from: usize, last: usize, verifier: &mut Verifier<'_>) -> usize {
        let extents = self.extents.get_or_init(|| self.extents(verifier));
        let window = verifier.window();
        let mut passed = [0; BLOCK_PLACES];
        let mut at = from;
        while at <= last {
            let places = ((last - at) / self.stride + 1).min(BLOCK_PLACES);
            let count = self.filter_block(window, at, places, &mut passed);
            for &place in &passed[..count] {
                let Extent { before, after } = extents[self.table.index(hash(self.width.at(window, place)))];
                if after > 0 {
                    verifier.mask_unverified(place.saturating_sub(before as usize), place + after as usize);
                }
            }
            at += places * self.stride;
        }
        at
    }

    fn extents(&self, verifier: &Verifier<'_>) -> Box<[Extent]> {
        let extent = |bucket: &[Entry]| {
            bucket.iter().fold(Extent::default(), |extent, entry| {
                let (before, after) = verifier.extent(entry.pattern());
                let (before, after) = (before + entry.place(), after - entry.place());
                Extent {
                    before: extent.before.max(u32::try_from(before).unwrap_or(u32::MAX)),
                    after: extent.after.max(u32::try_from(after).unwrap_or(u32::MAX)),
                }
            })
        };
        self.table.buckets().map(extent).collect()
    }

    /// Collects the places that pass the filter in `found` and returns their number.
    fn filter_block(&self, window: &[u8], from: usize, places: usize, found: &mut Found) -> usize {
        let whole = self.filter_in_fours(window, from, places, found);
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

    /// Filters as many places as can be examined four at a time.
    fn filter_in_fours(&self, window: &[u8], from: usize, places: usize, found: &mut Found) -> Filtered {
        let (words, mask) = (self.filter.words(), self.width.mask());
        match self.stride {
            1 => filter_in_fours::<1>(words, mask, window, from, places, found),
            2 => filter_in_fours::<2>(words, mask, window, from, places, found),
            3 => filter_in_fours::<3>(words, mask, window, from, places, found),
            4 => filter_in_fours::<4>(words, mask, window, from, places, found),
            5 => filter_in_fours::<5>(words, mask, window, from, places, found),
            6 => filter_in_fours::<6>(words, mask, window, from, places, found),
            7 => filter_in_fours::<7>(words, mask, window, from, places, found),
            8 => filter_in_fours::<8>(words, mask, window, from, places, found),
            9 => filter_in_fours::<9>(words, mask, window, from, places, found),
            10 => filter_in_fours::<10>(words, mask, window, from, places, found),
            11 => filter_in_fours::<11>(words, mask, window, from, places, found),
            12 => filter_in_fours::<12>(words, mask, window, from, places, found),
            13 => filter_in_fours::<13>(words, mask, window, from, places, found),
            14 => filter_in_fours::<14>(words, mask, window, from, places, found),
            15 => filter_in_fours::<15>(words, mask, window, from, places, found),
            16 => filter_in_fours::<16>(words, mask, window, from, places, found),
            _ => Filtered { places: 0, found: 0 },
        }
    }

    /// Collects the patterns that may match around a place.
    fn look_up(
        &self,
        at: usize,
        without_dense: bool,
        verifier: &mut Verifier<'_>,
        candidates: &mut Vec<(u32, usize)>,
    ) {
        let window = verifier.window();
        let gram = self.width.at(window, at);
        let bucket = self.table.bucket(hash(gram));
        verifier.spend(LOOK_UP_WORK);
        for check in [Some(check(gram)), long_check(window, at)].into_iter().flatten() {
            if bucket.len() > MAX_UNSORTED {
                if !(without_dense && self.dense.contains(check)) {
                    search(bucket, check, at, verifier, candidates);
                }
                continue;
            }
            for entry in bucket.iter().filter(|entry| entry.check() == check) {
                candidates.extend(at.checked_sub(entry.place()).map(|start| (entry.pattern(), start)));
            }
        }
    }

    pub(super) fn memory(&self) -> usize {
        let extents = self.extents.get().map_or(0, |extents| size_of_val(&**extents));
        self.filter.memory() + self.table.memory() + self.dense.memory() + extents
    }
}

/// Places that passed the filter.
type Found = [usize; BLOCK_PLACES];

/// The number of places filtered, and of those that passed.
struct Filtered {
    places: usize,
    found: usize,
}

/// Filters four places per bounds check, with a stride known to the compiler.
#[inline(never)]
fn filter_in_fours<const STRIDE: usize>(
    words: &[u64],
    mask: u64,
    window: &[u8],
    from: usize,
    places: usize,
    found: &mut Found,
) -> Filtered {
    let mut filtered = Filtered { places: 0, found: 0 };
    let mut at = from;
    while filtered.places + 4 <= places {
        let Some(four) = window.get(at..at + 3 * STRIDE + 8) else { break };
        let passes = [0, 1, 2, 3].map(|index| {
            let mut word = [0; 8];
            word.copy_from_slice(&four[index * STRIDE..index * STRIDE + 8]);
            passes(words, hash(u64::from_le_bytes(word) & mask))
        });
        if passes[0] | passes[1] | passes[2] | passes[3] != 0 {
            for (index, passes) in passes.into_iter().enumerate() {
                found[filtered.found % BLOCK_PLACES] = at + index * STRIDE;
                filtered.found += usize::from(passes != 0);
            }
        }
        at += 4 * STRIDE;
        filtered.places += 4;
    }
    filtered
}
