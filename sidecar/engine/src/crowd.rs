//! Patterns that share their grams with many others.
//!
//! Their entries are sorted, so that one search finds the longest pattern that
//! stands at a place. A text can still be made that asks for such a search,
//! over long equal parts, at every place; an automaton over these patterns
//! alone takes over then. It is built when it is first needed.

use super::patterns::Patterns;
use super::table::{Entry, Table};
use super::verify::Verifier;
use aho_corasick::{AhoCorasick, AhoCorasickKind, Input};
use std::sync::OnceLock;

/// Larger buckets are sorted and searched.
const SORTED: usize = 16;

/// So many patterns that would start at the same place are tried one by one.
const FEW: usize = 8;

/// Larger buckets show that patterns differ in less than a stride, and are
/// those that the automaton can take over.
pub(super) const LARGE: usize = 64;

/// Patterns with more bytes together would need too large an automaton.
const MOST_BYTES: usize = 256 * 1024;

/// Work that may be done in a window, and for each of its places, in about the
/// time that comparing 16 bytes takes: searches may be about as slow as the automaton.
const WORK: usize = 64 * 1024;
const WORK_PER_PLACE: usize = 64;

/// What a step of a search costs beside comparing.
const WORK_PER_STEP: usize = 8;

/// A table of all transitions of an automaton is many times as fast as a
/// compact one. It may have so many bytes.
const MOST_TABLE_BYTES: usize = 8 << 20;

/// The automata that take over. They keep bytes of their patterns that are not
/// zeroed when they are dropped.
pub(super) struct Crowd {
    members: Vec<u32>,
    automata: OnceLock<Option<Automata>>,
}

/// One for the patterns that are exact, and one for those that are not.
struct Automata {
    exact: AhoCorasick,
    folded: AhoCorasick,
}

impl Crowd {
    /// Sorts the buckets that need it.
    pub(super) fn new(table: &mut Table) -> Self {
        let mut members = Vec::new();
        table.buckets_mut(|bucket| {
            if bucket.len() > SORTED {
                bucket.sort_unstable_by_key(|entry| (entry.check(), entry.place(), entry.pattern()));
            }
            if bucket.len() > LARGE {
                members.extend(bucket.iter().map(|entry| entry.pattern()));
            }
        });
        members.sort_unstable();
        members.dedup();
        Self { members, automata: OnceLock::new() }
    }

    /// Whether the work done for so many places is more than it should be, and
    /// the automaton can take over.
    pub(super) fn takes_over(&self, work: usize, places: usize, patterns: &Patterns) -> bool {
        work > WORK + places * WORK_PER_PLACE && self.automata(patterns).is_some()
    }

    /// Finds all of its patterns that start at `from` or later.
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
            if all().map(<[u8]>::len).sum::<usize>() > MOST_BYTES {
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

/// How many at the front are exact: those have the smaller numbers.
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
    let kind = if table <= MOST_TABLE_BYTES { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
    AhoCorasick::builder().kind(Some(kind)).build(all()).ok()
}

/// What a bucket gave.
pub(super) enum Looked {
    /// All its entries have to be tried.
    Small,
    /// It was searched, with so much work.
    Searched(usize),
}

/// Searches a bucket if it is sorted. Patterns that are alone at their place
/// become candidates.
pub(super) fn search(
    bucket: &[Entry],
    check: u32,
    at: usize,
    verifier: &mut Verifier<'_>,
    candidates: &mut Vec<(u32, usize)>,
) -> Looked {
    if bucket.len() <= SORTED {
        return Looked::Small;
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
            if here.len() <= FEW {
                candidates.extend(here.iter().map(|entry| (entry.pattern(), start)));
            } else {
                let steps = here.len().ilog2() as usize;
                work += steps * (WORK_PER_STEP + verifier.longest(here, start) / 16);
            }
        }
    }
    Looked::Searched(work)
}
