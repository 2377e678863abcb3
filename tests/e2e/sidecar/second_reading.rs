//! Pins: I6, I8; sidecar/README.md, "Large files".
//!
//! Parts of files that are read again when they are sent, while the job writes to them.

use super::store_requests::{gs, request, s3, serving};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::job::Job;
use harness::s3::{BUCKET, Fault, S3, Seen};
use harness::stores::{Kind, Server};
use ring::digest::{SHA256, digest};
use serde_json::json;
use sidecar::destination::{Credentials, Destination};
use sidecar::io::source::{FileSource, Source};
use sidecar::io::store::{Precondition, Store};
use sidecar::io::transfer::{Limits, Stored, Upload, UploadError, upload};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

const MIB: usize = 1 << 20;

/// A part is larger than what the buffers of a connection take.
const PART: usize = 12 * MIB;

const LIMITS: Limits =
    Limits { part_bytes: PART, max_part_bytes: 32 << 20, parts_in_memory: 2, file_parts_in_flight: 4 };

/// A file of two parts, and a store.
struct Place {
    dir: TempDir,
    store: Store,
}

impl Place {
    fn new(bucket: &str, s3_credentials_file: PathBuf) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let destination = Destination::parse(bucket).expect("parsed");
        let credentials =
            Credentials { s3_credentials_file: Some(s3_credentials_file), ..Credentials::default() };
        let store = Store::open(&destination, &credentials).expect("opened");
        let content: Vec<u8> =
            (0..2 * PART).map(|at| u8::try_from((at + at / 251) % 251).expect("below 251")).collect();
        fs::write(dir.path().join("file"), content).expect("written");
        Self { dir, store }
    }

    fn of(server: &S3, dir: &Path) -> Self {
        Self::new(&format!("s3://{BUCKET}"), server.credentials_file(dir))
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("file")
    }

    fn deliver(&self) -> Result<Stored, UploadError> {
        let request = Upload {
            key: "large".to_owned(),
            source: Source::File(FileSource::configured(self.file())),
            content_type: Some("text/plain".to_owned()),
            content_encoding: None,
            metadata: Vec::new(),
            compress: false,
            compressed_type: None,
            precondition: Precondition::Overwrite,
            reader: None,
            censor: false,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let stored = upload(&self.store, &request, None, &LIMITS).await;
            self.store.settled().await;
            stored
        })
    }
}

fn is_second_part(seen: &Seen) -> bool {
    seen.query.contains("partNumber=2&")
}

fn uploads(server: &S3) -> usize {
    server.seen().iter().filter(|seen| seen.method == "POST" && seen.query.starts_with("uploads")).count()
}

/// Changes the last byte of a file.
fn swap(path: &Path) {
    let file = File::options().read(true).write(true).open(path).expect("opened");
    let at = file.metadata().expect("known").len() - 1;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("read");
    file.write_all_at(&[byte[0] ^ 0xff], at).expect("written");
}

fn cut(path: &Path) {
    File::options().write(true).open(path).expect("opened").set_len(PART as u64 + 7).expect("cut");
}

/// Changes the file when its second part is asked for, so many times: it was scanned to
/// its end by then.
fn delivered_while(change: fn(&Path), times: usize) -> (Place, S3, Stored) {
    let (server, dir) = (S3::start(), tempfile::tempdir().expect("a directory"));
    let place = Place::of(&server, dir.path());
    let (path, changed) = (place.file(), AtomicUsize::new(0));
    server.script(move |seen| {
        if is_second_part(seen) && changed.fetch_add(1, Ordering::Relaxed) < times {
            change(&path);
        }
        Fault::None
    });
    let stored = place.deliver().expect("stored");
    assert_eq!(uploads(&server), 2, "{:?}", server.seen());
    assert!(server.open_uploads().is_empty(), "the first one is aborted");
    (place, server, stored)
}

#[test]
fn i6_file_that_is_swapped_after_it_was_scanned_is_scanned_and_sent_anew() {
    let (place, server, stored) = delivered_while(swap, 1);
    let content = fs::read(place.file()).expect("read");
    assert!(server.object("large") == content);
    assert_eq!(stored.stored_crc32c, crc32c::crc32c(&content));
}

