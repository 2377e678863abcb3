//! Pins: deploy/compose/README.md.
//!
//! The compose example: up and stop, with results in a directory and in a bucket.

use harness::process::{self, Ended};
use harness::tree::Tree;
use harness::{images, pod, skip};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// Networks, volumes and containers are made and started one after the other.
const PATIENCE: Duration = Duration::from_mins(5);

/// Who runs the test and owns the results.
const USER: u32 = 1000;

/// The words that start compose: what `POD_UTILS_COMPOSE` names, such as
/// `docker compose`; else compose 1 where it is there, else the engine's plugin.
fn compose_program() -> &'static [String] {
    static WORDS: OnceLock<Vec<String>> = OnceLock::new();
    WORDS.get_or_init(|| {
        let is_there = || Command::new("docker-compose").arg("version").output().is_ok();
        let found = || if is_there() { "docker-compose" } else { "docker compose" }.to_owned();
        let named = std::env::var("POD_UTILS_COMPOSE").unwrap_or_else(|_| found());
        named.split_whitespace().map(str::to_owned).collect()
    })
}

/// A copy of the example, as a person would have it; `down` ends with it.
struct Project {
    dir: tempfile::TempDir,
    tree: Tree,
}

/// The project, or the end of the test.
macro_rules! project_or_skip {
    () => {
        match images::in_docker() {
            Ok(()) => Project::new(),
            Err(reason) => skip!("{reason}"),
        }
    };
}

impl Project {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("compose-").tempdir().expect("a directory");
        let copied =
            Command::new("cp").arg("-r").arg(images::deploy().join("compose/.")).arg(dir.path()).status();
        assert!(copied.expect("cp starts").success());
        // The person is root here, and the results are another user's.
        std::os::unix::fs::chown(dir.path().join("out"), Some(USER), Some(USER)).expect("we are root");
        Self { dir, tree: Tree::new() }
    }

    fn test(self, script: &str) -> Self {
        fs::write(self.path("test.sh"), script).expect("written");
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn compose(&self, words: &[&str]) -> Command {
        let program = compose_program();
        let mut compose = Command::new(&program[0]);
        compose.args(&program[1..]).args(["--ansi", "never"]).args(words).current_dir(self.dir.path());
        compose.env("TEST_IMAGE", images::SHELL_IMAGE).env("POD_UTILS_USER", format!("{USER}:{USER}"));
        compose
    }

    fn run(&self, words: &[&str]) -> Ended {
        process::start(&self.tree, &mut self.compose(words)).wait_for(PATIENCE)
    }

    fn finished(&self) -> Value {
        pod::json_of(&self.path("out/finished.json"))
    }

    /// The exit status of a service's container.
    fn code(&self, service: &str) -> String {
        let id = images::succeed(&mut self.compose(&["ps", "--all", "--quiet", service]));
        let words = ["inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", id.trim()];
        images::succeed(Command::new("docker").args(words)).trim().to_owned()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        // Without a check: a test that fails says why by itself.
        let files = ["-f", "docker-compose.yml", "-f", "docker-compose.s3.yml"];
        let _ = self
            .compose(&[&files[..], &["down", "--volumes", "--remove-orphans", "--timeout", "1"]].concat())
            .output();
    }
}

fn owner(path: &Path) -> u32 {
    std::os::unix::fs::MetadataExt::uid(&path.metadata().expect("there"))
}

const S3: [&str; 4] = ["-f", "docker-compose.yml", "-f", "docker-compose.s3.yml"];

#[test]
fn up_twice_delivers_each_run() {
    let project =
        project_or_skip!().test("echo made >$ARTIFACTS/hello.txt; echo the token is $(cat /secrets/token)");
    project.run(&["up"]).expect_code(0);
    assert_eq!(project.finished()["result"], "SUCCESS");
    assert_eq!(pod::read(&project.path("out/build-log.txt")), "the token is XXXXXXXXXXXXXXXX\n");
    assert_eq!(pod::read(&project.path("out/artifacts/hello.txt")), "made\n");
    assert_eq!(owner(&project.path("out/finished.json")), USER);
    assert_eq!((project.code("test"), project.code("sidecar")), ("exited 0".into(), "exited 0".into()));
    // The containers and the volumes are still there: no marker of the first run
    // may end the second one.
    let project = project.test("sleep 2; echo failing; exit 3");
    project.run(&["up"]).expect_code(0);
    assert_eq!(project.finished()["result"], "FAILURE");
    let log = pod::read(&project.path("out/build-log.txt"));
    assert!(log.starts_with("failing\n{") && log.contains("exited with code 3"), "{log}");
    assert_eq!((project.code("test"), project.code("sidecar")), ("exited 3".into(), "exited 1".into()));
}

#[test]
fn stop_interrupts_the_job_and_delivers_it_as_aborted() {
    let project = project_or_skip!().test(
        "trap 'echo got INT' INT; trap 'echo got TERM; exit 0' TERM; echo ready; while :; do sleep 0.1; done",
    );
    let mut up = process::start(&project.tree, &mut project.compose(&["up"]));
    up.until_stdout("ready");
    project.run(&["stop"]).expect_code(0);
    up.wait_for(PATIENCE);
    let finished = project.finished();
    assert_eq!(finished["result"], "ABORTED", "{finished}");
    let cause = finished["metadata"]["pod-utils"]["cause"].as_str().unwrap_or_default();
    assert!(cause.contains("aborted by SIGTERM"), "{finished}");
    let log = pod::read(&project.path("out/build-log.txt"));
    assert!(log.contains("got TERM") && !log.contains("got INT"), "the signal that came, alone: {log}");
    assert_eq!(project.code("test"), "exited 130");
}

#[test]
fn up_with_a_bucket_delivers_to_the_server_beside_it() {
    let project = project_or_skip!().test("echo made >$ARTIFACTS/hello.txt; echo to the bucket");
    project.run(&[&S3[..], &["up", "test", "sidecar"]].concat()).expect_code(0);
    let run = project.path("out/s3/ci-results/logs/compose/1");
    assert_eq!(pod::json_of(&run.join("finished.json"))["result"], "SUCCESS");
    assert_eq!(pod::read(&run.join("build-log.txt")), "to the bucket\n");
    assert_eq!(pod::read(&run.join("artifacts/hello.txt")), "made\n");
    assert_eq!(project.code("sidecar"), "exited 0");
}
