use super::gzip::gzip;
use super::tar;
use super::*;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use proptest::prelude::*;
use std::io::Write;

/// A member as it is to be written.
#[derive(Clone)]
pub(super) struct Member {
    name: Vec<u8>,
    method: u16,
    flags: u16,
    content: Vec<u8>,
    comment: Vec<u8>,
    pub(super) extra: Vec<u8>,
    crc: Option<u32>,
}

pub(super) fn member(name: &str, method: u16, content: &[u8]) -> Member {
    Member {
        name: name.into(),
        method,
        flags: 0,
        content: content.to_vec(),
        comment: Vec::new(),
        extra: Vec::new(),
        crc: None,
    }
}

fn crc(content: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(content);
    crc.sum()
}

fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("packed");
    encoder.finish().expect("packed")
}

pub(super) fn archive(members: &[Member]) -> Vec<u8> {
    with_comment(members, b"")
}

pub(super) fn with_comment(members: &[Member], comment: &[u8]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        let packed = if member.method == 8 { deflate(&member.content) } else { member.content.clone() };
        let long = |number: usize| u32::try_from(number).expect("small").to_le_bytes();
        let short = |text: &[u8]| u16::try_from(text.len()).expect("small").to_le_bytes();
        let sums = [
            member.crc.unwrap_or_else(|| crc(&member.content)).to_le_bytes(),
            long(packed.len()),
            long(member.content.len()),
        ]
        .concat();
        let common =
            [&[20, 0], &member.flags.to_le_bytes()[..], &member.method.to_le_bytes(), &[1, 96, 33, 87]]
                .concat();
        let has_descriptor = member.flags & 8 != 0;
        directory.extend([b"PK\x01\x02\x14\x03", common.as_slice(), &sums].concat());
        directory.extend([short(&member.name), short(&member.extra), short(&member.comment)].concat());
        directory.extend([&[0; 4], &[0, 0, 0xa4, 0x81][..], &long(file.len())].concat());
        directory.extend([member.name.as_slice(), &member.extra, &member.comment].concat());
        file.extend(
            [b"PK\x03\x04".as_slice(), &common, if has_descriptor { &[0; 12][..] } else { sums.as_slice() }]
                .concat(),
        );
        file.extend([short(&member.name), short(&member.extra)].concat());
        file.extend([member.name.as_slice(), &member.extra, &packed].concat());
        if has_descriptor {
            file.extend([b"PK\x07\x08", sums.as_slice()].concat());
        }
    }
    let count = u16::try_from(members.len()).expect("few").to_le_bytes();
    let numbers =
        [directory.len(), file.len()].map(|number| u32::try_from(number).expect("small").to_le_bytes());
    let end = [b"PK\x05\x06\0\0\0\0".as_slice(), &count, &count, &numbers.concat()].concat();
    let comment = [&u16::try_from(comment.len()).expect("short").to_le_bytes(), comment].concat();
    [file, directory, end, comment].concat()
}

/// Names and contents, as a simple reader sees them, which checks the sums.
pub(super) fn members(file: &[u8]) -> Vec<(String, Vec<u8>)> {
    let number = |at: usize| usize::from(u16::from_le_bytes([file[at], file[at + 1]]));
    let long = |at: usize| number(at) | number(at + 2) << 16;
    let end = file.windows(4).rposition(|window| window == b"PK\x05\x06").expect("an end");
    let mut at = long(end + 16);
    let mut members = Vec::new();
    for _ in 0..number(end + 10) {
        assert_eq!(&file[at..at + 4], b"PK\x01\x02");
        let local = long(at + 42);
        assert_eq!(&file[local..local + 4], b"PK\x03\x04");
        let name = &file[at + 46..at + 46 + number(at + 28)];
        assert_eq!(name, &file[local + 30..local + 30 + number(local + 26)], "one name");
        let data = local + 30 + number(local + 26) + number(local + 28);
        let data = &file[data..data + long(at + 20)];
        let mut content = data.to_vec();
        if number(at + 10) == 8 {
            content.clear();
            flate2::read::DeflateDecoder::new(data).read_to_end(&mut content).expect("valid");
        }
        assert_eq!(
            (content.len(), crc(&content)),
            (long(at + 24), u32::try_from(long(at + 16)).expect("32 bits"))
        );
        members.push((String::from_utf8_lossy(name).into_owned(), content));
        at += 46 + number(at + 28) + number(at + 30) + number(at + 32);
    }
    assert_eq!(at, end);
    members
}

fn row(name: &str, content: impl AsRef<[u8]>) -> (String, Vec<u8>) {
    (name.to_owned(), content.as_ref().to_vec())
}