#[test]
fn i6_file_that_is_cut_after_it_was_scanned_is_scanned_and_sent_anew() {
    let (place, server, stored) = delivered_while(cut, 1);
    let content = fs::read(place.file()).expect("read");
    assert_eq!((content.len(), stored.stored_bytes), (PART + 7, PART as u64 + 7));
    assert!(server.object("large") == content);
}

/// The second time it is in memory, as it was scanned.
#[test]
fn file_that_changes_each_time_arrives_as_it_was_scanned() {
    let (place, server, stored) = delivered_while(swap, usize::MAX);
    let mut content = fs::read(place.file()).expect("read");
    assert_eq!(server.seen().iter().filter(|seen| is_second_part(seen)).count(), 2);
    // It was swapped twice, and is as it was at first.
    *content.last_mut().expect("a byte") ^= 0xff;
    assert!(server.object("large") == content);
    assert_eq!(stored.stored_crc32c, crc32c::crc32c(&content));
}

#[test]
fn part_that_fails_is_read_once_more() {
    for fault in [Fault::Status(503), Fault::ResetInBody, Fault::LostAnswer, Fault::Reset] {
        let (server, dir) = (S3::start(), tempfile::tempdir().expect("a directory"));
        let place = Place::of(&server, dir.path());
        server
            .script(move |seen| if is_second_part(seen) && seen.earlier == 0 { fault } else { Fault::None });
        place.deliver().expect("stored");
        assert!(server.object("large") == fs::read(place.file()).expect("read"), "{fault:?}");
        assert_eq!(server.seen().iter().filter(|seen| is_second_part(seen)).count(), 2, "{fault:?}");
        assert_eq!(uploads(&server), 1, "{fault:?}");
    }
}

#[test]
fn i6_parts_carry_the_sums_of_what_was_scanned() {
    let google: fn(&[u8]) -> String =
        |part| format!("crc32c={}", STANDARD.encode(crc32c::crc32c(part).to_be_bytes()));
    let amazon: fn(&[u8]) -> String = |part| {
        digest(&SHA256, part).as_ref().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
    };
    for (place, name, sum) in
        [(s3(serving), "x-amz-content-sha256", amazon), (gs(serving), "x-goog-hash", google)]
    {
        let dir = tempfile::tempdir().expect("a directory");
        let content: Vec<u8> = (0..200_000).map(|at| u8::try_from(at % 251).expect("below 251")).collect();
        fs::write(dir.path().join("file"), &content).expect("written");
        let source = Source::File(FileSource::configured(dir.path().join("file")));
        place.put(&Upload { source, content_encoding: None, ..request(10) }).expect("stored");
        let mut parts = place.recorder.requests();
        parts.retain(|request| request.line.contains("partNumber="));
        parts.sort_by(|one, other| one.line.cmp(&other.line));
        assert_eq!(parts.iter().flat_map(|part| part.body.clone()).collect::<Vec<u8>>(), content);
        for part in parts {
            assert_eq!(part.header(name), Some(sum(&part.body).as_str()), "{}", part.line);
            assert_eq!(part.header("transfer-encoding"), None);
            let signed =
                part.header("authorization").map(|text| text.contains("/us-east-1/s3/aws4_request,"));
            assert_eq!(signed, (name == "x-amz-content-sha256").then_some(true));
        }
    }
}

/// A line to a server that does something when the second part is asked for, before the
/// server knows.
fn line(server: &str, change: impl Fn() + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let (server, change) = (server.trim_start_matches("http://").to_owned(), Arc::new(change));
    // The threads end with their connections, or the test's process.
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(&server).expect("connected");
            let answers = (server.try_clone().expect("cloned"), client.try_clone().expect("cloned"));
            let change = Arc::clone(&change);
            std::thread::spawn(move || {
                pass(client, server, |piece| {
                    let text = String::from_utf8_lossy(&piece[..piece.len().min(1024)]);
                    if text.contains("partNumber=2&") {
                        change();
                    }
                });
            });
            std::thread::spawn(move || pass(answers.0, answers.1, |_| ()));
        }
    });
    format!("http://{address}")
}

