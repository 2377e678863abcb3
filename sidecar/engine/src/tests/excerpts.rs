//! Parts of values, which stand for what is around them.

use super::*;
use std::ops::Range;

/// Masks as the oracle of all patterns does, and of each value whatever stands around
/// its part without a gap.
fn oracle_of_excerpts(patterns: &[Vec<u8>], excerpts: &[(Vec<u8>, Range<usize>)], text: &[u8]) -> Vec<u8> {
    let parts = excerpts.iter().map(|(value, part)| value[part.clone()].to_vec());
    let all: Vec<_> = patterns.iter().cloned().chain(parts).collect();
    let (mut masked, _) = oracle(&all, text);
    for (value, part) in excerpts {
        let bytes = &value[part.clone()];
        for (at, _) in text.windows(bytes.len()).enumerate().filter(|(_, place)| *place == bytes) {
            let end = at + bytes.len();
            let before = (0..=part.start.min(at))
                .take_while(|count| text[at - count..at] == value[part.start - count..part.start])
                .last()
                .unwrap_or(0);
            let rest = value.len() - part.end;
            let behind = (0..=rest.min(text.len() - end))
                .take_while(|count| text[end..end + count] == value[part.end..part.end + count])
                .last()
                .unwrap_or(0);
            masked[at - before..end + behind].fill(b'X');
        }
    }
    masked
}

fn agrees(
    patterns: &[Vec<u8>],
    excerpts: &[(Vec<u8>, Range<usize>)],
    text: &[u8],
    chunks: &[usize],
) -> TestCaseResult {
    let parts = excerpts.iter().map(|(value, part)| Pattern::excerpt(value, part.clone()));
    let matcher =
        Matcher::new(patterns.iter().cloned().map(Pattern::exact).chain(parts)).expect("few patterns");
    let (masked, _) = stream(&matcher, text, chunks);
    let expected = oracle_of_excerpts(patterns, excerpts, text);
    prop_assert_eq!(String::from_utf8_lossy(&masked), String::from_utf8_lossy(&expected));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn parts_are_found_with_what_is_around_them(
        (patterns, text) in family().prop_flat_map(text_of),
        which in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 4..20_usize), 1..8),
        cuts in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..8),
        chunks in chunks(),
    ) {
        let is_part = |part: &[u8]| part.len() >= 4 && part.iter().any(|byte| *byte != part[0]);
        let excerpts: Vec<_> = which
            .into_iter()
            .map(|(value, at, length)| {
                let value = value.get(&patterns).clone();
                let start = at.index(value.len());
                let part = start..value.len().min(start + length);
                (value, part)
            })
            .filter(|(value, part)| is_part(&value[part.clone()]))
            .collect();
        prop_assume!(!excerpts.is_empty());
        // Values that were cut at both ends.
        let mut text = text;
        for (value, from, to) in cuts {
            let value = &value.get(&excerpts).0;
            let (from, to) = (from.index(value.len()), to.index(value.len()));
            text.extend_from_slice(&value[from.min(to)..=from.max(to)]);
            text.push(b'.');
        }
        agrees(&patterns[..patterns.len() / 2], &excerpts, &text, &chunks)?;
    }
}

/// A value that repeats itself makes its parts stand everywhere, with much around them.
#[test]
fn parts_of_a_value_that_repeats_itself_cost_linear_time() {
    let value: Vec<u8> = b"aB3".iter().copied().cycle().take(16 << 10).collect();
    let last = value.len() - 16..value.len();
    let parts = [Pattern::excerpt(&value, 0..16), Pattern::excerpt(&value, last)];
    let matcher = Matcher::new(parts).expect("few patterns");
    let text: Vec<u8> = b"aB3".iter().copied().cycle().take(1 << 20).collect();
    let mut progress = matcher.start();
    let mut window = text;
    matcher.mask(&mut progress, &mut window, true);
    assert!(window.iter().all(|byte| *byte == b'X'));
    assert!(progress.work() < (4 << 20) + (40 << 20), "{}", progress.work());
}
