//! Sparse members of tar archives.

use super::tar::{archive, member, members, pax, sealed};
use super::*;

/// A member in GNU's own form: segments of an offset, and their text.
fn gnu(name: &str, segments: Segments<'_>) -> Vec<u8> {
    let stored: Vec<u8> = segments.iter().flat_map(|segment| segment.1).copied().collect();
    let mut block = member(name, b'S', &stored)[..512].to_vec();
    block[257..265].copy_from_slice(b"ustar  \0");
    let mut entries = segments.iter().map(|(offset, text)| format!("{offset:011o}\0{:011o}\0", text.len()));
    for (at, entry) in (386..482).step_by(24).zip(&mut entries) {
        block[at..at + 24].copy_from_slice(entry.as_bytes());
    }
    let mut maps = Vec::new();
    let rest: Vec<_> = entries.collect();
    block[482] = u8::from(!rest.is_empty());
    let count = rest.chunks(21).count();
    for (number, entries) in rest.chunks(21).enumerate() {
        let mut map = entries.concat().into_bytes();
        map.resize(512, 0);
        map[504] = u8::from(number + 1 < count);
        maps.extend(map);
    }
    maps.extend(stored);
    sealed(block, &maps)
}

/// One in pax's form, version 1.0.
fn posix(name: &str, segments: Segments<'_>) -> Vec<u8> {
    let numbers = segments.iter().flat_map(|(offset, text)| [*offset, text.len() as u64]);
    let numbers: Vec<_> =
        [segments.len() as u64].into_iter().chain(numbers).map(|number| format!("{number}\n")).collect();
    let mut content = numbers.concat().into_bytes();
    content.resize(content.len().next_multiple_of(512), 0);
    content.extend(segments.iter().flat_map(|segment| segment.1));
    let about = pax(&[
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", name.as_bytes()),
        ("GNU.sparse.realsize", b"1048576"),
    ]);
    [about, member("GNUSparseFile.1/x", b'0', &content)].concat()
}

type Segments<'a> = &'a [(u64, &'a [u8])];
type Form = fn(&str, Segments<'_>) -> Vec<u8>;
const FORMS: [Form; 2] = [gnu, posix];

#[test]
fn one_without_a_secret_stays_whatever_becomes_of_others() {
    let text = noise(600, 1);
    let many: Vec<(u64, &[u8])> = (0..60).map(|number| (number * 4096, text.as_slice())).collect();
    for sparse in FORMS {
        for segments in
            [&many[..], &many[1..3], &[(0, &text[..]), (1 << 20, b"")], &[(1 << 20, b"")], &[(0, b"short")]]
        {
            let holes = sparse("holes", segments);
            assert_clean(&archive(&[holes.clone(), member("b", b'0', b"x")]));
            let (output, rewritten) =
                rewritten(&archive(&[member("a", b'0', SECRET), holes.clone(), member("b", b'0', b"x")]));
            assert_eq!(output, archive(&[member("a", b'0', MASKED), holes, member("b", b'0', b"x")]));
            assert_eq!(rewritten.note, None);
        }
    }
}

#[test]
fn one_with_a_secret_or_an_odd_map_is_withheld() {
    let text = noise(600, 1);
    let rows: [(&str, Segments<'_>); 6] = [
        ("holds a secret", &[(0, &text), (4096, SECRET)]),
        ("holds a secret", &[(512, b"the-secret"), (522, b"-value")]),
        // Put in order, the parts are a secret.
        ("in an unusual form", &[(4106, b"-value"), (4096, b"the-secret")]),
        ("in an unusual form", &[(0, &text), (10, &text)]),
        // A container whose beginning has a hole.
        ("in an unusual form", &[(0, b"\x1f"), (2, &text)]),
        ("in an unusual form", &[(u64::MAX >> 31, &text), (4, &text)]),
    ];
    for sparse in FORMS {
        for (reason, segments) in rows {
            let (output, rewritten) =
                rewritten(&archive(&[sparse("holes", segments), member("b", b'0', b"x")]));
            assert_eq!(rewritten.note.as_deref(), Some("1 member was withheld"));
            assert!(holds(&output, reason.as_bytes()) && holds(&output, b"holes.withheld.txt"), "{reason}");
            assert_eq!(members(&output).last(), Some(&("b".to_owned(), '0', b"x".to_vec())));
        }
        let packed = gzip::gzip(&noise(9000, 0));
        let (output, _) = rewritten(&archive(&[sparse("holes", &[(0, &packed)])]));
        assert!(holds(&output, b"it is a sparse file, and a container"));
    }
}

#[test]
fn a_map_that_lies_about_its_content_breaks_nothing() {
    let text = noise(600, 1);
    for mut file in [gnu("holes", &[(0, &text)]), posix("holes", &[(0, &text)])] {
        for (at, byte) in [(398, b'7'), (405, b'7'), (1530, b'9'), (1535, b'x')] {
            let old = std::mem::replace(&mut file[at], byte);
            let mut whole = file.clone();
            if at < 512 {
                whole = sealed(file[..512].to_vec(), &file[512..]);
            }
            let delivered = Bench::new().delivered(&archive(&[whole, member("b", b'0', SECRET)]));
            assert!(delivered.is_none_or(|delivered| !holds(&delivered, SECRET)));
            file[at] = old;
        }
    }
}