fn pass(mut from: TcpStream, mut to: TcpStream, see: impl Fn(&[u8])) {
    let mut piece = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut piece) {
        see(&piece[..read]);
        if to.write_all(&piece[..read]).is_err() {
            break;
        }
    }
    for end in [from, to] {
        // The other side may have closed it before.
        let _ = end.shutdown(Shutdown::Both);
    }
}

/// A real store, which checks the signed sum of each part.
#[test]
fn i6_versitygw_gets_a_swapped_file_whole() {
    let server = match Server::start(Kind::Versitygw) {
        Ok(server) => server,
        Err(missing) => harness::skip!("{missing}"),
    };
    let object = server.pod().path("objects").join(harness::stores::BUCKET).join("large");
    fs::create_dir(object.parent().expect("the bucket")).expect("made");
    for times in [0, 1] {
        let (sender, path) = std::sync::mpsc::channel::<PathBuf>();
        let (path, changed) = (std::sync::Mutex::new(path), AtomicUsize::new(0));
        let endpoint = line(server.endpoint(), move || {
            if changed.fetch_add(1, Ordering::Relaxed) < times {
                swap(&path.lock().expect("not poisoned").recv().expect("sent"));
            }
        });
        let (options, _) = server.found_by(&endpoint);
        let file = options["s3_credentials_file"].as_str().expect("a file");
        let place = Place::new(&server.kind.bucket(), file.into());
        sender.send(place.file()).expect("wanted");
        place.deliver().expect("stored");
        assert!(fs::read(&object).expect("stored") == fs::read(place.file()).expect("read"), "{times}");
    }
}

/// From the first secret on a file's parts are in memory, and it is one upload still.
#[test]
fn i6_secret_in_the_middle_of_a_large_file_is_masked() {
    let job = Job::s3();
    let entry = job.pod.entry("test");
    job.pod.entrypoint(&entry, &["true"], json!({})).wait().expect_code(0);
    let secrets = job.pod.path("secrets");
    fs::create_dir(&secrets).expect("made");
    fs::write(secrets.join("token"), "correct-horse-battery").expect("written");
    let mut content = b"a line of a log that goes on and on\n".repeat(30 * MIB / 36);
    for at in [13 * MIB, 17 * MIB + 3, 23 * MIB] {
        content[at..at + 21].copy_from_slice(b"correct-horse-battery");
    }
    fs::create_dir_all(job.pod.artifacts()).expect("made");
    fs::write(job.pod.artifacts().join("large.txt"), &content).expect("written");
    let options = json!({"censoring_options": {"secret_directories": [secrets]}});
    job.sidecar(&[&entry], options).wait().expect_code(0);
    for at in [13 * MIB, 17 * MIB + 3, 23 * MIB] {
        content[at..at + 21].copy_from_slice(b"XXXXXXXXXXXXXXXXXXXXX");
    }
    assert!(fs::read(job.objects_dir().join("artifacts/large.txt")).expect("stored") == content);
    assert_eq!(uploads(job.s3.as_ref().expect("a store")), 1);
}

/// The parts on their way are more than fits into the memory.
#[test]
fn i8_large_files_take_no_more_memory_than_is_given() {
    let job = Job::s3();
    let entry = job.pod.entry("test");
    fs::create_dir_all(job.pod.artifacts()).expect("made");
    let content: Vec<u8> = (0..MIB).map(|at| u8::try_from(at % 251).expect("below 251")).collect();
    for number in 0..3 {
        let mut file = File::create(job.pod.artifacts().join(format!("{number}.bin"))).expect("made");
        (0..100).for_each(|_| file.write_all(&content).expect("written"));
    }
    let sidecar = job.sidecar(&[&entry], json!({}));
    let pid = sidecar.pid();
    job.pod.entrypoint(&entry, &["true"], json!({})).wait().expect_code(0);
    let peak = std::thread::spawn(move || harness::process::peak_memory(pid));
    sidecar.wait().expect_code(0);
    let peak = peak.join().expect("watched");
    for number in 0..3 {
        let stored = job.objects_dir().join(format!("artifacts/{number}.bin"));
        assert_eq!(fs::metadata(stored).expect("stored").len(), 100 << 20);
    }
    // Sixteen parts of 6 MiB alone would be 96 MiB; the program is not the shipped one.
    assert!(peak < 64 << 10, "{peak} KiB");
}
