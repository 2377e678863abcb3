use super::gzip::gzip;
use super::*;
use proptest::prelude::*;

/// A member in ustar's form.
pub(super) fn member(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
    with_size(name, kind, content.len(), content)
}

fn with_size(name: &str, kind: u8, size: usize, content: &[u8]) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..124].copy_from_slice(b"0000644\x000001750\x000001750\0");
    block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    block[136..148].copy_from_slice(b"14524770400\0");
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    sealed(block, content)
}

pub(super) fn sealed(mut block: Vec<u8>, content: &[u8]) -> Vec<u8> {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block.extend(content);
    block.resize(block.len().next_multiple_of(512), 0);
    block
}

pub(super) fn archive(members: &[Vec<u8>]) -> Vec<u8> {
    let mut archive = members.concat();
    archive.resize((archive.len() + 1024).next_multiple_of(10240), 0);
    archive
}

/// Names, letters and contents, as a simple reader sees them.
pub(super) fn members(archive: &[u8]) -> Vec<(String, char, Vec<u8>)> {
    let (mut members, mut at) = (Vec::new(), 0);
    while at + 512 <= archive.len() && archive[at] != 0 {
        let block = &archive[at..at + 512];
        let text = |from: usize, to: usize| {
            let field = &block[from..to];
            String::from_utf8_lossy(&field[..field.iter().position(|byte| *byte == 0).unwrap_or(to - from)])
                .into_owned()
        };
        let size = usize::from_str_radix(&text(124, 135), 8).expect("octal");
        let stated = u32::from_str_radix(text(148, 156).trim(), 8).expect("octal");
        let sum: u32 = block
            .iter()
            .enumerate()
            .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
            .sum();
        assert_eq!(sum, stated, "a valid checksum");
        let prefix = text(345, 500);
        let name = if prefix.is_empty() { text(0, 100) } else { format!("{prefix}/{}", text(0, 100)) };
        members.push((name, char::from(block[156]), archive[at + 512..at + 512 + size].to_vec()));
        at += 512 + size.next_multiple_of(512);
    }
    assert_eq!(archive.len() % 512, 0);
    members
}

fn row(name: &str, kind: char, content: impl AsRef<[u8]>) -> (String, char, Vec<u8>) {
    (name.to_owned(), kind, content.as_ref().to_vec())
}

#[test]
fn an_archive_without_a_secret_stays() {
    let all = [member("dir/", b'5', b""), member("dir/a", b'0', &noise(100_000, 2)), member("l", b'2', b"")];
    assert_clean(&archive(&all));
    assert_clean(&gzip(&archive(&all)));
    assert_clean(&archive(&[member("a.gz", b'0', &gzip(b"inside"))]));
}

#[test]
fn a_secret_in_a_member_is_masked_and_everything_else_stays() {
    let text = [&noise(70_000, 1), SECRET].concat();
    let masked = [&noise(70_000, 1), MASKED].concat();
    let before = archive(&[member("dir/", b'5', b""), member("dir/a", b'0', &text), member("b", b'0', b"x")]);
    let (after, rewritten) = rewritten(&before);
    assert_eq!(members(&after), [row("dir/", '5', b""), row("dir/a", '0', &masked), row("b", '0', b"x")]);
    assert_eq!((after.len(), rewritten.masked), (before.len(), 16));
    let changed = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    assert_eq!(changed, 16, "nothing but the secret");
}

/// Found by fuzzing: a value that begins where the format's name stands.
#[test]
fn i6_what_stands_in_place_of_the_formats_name_hides_no_secret() {
    for at in [250, 257, 260, 263] {
        for letter in [b'0', b'5'] {
            let mut odd = member("a", letter, b"");
            odd[at..at + SECRET.len()].copy_from_slice(SECRET);
            let all = [member("first", b'0', b""), sealed(odd, b"")];
            let (after, _) = rewritten(&archive(&all));
            assert!(!holds(&after, SECRET) && holds(&after, MASKED), "{at} {letter}");
        }
    }
}

