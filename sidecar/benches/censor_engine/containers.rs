//! The cost of looking into a compressed archive, relative to unpacking and packing.

use crate::Stopwatch;
use crate::texts::{Random, log_text, secrets};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use sidecar::censor::archive::Verdict;
use sidecar::censor::{Censor, CensoringOptions};
use std::io::{self, Write};

/// Members of the archive have about this size.
const MEMBER_BYTES: usize = 1 << 20;

/// The median cost of each case in processor time, relative to gunzip + gzip.
pub(crate) fn table(size: usize, runs: usize, random: &mut Random) {
    let dir = tempfile::tempdir().expect("a directory");
    let values = secrets(500, 16..=200, random);
    for (number, value) in values.iter().enumerate() {
        std::fs::write(dir.path().join(number.to_string()), value).expect("written");
    }
    let secret_directories = vec![dir.path().display().to_string()];
    let options = CensoringOptions { secret_directories, ..CensoringOptions::default() };
    let censor = Censor::load(&options);
    let text = log_text(size, random);
    let clean = archive(&text, b"");
    let last = archive(&text, &values[0]);
    println!("## tar.gz, {} MiB of text, 500 secrets, processor time\n", size >> 20);
    println!("| case | seconds | relative |");
    println!("|---|---|---|");
    let base = median(runs, || repack(&clean));
    println!("| gunzip + gzip (flate2, zlib-rs) | {base:.2} | 1 |");
    let looked = median(runs, || {
        assert!(matches!(censor.look_into(&clean.as_slice(), &|| false), Ok(Verdict::Clean { .. })));
    });
    println!("| no secret: looked into | {looked:.2} | {:.2} |", looked / base);
    let rewritten = median(runs, || {
        assert!(matches!(censor.look_into(&last.as_slice(), &|| false), Ok(Verdict::Dirty)));
        let done = censor.rewrite(&last.as_slice(), &mut io::sink(), &|| false);
        assert!(done.is_ok_and(|done| done.masked > 0));
    });
    println!(
        "| a secret at the very end: looked into, packed anew | {rewritten:.2} | {:.2} |",
        rewritten / base
    );
    println!();
}

fn median(runs: usize, mut work: impl FnMut()) -> f64 {
    let mut times: Vec<_> = (0..runs)
        .map(|_| {
            let since = Stopwatch::start();
            work();
            since.seconds()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn repack(packed: &[u8]) {
    let mut encoder = GzEncoder::new(io::sink(), Compression::default());
    io::copy(&mut GzDecoder::new(packed), &mut encoder).expect("in memory");
    encoder.finish().expect("in memory");
}

/// A tar.gz of log files, the last of which ends with a text.
fn archive(text: &[u8], end: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let last = text.chunks(MEMBER_BYTES).count() - 1;
    for (number, part) in text.chunks(MEMBER_BYTES).enumerate() {
        let content = [part, if number == last { end } else { b"" }].concat();
        encoder.write_all(&header(&format!("logs/{number}.log"), content.len())).expect("in memory");
        encoder.write_all(&content).expect("in memory");
        let padding = content.len().next_multiple_of(512) - content.len();
        encoder.write_all(&vec![0; padding]).expect("in memory");
    }
    encoder.write_all(&[0; 1024]).expect("in memory");
    encoder.finish().expect("in memory")
}

fn header(name: &str, size: usize) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    block[148..156].fill(b' ');
    block[156] = b'0';
    block[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}
