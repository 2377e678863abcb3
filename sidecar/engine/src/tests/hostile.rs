//! Patterns and texts that are made to slow the matcher.

use super::*;

/// Upper bounds on the work: a credit and a budget per byte, for both length classes
/// and their automata, and what a step can exceed them by in each window.
const MAX_CREDIT: u64 = 2 << 20;
const MAX_WORK_PER_BYTE: u64 = 40;
const MAX_EXCESS_PER_WINDOW: u64 = 200_000;

const WINDOW_BYTES: usize = 64 * 1024;

/// A family of patterns, and a part that a text repeats against them.
fn hostile() -> impl Strategy<Value = (Vec<Vec<u8>>, Vec<u8>)> {
    let any = || any::<prop::sample::Index>();
    let long_prefixes =
        (letters(b"ab", 1..40), 100..600_usize, 20..150_usize).prop_map(|(part, length, count)| {
            let prefix: Vec<u8> = part.iter().copied().cycle().take(length).collect();
            let pattern = |number| [&prefix[..], format!("{number:04}").as_bytes()].concat();
            ((0..count).map(pattern).collect(), part)
        });
    let few_letters = (vec(letters(b"ab", 30..300), 20..150), letters(b"ab", 1000..3000));
    let short = (vec(letters(b"abc", 8..12), 100..400), letters(b"abc", 1000..3000));
    let rotations = (letters(b"abcdefgh", 20..120), 50..400_usize, any()).prop_map(|(part, length, last)| {
        let rotation = |skip| {
            let mut pattern: Vec<u8> = part.iter().copied().cycle().skip(skip).take(length).collect();
            if last.index(2) == 0 {
                pattern.push(b'!');
            }
            pattern
        };
        ((0..part.len()).map(rotation).collect(), part)
    });
    let nested = (letters(b"ab", 1..5), 20..150_usize)
        .prop_map(|(part, count)| ((1..count).map(|count| part.repeat(4 + count)).collect(), part));
    prop_oneof![long_prefixes, few_letters, short, rotations, nested]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn hostile_texts_take_linear_work_and_show_nothing(
        (patterns, part) in hostile(),
        planted in vec((any::<prop::sample::Index>(), 0..WINDOW_BYTES * 3), 0..20),
        trailing in any::<bool>(),
    ) {
        let mut text: Vec<u8> = part.iter().copied().cycle().take(WINDOW_BYTES * 3).collect();
        let mut ranges = Vec::new();
        for (which, at) in planted {
            let pattern = which.get(&patterns);
            if let Some(range) = text.get_mut(at..at + pattern.len()) {
                range.copy_from_slice(pattern);
                ranges.push(at..at + pattern.len());
            }
        }
        let lines = patterns.iter().filter(|_| trailing).map(|line| Pattern::after_line(line.clone(), b"ab".to_vec()));
        let all = patterns.iter().cloned().map(Pattern::exact).chain(lines);
        let matcher = Matcher::new(all).expect("few patterns");
        let mut progress = matcher.start();
        let (mut window, mut masked) = (Vec::new(), Vec::new());
        for chunk in text.chunks(WINDOW_BYTES) {
            window.extend_from_slice(chunk);
            let is_end = masked.len() + window.len() == text.len();
            let released = matcher.mask(&mut progress, &mut window, is_end);
            masked.extend(window.drain(..released));
        }
        prop_assert_eq!(masked.len(), text.len());
        for range in ranges {
            // A later one can lie over it.
            let is_whole = patterns.iter().any(|pattern| text[range.clone()] == pattern[..]);
            prop_assert!(!is_whole || masked[range.clone()].iter().all(|byte| *byte == b'X'), "{:?}", range);
        }
        let most = MAX_CREDIT + 4 * MAX_EXCESS_PER_WINDOW + MAX_WORK_PER_BYTE * text.len() as u64;
        prop_assert!(progress.work() <= most, "{} of {most}", progress.work());
    }
}
