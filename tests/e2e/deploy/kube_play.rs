//! Pins: P-13, I4; deploy/kubernetes/README.md.
//!
//! The manifests of `deploy/kubernetes`, and pods as Prow's decoration makes them,
//! for real by `podman kube play`, delivered to an S3 server.

use harness::api_server::ApiServer;
use harness::kube::{self, Manifest};
use harness::s3::{BUCKET, S3};
use harness::{images, skip};
use serde_json::{Value, json};

/// Podman with our images, or the end of the test.
macro_rules! podman_or_skip {
    () => {
        if let Err(reason) = images::in_podman() {
            skip!("{reason}");
        }
    };
}

/// A manifest with the server as its destination.
fn manifest(path: &str, s3: &S3) -> Manifest {
    let mut manifest =
        Manifest::of(&kube::file(path)).data("ci-results", &[("BUCKET", &format!("s3://{BUCKET}"))]);
    for (name, value) in s3.environment() {
        manifest = manifest.data("ci-results", &[(name, &value)]);
    }
    manifest.data("test-secrets", &[("token", "a-token-nobody-may-see")])
}

/// A key of a run's results.
fn key(run: &str, name: &str) -> String {
    format!("logs/example/{run}/{name}")
}

fn result(s3: &S3, run: &str) -> Value {
    s3.json(&key(run, "finished.json"))
}

/// Answers INT and TERM, and takes a moment for it.
const POLITE: &str =
    "trap 'echo got INT' INT; trap 'echo got TERM; exit 0' TERM; echo ready; while :; do sleep 0.1; done";

#[test]
fn example_pod_delivers_everything() {
    podman_or_skip!();
    let s3 = S3::start();
    let manifest = manifest("kubernetes/pod/pod.yaml", &s3);
    let run = manifest.name().to_owned();
    let pod = manifest.start();
    assert_eq!(pod.wait("sidecar"), 0, "{}", pod.logs("sidecar"));
    assert_eq!(pod.wait("test"), 0, "{}", pod.logs("test"));
    assert_eq!(result(&s3, &run)["result"], "SUCCESS");
    assert_eq!(s3.text(&key(&run, "build-log.txt")), "testing\n");
    assert_eq!(s3.text(&key(&run, "artifacts/hello.txt")), "made by the test\n");
    assert!(s3.keys().contains(&key(&run, "started.json")), "{:?}", s3.keys());
    assert_eq!(s3.last_written(), Some(key(&run, "finished.json")), "I4");
}

#[test]
fn failing_pod_is_a_failure_without_its_secret() {
    podman_or_skip!();
    let s3 = S3::start();
    let manifest =
        manifest("kubernetes/pod/pod.yaml", &s3).test_runs("cat /secrets/test/token; exit 5", "30s");
    let run = manifest.name().to_owned();
    let pod = manifest.start();
    assert_eq!(pod.wait("sidecar"), 0, "{}", pod.logs("sidecar"));
    assert_eq!(pod.wait("test"), 5);
    assert_eq!(result(&s3, &run)["result"], "FAILURE");
    let masked = "X".repeat("a-token-nobody-may-see".len());
    let log = s3.text(&key(&run, "build-log.txt"));
    assert!(log.starts_with(&format!("{masked}\n{{")) && log.contains("exited with code 5"), "{log}");
}

#[test]
fn stopped_pod_is_aborted_with_and_without_ignore_interrupts() {
    podman_or_skip!();
    let s3 = S3::start();
    for ignore in [true, false] {
        let mut manifest = manifest("kubernetes/pod/pod.yaml", &s3).test_runs(POLITE, "30s");
        manifest
            .options("sidecar", "SIDECAR_OPTIONS", |options| options["ignore_interrupts"] = json!(ignore));
        let run = manifest.name().to_owned();
        let pod = manifest.start();
        pod.until_logs("test", "ready");
        pod.stop(100).expect_code(0);
        assert_eq!(pod.wait("test"), 130, "{}", pod.logs("test"));
        assert_eq!(pod.wait("sidecar"), 0, "{}", pod.logs("sidecar"));
        let finished = result(&s3, &run);
        assert_eq!(finished["result"], "ABORTED", "{ignore}: {finished}");
        let log = s3.text(&key(&run, "build-log.txt"));
        let (int, term) = (log.find("got INT"), log.find("got TERM"));
        assert!(int.is_some() && int < term, "{ignore}: {log}");
    }
}

