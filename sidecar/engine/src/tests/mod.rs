//! The matcher against an oracle that tries every pattern at every place.

mod bare_number;
mod escape_ends;
mod excerpts;
mod hostile;
mod trailing_lines;
mod views;

use super::{Matcher, Pattern};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

/// Returns the text with every match masked, and the number of masked bytes. The
/// case of hexadecimal digits is ignored in the second patterns.
fn oracle_of_both(exact: &[Vec<u8>], hexadecimal: &[Vec<u8>], text: &[u8]) -> (Vec<u8>, u64) {
    let mut covered = vec![false; text.len()];
    let folded = |bytes: &[u8]| -> Vec<u8> {
        bytes.iter().map(|byte| if (b'A'..=b'F').contains(byte) { byte + 32 } else { *byte }).collect()
    };
    let mut cover = |pattern: &[u8], text: &[u8]| {
        if !pattern.is_empty() {
            for (at, place) in text.windows(pattern.len()).enumerate() {
                if place == pattern {
                    covered[at..at + pattern.len()].fill(true);
                }
            }
        }
    };
    for pattern in exact {
        cover(pattern, text);
    }
    let folded_text = folded(text);
    for pattern in hexadecimal {
        cover(&folded(pattern), &folded_text);
    }
    let masked =
        text.iter().zip(&covered).map(|(byte, covered)| if *covered { b'X' } else { *byte }).collect();
    (masked, covered.iter().map(|covered| u64::from(*covered)).sum())
}

fn oracle(patterns: &[Vec<u8>], text: &[u8]) -> (Vec<u8>, u64) {
    oracle_of_both(patterns, &[], text)
}

/// Returns the matcher's output for a text in chunks, and its count of masked bytes.
fn stream(matcher: &Matcher, text: &[u8], chunks: &[usize]) -> (Vec<u8>, u64) {
    let mut progress = matcher.start();
    let (mut window, mut out) = (Vec::new(), Vec::new());
    let (mut rest, mut sizes) = (text, chunks.iter().cycle());
    loop {
        let (chunk, others) = rest.split_at(rest.len().min(*sizes.next().unwrap_or(&usize::MAX)));
        rest = others;
        window.extend_from_slice(chunk);
        let held = window.clone();
        let released = matcher.mask(&mut progress, &mut window, rest.is_empty());
        assert_eq!(window[released..], held[released..], "what is held back stays readable");
        out.extend(window.drain(..released));
        if rest.is_empty() {
            assert!(window.is_empty(), "everything is final at the end");
            return (out, progress.masked());
        }
    }
}

/// Compares the matcher with the oracle on text in chunks.
fn agrees(patterns: &[Vec<u8>], text: &[u8], chunks: &[usize]) -> TestCaseResult {
    both_agree(patterns, &[], text, chunks)
}

fn both_agree(exact: &[Vec<u8>], hexadecimal: &[Vec<u8>], text: &[u8], chunks: &[usize]) -> TestCaseResult {
    let patterns = exact.iter().cloned().map(Pattern::exact);
    let matcher = Matcher::new(patterns.chain(hexadecimal.iter().cloned().map(Pattern::hexadecimal)))
        .expect("few patterns");
    let (mut masked, count) = stream(&matcher, text, chunks);
    let (expected, covered) = oracle_of_both(exact, hexadecimal, text);
    // Within a bare number the mask is a digit, which `bare_number` tests.
    for ((masked, expected), byte) in masked.iter_mut().zip(&expected).zip(text) {
        if *expected == b'X' && b"0123456789.-+eE".contains(byte) && matches!(*masked, b'8' | b'9') {
            *masked = b'X';
        }
    }
    let shown = |patterns: &[Vec<u8>]| {
        patterns.iter().map(|pattern| String::from_utf8_lossy(pattern).into_owned()).collect::<Vec<_>>()
    };
    prop_assert_eq!(
        String::from_utf8_lossy(&masked),
        String::from_utf8_lossy(&expected),
        "patterns {:?} {:?}, text {:?}",
        shown(exact),
        shown(hexadecimal),
        String::from_utf8_lossy(text)
    );
    prop_assert_eq!(count, covered);
    Ok(())
}

