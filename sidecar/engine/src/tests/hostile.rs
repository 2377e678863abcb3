//! Patterns and texts that are made to slow the matcher.

use super::*;
use crate::MIN_VIEW_BYTES;

/// Upper bounds on the work: a credit of the text and one of its views, a budget per byte,
/// of which there are 4 for the text and 2 for a view that is searched twice, for both length
/// classes, and what a step can exceed them by in each window.
const MAX_CREDIT: u64 = 2 << 20;
const MAX_WORK_PER_BYTE: u64 = 2 * (4 + 2 * 2);
const MAX_EXCESS_PER_WINDOW: u64 = 50_000;

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

/// Writes a text so that only a view shows it; returns where each byte stands.
fn laid_out(text: &[u8], layout: usize) -> (Vec<u8>, Vec<std::ops::Range<usize>>) {
    let (mut out, mut places) = (Vec::new(), Vec::new());
    for (at, byte) in text.iter().enumerate() {
        if layout == 1 && at % 20 == 19 {
            out.push(b'\n');
        }
        let from = out.len();
        if layout == 2 {
            out.extend(format!("\\u{byte:04x}").bytes());
        } else {
            out.push(*byte);
        }
        places.push(from..out.len());
    }
    (out, places)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn hostile_texts_take_linear_work_and_show_nothing(
        (patterns, part) in hostile(),
        planted in vec((any::<prop::sample::Index>(), 0..WINDOW_BYTES * 3), 0..20),
        trailing in any::<bool>(),
        layout in 0..3_usize,
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
        let all: Vec<Pattern> = patterns.iter().cloned().map(Pattern::exact).chain(lines).collect();
        let is_value: Vec<bool> = (0..all.len()).map(|number| number < patterns.len()).collect();
        let matcher = Matcher::with_views(all, &is_value).expect("few patterns");
        let mut progress = matcher.start();
        let (laid_out, places) = laid_out(&text, layout);
        let (mut window, mut masked) = (Vec::new(), Vec::new());
        for chunk in laid_out.chunks(WINDOW_BYTES) {
            window.extend_from_slice(chunk);
            let is_end = masked.len() + window.len() == laid_out.len();
            let released = matcher.mask(&mut progress, &mut window, is_end);
            masked.extend(window.drain(..released));
        }
        prop_assert_eq!(masked.len(), laid_out.len());
        for range in ranges {
            // A later one can lie over it, and views have no short ones.
            let is_whole = patterns.iter().any(|pattern| text[range.clone()] == pattern[..])
                && (layout == 0 || range.len() >= MIN_VIEW_BYTES);
            let mut bytes = places[range.clone()].iter().flat_map(|place| &masked[place.clone()]);
            prop_assert!(!is_whole || bytes.all(|byte| *byte == b'X'), "{:?}", range);
        }
        let windows = laid_out.len().div_ceil(WINDOW_BYTES) as u64;
        let most = 2 * MAX_CREDIT + windows * MAX_EXCESS_PER_WINDOW + MAX_WORK_PER_BYTE * laid_out.len() as u64;
        prop_assert!(progress.work() <= most, "{} of {most}", progress.work());
    }
}