#[test]
fn an_archive_without_a_secret_stays() {
    let mut streamed = member("streamed", 8, &noise(100_000, 3));
    streamed.flags = 8;
    let all = [member("dir/", 0, b""), member("dir/a", 0, &noise(70_000, 1)), streamed, member("c", 8, b"")];
    assert_clean(&archive(&all));
    assert_clean(&with_comment(&all, b"a comment"));
    assert_clean(&[b"#!/bin/sh\nexit\n".as_slice(), &archive(&all)].concat());
}

#[test]
fn a_secret_in_a_member_is_masked_and_everything_else_stays() {
    let (text, masked) = ([&noise(70_000, 1), SECRET].concat(), [&noise(70_000, 1), MASKED].concat());
    let mut streamed = member("d", 8, &text);
    (streamed.flags, streamed.comment) = (8, b"kept".to_vec());
    streamed.extra = b"UT\x05\0\x03\x01\x02\x03\x04".to_vec();
    let all = [
        member("a/", 0, b""),
        member("a/b", 0, &text),
        member("c", 8, &text),
        streamed,
        member("e", 8, b"end"),
    ];
    let (after, rewritten) = rewritten(&with_comment(&all, b"of the archive"));
    let expected =
        [row("a/", b""), row("a/b", &masked), row("c", &masked), row("d", &masked), row("e", b"end")];
    assert_eq!(members(&after), expected);
    assert_eq!((rewritten.masked, rewritten.note), (48, None));
    assert!(after.ends_with(b"\x0e\0of the archive") && holds(&after, b"UT\x05\0\x03\x01\x02\x03\x04kept"));
    assert!(holds(&after, &[1, 96, 33, 87]) && holds(&after, &[0, 0, 0xa4, 0x81]), "times and modes");
    assert!(holds(&after, &deflate(b"end")), "a clean member stays as it is packed");
}

#[test]
fn i6_names_comments_and_extra_fields_hide_no_secret() {
    let mut one = member("the-secret-value/x", 8, b"content");
    one.comment = SECRET.to_vec();
    one.extra = [b"xx\x10\0", SECRET].concat();
    let (after, _) = rewritten(&with_comment(&[one, member("y", 0, b"")], b"and the-secret-value here"));
    assert!(!holds(&after, SECRET));
    assert_eq!(members(&after), [row("XXXXXXXXXXXXXXXX/x", b"content"), row("y", b"")]);
    assert!(after.ends_with(b"and XXXXXXXXXXXXXXXX here"));
}

#[test]
fn i6_what_belongs_to_no_member_hides_no_secret() {
    let hidden = archive(&[member("hidden", 8, SECRET)]);
    let visible = archive(&[member("visible", 8, b"content")]);
    // A prefix with a member in it, one without, and garbage behind the end.
    for (before, after) in [(hidden.as_slice(), &b""[..]), (SECRET, b""), (b"#!/bin/sh\n", SECRET)] {
        let (after, _) = rewritten(&[b"PK\x03\x04", before, &visible, after].concat());
        assert_eq!(members(&after), [row("visible", b"content")]);
    }
    let prefixed = [b"#!/bin/sh\n# the-secret-value\n".as_slice(), &visible].concat();
    let (after, _) = rewritten(&prefixed);
    assert!(after.starts_with(b"#!/bin/sh\n# XXXXXXXXXXXXXXXX\nPK\x03\x04"));
    assert_eq!(members(&after), [row("visible", b"content")]);
}

#[test]
fn i6_a_secret_does_not_run_on_from_one_part_to_the_next() {
    let (begins, ends) = SECRET.split_at(4);
    let name = std::str::from_utf8(begins).expect("text");
    // From a name into the content, which has a secret of its own or none.
    for content in [ends.to_vec(), [ends, b" ", SECRET].concat()] {
        let (output, rewritten) = rewritten(&archive(&[member(name, 0, &content), member("b", 8, b"b")]));
        assert!(!holds(&output, SECRET));
        assert_eq!(rewritten.note.as_deref(), Some("1 member was withheld"));
        let reason = "This member was withheld: a secret runs on from its name into its content.\n";
        assert_eq!(members(&output), [row("the-.withheld.txt", reason), row("b", b"b")]);
    }
    // From the content into what belongs to no member.
    let mut file = archive(&[member("a", 0, begins)]);
    let at = 30 + 1 + begins.len();
    file.splice(at..at, ends.iter().copied());
    let start = file.len() - 22 + 16;
    file[start] += u8::try_from(ends.len()).expect("few");
    let (output, _) = rewritten(&file);
    assert!(!holds(&output, SECRET));
    assert_eq!(members(&output), [row("a", begins)]);
    // From a name into a comment, both in the directory: nothing is delivered.
    let file = archive(&[Member { comment: ends.to_vec(), ..member(name, 8, b"a") }]);
    assert_eq!(Bench::new().look(&file), Verdict::Dirty);
    let error = Bench::new().rewrite(&file).expect_err("withheld");
    assert!(error.to_string().contains("where texts end"), "{error}");
}

