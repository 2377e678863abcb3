//! Patterns that share their grams with many others.
//!
//! The entries of a large bucket are sorted, so that one binary search finds the
//! longest pattern that matches at a place. An adversarial text can still force
//! such a search, over long common parts, at every place; then an automaton over
//! these patterns alone takes over. It is built when first needed.

use super::patterns::Patterns;
use super::table::{Entry, Table};
use super::verify::Verifier;
use aho_corasick::{AhoCorasick, AhoCorasickKind, Input};
use std::sync::OnceLock;

/// Larger buckets are sorted and searched.
const MAX_UNSORTED: usize = 16;

/// Maximum number of patterns with the same start that are compared one by one.
const MAX_TRIED_SINGLY: usize = 8;

/// Larger buckets hold patterns that differ in less than a stride; the automaton
/// can take these over.
pub(super) const MAX_SPARSE: usize = 64;

/// Maximum total size of the patterns of an automaton.
const MAX_AUTOMATON_PATTERN_BYTES: usize = 256 * 1024;

/// Work allowed per window, and per place of it, in units of comparing 16 bytes:
/// searching may be about as slow as the automaton.
const MAX_WORK_PER_WINDOW: usize = 64 * 1024;
const MAX_WORK_PER_PLACE: usize = 64;

/// Work of one step of a binary search, beside the comparison.
const WORK_PER_STEP: usize = 8;

/// Maximum size of a full transition table, which is many times as fast as a
/// compact automaton.
const MAX_TABLE_BYTES: usize = 8 << 20;

/// The automata that take over. They contain bytes of their patterns, which are
/// not zeroed when they are dropped.
pub(super) struct DenseBuckets {
    members: Vec<u32>,
    automata: OnceLock<Option<Automata>>,
}

/// One for exact patterns, and one for folded ones.
struct Automata {
    exact: AhoCorasick,
    folded: AhoCorasick,
}

impl DenseBuckets {
    /// Sorts the large buckets of a table.
    pub(super) fn new(table: &mut Table) -> Self {
        let mut members = Vec::new();
        table.buckets_mut(|bucket| {
            if bucket.len() > MAX_UNSORTED {
                bucket.sort_unstable_by_key(|entry| (entry.check(), entry.place(), entry.pattern()));
            }
            if bucket.len() > MAX_SPARSE {
                members.extend(bucket.iter().map(|entry| entry.pattern()));
            }
        });
        members.sort_unstable();
        members.dedup();
        Self { members, automata: OnceLock::new() }
    }

    /// Returns whether the work done for `places` exceeds its budget, and the
    /// automaton can take over.
    pub(super) fn takes_over(&self, work: usize, places: usize, patterns: &Patterns) -> bool {
        work > MAX_WORK_PER_WINDOW + places * MAX_WORK_PER_PLACE && self.automata(patterns).is_some()
    }

    /// Finds all matches of its patterns that start at `from` or later.
    pub(super) fn find(&self, from: usize, verifier: &mut Verifier<'_>) {
        let (patterns, texts) = (verifier.patterns(), verifier.texts());
        let Some(automata) = self.automata(patterns) else { return };
        let mut find = |automaton: &AhoCorasick, members: &[u32], text: &[u8]| {
            for found in automaton.find_overlapping_iter(Input::new(text).range(from..)) {
                verifier.found(members[found.pattern().as_usize()], found.start());
            }
        };
        let (exact, folded) = self.members.split_at(exact_ones(&self.members, |id| *id, patterns));
        find(&automata.exact, exact, texts.plain());
        if automata.folded.patterns_len() > 0 {
            find(&automata.folded, folded, texts.folded());
        }
    }

    fn automata(&self, patterns: &Patterns) -> Option<&Automata> {
        let build = || {
            let all = || self.members.iter().map(|id| patterns.get(*id));
            if all().map(<[u8]>::len).sum::<usize>() > MAX_AUTOMATON_PATTERN_BYTES {
                return None;
            }
            let (exact, folded) = self.members.split_at(exact_ones(&self.members, |id| *id, patterns));
            Some(Automata { exact: automaton(exact, patterns)?, folded: automaton(folded, patterns)? })
        };
        self.automata.get_or_init(build).as_ref()
    }

    pub(super) fn memory(&self) -> usize {
        let automata = self.automata.get().and_then(Option::as_ref);
        let automata = automata.map_or(0, |both| both.exact.memory_usage() + both.folded.memory_usage());
        self.members.capacity() * size_of::<u32>() + automata
    }
}

/// Returns the number of exact patterns, which come first.
fn exact_ones<T>(sorted: &[T], id: impl Fn(&T) -> u32, patterns: &Patterns) -> usize {
    sorted.partition_point(|item| patterns.is_exact(id(item)))
}

fn automaton(members: &[u32], patterns: &Patterns) -> Option<AhoCorasick> {
    let all = || members.iter().map(|id| patterns.get(*id));
    let mut used = [false; 256];
    all().flatten().for_each(|byte| used[usize::from(*byte)] = true);
    let letters = used.iter().filter(|used| **used).count() + 1;
    let states = all().map(<[u8]>::len).sum::<usize>();
    let table = states.saturating_mul(letters.next_power_of_two() * size_of::<u32>());
    let kind = if table <= MAX_TABLE_BYTES { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
    AhoCorasick::builder().kind(Some(kind)).build(all()).ok()
}

/// The outcome of looking at a bucket.
pub(super) enum BucketSearch {
    /// Small: all its entries must be tried.
    Small,
    /// Searched, with this much work.
    Searched(usize),
}

/// Searches a bucket if it is sorted. Few patterns with the same start become
/// candidates.
pub(super) fn search(
    bucket: &[Entry],
    check: u32,
    at: usize,
    verifier: &mut Verifier<'_>,
    candidates: &mut Vec<(u32, usize)>,
) -> BucketSearch {
    if bucket.len() <= MAX_UNSORTED {
        return BucketSearch::Small;
    }
    let mut work = 0;
    let from = bucket.partition_point(|entry| entry.check() < check);
    let mut entries = &bucket[from..bucket.partition_point(|entry| entry.check() <= check)];
    while let Some(first) = entries.first() {
        let (here, others) =
            entries.split_at(entries.partition_point(|entry| entry.place() == first.place()));
        entries = others;
        let Some(start) = at.checked_sub(first.place()) else { continue };
        work += WORK_PER_STEP;
        let exact = exact_ones(here, |entry| entry.pattern(), verifier.patterns());
        for here in [&here[..exact], &here[exact..]] {
            if here.len() <= MAX_TRIED_SINGLY {
                candidates.extend(here.iter().map(|entry| (entry.pattern(), start)));
            } else {
                let steps = here.len().ilog2() as usize;
                work += steps * (WORK_PER_STEP + verifier.longest(here, start) / 16);
            }
        }
    }
    BucketSearch::Searched(work)
}
