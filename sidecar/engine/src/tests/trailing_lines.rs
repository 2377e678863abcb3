//! Patterns that are looked for behind lines only.

use super::*;

/// Masks as the oracle of all patterns does, and of each pair the second pattern
/// where it ends within 256 bytes behind the first.
fn oracle_of_trailing_lines(patterns: &[Vec<u8>], trailing: &[(Vec<u8>, Vec<u8>)], text: &[u8]) -> Vec<u8> {
    let lines = trailing.iter().map(|(line, _)| line.clone());
    let all: Vec<_> = patterns.iter().cloned().chain(lines).collect();
    let (mut masked, _) = oracle(&all, text);
    for (line, tail) in trailing {
        for (at, _) in text.windows(line.len()).enumerate().filter(|(_, place)| place == line) {
            let from = at + line.len();
            let near = &text[from..text.len().min(from + 256)];
            for (at, _) in near.windows(tail.len()).enumerate().filter(|(_, place)| place == tail) {
                masked[from + at..from + at + tail.len()].fill(b'X');
            }
        }
    }
    masked
}

/// Compares the matcher with the oracle. What follows a line that is not
/// distinctive is looked for everywhere.
fn trailing_lines_agree(
    patterns: &[Vec<u8>],
    trailing: &[(Vec<u8>, Vec<u8>)],
    text: &[u8],
    chunks: &[usize],
) -> TestCaseResult {
    let restricted = trailing.iter().map(|(line, tail)| Pattern::after_line(line.clone(), tail.clone()));
    let matcher =
        Matcher::new(patterns.iter().cloned().map(Pattern::exact).chain(restricted)).expect("few patterns");
    let (masked, _) = stream(&matcher, text, chunks);
    let is_distinctive = |line: &Vec<u8>| line.len() >= 4 && line.iter().any(|byte| *byte != line[0]);
    let count = |line: &Vec<u8>| {
        let mut of: Vec<_> =
            trailing.iter().filter(|(other, _)| other == line).map(|(_, tail)| tail).collect();
        of.sort_unstable();
        of.dedup();
        of.len()
    };
    let (near, everywhere): (Vec<_>, Vec<_>) =
        trailing.iter().cloned().partition(|(line, _)| is_distinctive(line) && count(line) <= 4);
    let everywhere = everywhere.into_iter().flat_map(|(line, tail)| [line, tail]);
    let patterns: Vec<_> = patterns.iter().cloned().chain(everywhere).collect();
    let expected = oracle_of_trailing_lines(&patterns, &near, text);
    prop_assert_eq!(String::from_utf8_lossy(&masked), String::from_utf8_lossy(&expected));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn trailing_lines_are_found_behind_their_lines(
        (patterns, text) in family().prop_flat_map(text_of),
        pairs in vec((any::<prop::sample::Index>(), letters(b"abcdefgh0123+/z", 1..10)), 1..8),
        gap in 0..300_usize,
        chunks in chunks(),
    ) {
        let trailing: Vec<_> =
            pairs.into_iter().map(|(line, tail)| (line.get(&patterns).clone(), tail)).collect();
        let (kept, _) = patterns.split_at(patterns.len() / 2);
        trailing_lines_agree(kept, &trailing, &text, &chunks)?;
        // A line, and a tail at about the limit.
        let (line, tail) = &trailing[0];
        let text = [line, &vec![b'.'; gap][..], tail, b"..", tail, &text].concat();
        trailing_lines_agree(kept, &trailing, &text, &chunks)?;
    }
}