/// Bytes of a few letters: matches, near matches and overlaps are frequent.
fn letters(
    letters: &'static [u8],
    length: impl Into<proptest::collection::SizeRange>,
) -> impl Strategy<Value = Vec<u8>> {
    vec(prop::sample::select(letters), length)
}

/// Sizes of chunks, also such as are smaller than any pattern.
fn chunks() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![vec(1..8_usize, 1..5), vec(1..200_usize, 1..5), Just(vec![usize::MAX])]
}

/// Patterns that have much in common.
fn family() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let base = prop_oneof![letters(b"ab", 4..60), letters(b"abcdefgh0123+/", 4..60), letters(b"a", 4..60)];
    let change =
        (0..5_u8, any::<prop::sample::Index>(), any::<prop::sample::Index>(), letters(b"abcz", 1..20));
    (base, vec(change, 0..12)).prop_map(|(base, changes)| {
        let mut family = vec![base.clone()];
        for (kind, first, second, other) in changes {
            let of = second.get(&family).clone();
            let at = first.index(of.len());
            family.push(match kind {
                // Nested.
                0 => of[at..].to_vec(),
                1 => of[..=at].to_vec(),
                // One byte apart.
                2 => [&of[..at], &other[..1], &of[at + 1..]].concat(),
                // A common prefix, and a common suffix.
                3 => [&of[..at], &other[..]].concat(),
                _ => [&other[..], &of[at..]].concat(),
            });
        }
        family
    })
}

