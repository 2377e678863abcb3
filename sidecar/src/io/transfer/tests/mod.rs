//! Attempts into directories; buckets are tested with a server in `sidecar/tests`.

use super::*;
use crate::destination::{Credentials, Destination};
use crate::io::source::FileSource;
use bytes::Bytes;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

mod large;
mod sparse;

const LIMITS: Limits = Limits { part_bytes: 5 << 20, max_part_bytes: 32 << 20, parts_in_memory: 2 };

/// A directory store in `out` and sources in `in`.
struct Place {
    dir: TempDir,
    store: Store,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let destination = Destination::LocalDir { root: dir.path().join("deep/out") };
        let store = Store::open(&destination, &Credentials::default()).expect("opened");
        Self { dir, store }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("deep/out")
    }

    fn file(&self, content: impl AsRef<[u8]>) -> Source {
        let path = self.dir.path().join("source");
        std::fs::write(&path, content).expect("written");
        Source::File(FileSource::configured(path))
    }

    fn run(&self, request: &Upload) -> Result<Stored, UploadError> {
        run(upload(&self.store, request, None, &LIMITS))
    }

    fn content(&self, key: &str) -> Vec<u8> {
        std::fs::read(self.root().join(key)).expect("stored")
    }

    fn names(&self) -> Vec<String> {
        names(&self.root())
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn request(key: &str, source: Source) -> Upload {
    Upload {
        key: key.to_owned(),
        source,
        content_type: None,
        content_encoding: None,
        metadata: Vec::new(),
        compress: true,
        compressed_type: None,
        precondition: Precondition::Overwrite,
        reader: None,
        censor: true,
    }
}

fn document(text: &'static str) -> Source {
    Source::Bytes(Bytes::from_static(text.as_bytes()))
}

#[test]
fn v_tr_1_a_file_is_stored_with_its_sums() {
    let place = Place::new();
    let content = b"line\n".repeat(200_000);
    let stored = place.run(&request("a/b/build-log.txt", place.file(&content))).expect("stored");
    assert_eq!(place.content("a/b/build-log.txt"), content);
    assert_eq!((stored.source_bytes, stored.stored_bytes), (1_000_000, 1_000_000));
    assert_eq!(stored.source_crc32c, crc32c::crc32c(&content));
    assert_eq!(stored.stored_crc32c, stored.source_crc32c);
    assert_eq!(stored.content_type.as_deref(), Some("text/plain; charset=utf-8"));
    assert_eq!(stored.content_encoding, None);
    assert!(!stored.changed && stored.source_stamp.is_some());
    let mode = |key: &str| std::fs::metadata(place.root().join(key)).expect("there").permissions().mode();
    assert_eq!(mode("a") & 0o777, 0o755);
    assert_eq!(mode("a/b/build-log.txt") & 0o111, 0);
}

#[test]
fn v_tr_2_an_unreadable_source_creates_nothing() {
    let place = Place::new();
    let source = Source::File(FileSource::configured(place.dir.path().join("none")));
    assert!(matches!(place.run(&request("a/log", source)), Err(UploadError::Source(_))));
    assert!(!place.root().exists());
}

#[test]
fn v_tr_3_an_empty_source_is_an_empty_object() {
    let place = Place::new();
    let stored = place.run(&request("empty", place.file(""))).expect("stored");
    assert_eq!(place.content("empty"), b"");
    assert_eq!(stored.stored_bytes, 0);
}

#[test]
fn directories_keep_names_and_bytes() {
    let place = Place::new();
    let long = "n".repeat(255);
    for key in ["a%20b", "a?b#c", "line\nbreak", "[x]*", long.as_str()] {
        place.run(&request(key, document("content"))).expect("stored");
        assert_eq!(place.content(key), b"content", "{key}");
    }
    assert_eq!(place.names().len(), 5, "no temporary file stays");
}

#[test]
fn keys_that_lead_elsewhere_are_refused() {
    let place = Place::new();
    for key in ["", "/a", "a//b", "../a", "a/..", "./a", "a/", "nul\0"] {
        let result = place.run(&request(key, document("x")));
        assert!(matches!(result, Err(UploadError::Write(WriteError::Permanent(_)))), "{key:?}");
    }
}

#[test]
fn a_link_in_the_output_tree_is_not_followed() {
    let place = Place::new();
    let outside = tempfile::tempdir().expect("a directory");
    std::fs::create_dir_all(place.root()).expect("made");
    symlink(outside.path(), place.root().join("logs")).expect("linked");
    symlink(outside.path().join("victim"), place.root().join("file")).expect("linked");
    let result = place.run(&request("logs/build-log.txt", document("x")));
    assert!(matches!(result, Err(UploadError::Write(WriteError::Permanent(_)))), "{result:?}");
    place.run(&request("file", document("x"))).expect("stored");
    assert!(names(outside.path()).is_empty(), "nothing was written through the links");
    assert_eq!(place.content("file"), b"x");
}

#[test]
fn conditions_hold_in_directories() {
    let place = Place::new();
    let conditional =
        |precondition, text| place.run(&Upload { precondition, ..request("key", document(text)) });
    let first = conditional(Precondition::IfAbsent, "one").expect("stored").version.expect("known");
    assert_eq!(
        conditional(Precondition::IfAbsent, "two"),
        Err(UploadError::Write(WriteError::PreconditionFailed))
    );
    let read = run(place.store.read_small("key", 10)).expect("read").expect("there");
    assert_eq!(read, (b"one".to_vec(), first.clone()));
    let second = conditional(Precondition::IfVersion(first.clone()), "three").expect("stored").version;
    assert_ne!(second, Some(first.clone()));
    assert_eq!(
        conditional(Precondition::IfVersion(first), "four"),
        Err(UploadError::Write(WriteError::PreconditionFailed))
    );
    assert_eq!(place.content("key"), b"three");
    assert_eq!(place.names(), ["key"], "refused writes leave nothing");
}

#[test]
fn small_reads_are_bounded() {
    let place = Place::new();
    assert_eq!(run(place.store.read_small("a/key", 4)), Ok(None));
    place.run(&request("a/key", document("12345"))).expect("stored");
    assert!(run(place.store.read_small("a/key", 4)).is_err());
    assert!(run(place.store.read_small("a/key", 5)).expect("read").is_some());
}

#[test]
fn an_attempt_that_was_given_up_leaves_nothing() {
    let place = Place::new();
    let request = request("big", place.file(vec![7; 50_000_000]));
    run(async {
        let attempt = upload(&place.store, &request, None, &LIMITS);
        // Polled once, the thread runs; dropped, it must not publish.
        assert!(futures::poll!(Box::pin(attempt)).is_pending());
    });
    // The runtime waits for its blocking thread when it ends.
    assert!(place.names().is_empty(), "{:?}", place.names());
}

/// A sink that remembers.
#[derive(Default)]
struct Memory {
    head: Option<ContentHeaders>,
    bytes: Vec<u8>,
    /// A file that gets one more byte when the first bytes come.
    touched: Option<PathBuf>,
}

impl output::Sink for Memory {
    type Error = std::convert::Infallible;

    fn begin(&mut self, head: &ContentHeaders, _at_most: u64) -> Result<(), Self::Error> {
        assert_eq!(self.head.replace(head.clone()), None, "begun once");
        if let Some(path) = &self.touched {
            let mut file = std::fs::File::options().append(true).open(path).expect("opened");
            std::io::Write::write_all(&mut file, b"x").expect("written");
        }
        Ok(())
    }

    fn wanted(&self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        assert!(self.head.is_some(), "begun before");
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

/// Pumps a document as a bucket would get it.
fn pumped(content: &[u8], compress: bool, compressed_type: Option<&str>) -> (ContentHeaders, Vec<u8>) {
    let source = Source::Bytes(Bytes::copy_from_slice(content));
    let compressed_type = compressed_type.map(str::to_owned);
    let request = Upload { compressed_type, ..request("build/log.text", source) };
    let mut memory = Memory::default();
    let totals = pump::pump(&request, compress, None, &mut memory).expect("pumped");
    assert_eq!(totals.source_bytes, content.len() as u64);
    assert_eq!(totals.stored_bytes, memory.bytes.len() as u64);
    assert_eq!(totals.stored_crc32c, crc32c::crc32c(&memory.bytes));
    (memory.head.expect("begun"), memory.bytes)
}

#[test]
fn a_source_that_changes_is_cut_and_said_to_have_changed() {
    let place = Place::new();
    let request = request("log", place.file("content"));
    let mut memory = Memory { touched: Some(place.dir.path().join("source")), ..Memory::default() };
    let totals = pump::pump(&request, false, None, &mut memory).expect("pumped");
    assert!(totals.changed);
    assert_eq!((memory.bytes.as_slice(), totals.source_bytes), (b"content".as_slice(), 7));
}

fn unpacked(gzip: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    flate2::read::MultiGzDecoder::new(gzip).read_to_end(&mut content).expect("valid gzip");
    content
}

#[test]
fn v_cm_3_what_is_no_candidate_is_stored_unchanged() {
    let (head, bytes) = pumped(b"twenty-five bytes of text", false, None);
    assert_eq!(bytes, b"twenty-five bytes of text");
    assert_eq!(head.content_encoding, None);
}

#[test]
fn v_cm_4_a_candidate_is_compressed() {
    let content = b"text".repeat(283);
    assert_eq!(content.len(), 1132);
    let (head, bytes) = pumped(&content, true, Some("text/html"));
    assert_eq!(unpacked(&bytes), content);
    assert_eq!(head, ContentHeaders { content_type: "text/html".to_owned(), content_encoding: Some("gzip") });
    assert_eq!(bytes[3..8], [0; 5], "no name and no time in the header");
}

#[test]
fn v_cm_5_three_bytes_make_the_signature() {
    let mut content = vec![0x1f, 0xc2, 0x8b, 0x08];
    content.extend(b"text".repeat(283));
    let (head, bytes) = pumped(&content, true, None);
    assert_eq!(unpacked(&bytes), content);
    assert_eq!(head.content_type, "text/plain; charset=utf-8");
    let mut compressed = vec![0x1f, 0x8b, 0x08];
    compressed.extend(b"text".repeat(283));
    let (head, bytes) = pumped(&compressed, true, None);
    assert_eq!((bytes, head.content_encoding), (compressed, None));
}

#[test]
fn small_content_is_not_compressed() {
    assert_eq!(pumped(&[b'x'; 1024], true, None).0.content_encoding, None);
    assert_eq!(pumped(&[b'x'; 1025], true, None).0.content_encoding, Some("gzip"));
    assert_eq!(pumped(b"", true, None).1, b"");
}

/// A censor with one secret, loaded as in a pod.
fn censor(dir: &Path) -> Arc<Censor> {
    censor_of(dir, &["the-secret-value\n"])
}

fn censor_of(dir: &Path, values: &[&str]) -> Arc<Censor> {
    let secrets = dir.join("secrets");
    std::fs::create_dir_all(&secrets).expect("made");
    for (number, value) in values.iter().enumerate() {
        std::fs::write(secrets.join(format!("token-{number}")), value).expect("written");
    }
    let secret_directories = vec![secrets.display().to_string()];
    let options = crate::censor::CensoringOptions { secret_directories, ..Default::default() };
    let mut secrets = crate::censor::Secrets::new(&options, &[]);
    secrets.read();
    let censor = Censor::new(&secrets, &options, 1);
    Arc::new(censor)
}

#[test]
fn a_log_is_masked_while_it_is_read() {
    let place = Place::new();
    let line = b"a line with the-secret-value in it, and aGUtc2VjcmV0LXZhbHVl\n".repeat(20_000);
    let censor = censor(place.dir.path());
    let request = request("build-log.txt", place.file(&line));
    let stored = run(upload(&place.store, &request, Some(&censor), &LIMITS)).expect("stored");
    let content = String::from_utf8(place.content("build-log.txt")).expect("text");
    assert_eq!(content.len(), line.len());
    assert!(!content.contains("secret") && content.starts_with("a line with XXXXXXXXXXXXXXXX in it"));
    assert_eq!(stored.censored % 20_000, 0);
    assert_ne!(stored.source_crc32c, stored.stored_crc32c);
    assert_eq!(stored.stored_crc32c, crc32c::crc32c(content.as_bytes()));
    let uncensored = Upload { censor: false, ..request };
    let stored = run(upload(&place.store, &uncensored, Some(&censor), &LIMITS)).expect("stored");
    assert_eq!((stored.censored, place.content("build-log.txt")), (0, line));
}

fn packed(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, content).expect("packed");
    encoder.finish().expect("packed")
}

#[test]
fn a_container_with_a_secret_is_packed_anew_and_one_without_is_kept() {
    let place = Place::new();
    let censor = censor(place.dir.path());
    let attempt = |key: &str, content: &[u8]| {
        run(upload(&place.store, &request(key, place.file(content)), Some(&censor), &LIMITS))
    };
    let clean = packed(b"nothing to see");
    attempt("clean.tar.gz", &clean).expect("stored");
    assert_eq!(place.content("clean.tar.gz"), clean);
    let dirty = packed(&b"x the-secret-value x".repeat(100_000));
    let stored = attempt("dirty.tar.gz", &dirty).expect("stored");
    let content = place.content("dirty.tar.gz");
    assert!(unpacked(&content) == b"x XXXXXXXXXXXXXXXX x".repeat(100_000));
    assert_eq!((stored.censored, stored.note), (1_600_000, None));
    assert_eq!((stored.source_bytes, stored.source_crc32c), (dirty.len() as u64, crc32c::crc32c(&dirty)));
    assert_eq!((stored.stored_bytes, stored.stored_crc32c), (content.len() as u64, crc32c::crc32c(&content)));
    // What cannot be checked is withheld, and leaves nothing behind.
    let mut damaged = packed(b"x the-secret-value x");
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let result = attempt("damaged.gz", &damaged);
    let Err(UploadError::Withheld(reason)) = result else { panic!("withheld: {result:?}") };
    assert_eq!(reason, "it is damaged: its content does not match its checksum");
    assert_eq!(place.names(), ["clean.tar.gz", "dirty.tar.gz"]);
    // V-CF-12: one that is cut off, or only begins like one, is masked as bytes.
    let damaged = [&clean[..3], &[6], &clean[4..], b"the-secret-value"].concat();
    let stored = attempt("corrupt.tar.gz", &damaged).expect("stored");
    assert_eq!(stored.censored, 16);
    assert_eq!(stored.note.as_deref(), Some("not looked into: an end that is missing"));
    // C-2: a process log is no container.
    let source = FileSource::configured(place.dir.path().join("source")).plain();
    std::fs::write(place.dir.path().join("source"), packed(b"the-secret-value")).expect("written");
    let log = request("build-log.txt", Source::File(source));
    run(upload(&place.store, &log, Some(&censor), &LIMITS)).expect("stored");
}
