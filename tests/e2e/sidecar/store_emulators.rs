//! Pins: I5; sidecar/README.md, "Destinations".
//!
//! Servers of other makers, as `tests/campaign/stores/install.sh` installs them: Azurite
//! for Azure Blob, gcp-storage-emulator and fake-gcs-server for Google.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::bins;
use harness::pod::{Entry, Pod};
use harness::process::{self, Ended};
use harness::stores::{AZURITE_ACCOUNT, AZURITE_KEY, BUCKET, Kind, Server, found, stopped};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

/// Azurite with a container.
struct Azurite(Server);

impl Azurite {
    fn start() -> Result<Self, String> {
        found("node")?;
        let azurite = Self(Server::start(Kind::Azurite)?);
        azurite.node(&["create", BUCKET]);
        Ok(azurite)
    }

    fn node(&self, args: &[&str]) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/sidecar/azurite.js");
        let mut command = Command::new("node");
        command.arg(script).arg(self.0.endpoint()).args(args);
        let ended = process::run(self.0.pod().tree(), &mut command);
        ended.expect_code(0);
        ended.stdout
    }

    /// The variables of its account.
    fn environment(&self) -> Vec<(&'static str, String)> {
        self.0.found_by(self.0.endpoint()).1
    }

    /// A blob: type, encoding, size, hash, metadata.
    fn get(&self, key: &str) -> Value {
        serde_json::from_str(&self.node(&["get", BUCKET, key])).expect("JSON")
    }
}

macro_rules! azurite {
    () => {
        match Azurite::start() {
            Ok(azurite) => azurite,
            Err(missing) => harness::skip!("{missing}"),
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

fn sidecar(pod: &Pod, entry: &Entry, bucket: &str, environment: &[(&str, String)], spec: &Value) -> Ended {
    let options = json!({
        "gcs_options": {"local_output_dir": "", "bucket": bucket, "path_strategy": "explicit"},
        "delivery": {"fail_on_error": true},
    });
    let mut command = pod.sidecar_command(&[entry], options);
    command.envs(environment.iter().map(|(name, value)| (name, value))).env("JOB_SPEC", spec.to_string());
    let ended = process::start(pod.tree(), &mut command).wait();
    ended.expect_code(0);
    ended
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
        sidecar(&pod, &entry, "az://ci-results/ci", &environment, &presubmit());
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
            "gcs_options": {"local_output_dir": "", "bucket": "az://ci-results/ci", "path_strategy": "explicit"},
        });
        let mut command = pod.sidecar_command(&[&entry], options);
        command.envs(environment.clone()).env("JOB_SPEC", presubmit().to_string());
        process::start(pod.tree(), &mut command).wait()
    };
    let verify = || {
        let mut command = Command::new(bins::program("podutils"));
        command.arg("verify").arg(format!("az://ci-results/{PATH}")).envs(environment.clone());
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
    let account = format!("{}/{AZURITE_ACCOUNT}", azurite.0.endpoint());
    let place = |name: &'static str, value: String| {
        vec![
            ("AZURE_STORAGE_ACCOUNT", AZURITE_ACCOUNT.to_owned()),
            ("AZURE_STORAGE_ENDPOINT", account.clone()),
            (name, value),
        ]
    };
    for environment in [
        place("AZURE_STORAGE_SAS_TOKEN", azurite.node(&["sas"])),
        place("AZURE_STORAGE_KEY", AZURITE_KEY.to_owned()),
    ] {
        let (pod, entry) = ended_job();
        sidecar(&pod, &entry, "az://ci-results/ci", &environment, &presubmit());
        assert_eq!(azurite.get(&format!("{PATH}/build-log.txt"))["text"], "output\n");
    }
}

/// A sidecar that is told to stop before the test ends.
fn sidecar_to_stop(pod: &Pod, entry: &Entry, bucket: &str, environment: &[(&str, String)]) -> Command {
    let options =
        json!({"gcs_options": {"local_output_dir": "", "bucket": bucket, "path_strategy": "explicit"}});
    let mut command = pod.sidecar_command(&[entry], options);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command
}