#[test]
fn killed_test_container_is_a_lost_entry() {
    podman_or_skip!();
    let s3 = S3::start();
    let manifest = manifest("kubernetes/pod/pod.yaml", &s3).test_runs("echo ready; sleep 1000", "30s");
    let run = manifest.name().to_owned();
    let pod = manifest.start();
    pod.until_logs("test", "ready");
    pod.kill("test");
    assert_eq!(pod.wait("sidecar"), 0, "{}", pod.logs("sidecar"));
    let finished = result(&s3, &run);
    assert_eq!(finished["result"], "FAILURE");
    let entries = finished["metadata"]["pod-utils"]["entries"].as_object().expect("a map");
    assert!(entries.values().all(|entry| entry["reason"] == "lost") && entries.len() == 1, "{finished}");
    assert_eq!(s3.text(&key(&run, "build-log.txt")), "ready\n");
}

#[test]
fn test_out_of_memory_fails_with_its_cause() {
    podman_or_skip!();
    let s3 = S3::start();
    let script = "echo growing; x=x; while :; do x=$x$x; done";
    let mut manifest = manifest("kubernetes/pod/pod.yaml", &s3).test_runs(script, "30s");
    manifest.container("test")["resources"] = json!({"limits": {"memory": "64Mi"}});
    let run = manifest.name().to_owned();
    let pod = manifest.start();
    assert_eq!(pod.wait("sidecar"), 0, "{}", pod.logs("sidecar"));
    assert_eq!(pod.wait("test"), 137, "{}", pod.logs("test"));
    let finished = result(&s3, &run);
    assert_eq!(finished["result"], "FAILURE", "{finished}");
    let cause = finished["metadata"]["pod-utils"]["cause"].as_str().unwrap_or_default();
    assert!(
        cause.starts_with("killed from outside (SIGKILL)") && cause.ends_with("for lack of memory"),
        "{finished}"
    );
    let log = s3.text(&key(&run, "build-log.txt"));
    let told =
        "killed from outside (SIGKILL); the kernel killed a process of this container for lack of memory";
    assert!(log.starts_with("growing\n") && log.contains(told), "{log}");
}

#[test]
fn native_sidecar_of_the_job_stays_until_term() {
    podman_or_skip!();
    let s3 = S3::start();
    let manifest = manifest("kubernetes/job/job.yaml", &s3).test_runs("echo testing; exit 4", "30s");
    let run = manifest.name().to_owned();
    let pod = manifest.start();
    assert_eq!(pod.wait("test"), 4, "{}", pod.logs("test"));
    // As the kubelet does when the ordinary containers have ended.
    pod.stop_container("sidecar", 100).expect_code(0);
    assert_eq!(pod.wait("sidecar"), 0, "{}", pod.logs("sidecar"));
    assert_eq!(result(&s3, &run)["result"], "FAILURE");
    let log = s3.text(&key(&run, "build-log.txt"));
    assert!(log.starts_with("testing\n{") && log.contains("exited with code 4"), "{log}");
}

#[test]
fn step_shares_its_files_through_wrapper_and_entrypoint() {
    podman_or_skip!();
    let (s3, api) = (S3::start(), ApiServer::start());
    let mut manifest = manifest("kubernetes/ci-operator-step/pod.yaml", &s3)
        .data("e2e", &[("before", "of the step before")]);
    let script = "echo testing with $(cat $SHARED_DIR/before); echo made >$SHARED_DIR/made";
    manifest = manifest.test_runs(script, "30s");
    for (name, value) in api.environment() {
        let env = manifest.container("test")["env"].as_array_mut().expect("variables");
        env.push(json!({"name": name, "value": value}));
    }
    manifest.mount_directory("test", &api.account_dir(), "/var/run/secrets/kubernetes.io/serviceaccount");
    let run = manifest.name().to_owned();
    let pod = manifest.start();
    assert_eq!(pod.wait("test"), 0, "{}", pod.logs("test"));
    assert_eq!(pod.wait("sidecar"), 0, "{}", pod.logs("sidecar"));
    let key = |name: &str| key(&run, &format!("artifacts/e2e/example/{name}"));
    assert_eq!(s3.json(&key("finished.json"))["result"], "SUCCESS");
    let stored = api.stored();
    let last: Value = serde_json::from_str(stored.last().expect("an update")).expect("JSON");
    assert_eq!(last["data"]["made"], "bWFkZQo=", "{last}");
    // What steps share is secret: its text is masked in the log.
    let log = s3.text(&key("build-log.txt"));
    assert!(log.starts_with("testing with XXXX"), "{log}");
}

