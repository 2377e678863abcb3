//! Pins: deploy/README.md, "podutils run".
//!
//! `podutils run`: a job on this machine, from the command line to the result.

use common::signal::Signal;
use harness::pod::{files_below, json_of, read};
use harness::process::{self, Ended, Exit, Running};
use harness::s3::{Fault, S3};
use harness::tree::Tree;
use harness::{bins, wait};
use rustix::process::Pid;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const HOSTILE: &str = env!("CARGO_BIN_EXE_hostile");

/// A working directory of somebody who runs jobs, with a temp directory of its own.
pub(crate) struct Desk {
    tree: Tree,
    pub(crate) dir: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("pod-utils-desk-").tempdir().expect("a directory");
        fs::create_dir(dir.path().join("tmp")).expect("made");
        Self { tree: Tree::new(), dir }
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(bins::program("podutils"));
        command.args(args).current_dir(self.dir.path()).env("TMPDIR", self.path("tmp"));
        for variable in ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
            command.env_remove(variable);
        }
        command
    }

    pub(crate) fn start(&self, args: &[&str]) -> Running {
        process::start(&self.tree, &mut self.command(args))
    }

    pub(super) fn run(&self, args: &[&str]) -> Ended {
        process::run(&self.tree, &mut self.command(args))
    }

    /// The one folder of results of a job in the default destination.
    #[track_caller]
    pub(super) fn results(&self, job: &str) -> PathBuf {
        let dir = self.path("pod-utils-out").join(job);
        let mut builds: Vec<_> = fs::read_dir(&dir).expect("the job's folder").flatten().collect();
        assert_eq!(builds.len(), 1, "{builds:?}");
        builds.remove(0).path()
    }

    #[track_caller]
    fn finished(&self, job: &str) -> Value {
        json_of(&self.results(job).join("finished.json"))
    }

    /// The process of one of the two programs.
    #[track_caller]
    pub(crate) fn member(&self, program: &str) -> Pid {
        // Of podutils' own copy, or of a directory of programs.
        let is = |command: &str| command.rsplit('/').next() == Some(program);
        let running = || self.tree.members().into_iter().find(|member| is(&member.command));
        // It is podutils itself until it has left the session.
        Pid::from_raw(wait::until(program, running).pid).expect("a pid")
    }

    /// The pod directories that are there.
    pub(super) fn pods(&self) -> Vec<PathBuf> {
        fs::read_dir(self.path("tmp")).expect("listed").flatten().map(|entry| entry.path()).collect()
    }
}

#[test]
fn passing_job_needs_no_options() {
    let desk = Desk::new();
    let script = r#"echo testing; echo hello > "$ARTIFACTS/hello.txt"; echo "$JOB_NAME $CI" >&2"#;
    let ended = desk.run(&["run", "--job", "demo", "--", "sh", "-c", script]);
    ended.expect_code(0);
    assert_eq!(ended.stdout, "testing\ndemo true\n");
    let results = desk.results("demo");
    assert_eq!(read(&results.join("build-log.txt")), "testing\ndemo true\n");
    assert_eq!(read(&results.join("artifacts/hello.txt")), "hello\n");
    assert_eq!(desk.finished("demo")["result"], "SUCCESS");
    let place = results.display().to_string();
    for part in ["SUCCESS", "build-log.txt", "finished.json", "artifacts/hello.txt", &place] {
        assert!(ended.stderr.contains(part), "no {part} in {}", ended.stderr);
    }
    assert_eq!(desk.pods(), Vec::<PathBuf>::new());
    assert_eq!(desk.tree.members(), []);
}

#[test]
fn failing_job_returns_its_code_and_the_cause() {
    let desk = Desk::new();
    let ended = desk.run(&["run", "--", "sh", "-c", "exit 3"]);
    ended.expect_code(3);
    assert!(ended.stderr.contains("FAILURE") && ended.stderr.contains("code 3"), "{}", ended.stderr);
    assert_eq!(desk.finished("local")["result"], "FAILURE");
}