/// The sum of a header leaves its own field out, in which each tool overlooks something else.
#[test]
fn i6_a_header_whose_checksum_one_tool_reads_is_one() {
    let packed = gzip(SECRET);
    let whole = archive(&[member("first", b'0', b"clean"), member("a.gz", b'0', &packed)]);
    let sum = whole[1024 + 148..][..6].to_vec();
    for field in
        [[&sum, b"\0!".as_slice()].concat(), [b"\0", &*sum, b" "].concat(), [&sum, b"!!".as_slice()].concat()]
    {
        let mut archive = whole.clone();
        archive[1024 + 148..][..8].copy_from_slice(&field);
        let (output, _) = rewritten(&archive);
        assert_eq!(gunzip(&output[1536..]).0, MASKED, "{field:?}");
    }
}

#[test]
fn i6_names_links_and_owners_hide_no_secret() {
    let mut owner = member("a", b'0', b"");
    owner[265..281].copy_from_slice(SECRET);
    let mut link = member("b", b'2', b"");
    link[157..173].copy_from_slice(SECRET);
    let mut prefix = member("value/name", b'0', b"");
    prefix[345..355].copy_from_slice(b"the-secret");
    let all = [owner, link, prefix].map(|block| sealed(block, b""));
    let (after, _) = rewritten(&archive(&[&all[..], &[member("the-secret-value/x", b'0', b"")]].concat()));
    assert!(!holds(&after, SECRET) && holds(&after, MASKED));
    assert_eq!(members(&after)[3].0, "XXXXXXXXXXXXXXXX/x");
    // A path is one text in two fields; "the-secret/value" is another one.
    assert_eq!(members(&after)[2].0, "the-secret/value/name");
}

#[test]
fn i6_bytes_between_members_hide_no_secret() {
    let mut padded = member("a", b'0', b"content");
    padded[600..616].copy_from_slice(SECRET);
    assert!(!holds(&rewritten(&archive(&[padded])).0, SECRET));
    let behind = [archive(&[member("a", b'0', b"")]), [b"....".as_slice(), SECRET].concat()].concat();
    let (after, _) = rewritten(&behind);
    assert!(after.ends_with(&[b"....", MASKED].concat()));
    // A secret across blocks that are no headers, and a member behind them.
    let rubbish = [vec![7; 506], SECRET.to_vec(), vec![7; 502]].concat();
    let (after, _) = rewritten(&archive(&[member("a", b'0', b""), rubbish, member("b", b'0', SECRET)]));
    assert!(!holds(&after, SECRET) && holds(&after, &[b"\x07", MASKED, b"\x07"].concat()));
}

#[test]
fn i6_a_secret_does_not_run_on_into_the_next_name() {
    let (begins, ends) = SECRET.split_at(4);
    let content = [vec![b'.'; 508], begins.to_vec()].concat();
    let next = std::str::from_utf8(ends).expect("text");
    for file in [
        archive(&[member("a", b'0', &content), member(next, b'0', b"next")]),
        archive(&[member("a", b'0', b""), content.clone(), member(next, b'5', b"")]),
    ] {
        assert!(holds(&file, SECRET));
        let (output, rewritten) = rewritten(&file);
        assert!(!holds(&output, SECRET) && holds(&output, MASKED));
        assert_eq!((rewritten.masked, output.len()), (16, file.len()));
    }
    // The rest of the archive is the same.
    let file = archive(&[member("a", b'0', &content), member(next, b'0', b"next")]);
    let masked = [vec![b'.'; 508], vec![b'X'; 4]].concat();
    let (output, _) = rewritten(&file);
    assert_eq!(members(&output), [row("a", '0', masked), row("XXXXXXXXXXXX", '0', "next")]);
}

pub(super) fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let record = |(key, value): &(&str, &[u8])| {
        let rest = key.len() + value.len() + 3;
        let length =
            (rest + 1..rest + 9).find(|length| rest + length.to_string().len() == *length).expect("some");
        [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
    };
    member("PaxHeaders/x", b'x', &records.iter().map(record).collect::<Vec<_>>().concat())
}