/// A text of parts of the patterns and other bytes.
fn text_of(patterns: Vec<Vec<u8>>) -> impl Strategy<Value = (Vec<Vec<u8>>, Vec<u8>)> {
    let part = prop_oneof![
        4 => (any::<prop::sample::Index>(), Just((0, usize::MAX))),
        4 => (any::<prop::sample::Index>(), (0..30_usize, 0..60_usize)),
    ];
    let filler = letters(b"abcdefgh0123+/zX", 0..12);
    let family = patterns.clone();
    vec((part, filler), 0..25).prop_map(move |parts| {
        let mut text = Vec::new();
        for ((which, (skip, take)), filler) in parts {
            text.extend(which.get(&family[..]).iter().skip(skip).take(take));
            text.extend(filler);
        }
        (patterns.clone(), text)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn families_of_patterns_are_found((patterns, text) in family().prop_flat_map(text_of), chunks in chunks()) {
        agrees(&patterns, &text, &chunks)?;
    }

    #[test]
    fn the_case_of_hexadecimal_digits_counts_in_some_patterns_only(
        (exact, text) in family().prop_flat_map(text_of),
        (hexadecimal, more) in family().prop_flat_map(text_of),
        upper in vec(any::<bool>(), 1..9),
        runs in vec((prop::sample::select(&b"aA4"[..]), 1..40_usize), 0..4),
        chunks in chunks(),
    ) {
        let runs: Vec<u8> = runs.iter().flat_map(|(byte, count)| std::iter::repeat_n(*byte, *count)).collect();
        let mut text = [text, more, runs].concat();
        for (byte, upper) in text.iter_mut().zip(upper.into_iter().cycle()) {
            if upper {
                byte.make_ascii_uppercase();
            }
        }
        both_agree(&exact, &hexadecimal, &text, &chunks)?;
    }

    #[test]
    fn few_letters(
        patterns in vec(letters(b"ab", 1..24), 0..20),
        text in letters(b"ab", 0..400),
        chunks in chunks(),
    ) {
        agrees(&patterns, &text, &chunks)?;
    }

    #[test]
    fn short_and_long_together(
        patterns in vec(prop_oneof![letters(b"abc", 1..4), letters(b"abc", 4..14), letters(b"abc", 14..90)], 0..12),
        runs in vec((prop::sample::select(&b"abc"[..]), 1..70_usize), 0..12),
        chunks in chunks(),
    ) {
        let text: Vec<u8> = runs.iter().flat_map(|(byte, count)| std::iter::repeat_n(*byte, *count)).collect();
        agrees(&patterns, &text, &chunks)?;
    }

    #[test]
    fn any_bytes(
        patterns in vec(vec(any::<u8>(), 0..40), 0..20),
        parts in vec((any::<prop::sample::Index>(), vec(any::<u8>(), 0..20)), 0..20),
        chunks in chunks(),
    ) {
        let mut text = Vec::new();
        for (which, other) in parts {
            if !patterns.is_empty() {
                text.extend(which.get(&patterns[..]));
            }
            text.extend(other);
        }
        agrees(&patterns, &text, &chunks)?;
    }

    #[test]
    fn repeated_parts_with_flaws(
        part in letters(b"abc", 1..14),
        lengths in vec((14..200_usize, 0..14_usize), 1..4),
        repeats in vec((1..300_usize, 1..20_usize, prop::sample::select(&b"abX"[..])), 0..8),
        chunks in chunks(),
    ) {
        let repeated = |skip, length| part.iter().copied().cycle().skip(skip).take(length).collect::<Vec<u8>>();
        let patterns: Vec<_> = lengths.into_iter().map(|(length, skip)| repeated(skip, length)).collect();
        let mut text = Vec::new();
        for (length, flaw, byte) in repeats {
            text.extend(repeated(text.len(), length));
            // One byte changed, or one put in between.
            match text.len().checked_sub(flaw) {
                Some(at) if flaw % 2 == 0 => text[at] = byte,
                Some(at) => text.insert(at, byte),
                None => {}
            }
        }
        agrees(&patterns, &text, &chunks)?;
    }

    #[test]
    fn runs_of_one_byte_with_flaws(
        lengths in vec((1..300_usize, 0..4_u8), 1..8),
        runs in vec((1..300_usize, prop::sample::select(&b"abX"[..])), 0..12),
        chunks in chunks(),
    ) {
        let run = |count| vec![b'a'; count];
        let patterns: Vec<_> = lengths
            .into_iter()
            .map(|(length, kind)| match kind {
                0 => run(length),
                1 => [run(length), b"b".to_vec()].concat(),
                2 => [b"b".to_vec(), run(length)].concat(),
                _ => [run(length), b"b".to_vec(), run(length)].concat(),
            })
            .collect();
        let text: Vec<u8> = runs.into_iter().flat_map(|(length, flaw)| [run(length), vec![flaw]].concat()).collect();
        agrees(&patterns, &text, &chunks)?;
    }
}

/// Many patterns that have all but a few bytes in common.
fn similar(before: &str, after: &str, count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| format!("{before}{number:04}{after}").into_bytes()).collect()
}

#[test]
fn similar_patterns_are_found_one_by_one() {
    for (before, after) in
        [("test-password-", ""), ("", "-test-password"), ("test-pass", "word-test"), ("", "")]
    {
        let mut patterns = similar(before, after, 700);
        // Beginnings of some of them.
        patterns.extend(similar(before, "", 700).into_iter().map(|mut pattern| {
            pattern.pop();
            pattern
        }));
        let matcher = Matcher::new(patterns.iter().cloned()).expect("few patterns");
        let text: Vec<u8> = similar(before, after, 2000).concat();
        let cut: Vec<u8> = similar(before, &after[..after.len() / 2], 2000).concat();
        for text in [text, cut] {
            let expected = oracle(&patterns, &text);
            assert_eq!(stream(&matcher, &text, &[usize::MAX]), expected);
            assert_eq!(stream(&matcher, &text, &[100, 7, 1]), expected);
        }
    }
}

#[test]
fn similar_patterns_are_found_in_either_case() {
    let patterns = similar("7465Ab73742d", "5a", 700);
    let matcher = Matcher::new(patterns.iter().cloned().map(Pattern::hexadecimal)).expect("few patterns");
    let mut text: Vec<u8> = similar("7465aB73742D", "5A", 2000).concat();
    text.extend(b"7465aB73742D".repeat(20_000));
    text.extend(similar("7465aB73742D", "5a", 3).concat());
    let expected = oracle_of_both(&[], &patterns[..3], &text).0;
    let (masked, _) = stream(&matcher, &text, &[100, 7000, 1]);
    assert_eq!(masked[2000 * 18..], expected[2000 * 18..]);
    assert_eq!(masked[..700 * 18], vec![b'X'; 700 * 18]);
    assert_eq!(masked[700 * 18..2000 * 18], text[700 * 18..2000 * 18]);
}

/// Texts that have all of many similar patterns looked up at every place, in vain and not.
#[test]
fn similar_patterns_in_long_runs_are_found() {
    let run = |count: usize| vec![b'a'; count];
    for reversed in [false, true] {
        let turn = |mut bytes: Vec<u8>| {
            if reversed {
                bytes.reverse();
            }
            bytes
        };
        let patterns: Vec<_> = (16..200).map(|count| turn([run(count), vec![b'b']].concat())).collect();
        let matcher = Matcher::new(patterns.iter().cloned()).expect("few patterns");
        // First so that matches lie across the place where the automaton takes over, then without any.
        let dense = [run(199), vec![b'b']].concat().repeat(60);
        let sparse = [run(50), vec![b'b'], run(150), vec![b'c'], run(150), vec![b'b'], run(40_000)].concat();
        for shift in 0..6 {
            let parts = [vec![b'c'; shift], dense.clone(), run(100_000), vec![b'b'], sparse.clone()];
            let text = turn(parts.concat());
            // By the oracle this would take minutes; each `b` has the 199 bytes next to it masked, as far as they are `a`.
            let mut expected = text.clone();
            for at in (0..text.len()).filter(|at| text[*at] == b'b') {
                let next = |index: usize| if reversed { at + index } else { at - index };
                let count = (1..200).take_while(|index| text[next(*index)] == b'a').count();
                if count >= 16 {
                    (0..=count).for_each(|index| expected[next(index)] = b'X');
                }
            }
            for chunks in [[usize::MAX, 1], [70_000, 1000]] {
                assert!(
                    stream(&matcher, &text, &chunks).0 == expected,
                    "reversed: {reversed}, shifted by {shift}"
                );
            }
        }
    }
}

#[test]
fn overlapping_and_nested_matches_are_masked_together() {
    let matcher =
        Matcher::new(["abcdefgh", "fghijklm", "hij", "m"].map(Vec::<u8>::from)).expect("few patterns");
    assert_eq!(stream(&matcher, b"-abcdefghijklm-m-hij", &[3]).0, b"-XXXXXXXXXXXXX-X-XXX");
    assert_eq!(stream(&matcher, b"-abcdefghijklm-m-hij", &[3]).1, 17);
}

#[test]
fn without_patterns_nothing_is_held_back() {
    let matcher = Matcher::new([Vec::<u8>::new()]).expect("no pattern");
    assert!(matcher.is_empty());
    assert_eq!(matcher.mask(&mut matcher.start(), &mut [b'a'; 9], false), 9);
}

#[test]
fn little_is_held_back_and_windows_may_be_small() {
    let secret = vec![b's'; 20];
    let matcher = Matcher::new([secret]).expect("one pattern");
    let mut progress = matcher.start();
    let mut window = vec![b'.'; 1000];
    let released = matcher.mask(&mut progress, &mut window, false);
    assert!((960..=981).contains(&released), "{released}");
}

#[test]
fn nothing_is_shown() {
    let matcher = Matcher::new([b"hunter2-hunter2".to_vec()]).expect("one pattern");
    assert_eq!(format!("{matcher:?}"), "Matcher { .. }");
}

#[test]
fn i8_short_pattern_does_not_copy_the_others_for_the_views() {
    let long: Vec<_> = (0..100_u32).map(|number| [number.to_le_bytes(); 1000].concat()).collect();
    let memory = |patterns: Vec<Vec<u8>>| {
        let is_value = vec![true; patterns.len()];
        let patterns = patterns.into_iter().map(Pattern::exact).collect();
        Matcher::with_views(patterns, &is_value).expect("few").memory()
    };
    let (alone, tables) = memory(long.clone());
    let (beside_a_short_one, more_tables) = memory([long, vec![b"short".to_vec()]].concat());
    assert!(alone - tables > 400_000, "{alone}");
    let copied = (beside_a_short_one - more_tables).abs_diff(alone - tables);
    assert!(copied < 1000, "{copied} bytes");
    assert!(more_tables < 2 * tables + 10_000, "{tables}, then {more_tables}");
}