#[test]
fn azurite_refuses_a_provisional_result_over_the_final_one() {
    let azurite = azurite!();
    let pod = Pod::new();
    let entry = pod.entry("test");
    let mut sidecar = sidecar_to_stop(&pod, &entry, "az://ci-results/ci", &azurite.environment());
    let (test, sidecar) = stopped(&pod, &entry, &mut sidecar);
    let finished = || azurite.get("ci/logs/job/1/finished.json")["text"].as_str().expect("text").to_owned();
    assert!(finished().contains("ABORTED"), "{}", finished());
    fs::write(pod.path("end"), "").expect("written");
    test.wait().expect_code(0);
    sidecar.wait().expect_code(0);
    assert!(finished().contains("SUCCESS"), "{}", finished());
}

/// An emulator of Google's store, with one bucket.
struct Google(Server);

impl Google {
    fn start(kind: Kind) -> Result<Self, String> {
        found("curl")?;
        let google = Self(Server::start(kind)?);
        if kind == Kind::FakeGcs {
            let bucket = json!({"name": BUCKET}).to_string();
            let args = ["-X", "POST", "-H", "content-type: application/json", "-d", &bucket];
            google.curl(&args, "/storage/v1/b");
        }
        Ok(google)
    }

    fn curl(&self, args: &[&str], path: &str) -> String {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail"]).args(args);
        curl.arg(format!("{}{path}", self.0.endpoint()));
        let ended = process::run(self.0.pod().tree(), &mut curl);
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

    fn environment(&self) -> Vec<(&'static str, String)> {
        self.0.found_by(self.0.endpoint()).1
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
    match Google::start(Kind::GcpEmulator) {
        Ok(google) => google_accepts_a_whole_job(&google),
        Err(missing) => harness::skip!("{missing}"),
    }
}

#[test]
fn fake_gcs_server_accepts_a_whole_job() {
    match Google::start(Kind::FakeGcs) {
        Ok(google) => google_accepts_a_whole_job(&google),
        Err(missing) => harness::skip!("{missing}"),
    }
}

/// How often a second sidecar of a job says that the store ignores conditions: it has put
/// `latest-build.txt` over an object, on condition that there was none.
fn told_that_conditions_are_ignored(bucket: &str, environment: &[(&str, String)]) -> usize {
    let (pod, entry) = ended_job();
    let run = || sidecar(&pod, &entry, bucket, environment, &presubmit());
    let told = |ended: &Ended| ended.stderr.matches("The store ignores conditions").count();
    assert_eq!(told(&run()), 0, "nothing was there that could have been replaced");
    told(&run())
}

#[test]
fn store_that_ignores_conditions_is_named_once() {
    match Google::start(Kind::GcpEmulator) {
        // A presubmit writes two objects of that name.
        Ok(google) => {
            let told = told_that_conditions_are_ignored("gs://ci-results/ci", &google.environment());
            assert_eq!(told, 1);
        }
        Err(missing) => harness::skip!("{missing}"),
    }
}

#[test]
fn stores_that_keep_conditions_are_not_accused() {
    match Google::start(Kind::FakeGcs) {
        Ok(google) => {
            let told = told_that_conditions_are_ignored("gs://ci-results/ci", &google.environment());
            assert_eq!(told, 0);
        }
        Err(missing) => harness::announce_skip(&missing),
    }
    let azurite = azurite!();
    assert_eq!(told_that_conditions_are_ignored("az://ci-results/ci", &azurite.environment()), 0);
}

/// `ifGenerationMatch`, for objects in one request and in a resumable upload.
#[test]
fn fake_gcs_server_keeps_conditions() {
    let google = match Google::start(Kind::FakeGcs) {
        Ok(google) => google,
        Err(missing) => harness::skip!("{missing}"),
    };
    let pod = Pod::new();
    let entry = pod.entry("test");
    fs::create_dir_all(pod.artifacts()).expect("made");
    fs::write(pod.artifacts().join("large.bin"), vec![1; 14 << 20]).expect("written");
    let mut sidecar = sidecar_to_stop(&pod, &entry, "gs://ci-results/ci", &google.environment());
    let (test, sidecar) = stopped(&pod, &entry, &mut sidecar);
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