#[test]
fn extensions_are_masked_and_numbers_in_them_stay() {
    let before = archive(&[
        pax(&[
            ("path", b"the-secret-value/x"),
            ("mtime", b"1.5"),
            ("VENDOR.the-secret-value", b"the-secret-value"),
        ]),
        member("short", b'0', b"content"),
        member("././@LongLink", b'L', b"long/the-secret-value\0"),
        member("long", b'0', b"more"),
    ]);
    let (after, _) = rewritten(&before);
    assert!(!holds(&after, SECRET) && holds(&after, b"13 mtime=1.5") == holds(&before, b"13 mtime=1.5"));
    assert!(holds(&after, b"path=XXXXXXXXXXXXXXXX/x\n") && holds(&after, b"long/XXXXXXXXXXXXXXXX\0"));
    assert!(holds(&after, b"VENDOR.XXXXXXXXXXXXXXXX=XXXXXXXXXXXXXXXX\n"));
    assert_eq!(after.len(), before.len());
}

#[test]
fn a_container_in_an_archive_gets_its_new_size() {
    let text = [SECRET, &noise(3000, 1)].concat();
    let size = gzip(&text).len().to_string();
    let before = archive(&[
        pax(&[("size", size.as_bytes()), ("mtime", b"1700000000.25")]),
        member("a.gz", b'0', &gzip(&text)),
        member("b.gz", b'0', &gzip(b"clean")),
        member("c", b'0', b"end"),
    ]);
    let (after, _) = rewritten(&before);
    let after = members(&after);
    assert_eq!(gunzip(&after[1].2), ([MASKED, &noise(3000, 1)].concat(), true));
    assert!(holds(&after[0].2, format!("size={}\n", after[1].2.len()).as_bytes()));
    assert!(holds(&after[0].2, b"mtime=1700000000.25\n"));
    assert_eq!(after[2..], [row("b.gz", '0', gzip(b"clean")), row("c", '0', b"end")]);
}

#[test]
fn what_cannot_be_censored_is_withheld_alone() {
    let damaged = {
        let mut file = gzip(b"x");
        let last = file.len() - 1;
        file[last] ^= 1;
        file
    };
    let mut sparse = member("holes", b'S', b"data");
    sparse[482] = 1;
    let mut map = vec![0; 512];
    map[504] = 1;
    let mut link = member("link", b'1', b"");
    link[157..164].copy_from_slice(b"bad.gz\0");
    let long = format!("{}/{}", "d".repeat(80), "n".repeat(95));
    let before = archive(&[
        member("first", b'0', b"1"),
        member("bad.gz", b'0', &damaged),
        sealed(link, b""),
        [&sealed(sparse[..512].to_vec(), b""), map.as_slice(), &[0; 512], b"data", &[0; 508]].concat(),
        pax(&[("GNU.sparse.major", b"1"), ("GNU.sparse.name", b"more/holes")]),
        member("x", b'0', b"data"),
        pax(&[("path", long.as_bytes())]),
        member("n", b'0', &damaged),
        member("last", b'0', b"2"),
    ]);
    let (after, rewritten) = rewritten(&before);
    assert_eq!(rewritten.note.as_deref(), Some("5 members were withheld"));
    let after = members(&after);
    let names: Vec<_> = after.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(
        names[..5],
        [
            "first",
            "bad.gz.withheld.txt",
            "link.withheld.txt",
            "holes.withheld.txt",
            "more/holes.withheld.txt"
        ]
    );
    let reason = "This member was withheld: it is damaged: its content does not match its checksum.\n";
    assert_eq!(after[1], row("bad.gz.withheld.txt", '0', reason));
    assert!(holds(&after[5].2, format!("path={long}.withheld.txt\n").as_bytes()));
    assert_eq!((after[6].2.as_slice(), after[7].clone()), (reason.as_bytes(), row("last", '0', b"2")));
}