/// A pod as Prow decorates it (contract 9.3), with `utility_images` set to ours:
/// two containers, root, `entry_error` unset, interrupts ignored.
fn decorated(build: &str) -> Vec<Value> {
    let entry = |name: &str| {
        json!({
            "container_name": name, "process_log": format!("/logs/{name}-log.txt"),
            "marker_file": format!("/logs/{name}-marker.txt"),
            "metadata_file": format!("/logs/artifacts/{name}-metadata.json"),
        })
    };
    let upload = json!({
        "bucket": format!("s3://{BUCKET}"), "path_strategy": "explicit", "dry_run": false,
        "s3_credentials_file": "/secrets/s3-storage/service-account.json",
    });
    let mut gcs = upload.clone();
    gcs["items"] = json!(["/logs/artifacts"]);
    let spec = json!({"type": "periodic", "job": "example", "buildid": build}).to_string();
    let sidecar = json!({
        "gcs_options": gcs, "entries": [entry("build"), entry("lint")], "ignore_interrupts": true,
        "censoring_options": {},
    });
    let wrapped = |name: &str, script: &str| {
        let mut options = entry(name);
        options["timeout"] = json!(14_400_000_000_000_u64);
        options["grace_period"] = json!(600_000_000_000_u64);
        options["artifact_dir"] = json!("/logs/artifacts");
        options["args"] = json!(["/bin/sh", "-c", script]);
        json!({
            "name": name, "image": images::SHELL_IMAGE, "command": ["/tools/entrypoint"],
            "env": [{"name": "ARTIFACTS", "value": "/logs/artifacts"}, {"name": "ENTRYPOINT_OPTIONS", "value": options.to_string()}],
            "volumeMounts": [{"name": "logs", "mountPath": "/logs"}, {"name": "tools", "mountPath": "/tools"}],
        })
    };
    let utility = |name: &str, env: Value, mounts: Value| json!({"name": name, "image": images::name(name), "env": env, "volumeMounts": mounts});
    let credentials = json!({"name": "s3-credentials", "mountPath": "/secrets/s3-storage"});
    let mut place = utility("entrypoint", json!([]), json!([{"name": "tools", "mountPath": "/tools"}]));
    place["name"] = json!("place-entrypoint");
    place["args"] = json!(["--copy-mode-only"]);
    let initupload = json!([{"name": "INITUPLOAD_OPTIONS", "value": upload.to_string()}, {"name": "JOB_SPEC", "value": spec}]);
    let delivery = json!([{"name": "JOB_SPEC", "value": spec}, {"name": "SIDECAR_OPTIONS", "value": sidecar.to_string()}]);
    let script = "umask 077; echo built >$ARTIFACTS/made; echo '{\"by\":\"root\"}' >$ARTIFACTS/build-metadata.json; id -u";
    vec![json!({"kind": "Pod", "spec": {
        "restartPolicy": "Never", "terminationGracePeriodSeconds": 750,
        "initContainers": [utility("initupload", initupload, json!([credentials])), place],
        "containers": [
            wrapped("build", script), wrapped("lint", "echo linted; exit 2"),
            utility("sidecar", delivery, json!([{"name": "logs", "mountPath": "/logs"}, credentials])),
        ],
        "volumes": [
            {"name": "logs", "emptyDir": {}}, {"name": "tools", "emptyDir": {}},
            {"name": "s3-credentials", "secret": {"secretName": "s3-publisher"}},
        ],
    }})]
}

#[test]
fn prow_decorated_pod_runs_with_our_images_as_root() {
    podman_or_skip!();
    let s3 = S3::start();
    let dir = tempfile::tempdir().expect("a directory");
    let key_file = s3.credentials_file(dir.path());
    let manifest = Manifest::of(&decorated("7"))
        .data("s3-publisher", &[("service-account.json", &harness::pod::read(&key_file))]);
    let pod = manifest.start();
    assert_eq!(pod.wait("sidecar"), 0, "{}", pod.logs("sidecar"));
    assert_eq!((pod.wait("build"), pod.wait("lint")), (0, 2));
    let finished = result(&s3, "7");
    assert_eq!(
        (&finished["result"], &finished["metadata"]["by"]),
        (&json!("FAILURE"), &json!("root")),
        "{finished}"
    );
    assert_eq!(s3.text(&key("7", "build-build-log.txt")), "0\n", "both run as root");
    let log = s3.text(&key("7", "lint-build-log.txt"));
    assert!(log.starts_with("linted\n{") && log.contains("exited with code 2"), "{log}");
    assert_eq!(s3.text(&key("7", "artifacts/made")), "built\n", "nobody else may read it");
    assert!(s3.keys().contains(&key("7", "started.json")));
}
