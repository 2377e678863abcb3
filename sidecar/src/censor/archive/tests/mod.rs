//! Containers that are looked into and rewritten.

mod ar;
mod behind;
mod compressed;
mod gzip;
mod pdf;
mod sparse;
mod surroundings;
mod survey;
mod tar;
mod zeros;
mod zip;
mod zip_members;

use super::{ArchiveError, Archives, CHUNK_BYTES, Limits, Rewritten, Verdict, WalkContext, format};
use crate::censor::engine::Matcher;
use crate::censor::stream::StreamMask;
use std::io::Read;
use std::sync::Arc;

const SECRET: &[u8] = b"the-secret-value";
const MASKED: &[u8] = b"XXXXXXXXXXXXXXXX";

/// A secret and limits, on which a test can look and rewrite.
struct Bench {
    archives: Archives,
    matcher: Arc<Matcher>,
}

impl Bench {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let matcher = Arc::new(Matcher::new([SECRET.to_vec()]).expect("small"));
        Self { archives: Archives::new(limits), matcher }
    }

    fn fresh(&self) -> StreamMask {
        StreamMask::new(Arc::clone(&self.matcher))
    }

    fn look(&self, file: &[u8]) -> Verdict {
        let with = WalkContext { matcher: &self.matcher, is_stopped: &|| false, budget: None };
        self.archives.look(&file, with).expect("readable")
    }

    fn rewrite(&self, file: &[u8]) -> Result<(Vec<u8>, Rewritten), ArchiveError> {
        let with = WalkContext { matcher: &self.matcher, is_stopped: &|| false, budget: None };
        let mut output = Vec::new();
        self.archives.rewrite(&file, &mut output, with).map(|rewritten| (output, rewritten))
    }

    /// Returns the delivered bytes; `None` if the file is withheld.
    fn delivered(&self, file: &[u8]) -> Option<Vec<u8>> {
        match self.look(file) {
            Verdict::Clean { bytes, crc32c, .. } => {
                assert_eq!((bytes, crc32c), (file.len() as u64, crc32c::crc32c(file)));
                Some(file.to_vec())
            }
            Verdict::Plain { .. } => {
                let mut masked = file.to_vec();
                self.fresh().mask(&mut masked, true);
                Some(masked)
            }
            Verdict::Dirty => match self.rewrite(file) {
                Ok((output, rewritten)) => {
                    let source = (rewritten.source_bytes, rewritten.source_crc32c);
                    assert_eq!(source, (file.len() as u64, crc32c::crc32c(file)));
                    Some(output)
                }
                Err(ArchiveError::Withheld(_)) => None,
                Err(error) => panic!("{error}"),
            },
            Verdict::Withheld(_) => None,
        }
    }
}

#[track_caller]
fn assert_clean(file: &[u8]) {
    assert!(
        matches!(Bench::new().look(file), Verdict::Clean { note: None, .. }),
        "{:?}",
        Bench::new().look(file)
    );
}

/// Packed anew, without the secret.
#[track_caller]
fn rewritten(file: &[u8]) -> (Vec<u8>, Rewritten) {
    let bench = Bench::new();
    assert_eq!(bench.look(file), Verdict::Dirty);
    let (output, rewritten) = bench.rewrite(file).expect("rewritten");
    assert!(matches!(bench.look(&output), Verdict::Clean { .. }), "{:?}", bench.look(&output));
    (output, rewritten)
}

fn holds(text: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || text.windows(wanted.len()).any(|window| window == wanted)
}

/// Bytes that do not pack well.
fn noise(size: usize, seed: u32) -> Vec<u8> {
    let size = u32::try_from(size).expect("small");
    (seed..seed + size).map(|at| (at.wrapping_mul(2_654_435_761) >> 25).to_le_bytes()[0] | 0x80).collect()
}

/// Unpacks a gzip stream as far as a tool would.
fn gunzip(stream: &[u8]) -> (Vec<u8>, bool) {
    let mut content = Vec::new();
    let is_whole = flate2::read::MultiGzDecoder::new(stream).read_to_end(&mut content).is_ok();
    (content, is_whole)
}

/// zstd's frames to be skipped: the secret is in one, or begins in its length.
#[test]
fn i6_frames_to_be_skipped_hide_no_secret() {
    let bench = Bench::new();
    let whole = [b"\x50\x2a\x4d\x18".as_slice(), &16_u32.to_le_bytes(), SECRET].concat();
    let begins_in_length = [b"\x5d\x2a\x4d\x18".as_slice(), b"\x15\x15", SECRET].concat();
    for file in [whole, begins_in_length] {
        assert!(bench.delivered(&file).is_none_or(|output| !holds(&output, SECRET)));
    }
}

/// `printf 'hi, the-secret-value\n' | xz -9`, and the same without the secret: their
/// headers ask for a window of 64 MiB.
#[test]
fn memory_is_limited_by_what_is_unpacked_not_by_a_header() {
    let with_secret = b"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x1c\x00\x00\x00\x10\xcf\x58\xcc\x01\x00\x14\x68\x69\x2c\x20\x74\x68\x65\x2d\x73\x65\x63\x72\x65\x74\x2d\x76\x61\x6c\x75\x65\x0a\x00\x00\x00\x00\xc7\x5e\xac\x19\x91\xa1\x9b\x59\x00\x01\x2d\x15\x2f\x0b\x71\x6d\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04\x59\x5a";
    let without = b"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x1c\x00\x00\x00\x10\xcf\x58\xcc\x01\x00\x02\x68\x69\x0a\x00\x00\xfb\x7b\xe8\xe8\x2a\x58\x43\x4f\x00\x01\x1b\x03\x0b\x2f\xb9\x10\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04\x59\x5a";
    assert_clean(without);
    let bench = Bench::new();
    assert_eq!(bench.look(with_secret), Verdict::Dirty);
    assert!(bench.rewrite(with_secret).is_ok());
    // Content that does not fit is still refused.
    let small = Bench::with(Limits { memory: 4096, ..Limits::default() });
    assert!(matches!(small.look(without), Verdict::Withheld(reason) if reason.contains("memory")));
}
