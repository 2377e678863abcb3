//! Zeros, which cost a job nothing: holes are not read, and long runs are not searched.

use super::gzip::gzip;
use super::*;
use crate::censor::Censor;
use crate::censor::archive::ReadAt;
use std::io;

const MIB: usize = 1 << 20;

/// A text with a hole behind it, whose bytes cannot be read.
struct Holed {
    text: Vec<u8>,
    length: u64,
}

impl ReadAt for Holed {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        assert!(at < self.text.len() as u64, "a hole is read at {at}");
        self.text.as_slice().read_at(at, into)
    }

    fn is_hole(&self, at: u64, length: u64) -> bool {
        at >= self.text.len() as u64 && at + length <= self.length
    }
}

#[test]
fn i5_holes_of_containers_are_not_read() {
    let bench = Bench::new();
    let with = WalkContext { matcher: &bench.matcher, is_stopped: &|| false, budget: None };
    for mut text in [gzip(b"hello"), tar::archive(&[tar::member("a", b'0', b"hello")])] {
        text.resize(CHUNK_BYTES, 0);
        let holed = Holed { text, length: 64 * MIB as u64 };
        let verdict = bench.archives.look(&holed, with).expect("readable");
        let mut whole = holed.text.clone();
        whole.resize(64 * MIB, 0);
        let crc32c = crc32c::crc32c(&whole);
        assert_eq!(verdict, Verdict::Clean { bytes: 64 * MIB as u64, crc32c, note: None });
    }
}

#[test]
fn i6_what_lies_beside_many_zeros_is_masked_as_if_they_were_few() {
    let zeros = [0; 5];
    let secrets = [SECRET.to_vec(), [b"before", &zeros[..]].concat(), [&zeros[..], b"behind"].concat()];
    let text = [b"before", &vec![0; 3 * MIB][..], b"behind", &vec![0; 2 * MIB + 1], SECRET].concat();
    let row = vec![vec![0; 2000]];
    for (secrets, text) in [(&secrets[..], &text), (&row, &vec![0; 3 * MIB])] {
        let censor = Censor::of_values(secrets);
        let masked = censor.bytes(text);
        assert!(masked != *text);
        let mut output = Vec::new();
        let rewritten = censor.rewrite(&gzip(text).as_slice(), &mut output, &|| false).expect("rewritten");
        assert!(gunzip(&output).0 == masked, "{} bytes are masked", rewritten.masked);
    }
}
