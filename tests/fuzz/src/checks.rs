//! One check per target, which panics when an input breaks a promise.

use flate2::read::MultiGzDecoder;
use sidecar::censor::archive::{ArchiveError, Verdict};
use sidecar::censor::{ArchiveOptions, Censor, CensoringOptions, StreamMask};
use std::io::Read;
use std::path::Path;
use std::sync::OnceLock;

const SECRET: &[u8] = b"the-secret-value";

/// A censor with one secret, and limits that an input cannot stretch.
fn censor() -> &'static Censor {
    static CENSOR: OnceLock<Censor> = OnceLock::new();
    CENSOR.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("token"), SECRET).expect("written");
        load(dir.path())
    })
}

fn load(dir: &Path) -> Censor {
    let archives = ArchiveOptions {
        unpacked_bytes: Some(8 << 20),
        members: Some(2000),
        spool_bytes: Some(8 << 20),
        memory: Some(8 << 20),
        ..ArchiveOptions::default()
    };
    let options = CensoringOptions {
        secret_directories: vec![dir.display().to_string()],
        ini_filenames: vec!["x.ini".to_owned()],
        archives,
        ..CensoringOptions::default()
    };
    Censor::load(&options)
}

fn holds(text: &[u8], wanted: &[u8]) -> bool {
    !wanted.is_empty() && text.windows(wanted.len()).any(|window| window == wanted)
}

fn whole(mut mask: StreamMask, text: &[u8]) -> Vec<u8> {
    let mut masked = text.to_vec();
    assert_eq!(mask.mask(&mut masked, true), text.len());
    masked
}

/// Checks that a stream is masked alike in pieces of any size, which the first byte
/// gives.
pub fn stream(data: &[u8]) {
    let Some((size, text)) = data.split_first() else { return };
    let fresh = || censor().stream().expect("a secret is in force");
    let expected = whole(fresh(), text);
    assert!(!holds(&expected, SECRET));
    let (mut mask, mut window, mut output) = (fresh(), Vec::new(), Vec::new());
    let mut pieces = text.chunks(usize::from(*size).max(1)).peekable();
    while let Some(piece) = pieces.next() {
        window.extend_from_slice(piece);
        let released = mask.mask(&mut window, pieces.peek().is_none());
        output.extend(window.drain(..released));
    }
    assert_eq!(output, expected);
}

/// Returns the delivered bytes after checking them; `None` if the file is withheld.
fn delivered(file: &[u8]) -> Option<Vec<u8>> {
    let source = &file;
    let verdict = censor().look_into(source, &|| false).expect("memory can be read");
    let output = match verdict {
        Verdict::Clean { bytes, .. } => {
            assert_eq!(bytes, file.len() as u64);
            file.to_vec()
        }
        Verdict::Plain { .. } => whole(censor().stream().expect("a secret is in force"), file),
        Verdict::Withheld(_) => return None,
        Verdict::Dirty => {
            let mut output = Vec::new();
            match censor().rewrite(source, &mut output, &|| false) {
                Ok(rewritten) => assert_eq!(rewritten.source_bytes, file.len() as u64),
                Err(ArchiveError::Withheld(_)) => return None,
                Err(error) => panic!("{error}"),
            }
            let again = censor().look_into(&output.as_slice(), &|| false).expect("memory can be read");
            assert_ne!(again, Verdict::Dirty, "what was packed anew holds a secret");
            output
        }
    };
    Some(output)
}

/// Returns whether the content shows the secret. In a tar archive it is not looked
/// for across the unused end of a header and the content behind it, nor across
/// the end of a container and the name behind it.
fn shows(content: &[u8]) -> bool {
    let is_tar = content.get(257..265).is_some_and(|magic| magic.starts_with(b"ustar") || magic == [0; 8]);
    if is_tar {
        return content.chunks(512).any(|text| holds(text, SECRET));
    }
    // The archive may begin behind blocks that are none of its own.
    let goes_beyond_header = |at: usize| {
        let header = content[..at + SECRET.len() - 1].chunks_exact(512).next_back().unwrap_or_default();
        at % 512 + SECRET.len() > 512 && header[257..].starts_with(b"ustar")
    };
    let mut found = content.windows(SECRET.len()).enumerate().filter(|(_, text)| *text == SECRET);
    found.any(|(at, _)| !goes_beyond_header(at))
}

