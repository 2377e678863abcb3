//! Patterns of about one length: looked for at every n-th place of the text.
//!
//! A gram is taken of the text at every `stride`-th place. Every pattern is
//! anchored at as many grams beside each other, so that wherever it stands one
//! of them is met, and only one.

use super::anchor::Census;
use super::filter::Filter;
use super::gram::{Width, check, hash};
use super::patterns::Patterns;
use super::table::{Entry, Table};
use super::verify::Verifier;
use std::ops::Range;

/// More entries than this would not pay in time what they cost in memory.
const MOST_ENTRIES: usize = 1 << 19;

/// Larger buckets are sorted and searched.
const CROWD: usize = 8;

/// Classes by the length of their patterns, with the width of their grams:
/// wide ones tell more, narrow ones allow larger strides.
pub(super) const CLASSES: [(Range<usize>, Width); 3] =
    [(super::short::GRAM_BYTES..8, Width::new(4)), (8..14, Width::new(6)), (14..usize::MAX, Width::new(8))];

/// The patterns of one class.
pub(super) struct Class {
    width: Width,
    stride: usize,
    filter: Filter,
    table: Table,
    /// Most bytes of a pattern before a gram of its anchor.
    before: usize,
    /// Most bytes of a pattern from its anchor on.
    after: usize,
}

impl Class {
    /// `None` when no pattern has such a length. Sets the anchors of those that have.
    pub(super) fn new(
        patterns: &Patterns,
        lengths: &Range<usize>,
        width: Width,
        anchors: &mut [u16],
    ) -> Option<Self> {
        let members = || patterns.iter().filter(|(_, pattern)| lengths.contains(&pattern.len()));
        let shortest = members().map(|(_, pattern)| pattern.len()).min()?;
        let count = members().count();
        let stride =
            (shortest + 1 - width.bytes()).min(Entry::MOST_DISTANCE).min((MOST_ENTRIES / count).max(1));
        let census = Census::new(members().map(|(_, pattern)| pattern), width);
        let (mut costs, mut before, mut after) = (Vec::new(), 0, 0);
        for (id, pattern) in members() {
            let anchor = census.anchor(pattern, stride, &mut costs);
            before = before.max(anchor + stride - 1);
            after = after.max(pattern.len() - anchor);
            anchors[id as usize] = u16::try_from(anchor).expect("anchors lie near the front");
        }
        let anchors = &*anchors;
        let grams = || {
            members().flat_map(|(id, pattern)| {
                let anchor = usize::from(anchors[id as usize]);
                (0..stride).map(move |distance| {
                    let gram = width.at(pattern, anchor + distance);
                    (gram, Entry::new(gram, id, distance))
                })
            })
        };
        let mut filter = Filter::new(count * stride);
        grams().for_each(|(gram, _)| filter.insert(hash(gram)));
        let mut table = Table::new(count * stride, grams);
        table.buckets_mut(|bucket| {
            if bucket.len() > CROWD {
                bucket
                    .sort_unstable_by_key(|entry| (entry.check(), offset(*entry, anchors), entry.pattern()));
            }
        });
        Some(Self { width, stride, filter, table, before, after })
    }

    /// Most bytes that are held back before the next place to look at.
    pub(super) fn before(&self) -> usize {
        self.before
    }

    /// Looks at every place from `from` on whose matches the window holds to
    /// their ends, and returns the first place it did not look at.
    pub(super) fn scan(&self, from: usize, end: bool, rest: &Rest<'_>, verifier: &mut Verifier<'_>) -> usize {
        let window = verifier.window();
        let needed = if end { self.width.bytes() } else { self.after };
        let Some(last) = window.len().checked_sub(needed) else { return from };
        let stride = self.stride;
        let mut at = from;
        // Four at a time, while whole words can be read.
        let whole = last.min(window.len().saturating_sub(8)).checked_sub(3 * stride);
        while whole.is_some_and(|whole| at <= whole) {
            let places = [at, at + stride, at + 2 * stride, at + 3 * stride];
            let passes = places.map(|place| self.filter.passes(hash(self.width.at(window, place))));
            if passes[0] | passes[1] | passes[2] | passes[3] != 0 {
                for (place, passes) in places.into_iter().zip(passes) {
                    if passes != 0 {
                        self.examine(place, rest, verifier);
                    }
                }
            }
            at += 4 * stride;
        }
        while at <= last {
            if self.filter.passes(hash(self.width.at(window, at))) != 0 {
                self.examine(at, rest, verifier);
            }
            at += stride;
        }
        at
    }

    /// Compares the patterns that may stand around a place.
    fn examine(&self, at: usize, rest: &Rest<'_>, verifier: &mut Verifier<'_>) {
        let gram = self.width.at(verifier.window(), at);
        let bucket = self.table.bucket(hash(gram));
        let check = check(gram);
        if bucket.len() > CROWD {
            crowd(bucket, check, at, rest, verifier);
            return;
        }
        for entry in bucket.iter().filter(|entry| entry.check() == check) {
            if let Some(start) = at.checked_sub(offset(*entry, rest.anchors)) {
                verifier.candidate(entry.pattern(), start);
            }
        }
    }

    pub(super) fn memory(&self) -> usize {
        self.filter.memory() + self.table.memory()
    }
}

/// What classes know of all patterns together.
pub(super) struct Rest<'a> {
    /// Where each pattern's anchor begins.
    pub(super) anchors: &'a [u16],
    /// The longest pattern that is a beginning of each, or `u32::MAX`.
    pub(super) shorter: &'a [u32],
}

fn offset(entry: Entry, anchors: &[u16]) -> usize {
    usize::from(anchors[entry.pattern() as usize]) + entry.distance()
}

/// Searches a large sorted bucket: patterns that would start at the same place
/// are looked up together.
fn crowd(bucket: &[Entry], check: u32, at: usize, rest: &Rest<'_>, verifier: &mut Verifier<'_>) {
    let from = bucket.partition_point(|entry| entry.check() < check);
    let mut entries = &bucket[from..bucket.partition_point(|entry| entry.check() <= check)];
    while let Some(first) = entries.first() {
        let offset_here = offset(*first, rest.anchors);
        let (here, others) =
            entries.split_at(entries.partition_point(|entry| offset(*entry, rest.anchors) == offset_here));
        entries = others;
        let Some(start) = at.checked_sub(offset_here) else { continue };
        match here {
            [one] => verifier.candidate(one.pattern(), start),
            many => verifier.longest(many, start, rest.shorter),
        }
    }
}
