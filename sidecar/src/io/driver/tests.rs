use super::*;
use crate::deliver::Class;
use crate::options::{JobFlags, SidecarOptions};
use common::job_spec::{JobSpec, JobSpecError};
use serde_json::Value;
use std::path::PathBuf;

/// A pod of plain directories whose entries have ended.
struct Pod {
    dir: tempfile::TempDir,
}

impl Pod {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(dir.path().join("logs/artifacts")).expect("made");
        Self { dir }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, content: &str) -> &Self {
        std::fs::write(self.path(path), content).expect("written");
        self
    }

    fn out(&self, path: &str) -> String {
        let path = self.path("out").join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.out(path)).expect("JSON")
    }

    /// Options with one entry for each container name. `destination` and `more`
    /// are JSON members.
    fn settings(&self, containers: &[&str], destination: &str, more: &str, spec: Option<&str>) -> Settings {
        let dir = self.dir.path().display();
        let entry = |name: &&str| {
            format!(
                r#"{{"container_name":"{name}","process_log":"{dir}/logs/{name}-log.txt","marker_file":"{dir}/logs/{name}-marker.txt","metadata_file":"{dir}/logs/artifacts/{name}-metadata.json"}}"#
            )
        };
        let entries: Vec<_> = containers.iter().map(entry).collect();
        let text = format!(
            r#"{{"gcs_options":{{"items":["{dir}/logs/artifacts"],"path_strategy":"explicit",{}}},"entries":[{}]{more}}}"#,
            destination.replace("OUT", &self.path("out").display().to_string()),
            entries.join(",")
        );
        let mut options = SidecarOptions::default();
        common::json::decode(&mut options, &text).expect("decodes");
        let spec = spec.map_or(Err(JobSpecError::Unset), JobSpec::parse);
        Settings::new(options, &JobFlags::default(), spec).expect("valid")
    }

    fn deliver(settings: Settings, log: OwnLog) -> u8 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let secrets = SecretStore::load(&settings, &log);
        assert!(secrets.as_ref().is_none_or(|secrets| secrets.current().problems().is_empty()));
        runtime.block_on(async {
            let mut interrupts = Interrupts::new().expect("signals");
            Box::pin(Driver::new(Arc::new(settings), secrets, log).run(&mut interrupts)).await
        })
    }

    fn deliver_locally(&self, containers: &[&str]) -> u8 {
        let settings = self.settings(containers, r#""local_output_dir":"OUT""#, "", None);
        Self::deliver(settings, OwnLog::default())
    }
}

const PERIODIC: &str = r#"{"type":"periodic","job":"job","buildid":"9"}"#;

#[test]
fn v_sl_1_one_entry_and_its_result_last() {
    let pod = Pod::new();
    pod.write("logs/test-log.txt", "hello world").write("logs/test-marker.txt", "0");
    pod.write("logs/artifacts/junit.xml", "<testsuite/>");
    assert_eq!(pod.deliver_locally(&["test"]), 0);
    assert_eq!(pod.out("build-log.txt"), "hello world");
    assert_eq!(pod.out("artifacts/junit.xml"), "<testsuite/>");
    let finished = pod.json("finished.json");
    assert_eq!((&finished["passed"], &finished["result"]), (&Value::Bool(true), &Value::from("SUCCESS")));
    let written =
        |name: &str| pod.path("out").join(name).metadata().and_then(|m| m.modified()).expect("there");
    for name in ["build-log.txt", "artifacts/junit.xml", "sidecar-logs.json", "manifest.json"] {
        assert!(written(name) <= written("finished.json"), "I4: {name}");
    }
}

#[test]
fn v_sl_2_and_3_several_entries_one_without_a_log() {
    let pod = Pod::new();
    for (name, code) in [("test1", "0"), ("test2", "1"), ("test3", "1130")] {
        pod.write(&format!("logs/{name}-marker.txt"), code);
    }
    pod.write("logs/test1-log.txt", "hello").write("logs/test3-log.txt", "world");
    assert_eq!(pod.deliver_locally(&["test1", "test2", "test3"]), 0);
    assert_eq!(pod.out("test1-build-log.txt"), "hello");
    assert_eq!(pod.out("test3-build-log.txt"), "world");
    let placeholder = pod.out("test2-build-log.txt");
    assert!(
        placeholder.starts_with("Failed to open ") && placeholder.ends_with("no such file or directory\n")
    );
    assert_eq!(pod.json("finished.json")["result"], "FAILURE");
}

