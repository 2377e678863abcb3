//! Pins: I5; sidecar/README.md, "Destinations".
//!
//! Servers of other makers: Azurite (`npm install -g azurite`) for Azure Blob,
//! and gcp-storage-emulator (`pip install gcp-storage-emulator`) for Google.

use harness::pod::{Entry, Pod};
use harness::process::{self, Running};
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
    let account = format!("{}/devstoreaccount1", azurite.url);
    let key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    let connection = format!("AccountName=devstoreaccount1;AccountKey={key};BlobEndpoint={account}");
    let environment = [("AZURE_STORAGE_CONNECTION_STRING", connection)];
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

#[test]
fn azurite_refuses_a_provisional_result_over_the_final_one() {
    let azurite = azurite!();
    let pod = Pod::new();
    let entry = pod.entry("test");
    let options = json!({
        "gcs_options": {"local_output_dir": "", "bucket": "az://results/ci", "path_strategy": "explicit"},
    });
    let mut command = pod.sidecar_command(&[&entry], options);
    command.env("AZURE_STORAGE_CONNECTION_STRING", {
        let key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
        format!("AccountName=devstoreaccount1;AccountKey={key};BlobEndpoint={}/devstoreaccount1", azurite.url)
    });
    let mut sidecar = process::start(pod.tree(), &mut command);
    let pid = sidecar.pid();
    wait::until("sidecar to watch files", || process::watches_files(pid).then_some(()));
    sidecar.signal(common::signal::Signal::TERM);
    sidecar.until_stderr("Best-effort upload was successful");
    let finished = || azurite.get("ci/logs/job/1/finished.json")["text"].as_str().expect("text").to_owned();
    assert!(finished().contains("ABORTED"), "{}", finished());
    pod.entrypoint(&entry, &["echo", "late"], json!({})).wait().expect_code(0);
    sidecar.wait().expect_code(0);
    assert!(finished().contains("SUCCESS"), "{}", finished());
}

/// The emulator knows Google's XML API for objects in one piece only, and takes
/// neither empty ones nor gzip that is none.
#[test]
fn gcs_emulator_accepts_a_job_of_small_objects() {
    if !installed("gcp-storage-emulator") || !installed("curl") {
        harness::skip!("gcp-storage-emulator is not installed");
    }
    let (pod, entry) = ended_job();
    for name in ["empty", "report.json.gz"] {
        fs::remove_file(pod.artifacts().join(name)).expect("removed");
    }
    let port = free_port();
    let mut command = Command::new("gcp-storage-emulator");
    command.args(["start", "--host=127.0.0.1", "--in-memory", "--default-bucket=results"]);
    command.arg(format!("--port={port}"));
    let mut server = process::start(pod.tree(), &mut command);
    until_listening(&mut server, port);
    let spec = json!({"type": "periodic", "job": "job", "buildid": "1"});
    let environment = [("STORAGE_EMULATOR_HOST", format!("127.0.0.1:{port}"))];
    sidecar(&pod, &entry, "gs://results/ci", &environment, &spec);
    let get = |key: &str| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--fail", &format!("http://127.0.0.1:{port}/results/{key}")]);
        let ended = process::run(pod.tree(), &mut curl);
        ended.expect_code(0);
        ended.stdout
    };
    assert_eq!(get("ci/logs/job/1/build-log.txt"), "output\n");
    assert_eq!(get("ci/logs/job/latest-build.txt"), "1");
    assert!(get("ci/logs/job/1/finished.json").contains(r#""result":"SUCCESS""#));
}