/// Found by fuzzing: the directory is said to begin within the secret.
#[test]
fn i6_a_directory_may_begin_anywhere() {
    let end = [b"PK\x05\x06", [0; 8].as_slice(), &[8, 0, 0, 0], &[26, 0, 0, 0], &[0, 0]].concat();
    let file = [b"PK\x03\x04", [0; 14].as_slice(), SECRET, &end].concat();
    let (output, _) = rewritten(&file);
    assert!(!holds(&output, SECRET));
}

#[test]
fn containers_in_an_archive_are_rewritten() {
    let tar = |text: &[u8]| tar::archive(&[tar::member("in", b'0', text)]);
    let all = [
        member("a.gz", 0, &gzip(SECRET)),
        member("b.tar", 8, &tar(SECRET)),
        member("c.zip", 8, &archive(&[member("in", 8, SECRET)])),
        member("d.tar.gz", 0, &gzip(&tar(SECRET))),
        member("e.gz", 0, &gzip(b"clean")),
    ];
    let (after, rewritten) = rewritten(&archive(&all));
    let after = members(&after);
    assert_eq!(gunzip(&after[0].1).0, MASKED);
    assert_eq!(after[1].1, tar(MASKED));
    assert_eq!(members(&after[2].1), [row("in", MASKED)]);
    assert_eq!(gunzip(&after[3].1).0, tar(MASKED));
    assert_eq!(after[4].1, gzip(b"clean"));
    assert_eq!(rewritten.masked, 64);
}

#[test]
fn what_cannot_be_censored_is_withheld_alone() {
    let mut lying = member("lying", 8, b"content");
    lying.crc = Some(7);
    let mut encrypted = member("encrypted", 8, b"whatever");
    encrypted.flags = 1;
    let mut packed = member("packed", 0, &xz_of_the_secret());
    packed.method = 95;
    packed.crc = Some(crc(SECRET));
    let unknown = member("unknown", 97, b"whatever");
    let all =
        [member("a", 0, SECRET), lying, encrypted, packed, unknown, member("z.xz", 8, &xz_of_the_secret())];
    let (after, rewritten) = Bench::new().rewrite(&archive(&all)).expect("rewritten");
    let note = "1 member was withheld; not looked into: encrypted members, members packed by a method that is not known here";
    assert_eq!(rewritten.note.as_deref(), Some(note));
    assert!(holds(&after, b"lying.withheld.txt") && !holds(&after, SECRET));
    assert_eq!(members(&after)[3], row("packed", MASKED), "deflated now");
    assert!(holds(
        &after,
        b"This member was withheld: it is damaged: its content does not match its checksum.\n"
    ));
}

/// `printf the-secret-value | xz`
fn xz_of_the_secret() -> Vec<u8> {
    let (head, tail) = (
        "fd377a585a000004e6d6b44602002101160000 00742fe5a301000f",
        "001ec86655c01b9a9c000128 10e50b6c601fb6f37d01000000 0004595a",
    );
    let bytes = |hex: &str| {
        let digits: Vec<_> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("digits");
        digits.chunks(2).map(byte).collect::<Vec<_>>()
    };
    [&bytes(head), SECRET, &bytes(tail)].concat()
}

#[test]
fn lying_directories_are_withheld() {
    let whole = archive(&[member("a", 8, SECRET), member("b", 0, b"content")]);
    let end = whole.len() - 22;
    let directory = end - 2 * 47;
    // The directory's size and place, a member's place and size, members over each other.
    for (at, number) in
        [(end + 12, 0x7fff_ffff_u32), (end + 16, 1_000_000), (directory + 42, 5), (directory + 20, 9999)]
    {
        let mut lying = whole.clone();
        lying[at..at + 4].copy_from_slice(&number.to_le_bytes());
        assert_eq!(Bench::new().delivered(&lying), None, "{at}");
    }
    let mut overlapping = archive(&[member("a", 0, b"content"), member("b", 0, b"content")]);
    let second = overlapping.len() - 22 - 47;
    overlapping[second + 42..second + 46].fill(0);
    assert_eq!(
        Bench::new().look(&overlapping),
        Verdict::Withheld("it is damaged: members lie over each other".to_owned())
    );
}

