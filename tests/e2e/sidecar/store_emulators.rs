//! Pins: I5; sidecar/README.md, "Destinations".
//!
//! Servers of other makers: Azurite (`npm install -g azurite`) for Azure Blob,
//! gcp-storage-emulator (`pip install gcp-storage-emulator`) and fake-gcs-server
//! (`go install github.com/fsouza/fake-gcs-server@latest`) for Google.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::bins;
use harness::pod::{Entry, Pod};
use harness::process::{self, Ended, Running};
use harness::wait;
use serde_json::{Value, json};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

/// A port that nobody listens on at the moment.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

fn installed(program: &str) -> bool {
    let found =
        Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

fn until_listening(server: &mut Running, port: u16) {
    let listening = wait::within(wait::PATIENCE * 2, || {
        assert!(!server.has_ended(), "it ended: {server:#?}");
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    assert!(listening.is_some(), "it does not listen: {server:#?}");
}

struct Azurite {
    url: String,
    pod: Pod,
    _server: Running,
}

impl Azurite {
    fn start() -> Option<Self> {
        if !installed("azurite-blob") || !installed("node") {
            return None;
        }
        let (pod, port) = (Pod::new(), free_port());
        let mut command = Command::new("azurite-blob");
        command.args(["--inMemoryPersistence", "--skipApiVersionCheck", "--silent", "--blobPort"]);
        command.arg(port.to_string()).current_dir(pod.path(""));
        let mut server = process::start(pod.tree(), &mut command);
        until_listening(&mut server, port);
        let azurite = Self { url: format!("http://127.0.0.1:{port}"), pod, _server: server };
        azurite.node(&["create", "results"]);
        Some(azurite)
    }

    fn node(&self, args: &[&str]) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/sidecar/azurite.js");
        let mut command = Command::new("node");
        command.arg(script).arg(&self.url).args(args);
        let ended = process::run(self.pod.tree(), &mut command);
        ended.expect_code(0);
        ended.stdout
    }

    /// The variables of its account.
    fn environment(&self) -> [(&'static str, String); 1] {
        let account = format!("{}/devstoreaccount1", self.url);
        let key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
        let connection = format!("AccountName=devstoreaccount1;AccountKey={key};BlobEndpoint={account}");
        [("AZURE_STORAGE_CONNECTION_STRING", connection)]
    }

    /// A blob: type, encoding, size, hash, metadata.
    fn get(&self, key: &str) -> Value {
        serde_json::from_str(&self.node(&["get", "results", key])).expect("JSON")
    }
}

macro_rules! azurite {
    () => {
        match Azurite::start() {
            Some(azurite) => azurite,
            None => harness::skip!("azurite-blob and node are not installed"),
        }
    };
}

/// The least complete gzip file: its header, an empty block, no bytes and their sum.
const EMPTY_GZIP: [u8; 20] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// A job that has ended, with names that a URL would change.
fn ended_job() -> (Pod, Entry) {
    let pod = Pod::new();
    let entry = pod.entry("test");
    pod.entrypoint(&entry, &["echo", "output"], json!({})).wait().expect_code(0);
    fs::write(pod.artifacts().join("100% of a?b#c +ü.txt"), "odd\n").expect("written");
    fs::write(pod.artifacts().join("empty"), "").expect("written");
    fs::write(pod.artifacts().join("report.json.gz"), EMPTY_GZIP).expect("written");
    (pod, entry)
}

fn sidecar(pod: &Pod, entry: &Entry, bucket: &str, environment: &[(&str, String)], spec: &Value) {
    let options = json!({
        "gcs_options": {"local_output_dir": "", "bucket": bucket, "path_strategy": "explicit"},
        "delivery": {"fail_on_error": true},
    });
    let mut command = pod.sidecar_command(&[entry], options);
    command.envs(environment.iter().map(|(name, value)| (name, value))).env("JOB_SPEC", spec.to_string());
    process::start(pod.tree(), &mut command).wait().expect_code(0);
}

fn presubmit() -> Value {
    json!({"type": "presubmit", "job": "job", "buildid": "1",
           "refs": {"org": "o", "repo": "r", "base_ref": "main", "pulls": [{"number": 5, "sha": "s"}]}})
}

const PATH: &str = "ci/pr-logs/pull/o_r/5/job/1";

#[test]
fn azurite_accepts_a_whole_job() {
    let azurite = azurite!();
    let (pod, entry) = ended_job();
    let large: Vec<u8> = (0..13_u32 << 18).flat_map(u32::to_le_bytes).collect();
    fs::write(pod.artifacts().join("large.bin"), &large).expect("written");
    let environment = azurite.environment();
    // The second time everything is there already, which conditional writes must bear.
    for _ in 0..2 {
        sidecar(&pod, &entry, "az://results/ci", &environment, &presubmit());
    }
    assert_eq!(azurite.get(&format!("{PATH}/build-log.txt"))["text"], "output\n");
    let odd = azurite.get(&format!("{PATH}/artifacts/100% of a?b#c +ü.txt"));
    assert_eq!(odd["text"], "odd\n");
    assert_eq!(azurite.get(&format!("{PATH}/artifacts/empty"))["bytes"], 0);
    let packed = azurite.get(&format!("{PATH}/artifacts/report.json"));
    assert_eq!(packed["type"], "application/json", "{packed}");
    let stored = azurite.get(&format!("{PATH}/artifacts/large.bin"));
    assert_eq!(stored["bytes"], large.len());
    let alias = azurite.get("ci/pr-logs/directory/job/1.txt");
    assert!(alias["metadata"]["x-ms-meta-x_goog_meta_link"].is_string(), "{alias}");
    let manifest: Value =
        serde_json::from_str(azurite.get(&format!("{PATH}/manifest.json"))["text"].as_str().expect("text"))
            .expect("JSON");
    let objects = manifest["objects"].as_array().expect("a list");
    assert!(objects.iter().all(|object| object["state"] == "stored"), "{manifest}");
    let finished = azurite.get(&format!("{PATH}/finished.json"));
    assert!(finished["text"].as_str().expect("text").contains(r#""result":"SUCCESS""#), "{finished}");
}

/// Azure takes a backslash for a slash.
#[test]
fn azurite_makes_one_object_of_two_names_and_verify_says_so() {
    let azurite = azurite!();
    let (pod, entry) = ended_job();
    let environment = azurite.environment();
    fs::write(pod.artifacts().join(r"back\slash.txt"), "alone").expect("written");
    let run = || {
        let options = json!({
            "gcs_options": {"local_output_dir": "", "bucket": "az://results/ci", "path_strategy": "explicit"},
        });
        let mut command = pod.sidecar_command(&[&entry], options);
        command.envs(environment.clone()).env("JOB_SPEC", presubmit().to_string());
        process::start(pod.tree(), &mut command).wait()
    };
    let verify = || {
        let mut command = Command::new(bins::program("podutils"));
        command.arg("verify").arg(format!("az://results/{PATH}")).envs(environment.clone());
        process::run(pod.tree(), &mut command)
    };
    let told = |ended: &Ended| ended.stderr.matches("A name has a backslash").count();
    assert_eq!(told(&run()), 1);
    let verified = verify();
    verified.expect_code(0);
    assert!(
        verified.stdout.contains(r"artifacts/back\slash.txt: it is artifacts/back/slash.txt here"),
        "{verified:#?}"
    );
    fs::create_dir(pod.artifacts().join("back")).expect("made");
    fs::write(pod.artifacts().join("back/slash.txt"), "the other").expect("written");
    assert_eq!(told(&run()), 1, "once, however many there are");
    let verified = verify();
    verified.expect_code(1);
    let line = r"artifacts/back\slash.txt: it and artifacts/back/slash.txt are one object";
    assert!(verified.stdout.contains(line), "{verified:#?}");
}

#[test]
fn azurite_accepts_a_shared_access_signature_and_a_key() {
    let azurite = azurite!();
    let account = format!("{}/devstoreaccount1", azurite.url);
    let place = |name: &'static str, value: String| {
        vec![
            ("AZURE_STORAGE_ACCOUNT", "devstoreaccount1".to_owned()),
            ("AZURE_STORAGE_ENDPOINT", account.clone()),
            (name, value),
        ]
    };
    let key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    for environment in
        [place("AZURE_STORAGE_SAS_TOKEN", azurite.node(&["sas"])), place("AZURE_STORAGE_KEY", key.to_owned())]
    {
        let (pod, entry) = ended_job();
        sidecar(&pod, &entry, "az://results/ci", &environment, &presubmit());
        assert_eq!(azurite.get(&format!("{PATH}/build-log.txt"))["text"], "output\n");
    }
}

/// A job whose test goes on until it is told to end, and its sidecar, which has been told
/// to stop and has stored a provisional result.
fn stopped(pod: &Pod, entry: &Entry, bucket: &str, environment: &[(&str, String)]) -> (Running, Running) {
    let script = format!("echo ready; while [ ! -e '{}' ]; do sleep 0.05; done", pod.path("end").display());
    let test = pod.entrypoint(entry, &["sh", "-c", &script], json!({}));
    entry.until_log("ready");
    let options =
        json!({"gcs_options": {"local_output_dir": "", "bucket": bucket, "path_strategy": "explicit"}});
    let mut command = pod.sidecar_command(&[entry], options);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let mut sidecar = process::start(pod.tree(), &mut command);
    let pid = sidecar.pid();
    wait::until("sidecar to watch files", || process::watches_files(pid).then_some(()));
    sidecar.signal(common::signal::Signal::TERM);
    sidecar.until_stderr("Best-effort upload was successful");
    (test, sidecar)
}

#[test]
fn azurite_refuses_a_provisional_result_over_the_final_one() {
    let azurite = azurite!();
    let pod = Pod::new();
    let entry = pod.entry("test");
    let key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    let account = format!("{}/devstoreaccount1", azurite.url);
    let connection = format!("AccountName=devstoreaccount1;AccountKey={key};BlobEndpoint={account}");
    let environment = [("AZURE_STORAGE_CONNECTION_STRING", connection)];
    let (test, sidecar) = stopped(&pod, &entry, "az://results/ci", &environment);
    let finished = || azurite.get("ci/logs/job/1/finished.json")["text"].as_str().expect("text").to_owned();
    assert!(finished().contains("ABORTED"), "{}", finished());
    fs::write(pod.path("end"), "").expect("written");
    test.wait().expect_code(0);
    sidecar.wait().expect_code(0);
    assert!(finished().contains("SUCCESS"), "{}", finished());
}

/// An emulator of Google's store, with one bucket.
struct Google {
    pod: Pod,
    port: u16,
    _server: Running,
}

impl Google {
    /// Starts gcp-storage-emulator of Python's package index.
    fn gcp_storage_emulator() -> Option<Self> {
        Self::start("gcp-storage-emulator", |command, port| {
            command.args(["start", "--host=127.0.0.1", "--in-memory", "--default-bucket=ci-results"]);
            command.arg(format!("--port={port}"));
        })
    }

    /// Starts fake-gcs-server of the Go module proxy.
    fn fake_gcs_server() -> Option<Self> {
        let google = Self::start("fake-gcs-server", |command, port| {
            command.args(["-scheme=http", "-host=127.0.0.1", "-backend=memory", "-log-level=error"]);
            command.arg(format!("-port={port}")).arg(format!("-public-host=127.0.0.1:{port}"));
        })?;
        google.curl(
            &["-X", "POST", "-H", "content-type: application/json", "-d", r#"{"name":"ci-results"}"#],
            "/storage/v1/b",
        );
        Some(google)
    }

    fn start(program: &str, arguments: impl Fn(&mut Command, u16)) -> Option<Self> {
        let path = std::env::var("HOME").map(|home| format!("{home}/go/bin/{program}")).unwrap_or_default();
        let program = if std::path::Path::new(&path).is_file() { path } else { program.to_owned() };
        if !installed(&program) || !installed("curl") {
            return None;
        }
        let (pod, port) = (Pod::new(), free_port());
        let mut command = Command::new(program);
        arguments(&mut command, port);
        let mut server = process::start(pod.tree(), &mut command);
        until_listening(&mut server, port);
        Some(Self { pod, port, _server: server })
    }

    fn curl(&self, args: &[&str], path: &str) -> String {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail"]).args(args);
        curl.arg(format!("http://127.0.0.1:{}{path}", self.port));
        let ended = process::run(self.pod.tree(), &mut curl);
        ended.expect_code(0);
        ended.stdout
    }

    fn path(key: &str) -> String {
        let escaped = key.bytes().fold(String::new(), |escaped, byte| escaped + &format!("%{byte:02X}"));
        format!("/storage/v1/b/ci-results/o/{escaped}")
    }

    fn text(&self, key: &str) -> String {
        self.curl(&[], &format!("{}?alt=media", Self::path(key)))
    }

    fn described(&self, key: &str) -> Value {
        serde_json::from_str(&self.curl(&[], &Self::path(key))).expect("JSON")
    }

    fn environment(&self) -> [(&'static str, String); 1] {
        [("STORAGE_EMULATOR_HOST", format!("127.0.0.1:{}", self.port))]
    }
}

/// Delivers a whole job twice, and reads it back.
fn google_accepts_a_whole_job(google: &Google) {
    let (pod, entry) = ended_job();
    let large: Vec<u8> = (0..13_u32 << 18).flat_map(u32::to_le_bytes).collect();
    fs::write(pod.artifacts().join("large.bin"), &large).expect("written");
    for _ in 0..2 {
        sidecar(&pod, &entry, "gs://ci-results/ci", &google.environment(), &presubmit());
    }
    assert_eq!(google.text(&format!("{PATH}/build-log.txt")), "output\n");
    assert_eq!(google.text(&format!("{PATH}/artifacts/100% of a?b#c +ü.txt")), "odd\n");
    let described = google.described(&format!("{PATH}/artifacts/large.bin"));
    assert_eq!(described["size"].as_str().expect("text"), large.len().to_string());
    let sum = STANDARD.encode(crc32c::crc32c(&large).to_be_bytes());
    assert_eq!(described["crc32c"].as_str(), Some(sum.as_str()), "{described}");
    let log = google.described(&format!("{PATH}/build-log.txt"));
    assert_eq!(log["contentType"], "text/plain; charset=utf-8", "{log}");
    let alias = google.described("ci/pr-logs/directory/job/1.txt");
    let link = format!("gs://ci-results/{PATH}");
    assert_eq!(alias["metadata"]["x-goog-meta-link"], link, "{alias}");
    let packed = google.described(&format!("{PATH}/artifacts/report.json"));
    assert_eq!(
        (&packed["contentType"], &packed["contentEncoding"]),
        (&json!("application/json"), &json!("gzip"))
    );
    let manifest: Value = serde_json::from_str(&google.text(&format!("{PATH}/manifest.json"))).expect("JSON");
    let objects = manifest["objects"].as_array().expect("a list");
    assert!(objects.iter().all(|object| object["state"] == "stored"), "{manifest}");
    assert!(google.text(&format!("{PATH}/finished.json")).contains(r#""result":"SUCCESS""#));
    let mut verify = Command::new(harness::bins::program("podutils"));
    verify.args(["verify", &format!("gs://ci-results/{PATH}")]).envs(google.environment());
    process::run(pod.tree(), &mut verify).expect_code(0);
}

#[test]
fn gcp_storage_emulator_accepts_a_whole_job() {
    let Some(google) = Google::gcp_storage_emulator() else {
        harness::skip!("gcp-storage-emulator and curl are not installed")
    };
    google_accepts_a_whole_job(&google);
}

#[test]
fn fake_gcs_server_accepts_a_whole_job() {
    let Some(google) = Google::fake_gcs_server() else {
        harness::skip!("fake-gcs-server and curl are not installed")
    };
    google_accepts_a_whole_job(&google);
}

/// `ifGenerationMatch`, for objects in one request and in a resumable upload.
#[test]
fn fake_gcs_server_keeps_conditions() {
    let Some(google) = Google::fake_gcs_server() else {
        harness::skip!("fake-gcs-server and curl are not installed")
    };
    let pod = Pod::new();
    let entry = pod.entry("test");
    fs::create_dir_all(pod.artifacts()).expect("made");
    fs::write(pod.artifacts().join("large.bin"), vec![1; 14 << 20]).expect("written");
    let (test, sidecar) = stopped(&pod, &entry, "gs://ci-results/ci", &google.environment());
    let finished = || google.text("ci/logs/job/1/finished.json");
    assert!(finished().contains("ABORTED"), "{}", finished());
    fs::write(pod.artifacts().join("large.bin"), vec![2; 15 << 20]).expect("written");
    fs::write(pod.path("end"), "").expect("written");
    test.wait().expect_code(0);
    sidecar.wait().expect_code(0);
    assert!(finished().contains("SUCCESS"), "{}", finished());
    let large = google.described("ci/logs/job/1/artifacts/large.bin");
    assert_eq!(large["size"].as_str().expect("text"), (15 << 20).to_string());
}