#[test]
fn timeout_reaches_the_child_of_a_waiting_shell() {
    let desk = Desk::new();
    let script = format!("{HOSTILE} deaf-to-int; true");
    let ended = desk.run(&["run", "--timeout", "300ms", "--grace-period", "3s", "--", "sh", "-c", &script]);
    ended.expect_code(127);
    assert!(ended.stderr.contains("FAILURE") && ended.stderr.contains("timed out"), "{}", ended.stderr);
    let log = read(&desk.results("local").join("build-log.txt"));
    assert!(log.contains("Process gracefully exited before 3s grace period"), "{log}");
}

#[test]
fn ctrl_c_lets_the_test_clean_up_and_a_second_one_loses_nothing() {
    let desk = Desk::new();
    let release = desk.path("release");
    let mut running =
        desk.start(&["run", "--job", "held", "--", HOSTILE, "held", &release.display().to_string()]);
    running.until_stdout("ready");
    running.signal(Signal::INT);
    running.until_stderr("SIGINT: ");
    running.signal(Signal::INT);
    running.until_stderr("SIGINT again");
    fs::write(&release, "").expect("released");
    let ended = running.wait();
    ended.expect_code(130);
    assert!(ended.stderr.contains("ABORTED"), "{}", ended.stderr);
    assert_eq!(desk.finished("held")["result"], "ABORTED");
    assert!(read(&desk.results("held").join("build-log.txt")).contains("released"));
    assert_eq!(desk.pods(), Vec::<PathBuf>::new());
}

#[test]
fn term_counts_like_ctrl_c() {
    let desk = Desk::new();
    let running = desk.start(&["run", "--", "sleep", "60"]);
    let results = wait::until("the test to run", || {
        desk.tree.members().iter().any(|member| member.command == "sleep 60").then(|| desk.results("local"))
    });
    running.signal(Signal::TERM);
    running.wait().expect_code(130);
    assert_eq!(json_of(&results.join("finished.json"))["result"], "ABORTED");
}

#[test]
fn signal_in_the_first_milliseconds_loses_nothing() {
    for _ in 0..20 {
        let desk = Desk::new();
        let running = desk.start(&["run", "--", "sleep", "60"]);
        // It catches signals before it starts anybody.
        wait::until("podutils to start a program", || (desk.tree.members().len() > 1).then_some(()));
        running.signal(Signal::TERM);
        let ended = running.wait();
        ended.expect_code(130);
        assert_eq!(desk.finished("local")["result"], "ABORTED", "{ended:#?}");
    }
}

#[test]
fn failed_delivery_of_a_passed_test_is_1_and_keeps_everything() {
    let desk = Desk::new();
    let s3 = S3::start();
    // From the job's end on: what is refused before it keeps it from running.
    s3.script(|seen| if seen.key.ends_with("started.json") { Fault::None } else { Fault::Status(403) });
    let credentials = s3.credentials_file(desk.dir.path()).display().to_string();
    let script = r#"echo kept; echo kept > "$ARTIFACTS/kept.txt""#;
    let args =
        ["run", "--out", "s3://bucket", "--s3-credentials-file", &credentials, "--", "sh", "-c", script];
    let ended = desk.run(&args);
    ended.expect_code(1);
    let pods = desk.pods();
    assert_eq!(pods.len(), 1);
    assert_eq!(read(&pods[0].join("logs/process-log.txt")), "kept\n");
    assert_eq!(read(&pods[0].join("logs/artifacts/kept.txt")), "kept\n");
    assert!(ended.stderr.contains(&pods[0].display().to_string()), "{}", ended.stderr);
    assert!(ended.stderr.contains("s3://bucket"), "{}", ended.stderr);
    // The test's own code is worth more than delivery's.
    let failing =
        ["run", "--out", "s3://bucket", "--s3-credentials-file", &credentials, "--", "sh", "-c", "exit 9"];
    desk.run(&failing).expect_code(9);
}

