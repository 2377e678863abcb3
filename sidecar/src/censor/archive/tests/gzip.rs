use super::*;
use flate2::{Compression, GzBuilder};
use proptest::prelude::*;
use std::io::Write;

pub(super) fn gzip(content: &[u8]) -> Vec<u8> {
    named("", content)
}

fn named(name: &str, content: &[u8]) -> Vec<u8> {
    let mut builder = GzBuilder::new().mtime(1_700_000_000).operating_system(3);
    if !name.is_empty() {
        builder = builder.filename(name).comment("a comment").extra(b"BC\x02\0ab".to_vec());
    }
    let mut encoder = builder.write(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("packed");
    encoder.finish().expect("packed")
}

#[test]
fn a_stream_without_a_secret_stays() {
    assert_clean(&gzip(b""));
    assert_clean(&gzip(&noise(300_000, 0)));
    assert_clean(&[named("a", &noise(100_000, 1)), gzip(b""), gzip(b"more")].concat());
    assert_clean(&[gzip(b"padded"), vec![0; 1000]].concat());
}

#[test]
fn a_secret_in_a_stream_is_masked_and_everything_else_stays() {
    let text = [&noise(200_000, 0), SECRET, &noise(200_000, 7)].concat();
    let (output, rewritten) = rewritten(&named("log.txt", &text));
    assert_eq!(gunzip(&output), ([&noise(200_000, 0), MASKED, &noise(200_000, 7)].concat(), true));
    assert_eq!((rewritten.masked, rewritten.note), (16, None));
    let mut decoder = flate2::read::GzDecoder::new(output.as_slice());
    let mut first = [0];
    decoder.read_exact(&mut first).expect("valid");
    let header = decoder.header().expect("a header");
    assert_eq!(header.filename(), Some(b"log.txt".as_slice()));
    assert_eq!((header.comment(), header.mtime()), (Some(b"a comment".as_slice()), 1_700_000_000));
    assert_eq!(header.extra(), None, "sizes of packed data would be wrong");
}

#[test]
fn i6_names_and_comments_of_a_stream_hide_no_secret() {
    let (output, _) = rewritten(&named("the-secret-value.txt", b"harmless"));
    assert!(
        holds(&output, b"XXXXXXXXXXXXXXXX.txt\0a comment\0")
            && gunzip(&output) == (b"harmless".to_vec(), true)
    );
    let extra =
        GzBuilder::new().extra(SECRET.to_vec()).write(Vec::new(), Compression::fast()).finish().expect("x");
    assert!(!holds(&rewritten(&extra).0, SECRET));
    let trailing = [gzip(b"x"), b"garbage the-secret-value".to_vec()].concat();
    assert!(rewritten(&trailing).0.ends_with(b"garbage XXXXXXXXXXXXXXXX"));
}

#[test]
fn i6_a_member_behind_zeros_is_looked_into() {
    for padding in [1, 1536, 3 * CHUNK_BYTES] {
        let zeros = vec![0; padding];
        assert_clean(&[gzip(b"one"), zeros.clone(), gzip(b"two"), zeros.clone()].concat());
        let stream = [gzip(b"one "), zeros.clone(), gzip(SECRET), zeros.clone()].concat();
        let (output, rewritten) = rewritten(&stream);
        assert_eq!(gunzip(&output).0, [b"one ".as_slice(), MASKED].concat(), "{padding}");
        assert!(output.ends_with(&zeros), "what follows the last member stays: {rewritten:?}");
    }
}

/// The members of a stream: their names and contents.
fn members(mut stream: &[u8]) -> Vec<(Option<Vec<u8>>, Vec<u8>)> {
    let mut members = Vec::new();
    while !stream.is_empty() {
        let mut content = Vec::new();
        let mut decoder = flate2::bufread::GzDecoder::new(stream);
        decoder.read_to_end(&mut content).expect("valid");
        members.push((decoder.header().and_then(|header| header.filename()).map(<[u8]>::to_vec), content));
        stream = decoder.into_inner();
    }
    members
}

#[test]
fn a_secret_across_members_is_masked_and_members_keep_their_spans() {
    let stream =
        [named("a", b"x the-sec"), named("b", b"ret-"), gzip(b""), named("c", b"value y"), named("d", b"")]
            .concat();
    let (output, _) = rewritten(&stream);
    let expected: [(Option<&[u8]>, &[u8]); 5] = [
        (Some(b"a"), b"x XXXXXXX"),
        (Some(b"b"), b"XXXX"),
        (None, b""),
        (Some(b"c"), b"XXXXX y"),
        (Some(b"d"), b""),
    ];
    let expected = expected.map(|(name, content)| (name.map(<[u8]>::to_vec), content.to_vec()));
    assert_eq!(members(&output), expected);
}

#[test]
fn a_stream_in_a_stream_is_rewritten_too() {
    let inner = gzip(&[SECRET, b" inside"].concat());
    let (output, _) = rewritten(&gzip(&inner));
    assert_eq!(gunzip(&gunzip(&output).0), (b"XXXXXXXXXXXXXXXX inside".to_vec(), true));
}

#[test]
fn wherever_a_stream_is_cut_nothing_leaves() {
    let stream =
        [named("n", b"first the-secret-value"), gzip(&[&noise(300, 3), SECRET, b"."].concat())].concat();
    for cut in 0..stream.len() {
        let delivered = Bench::new().delivered(&stream[..cut]);
        let content = delivered.map(|file| gunzip(&file).0).unwrap_or_default();
        assert!(!holds(&content, SECRET), "cut at {cut}");
    }
    let clean = gzip(&noise(1000, 1));
    for cut in 10..clean.len() {
        let verdict = Bench::new().look(&clean[..cut]);
        let note = Some("not looked into: an end that is missing".to_owned());
        assert_eq!(verdict, Verdict::Plain { note }, "cut at {cut}: what there is was looked at");
    }
}

#[test]
fn v_cf_12_what_cannot_be_checked_is_withheld() {
    let mut stream = gzip(&noise(1000, 1));
    stream[3] = 6;
    assert!(matches!(Bench::new().look(&stream), Verdict::Withheld(_) | Verdict::Plain { .. }));
    let mut stream = gzip(&noise(1000, 1));
    let last = stream.len() - 1;
    stream[last] ^= 1;
    let Verdict::Withheld(reason) = Bench::new().look(&stream) else { panic!("withheld") };
    assert_eq!(reason, "it is damaged: its content does not match its checksum");
}

#[test]
fn a_source_that_fails_or_changes_gives_no_verdict() {
    struct Broken(std::cell::Cell<u64>);
    impl super::super::ReadAt for Broken {
        fn len(&self) -> u64 {
            300_000
        }
        fn read_at(&self, at: u64, into: &mut [u8]) -> std::io::Result<usize> {
            if at >= self.0.get() {
                return Err(std::io::Error::other("broken"));
            }
            let mut file = gzip(&noise(299_000, 0));
            file.resize(300_000, 0);
            file.as_slice().read_at(at, into)
        }
    }
    let bench = Bench::new();
    let with = WalkContext { matcher: &bench.matcher, is_stopped: &|| false, budget: None };
    for from in [0, 70_000] {
        let looked = bench.archives.look(&Broken(std::cell::Cell::new(from)), with);
        assert!(matches!(looked, Err(ArchiveError::Source(_))), "{from}: {looked:?}");
    }
    let stopped = WalkContext { is_stopped: &|| true, ..with };
    assert!(matches!(bench.archives.look(&gzip(b"x").as_slice(), stopped), Err(ArchiveError::GivenUp)));
}

#[test]
fn a_bomb_is_withheld() {
    let zeros = gzip(&vec![0; 3 << 20]);
    let bench = Bench::with(Limits { unpacked_bytes: 2 << 20, ..Limits::default() });
    assert_eq!(bench.look(&zeros), Verdict::Withheld("it unpacks to more than 2097152 bytes".to_owned()));
    let many = gzip(b"").repeat(101);
    let bench = Bench::with(Limits { members: 100, ..Limits::default() });
    assert_eq!(bench.look(&many), Verdict::Withheld("it has more than 100 members".to_owned()));
    let bench = Bench::with(Limits { cpu_time: std::time::Duration::ZERO, ..Limits::default() });
    assert!(matches!(bench.look(&zeros), Verdict::Withheld(_)));
}

#[test]
fn a_large_ratio_is_withheld_and_a_small_bomb_is_not() {
    let with = |limits: Limits, read, written| {
        super::super::limits::Meter::new(limits, &|| false, None).unpack(0, read, written).is_err()
    };
    let limits = Limits { ratio: 100, ..Limits::default() };
    assert!(!with(limits, 1000, 60 << 20), "nothing to worry about");
    assert!(!with(limits, 1 << 20, 100 << 20) && with(limits, 1 << 20, (100 << 20) + 1));
}

proptest! {
    #[test]
    fn members_cut_anywhere_hold_the_same_text(
        size in 0_usize..200_000,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ranges in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let mut text = noise(size, 5);
        for place in &ranges {
            let at = place.index(text.len() + 1);
            text.splice(at..at, SECRET.iter().copied());
        }
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let spans: Vec<_> = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
        let stream = spans.iter().map(|span| gzip(span)).collect::<Vec<_>>().concat();
        let mut masked = text.clone();
        Bench::new().fresh().mask(&mut masked, true);
        let delivered = Bench::new().delivered(&stream).expect("delivered");
        prop_assert_eq!(delivered == stream, masked == text);
        let lengths = |stream: &[u8]| members(stream).iter().map(|member| member.1.len()).collect::<Vec<_>>();
        prop_assert_eq!(lengths(&delivered), lengths(&stream));
        prop_assert_eq!(gunzip(&delivered), (masked, true));
    }

    #[test]
    fn whatever_is_changed_in_a_stream_nothing_leaves(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut stream = [named("name", b"first the-secret-value"), gzip(&[&noise(50, 3), SECRET].concat())].concat();
        for (place, byte) in &changes {
            *place.get_mut(&mut stream) = *byte;
        }
        let delivered = Bench::new().delivered(&stream);
        let content = delivered.map(|file| gunzip(&file).0).unwrap_or_default();
        prop_assert!(!holds(&content, SECRET));
    }
}