/// Checks that no decoder finds a secret in a delivered gzip stream.
pub fn gzip(data: &[u8]) {
    let file = [b"\x1f\x8b\x08", data].concat();
    let Some(output) = delivered(&file) else { return };
    assert!(!holds(&output, SECRET));
    let mut content = Vec::new();
    // A stream that is cut off gives what there is.
    let _is_whole = MultiGzDecoder::new(output.as_slice()).take(16 << 20).read_to_end(&mut content).is_ok();
    assert!(!shows(&content));
}

/// Checks tar archives. Blocks that resemble headers get a valid checksum, which no
/// fuzzer guesses.
pub fn tar(data: &[u8]) {
    let mut file = data.to_vec();
    for block in file.chunks_exact_mut(512).filter(|block| &block[257..262] == b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    let output = delivered(&file).unwrap_or_default();
    // Blocks that zstd did not pack show parts of a text beside other bytes.
    assert!(output.starts_with(b"\x28\xb5\x2f\xfd") || !shows(&output));
}

/// Checks that no raw secret is in a delivered zip archive.
pub fn zip(data: &[u8]) {
    let output = delivered(&[b"PK\x03\x04", data].concat()).unwrap_or_default();
    assert!(!holds(&output, SECRET));
}

/// Checks that zstd, bzip2 and xz break nothing; the first byte selects one.
pub fn scanned(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let magic: &[u8] = match first % 3 {
        0 => b"\x28\xb5\x2f\xfd",
        1 => b"\xfd7zXZ\0",
        _ => b"BZh91AY&SY",
    };
    delivered(&[magic, rest].concat());
}

/// Checks that a secret of any content and form is loaded, and masked as a whole.
pub fn secrets(data: &[u8]) {
    let Some((first, secret)) = data.split_first() else { return };
    let names = ["token", ".dockercfg", ".dockerconfigjson", "x.ini", "kubeconfig", "x.yaml", "x.json"];
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join(names[usize::from(*first) % names.len()]), secret).expect("written");
    let censor = load(dir.path());
    let text = [b"before ", secret, b" after"].concat();
    let masked = censor.stream().map_or_else(|| text.clone(), |mask| whole(mask, &text));
    // White space of Unicode is cut off, and white space alone is no secret:
    // what lies between two visible letters is in any case.
    let Some(first) = secret.iter().position(u8::is_ascii_graphic) else { return };
    let Some(last) = secret.iter().rposition(u8::is_ascii_graphic) else { return };
    let core = &secret[first..=last];
    let is_boolean = [b"true".as_slice(), b"false"].iter().any(|word| core.eq_ignore_ascii_case(word));
    let place = &masked[b"before ".len() + first..=b"before ".len() + last];
    assert!(is_boolean || place.iter().all(|byte| *byte == b'X'), "the secret is visible");
}

/// A test report is read alike in pieces of any size, and what is kept of it is bounded.
pub fn junit(data: &[u8]) {
    use sidecar::junit::{MAX_CASES, MAX_FAILURES, MAX_KEPT_BYTES, Reader};
    let read = |step: usize| {
        let mut reader = Reader::default();
        data.chunks(step).for_each(|piece| reader.push(piece));
        reader.finish()
    };
    let whole = read(data.len().max(1));
    for step in [1, 3, 64] {
        assert_eq!(read(step), whole, "in pieces of {step}");
    }
    let Some(mut file) = whole else { return };
    let counts = file.counts;
    assert!(counts.tests <= MAX_CASES && counts.failed + counts.skipped <= counts.tests);
    assert!(file.failures.len() <= MAX_FAILURES && counts.seconds >= 0.0);
    assert!(file.shrink(usize::MAX) <= 2 * MAX_KEPT_BYTES);
}