#[test]
fn v_sx_1_own_log_up_to_the_upload() {
    let pod = Pod::new();
    pod.write("logs/test-marker.txt", "0");
    let log = OwnLog::default();
    common::records::Sink::write_line(&log, b"{\"msg\":\"Testing...Hello world!\"}\n");
    let spec = PERIODIC.replace("periodic", "postsubmit");
    let settings = pod.settings(&["test"], r#""local_output_dir":"OUT""#, "", Some(&spec));
    Pod::deliver(settings, log);
    assert!(pod.out("sidecar-logs.json").contains("Testing...Hello world!"));
}

#[test]
fn two_entries_may_share_a_marker() {
    let pod = Pod::new();
    pod.write("logs/test-marker.txt", "0").write("logs/test-log.txt", "x");
    assert_eq!(pod.deliver_locally(&["test", "test"]), 0);
    assert_eq!(pod.out("test-build-log.txt"), "x");
    assert_eq!(pod.json("finished.json")["passed"], true);
}

#[test]
fn entry_error_is_an_exit_status() {
    let pod = Pod::new();
    pod.write("logs/test-marker.txt", "3");
    let settings = pod.settings(&["test"], r#""local_output_dir":"OUT""#, r#","entry_error":true"#, None);
    assert_eq!(Pod::deliver(settings, OwnLog::default()), 1);
    assert_eq!(pod.json("finished.json")["passed"], false);
}

#[test]
fn the_bucket_layout_with_metadata_and_manifest() {
    let pod = Pod::new();
    pod.write("logs/test-marker.txt", "0").write("logs/test-log.txt", "hello");
    pod.write("logs/artifacts/test-metadata.json", r#"{"n":12345678901234567890}"#);
    std::os::unix::fs::symlink("/etc/passwd", pod.path("logs/artifacts/evil")).expect("linked");
    let settings = pod.settings(&["test"], r#""bucket":"file://OUT""#, "", Some(PERIODIC));
    assert_eq!(Pod::deliver(settings, OwnLog::default()), 0);
    assert_eq!(pod.out("logs/job/latest-build.txt"), "9");
    assert!(pod.out("logs/job/9/finished.json").contains(r#""metadata":{"n":12345678901234567890}"#));
    let manifest = pod.json("logs/job/9/manifest.json");
    let objects = manifest["objects"].as_array().expect("a list");
    let of =
        |key: &str| objects.iter().find(|object| object["key"] == key).unwrap_or_else(|| panic!("{key}"));
    assert_eq!(of("logs/job/9/build-log.txt")["source_crc32c"], "9a71bb4c");
    assert_eq!(of("logs/job/9/artifacts/evil")["state"], "skipped");
    assert_eq!(of("logs/job/latest-build.txt")["stored_bytes"], 1);
    assert_eq!(manifest["passes"][0]["policy"], "final");
}

#[test]
fn u_14_a_newer_build_stays() {
    let pod = Pod::new();
    pod.write("logs/test-marker.txt", "0");
    std::fs::create_dir_all(pod.path("out/logs/job")).expect("made");
    for (held, expected) in [("10", "10"), ("8", "9"), ("none", "9")] {
        pod.write("out/logs/job/latest-build.txt", held);
        let settings = pod.settings(&["test"], r#""bucket":"file://OUT""#, "", Some(PERIODIC));
        assert_eq!(Pod::deliver(settings, OwnLog::default()), 0);
        assert_eq!(pod.out("logs/job/latest-build.txt"), expected);
    }
}

#[test]
fn one_failed_object_stops_no_other() {
    let pod = Pod::new();
    pod.write("logs/test-marker.txt", "0").write("logs/artifacts/a", "").write("logs/artifacts/b", "");
    std::fs::create_dir_all(pod.path("out/artifacts/a")).expect("made");
    let fail = r#","delivery":{"fail_on_error":true}"#;
    for (more, status) in [("", 0), (fail, 1)] {
        let settings = pod.settings(&["test"], r#""local_output_dir":"OUT""#, more, None);
        assert_eq!(Pod::deliver(settings, OwnLog::default()), status, "3.9");
        assert_eq!(pod.out("artifacts/b"), "");
        assert_eq!(pod.json("finished.json")["passed"], true);
        let manifest = pod.json("manifest.json");
        assert_eq!(manifest["objects"][0]["state"], "failed");
        assert!(manifest["objects"][0]["error"].is_string());
    }
}

#[test]
fn u_95_a_dry_run_writes_nothing() {
    let pod = Pod::new();
    pod.write("logs/test-marker.txt", "0").write("logs/artifacts/a", "");
    let destination = r#""bucket":"file://OUT","dry_run":true"#;
    let settings = pod.settings(&["test"], destination, "", Some(PERIODIC));
    assert_eq!(Pod::deliver(settings, OwnLog::default()), 0);
    assert!(!pod.path("out").exists());
}

#[test]
fn i6_secrets_leave_in_no_object_and_no_name() {
    let pod = Pod::new();
    std::fs::create_dir(pod.path("secrets")).expect("made");
    pod.write("secrets/token", "hunter2hunter2\n");
    pod.write("logs/test-marker.txt", "0").write("logs/test-log.txt", "it is hunter2hunter2\n");
    pod.write("logs/artifacts/hunter2hunter2.txt", "hunter2hunter2 again");
    pod.write("logs/artifacts/test-metadata.json", r#"{"hunter2hunter2":"a hunter2hunter2"}"#);
    let secrets = pod.path("secrets").display().to_string();
    let censoring = format!(r#","censoring_options":{{"secret_directories":["{secrets}"]}}"#);
    let settings = pod.settings(&["test"], r#""local_output_dir":"OUT""#, &censoring, None);
    assert_eq!(Pod::deliver(settings, OwnLog::default()), 0);
    let mut seen = 0;
    for entry in walk(&pod.path("out")) {
        let content = std::fs::read_to_string(&entry).expect("text");
        assert!(!content.contains("hunter2"), "{}: {content}", entry.display());
        assert!(!entry.display().to_string().contains("hunter2"));
        seen += 1;
    }
    assert_eq!(seen, 6);
    assert_eq!(pod.out("build-log.txt"), "it is XXXXXXXXXXXXXX\n");
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("listed").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// More files than the listing's share of the least memory holds.
const MANY: usize = 13_000;

/// Names one file so often.
fn link_many(pod: &Pod) {
    pod.write("logs/artifacts/0", "content");
    for number in 1..MANY {
        let name = pod.path(&format!("logs/artifacts/{number}"));
        std::fs::hard_link(pod.path("logs/artifacts/0"), name).expect("linked");
    }
}

const MIN_MEMORY: &str = r#","delivery":{"memory":20971520,"report_page":true}"#;

#[test]
fn i8_more_files_than_fit_are_delivered_and_listed_once() {
    let pod = Pod::new();
    pod.write("logs/test-log.txt", "log").write("logs/test-marker.txt", "0");
    link_many(&pod);
    std::os::unix::fs::symlink("/nowhere", pod.path("logs/artifacts/00-link")).expect("linked");
    let settings = pod.settings(&["test"], r#""local_output_dir":"OUT""#, MIN_MEMORY, None);
    assert_eq!(Pod::deliver(settings, OwnLog::default()), 0);
    let manifest = pod.json("manifest.json");
    let objects = manifest["objects"].as_array().expect("a list");
    let keys: Vec<_> = objects.iter().map(|object| object["key"].as_str().expect("a key")).collect();
    assert!(!keys.is_sorted(), "what was taken out of the plan comes last");
    let mut states = std::collections::BTreeMap::<_, usize>::new();
    for (key, object) in keys.iter().zip(objects).filter(|(key, _)| key.starts_with("artifacts/")) {
        assert!(object["source"].as_str().is_some_and(|source| source.ends_with(key)), "{object}");
        *states.entry(object["state"].as_str().expect("a state")).or_default() += 1;
    }
    assert_eq!(states.into_iter().collect::<Vec<_>>(), [("skipped", 1), ("stored", MANY)]);
    let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!(distinct.len(), keys.len());
    assert_eq!(std::fs::read_dir(pod.path("out/artifacts")).expect("there").count(), MANY);
    assert_eq!(manifest.get("listing"), None);
    // Log, link, own log, page, manifest and result beside the files.
    assert!(pod.out("report.html").contains(&(MANY + 6).to_string()));
}

#[test]
fn i8_more_files_than_fit_are_uploaded_without_a_manifest() {
    let pod = Pod::new();
    link_many(&pod);
    let settings = pod.settings(&["test"], r#""local_output_dir":"OUT""#, MIN_MEMORY, None);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let sent = runtime.block_on(async {
        let mut interrupts = Interrupts::new().expect("signals");
        let driver = Driver::new(Arc::new(settings), None, OwnLog::default());
        driver
            .send_once(
                &[vec![crate::io::listing::document("last", Class::Manifest, "end".into())]],
                &mut interrupts,
            )
            .await
    });
    assert_eq!(sent, Ok(()));
    assert_eq!(std::fs::read_dir(pod.path("out/artifacts")).expect("there").count(), MANY);
    assert_eq!(pod.out("last"), "end");
}