#[test]
fn store_that_never_answers_ends_with_the_grace_period() {
    let desk = Desk::new();
    let s3 = S3::start();
    s3.script(|_| Fault::Hang);
    let credentials = s3.credentials_file(desk.dir.path()).display().to_string();
    let mut running = desk.start(&[
        "run",
        "--out",
        "s3://bucket",
        "--s3-credentials-file",
        &credentials,
        "--grace-period",
        "200ms",
        "--upload-budget",
        "1s",
        "--",
        HOSTILE,
        "ignore",
    ]);
    running.until_stdout("ready");
    running.signal(Signal::INT);
    let ended = running.wait();
    ended.expect_code(130);
    assert!(ended.stderr.contains("ABORTED"), "{}", ended.stderr);
    assert!(ended.took < std::time::Duration::from_secs(45), "{ended:#?}");
    let pods = desk.pods();
    assert_eq!(pods.len(), 1, "{}", ended.stderr);
    assert!(read(&pods[0].join("logs/process-log.txt")).contains("ready"));
    assert_eq!(desk.tree.members(), []);
}

#[test]
fn bucket_gets_the_results() {
    let desk = Desk::new();
    let s3 = S3::start();
    let credentials = s3.credentials_file(desk.dir.path()).display().to_string();
    let script = r#"echo one; echo two > "$ARTIFACTS/two.txt""#;
    let by_file =
        ["run", "--out", "s3://bucket/some", "--s3-credentials-file", &credentials, "--", "sh", "-c", script];
    let ended = desk.run(&by_file);
    ended.expect_code(0);
    let base = base_path(&s3.keys(), "some/logs/local/");
    assert_eq!(s3.text(&format!("{base}/build-log.txt")), "one\n");
    assert_eq!(s3.text(&format!("{base}/artifacts/two.txt")), "two\n");
    assert_eq!(s3.json(&format!("{base}/finished.json"))["result"], "SUCCESS");
    for part in [format!("s3://bucket/{base}"), "artifacts/two.txt".to_owned()] {
        assert!(ended.stderr.contains(&part), "no {part} in {}", ended.stderr);
    }
    assert_eq!(desk.pods(), Vec::<PathBuf>::new());

    let mut by_environment = desk.command(&["run", "--job", "env", "--out", "s3://bucket", "--", "true"]);
    by_environment.envs(s3.environment()).env("AWS_ALLOW_HTTP", "true");
    process::run(&desk.tree, &mut by_environment).expect_code(0);
    let base = base_path(&s3.keys(), "logs/env/");
    assert_eq!(s3.json(&format!("{base}/finished.json"))["result"], "SUCCESS");
}

/// The path of the one build below a job's path.
#[track_caller]
pub(super) fn base_path(keys: &[String], job: &str) -> String {
    let finished = keys.iter().find(|key| key.starts_with(job) && key.ends_with("/finished.json"));
    finished.unwrap_or_else(|| panic!("{keys:?}")).trim_end_matches("/finished.json").to_owned()
}

#[test]
fn directory_gets_the_layout_of_a_bucket() {
    let desk = Desk::new();
    let out = desk.path("bucket");
    let url = format!("file://{}", out.display());
    let ended = desk.run(&["run", "--job", "j", "--out", &url, "--", "echo", "text"]);
    ended.expect_code(0);
    let base = base_path(&files_below(&out), "logs/j/");
    assert_eq!(read(&out.join(&base).join("build-log.txt")), "text\n");
    let build = base.rsplit('/').next().expect("a build id");
    assert_eq!(read(&out.join("logs/j/latest-build.txt")), build);
}

#[test]
fn directory_collects_runs_in_own_folders() {
    let desk = Desk::new();
    for _ in 0..3 {
        desk.run(&["run", "--job", "again", "--out", "results", "--", "true"]).expect_code(0);
    }
    let finished =
        files_below(&desk.path("results")).into_iter().filter(|name| name.ends_with("finished.json"));
    assert_eq!(finished.count(), 3);
}

