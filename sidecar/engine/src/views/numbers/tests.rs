//! The quick reading of lists beside the slow one.

use super::*;
use proptest::prelude::*;

type Lists = Vec<(Vec<u8>, Vec<(usize, usize)>)>;

fn lists(text: &[u8], radix: u32, is_plain: bool) -> Lists {
    let (mut numbers, mut lists) = (Numbers::default(), Lists::new());
    let mut found = |bytes: &[u8], places: &Places| {
        let mut origins = Vec::new();
        places.origins(0, bytes.len(), |from, to| origins.push((from, to)));
        lists.push((bytes.to_vec(), origins));
    };
    if is_plain {
        numbers.decode(text, 0..text.len(), radix, &mut found);
        return lists;
    }
    let (mut at, mut line) = (0, Line::default());
    while at < text.len() {
        match numbers.number(text, at, radix, &mut line) {
            Step::Go(next) => at = next,
            Step::Break(next) => {
                numbers.flush(&mut found);
                at = next;
            }
        }
        if at > 0 && text.get(at - 1) == Some(&b'\n') {
            line = Line::default();
        }
    }
    numbers.flush(&mut found);
    lists
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Reading plain numbers quickly, and passing texts over, changes nothing.
    #[test]
    fn plain_numbers_are_read_like_others(
        pieces in prop::collection::vec(
            ("[0-9a-f]{1,4}|0x[0-9a-f]{1,2}|[0-9a-f]{8}:?|-[0-9]{1,3}|g", "[ ,;:\t]|\n|  |, |-|\\|\\||"),
            0..60,
        ),
        radix in prop::sample::select(&[10, 16][..]),
    ) {
        let text: Vec<u8> = pieces.iter().flat_map(|(number, gap)| [number.as_bytes(), gap.as_bytes()].concat()).collect();
        let slowly = lists(&text, radix, false);
        prop_assert_eq!(&lists(&text, radix, true), &slowly);
        prop_assert!(may_hold_value(&text, radix) || slowly.is_empty(), "{:?}", slowly);
    }
}