#[test]
fn five_containers_in_each_other_are_too_deep() {
    let mut nested = gzip(SECRET);
    for depth in 2..=5 {
        nested =
            archive(&[member("inner", b'0', &nested), member("beside", b'0', depth.to_string().as_bytes())]);
        let delivered = Bench::new().delivered(&nested).expect("delivered");
        assert_eq!(holds(&delivered, b"inner.withheld.txt"), depth == 5, "{depth}");
        assert!(holds(&delivered, b"beside"));
    }
    let shallow = Bench::with(Limits { depth: 0, ..Limits::default() });
    assert!(matches!(shallow.look(&gzip(b"x")), Verdict::Withheld(_)));
}

#[test]
fn lying_sizes_and_odd_names_break_nothing() {
    for size in [0, 1, 511, 513, 100_000, 0o77_777_777_777] {
        let lying = archive(&[with_size("a", b'0', size, SECRET), member("b", b'0', SECRET)]);
        let delivered = Bench::new().delivered(&lying);
        assert!(!holds(&delivered.unwrap_or_default(), SECRET), "{size}");
    }
    for name in ["../../etc/passwd", "/etc/passwd", "a\0the-secret-value", "", "..", "\u{1}\n"] {
        let delivered = Bench::new()
            .delivered(&archive(&[member("a", b'0', b""), member(name, b'0', SECRET)]))
            .expect("delivered");
        let text = name.split('\0').next().expect("a part");
        assert!(holds(&delivered, text.as_bytes()) && holds(&delivered, MASKED) && !members_hold(&delivered));
    }
}

fn members_hold(archive: &[u8]) -> bool {
    members(archive)
        .iter()
        .any(|(name, _, content)| holds(content, SECRET) || name.contains("the-secret-value"))
}

#[test]
fn wherever_an_archive_is_cut_nothing_leaves() {
    let packed = gzip(&[SECRET, &noise(200, 1)].concat());
    let whole = [member("a.gz", b'0', &packed), member("b", b'0', SECRET)].concat();
    for cut in 0..=whole.len() {
        let delivered = Bench::new().delivered(&whole[..cut]).unwrap_or_default();
        assert!(!holds(&delivered, SECRET), "cut at {cut}");
        if let Some(at) = delivered.windows(3).position(|window| window == [0x1f, 0x8b, 8]) {
            assert!(!holds(&gunzip(&delivered[at..]).0, SECRET), "cut at {cut}");
        }
    }
}

proptest! {
    #[test]
    fn whatever_lies_in_an_archive_members_keep_their_order_and_nothing_leaves(
        contents in prop::collection::vec((0_usize..100_000, 0..3_u8, any::<bool>()), 0..6),
        packed in any::<bool>(),
    ) {
        let content = |size, has_secret: bool| {
            let mut text = noise(size, 1);
            if has_secret {
                text.splice(size / 2..size / 2, SECRET.iter().copied());
            }
            text
        };
        let one = |(number, (size, kind, has_secret)): (usize, &(usize, u8, bool))| {
            let text = content(*size, *has_secret);
            let text = match kind { 0 => text, 1 => gzip(&text), _ => archive(&[member("in", b'0', &text)]) };
            member(&format!("m{number}"), b'0', &text)
        };
        let before = archive(&contents.iter().enumerate().map(one).collect::<Vec<_>>());
        let source = if packed { gzip(&before) } else { before.clone() };
        let delivered = Bench::new().delivered(&source).expect("delivered");
        let has_secret = contents.iter().any(|(.., has_secret)| *has_secret);
        prop_assert_eq!(delivered == source, !has_secret);
        let after = if packed { gunzip(&delivered).0 } else { delivered };
        let unpacked = |(_, kind, _): &(usize, u8, bool), content: Vec<u8>| match kind {
            0 => content,
            1 => gunzip(&content).0,
            _ => members(&content)[0].2.clone(),
        };
        for ((description, before), after) in contents.iter().zip(members(&before)).zip(members(&after)) {
            let mut masked = unpacked(description, before.2);
            Bench::new().fresh().mask(&mut masked, true);
            prop_assert_eq!((before.0, masked), (after.0, unpacked(description, after.2)));
        }
        prop_assert_eq!(members(&before).len(), members(&after).len());
    }
}