#[test]
fn secrets_are_masked_and_the_pod_directory_is_kept_on_request() {
    let desk = Desk::new();
    fs::create_dir(desk.path("secrets")).expect("made");
    fs::write(desk.path("secrets/token"), "correct-horse-battery").expect("written");
    let ended =
        desk.run(&["run", "--keep", "--secrets", "secrets", "--", "echo", "it is correct-horse-battery"]);
    ended.expect_code(0);
    assert_eq!(read(&desk.results("local").join("build-log.txt")), "it is XXXXXXXXXXXXXXXXXXXXX\n");
    let pods = desk.pods();
    assert_eq!(pods.len(), 1);
    assert!(ended.stderr.contains(&pods[0].display().to_string()), "{}", ended.stderr);
    assert_eq!(read(&pods[0].join("logs/process-log.txt")), "it is correct-horse-battery\n");
}

#[test]
fn undelivered_objects_are_named() {
    let desk = Desk::new();
    let script = r#"ln -s /etc/passwd "$ARTIFACTS/link"; mkfifo "$ARTIFACTS/pipe"; for i in $(seq 50); do echo > "$ARTIFACTS/$i"; done"#;
    let ended = desk.run(&["run", "--", "sh", "-c", script]);
    ended.expect_code(0);
    for part in ["2 not delivered", "artifacts/link", "artifacts/pipe", "build-log.txt", "… and "] {
        assert!(ended.stderr.contains(part), "no {part} in {}", ended.stderr);
    }
    assert!(ended.stderr.lines().count() < 40, "{}", ended.stderr);
}

#[test]
fn entrypoint_killed_from_outside_is_a_failure_and_nothing_survives() {
    let desk = Desk::new();
    let mut running = desk.start(&["run", "--", "sh", "-c", "(setsid sleep 60 &); echo ready; sleep 60"]);
    running.until_stdout("ready");
    let victim = desk.member("entrypoint");
    rustix::process::kill_process(victim, rustix::process::Signal::KILL).expect("killed");
    let ended = running.wait();
    ended.expect_code(137);
    assert!(ended.stderr.contains("FAILURE") && ended.stderr.contains("SIGKILL"), "{}", ended.stderr);
    assert_eq!(desk.finished("local")["result"], "FAILURE");
    assert_eq!(desk.tree.members(), []);
}

#[test]
fn results_are_delivered_even_when_podutils_is_killed() {
    let desk = Desk::new();
    let mut running = desk.start(&["run", "--", "sh", "-c", "echo ready; sleep 60"]);
    running.until_stdout("ready");
    let sidecar = desk.member("sidecar");
    wait::until("sidecar to watch files", || process::watches_files(sidecar).then_some(()));
    running.signal(Signal::KILL);
    assert_eq!(running.wait().exit, Exit::Signal(Signal::KILL));
    wait::until("all processes to end", || desk.tree.members().is_empty().then_some(()));
    assert_eq!(desk.finished("local")["result"], "ABORTED");
}

#[test]
fn program_that_cannot_start_is_a_failed_job() {
    let desk = Desk::new();
    let ended = desk.run(&["run", "--", "no-such-program"]);
    ended.expect_code(127);
    assert!(ended.stderr.contains("no-such-program"), "{}", ended.stderr);
    let log = read(&desk.results("local").join("build-log.txt"));
    assert!(log.contains("could not start the process"), "{log}");
}

/// The wrapped command is the unit tests of a crate of this project.
#[test]
fn unit_tests_of_a_crate_run_as_a_job() {
    let desk = Desk::new();
    let own = std::env::current_exe().expect("its own path");
    let target = own.ancestors().find(|dir| dir.join(".rustc_info.json").is_file());
    // A test program that was carried elsewhere builds in the desk's directory.
    let target = target.map_or_else(|| desk.path("target"), Path::to_owned);
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    bins::dir();
    let mut command = desk.command(&["run", "--job", "unit", "--timeout", "20m", "--"]);
    command
        .args([env!("CARGO"), "test", "--offline", "--package", "pod-utils-common", "--lib"])
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(target);
    let ended = process::start(&desk.tree, &mut command).wait_for(std::time::Duration::from_mins(20));
    ended.expect_code(0);
    let log = read(&desk.results("unit").join("build-log.txt"));
    assert!(log.contains("test result: ok.") && log.contains("marker::tests::"), "{log}");
    assert!(ended.stdout.contains("test result: ok."), "shown live too");
    assert_eq!(desk.finished("unit")["result"], "SUCCESS");
}
