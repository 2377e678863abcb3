//! Bytes around a value can decide whether it is a secret: a quote in it is looked at only
//! near an end of a line or a byte that is no text. So a part that is packed anew is masked
//! among the same bytes among which it is looked at later.

use super::ar::ar;
use super::zip::{archive, member, members, with_comment};
use super::*;
use crate::censor::Censor;

/// Looked at near a control byte only.
const QUOTED: &[u8] = b"the`-secret-value";

/// A part of a value at the end of a line, near which quotes are looked at.
const NEAR: &[u8] = b"it begins with the-secret\n";

/// Returns what is delivered, which holds no secret any more; `None` if it is withheld.
#[track_caller]
fn settled(file: &[u8]) -> Option<Vec<u8>> {
    let censor = Censor::of_values(&[SECRET]);
    let look = |file: &[u8]| censor.look_into(&file, &|| false).expect("readable");
    assert_eq!(look(file), Verdict::Dirty);
    let mut output = Vec::new();
    match censor.rewrite(&file, &mut output, &|| false) {
        Ok(_) => {}
        Err(ArchiveError::Withheld(_)) => return None,
        Err(error) => panic!("{error}"),
    }
    assert!(matches!(look(&output), Verdict::Clean { .. }), "{:?}", look(&output));
    assert!(!holds(&output, QUOTED) && !holds(&output, SECRET));
    Some(output)
}

#[test]
fn i6_a_comment_is_masked_behind_the_directory() {
    let harmless = member("a.txt", 8, b"harmless");
    for comment in [QUOTED.to_vec(), [b"from ", QUOTED].concat(), [QUOTED, b"\0", QUOTED].concat()] {
        let output = settled(&with_comment(std::slice::from_ref(&harmless), &comment)).expect("packed anew");
        assert!(output.ends_with(b"XXXXXXXX"), "{output:?}");
        assert_eq!(members(&output), [("a.txt".to_owned(), b"harmless".to_vec())]);
    }
    // What follows the comment, and a comment of a self-made end.
    let behind = [archive(&[harmless]), QUOTED.to_vec()].concat();
    assert!(settled(&behind).is_none_or(|output| output.ends_with(b"X")));
}

#[test]
fn i6_the_last_text_of_a_zip_archive_is_masked_or_withheld_before_the_directory() {
    for length in [0, 1000, 70_000, 200_000] {
        let content = [&vec![b'.'; length], QUOTED].concat();
        for file in [
            archive(&[member("a.txt", 0, &content)]),
            archive(&[member("a", 0, SECRET), member("b", 0, &content)]),
        ] {
            assert_eq!(settled(&file), None, "{length}");
        }
    }
    // A secret that goes on in the directory's first bytes.
    let censor = Censor::of_values(&[b"the-secret-PK\x01\x02\x14\x03".as_slice()]);
    let file = archive(&[member("a.txt", 0, b"the-secret-")]);
    let rewritten = censor.rewrite(&file.as_slice(), &mut Vec::new(), &|| false);
    assert!(matches!(rewritten, Err(ArchiveError::Withheld(_))), "{rewritten:?}");
}

#[test]
fn i6_a_name_in_front_of_an_extra_field_is_withheld() {
    let mut named = member(std::str::from_utf8(QUOTED).expect("text"), 8, b"harmless");
    named.extra = b"UT\x05\0\x01abcd".to_vec();
    assert_eq!(settled(&archive(&[named])), None);
}

#[test]
fn i6_an_extra_field_of_gzip_that_is_dropped_joins_no_secret() {
    let packed = gzip::gzip(SECRET);
    let file = [b"\x1f\x8b\x08\x0cthe-se\x02\0abcret-value\0", &packed[10..]].concat();
    let output = settled(&file).expect("packed anew");
    assert_eq!(gunzip(&output), (MASKED.to_vec(), true));
    assert!(!holds(&output, b"cret-value"));
}

#[test]
fn i6_a_line_in_the_place_of_a_member_is_a_text_of_the_archive() {
    let mut damaged = gzip::gzip(SECRET);
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let text = [b"harmless ", QUOTED].concat();
    let output = settled(&ar(&[("near", NEAR), ("b.gz", &damaged), ("c", &text)])).expect("packed anew");
    assert!(holds(&output, b"This member was withheld") && holds(&output, b"harmless XXX"));
}