#[test]
fn odd_names_stay_as_they_are() {
    for name in ["../../etc/passwd", "/etc/passwd", "a\0b", "", "..", "C:\\x", "\u{1}\n"] {
        let (after, _) = rewritten(&archive(&[member(name, 8, SECRET)]));
        assert_eq!(members(&after), [row(name, MASKED)]);
    }
}

#[test]
fn wherever_an_archive_is_cut_nothing_leaves() {
    let whole = archive(&[member("a", 8, &[&noise(100, 1), SECRET].concat()), member("b", 0, SECRET)]);
    for cut in 0..whole.len() {
        let delivered = Bench::new().delivered(&whole[..cut]);
        assert!(!holds(&delivered.unwrap_or_default(), SECRET), "cut at {cut}");
        // The packed member is whole from here on, and a tool could read it.
        if cut >= whole.len() - 150 {
            assert_eq!(Bench::new().delivered(&whole[..cut]), None, "cut at {cut}");
        }
    }
    let clean = archive(&[member("a", 8, &noise(100, 1)), member("b", 0, b"x")]);
    for cut in 4..clean.len() {
        assert!(matches!(Bench::new().look(&clean[..cut]), Verdict::Plain { note: Some(_) }), "cut at {cut}");
    }
}

#[test]
fn a_bomb_is_withheld() {
    // Many members that unpack to much, each within its own limits.
    let one = gzip(&vec![0; 1 << 20]);
    let all: Vec<_> = (0..20).map(|number| member(&number.to_string(), 0, &one)).collect();
    let bench = Bench::with(Limits { unpacked_bytes: 10 << 20, ..Limits::default() });
    assert!(matches!(bench.look(&archive(&all)), Verdict::Withheld(_)));
    let bench = Bench::with(Limits { members: 19, ..Limits::default() });
    assert_eq!(bench.look(&archive(&all)), Verdict::Withheld("it has more than 19 members".to_owned()));
    // What must be kept aside is bounded too.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(&[&noise(600_000, 1), SECRET].concat()).expect("packed");
    let large = encoder.finish().expect("packed");
    let bench = Bench::with(Limits { memory: 0, spool_bytes: 100_000, ..Limits::default() });
    let (after, rewritten) =
        bench.rewrite(&archive(&[member("a", 0, &large), member("b", 0, SECRET)])).expect("rewritten");
    assert_eq!(rewritten.note.as_deref(), Some("1 member was withheld"));
    assert_eq!(members(&after)[1], row("b", MASKED));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_lies_in_an_archive_members_keep_their_order_and_nothing_leaves(
        contents in prop::collection::vec((0_usize..50_000, 0..4_u8, any::<bool>(), any::<bool>()), 0..6),
    ) {
        let all: Vec<_> = contents.iter().enumerate().map(|(number, (size, kind, has_secret, streamed))| {
            let mut text = noise(*size, 1);
            if *has_secret {
                text.splice(size / 2..size / 2, SECRET.iter().copied());
            }
            let (method, text) = match kind { 0 => (0, text), 1 => (8, text), 2 => (0, gzip(&text)), _ => (8, gzip(&text)) };
            let mut member = member(&format!("m{number}"), method, &text);
            member.flags = if *streamed { 8 } else { 0 };
            member
        }).collect();
        let before = archive(&all);
        let after = Bench::new().delivered(&before).expect("delivered");
        prop_assert_eq!(after == before, !contents.iter().any(|(_, _, has_secret, _)| *has_secret));
        let unpacked = |kind: u8, content: Vec<u8>| if kind < 2 { content } else { gunzip(&content).0 };
        for (((_, kind, ..), before), after) in contents.iter().zip(members(&before)).zip(members(&after)) {
            let mut masked = unpacked(*kind, before.1);
            Bench::new().fresh().mask(&mut masked, true);
            prop_assert_eq!((before.0, masked), (after.0, unpacked(*kind, after.1)));
        }
        prop_assert_eq!(members(&before).len(), members(&after).len());
    }

    #[test]
    fn whatever_is_changed_in_an_archive_nothing_breaks(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut archive = archive(&[member("a", 8, SECRET), member("b", 0, b"content"), member("c", 0, &gzip(SECRET))]);
        for (place, byte) in &changes {
            *place.get_mut(&mut archive) = *byte;
        }
        let delivered = Bench::new().delivered(&archive).unwrap_or_default();
        prop_assert!(!holds(&delivered, SECRET));
    }
}
