//! Patterns that share their grams with many others.
//!
//! The entries of a large bucket are sorted, so that one binary search finds the
//! longest pattern that matches at a place. An adversarial text can still force
//! such a search, over long common parts, at every place; then an automaton over
//! these patterns alone takes over. It is built when first needed.

use super::comparison::common_prefix;
use super::patterns::Patterns;
use super::table::{Entry, Table};
use super::verify::Verifier;
use aho_corasick::automaton::Automaton;
use aho_corasick::{Anchored, dfa, nfa::contiguous};
use std::sync::OnceLock;

/// Larger buckets are sorted and searched.
pub(super) const MAX_UNSORTED: usize = 16;

/// Maximum number of patterns with the same start that are compared one by one.
const MAX_TRIED_SINGLY: usize = 8;

/// Larger buckets hold patterns that differ in less than a stride; the automaton
/// can take these over.
pub(super) const MAX_SPARSE: usize = 64;

/// Maximum number of states of an automaton, at 12 to 20 bytes each.
const MAX_STATES: usize = 384 * 1024;

/// Work allowed per window, and per byte of it, in units of about a nanosecond,
/// before the automaton takes over, which is about as slow.
const MAX_WORK_PER_WINDOW: usize = 64 * 1024;
const MAX_WORK_PER_BYTE: usize = 2;

/// Work of a step of a search in a bucket, of a group of patterns with the same
/// start, of a step of a search in that beside the comparison, and of a match of
/// the automaton.
const BUCKET_STEP_WORK: usize = 12;
const GROUP_WORK: usize = 24;
const STEP_WORK: usize = 40;
const MATCH_WORK: usize = 4;

/// Maximum size of a full transition table, which is many times as fast as a
/// compact automaton, and of all automata of a length class.
const MAX_TABLE_BYTES: usize = 6 << 20;
const MAX_AUTOMATA_BYTES: usize = 9 << 20;

/// The automata that take over. They contain bytes of their patterns, which are
/// not zeroed when they are dropped.
pub(super) struct DenseBuckets {
    members: Vec<u32>,
    /// The checks of their entries, in ascending order.
    checks: Vec<u32>,
    automata: OnceLock<Option<Automata>>,
}

/// One for exact patterns, and one for folded ones.
struct Automata {
    exact: Matches,
    folded: Matches,
}

/// An automaton as fast as its size permits.
enum Matches {
    Table(dfa::DFA),
    Compact(contiguous::NFA),
}

impl DenseBuckets {
    /// Sorts the large buckets of a table.
    pub(super) fn new(table: &mut Table) -> Self {
        let (mut members, mut checks) = (Vec::new(), Vec::new());
        table.buckets_mut(|bucket| {
            if bucket.len() > MAX_UNSORTED {
                bucket.sort_unstable_by_key(|entry| (entry.check(), entry.place(), entry.pattern()));
            }
            for entries in bucket.chunk_by(|a, b| a.check() == b.check()) {
                if bucket.len() > MAX_SPARSE && entries.len() > MAX_TRIED_SINGLY {
                    checks.extend(entries.first().map(|entry| entry.check()));
                    members.extend(entries.iter().map(|entry| entry.pattern()));
                }
            }
        });
        members.sort_unstable();
        members.dedup();
        checks.sort_unstable();
        Self { members, checks, automata: OnceLock::new() }
    }

    /// Returns whether the automaton finds the patterns of entries with this check.
    pub(super) fn contains(&self, check: u32) -> bool {
        self.checks.binary_search(&check).is_ok()
    }

    /// Returns whether the work done for some bytes exceeds its budget, and the
    /// automaton can take over.
    pub(super) fn takes_over(&self, work: usize, bytes: usize, patterns: &Patterns) -> bool {
        work > MAX_WORK_PER_WINDOW + bytes * MAX_WORK_PER_BYTE && self.automata(patterns).is_some()
    }

    /// Finds all matches of its patterns that start at `from` or later, unless the
    /// verifier is exhausted before.
    pub(super) fn find(&self, from: usize, verifier: &mut Verifier<'_>) {
        let (patterns, texts) = (verifier.patterns(), verifier.texts());
        let Some(automata) = self.automata(patterns) else { return };
        let (exact, folded) = self.members.split_at(exact_ones(&self.members, |id| *id, patterns));
        if !exact.is_empty() {
            automata.exact.find(exact, &texts.plain()[from..], from, verifier);
        }
        if !folded.is_empty() {
            automata.folded.find(folded, &texts.folded()[from..], from, verifier);
        }
    }

    fn automata(&self, patterns: &Patterns) -> Option<&Automata> {
        let build = || {
            let (exact, folded) = self.members.split_at(exact_ones(&self.members, |id| *id, patterns));
            let states = [exact, folded].map(|members| states(members, patterns));
            if self.members.is_empty() || states.iter().sum::<usize>() > MAX_STATES {
                return None;
            }
            let automata = Automata {
                exact: Matches::new(exact, states[0], patterns)?,
                folded: Matches::new(folded, states[1], patterns)?,
            };
            (automata.memory() <= MAX_AUTOMATA_BYTES).then_some(automata)
        };
        self.automata.get_or_init(build).as_ref()
    }

    pub(super) fn memory(&self) -> usize {
        let automata = self.automata.get().and_then(Option::as_ref);
        let automata = automata.map_or(0, Automata::memory);
        (self.members.capacity() + self.checks.capacity()) * size_of::<u32>() + automata
    }
}

impl Automata {
    fn memory(&self) -> usize {
        self.exact.memory() + self.folded.memory()
    }
}

/// Returns the number of exact patterns, which come first.
fn exact_ones<T>(sorted: &[T], id: impl Fn(&T) -> u32, patterns: &Patterns) -> usize {
    sorted.partition_point(|item| patterns.is_exact(id(item)))
}

/// Returns the number of states of a trie of patterns in ascending order.
fn states(members: &[u32], patterns: &Patterns) -> usize {
    let mut last: &[u8] = &[];
    let new = members.iter().map(|id| {
        let pattern = patterns.get(*id);
        let shared = common_prefix(std::mem::replace(&mut last, pattern), pattern);
        pattern.len() - shared
    });
    new.sum()
}

impl Matches {
    fn new(members: &[u32], states: usize, patterns: &Patterns) -> Option<Self> {
        let all = || members.iter().map(|id| patterns.get(*id));
        let mut used = [false; 256];
        all().flatten().for_each(|byte| used[usize::from(*byte)] = true);
        let letters = used.iter().filter(|used| **used).count() + 1;
        let table = states.saturating_mul(letters.next_power_of_two() * size_of::<u32>());
        if table <= MAX_TABLE_BYTES {
            dfa::DFA::new(all()).ok().map(Self::Table)
        } else {
            contiguous::NFA::new(all()).ok().map(Self::Compact)
        }
    }

    fn find(&self, members: &[u32], text: &[u8], offset: usize, verifier: &mut Verifier<'_>) {
        match self {
            Self::Table(automaton) => find(automaton, members, text, offset, verifier),
            Self::Compact(automaton) => find(automaton, members, text, offset, verifier),
        }
    }

    fn memory(&self) -> usize {
        match self {
            Self::Table(automaton) => automaton.memory_usage(),
            Self::Compact(automaton) => automaton.memory_usage(),
        }
    }
}

/// Notes the longest match that ends at each place, which covers the others, and
/// those that lead on to further patterns.
fn find<A: Automaton>(
    automaton: &A,
    members: &[u32],
    text: &[u8],
    offset: usize,
    verifier: &mut Verifier<'_>,
) {
    let Ok(mut state) = automaton.start_state(Anchored::No) else { return };
    let any_leads_on = members.iter().any(|pattern| verifier.leads_on(*pattern));
    for (at, byte) in text.iter().enumerate() {
        state = automaton.next_state(Anchored::No, state, *byte);
        if !automaton.is_match(state) {
            continue;
        }
        let end = offset + at + 1;
        let matches = if any_leads_on { automaton.match_len(state) } else { 1 };
        for index in 0..matches {
            let id = automaton.match_pattern(state, index);
            let pattern = members[id.as_usize()];
            verifier.spend(MATCH_WORK);
            if index == 0 || verifier.leads_on(pattern) {
                verifier.found(pattern, end - automaton.pattern_len(id));
            }
        }
        if verifier.is_exhausted() {
            return;
        }
    }
}

/// Searches a sorted bucket for the entries with a check. Few patterns with the
/// same start become candidates. Ends early when the verifier is exhausted.
pub(super) fn search(
    bucket: &[Entry],
    check: u32,
    at: usize,
    verifier: &mut Verifier<'_>,
    candidates: &mut Vec<(u32, usize)>,
) {
    verifier.spend(BUCKET_STEP_WORK * bucket.len().ilog2() as usize);
    let from = bucket.partition_point(|entry| entry.check() < check);
    let mut entries = &bucket[from..bucket.partition_point(|entry| entry.check() <= check)];
    while let Some(first) = entries.first().filter(|_| !verifier.is_exhausted()) {
        let (here, others) =
            entries.split_at(entries.partition_point(|entry| entry.place() == first.place()));
        entries = others;
        let Some(start) = at.checked_sub(first.place()) else { continue };
        verifier.spend(GROUP_WORK);
        let exact = exact_ones(here, |entry| entry.pattern(), verifier.patterns());
        for here in [&here[..exact], &here[exact..]] {
            if here.len() <= MAX_TRIED_SINGLY {
                candidates.extend(here.iter().map(|entry| (entry.pattern(), start)));
            } else {
                let steps = here.len().ilog2() as usize;
                let common = verifier.longest(here, start);
                verifier.spend(steps * (STEP_WORK + common / 16));
            }
        }
    }
}
