//! Pins: deploy/buildkite/README.md.
//!
//! The Buildkite example, with the agent's part played by the test: its shell in
//! a process group that gets TERM as a whole, and docker on this host.

use harness::process::{self, Ended, Exit, Running};
use harness::tree::Tree;
use harness::{images, pod, skip};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// Docker with the image that has a shell, or the end of the test.
macro_rules! docker_or_skip {
    () => {
        if let Err(reason) = images::in_docker() {
            skip!("{reason}");
        }
    };
}

/// An exit code of 0 after TERM passes.
const PROPAGATE: &str = "--propagate-error-code";

/// A job of an agent with one step.
struct Job {
    id: String,
    tree: Tree,
    checkout: tempfile::TempDir,
}

impl Job {
    fn new() -> Self {
        let checkout = tempfile::Builder::new().prefix("job-").tempdir().expect("a checkout");
        let id = checkout.path().file_name().expect("a name").display().to_string();
        Self { id, tree: Tree::new(), checkout }
    }

    /// The agent's `bash -e -c COMMAND`, in a group of its own, with the script in a
    /// container.
    fn start(&self, grace: u32, flags: &str, script: &str) -> Running {
        std::fs::write(self.checkout.path().join("test.sh"), script).expect("written");
        let run = images::deploy().join("buildkite/run-in-docker");
        let command =
            format!("exec {} --network=none {} -- sh ./test.sh", run.display(), images::SHELL_IMAGE);
        let mut agent = Command::new("bash");
        agent.args(["-e", "-c", &command]).current_dir(self.checkout.path()).process_group(0);
        agent.env("POD_UTILS_DIR", images::programs()).env("ENTRYPOINT_FLAGS", flags);
        agent.env("BUILDKITE_JOB_ID", &self.id).env("BUILDKITE_AGENT_NAME", &self.id);
        agent.env("BUILDKITE_CANCEL_GRACE_PERIOD", grace.to_string());
        process::start(&self.tree, &mut agent)
    }

    /// Runs a script until it says `ready`, and cancels: TERM to the whole group.
    fn cancelled(&self, grace: u32, flags: &str, script: &str) -> Ended {
        let mut step = self.start(grace, flags, script);
        step.until_stdout("ready");
        kill_process_group(step.pid(), Signal::TERM).expect("the group is there");
        step.wait()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.checkout.path().join(".pod-utils").join(&self.id).join(name)
    }

    fn log(&self) -> String {
        pod::read(&self.file("process-log.txt"))
    }

    fn report(&self) -> Value {
        pod::json_of(&self.file("marker-file.txt.report.json"))
    }

    fn containers(&self) -> String {
        let filter = format!("label=pod-utils.agent={}", self.id);
        images::succeed(Command::new("docker").args(["ps", "--all", "--quiet", "--filter", &filter]))
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        // Gone already, unless the test failed.
        let _ = Command::new("docker").args(["rm", "--force", &format!("buildkite-{}", self.id)]).output();
    }
}

/// Traps INT and TERM while it waits in short steps.
fn deaf_until(on_term: &str) -> String {
    format!(
        "trap 'echo got INT' INT; trap 'echo got TERM; {on_term}' TERM; echo ready; while :; do sleep 0.05; done"
    )
}

#[test]
fn step_exit_status_is_the_containers() {
    docker_or_skip!();
    let job = Job::new();
    job.start(30, "", "echo to stdout; echo made >$ARTIFACTS/made; exit 7").wait().expect_code(7);
    let log = job.log();
    assert!(log.starts_with("to stdout\n{") && log.contains("exited with code 7"), "{log}");
    assert_eq!(pod::read(&job.file("artifacts/made")), "made\n");
    assert_eq!(job.containers(), "", "the container is removed");
}

#[test]
fn step_runs_without_a_shell_between_agent_and_container() {
    docker_or_skip!();
    let job = Job::new();
    let mut step = job.start(30, "", &deaf_until("exit 0"));
    step.until_stdout("ready");
    let outermost = pod::read(format!("/proc/{}/comm", step.pid().as_raw_nonzero()).as_ref());
    assert_eq!(
        outermost.trim(),
        "entrypoint-wrap",
        "the shell that the agent started has become the wrapper"
    );
    assert!(!job.tree.members().iter().any(|member| member.command.starts_with("bash")));
    let limit = ["inspect", "--format", "{{.Config.StopTimeout}}", &format!("buildkite-{}", job.id)];
    assert_eq!(images::succeed(Command::new("docker").args(limit)).trim(), "28");
    kill_process_group(step.pid(), Signal::TERM).expect("the group is there");
    step.wait().expect_code(130);
    // 30 s less max(3 s, 10 %); docker would wait for 28 s, and the agent for 29 s.
    assert_eq!(job.report()["grace_period_ns"], 27_000_000_000_u64, "{}", job.report());
}

#[test]
fn cancelled_step_gets_its_clean_up_of_three_seconds() {
    docker_or_skip!();
    let job = Job::new();
    let ended = job.cancelled(30, PROPAGATE, &deaf_until("sleep 3; echo cleaned up; exit 0"));
    // What ended well has passed.
    ended.expect_code(0);
    assert!(ended.stderr.contains("received signal 15, forwarding"), "{ended:#?}");
    let log = job.log();
    let order = ["got TERM", "cleaned up"].map(|text| log.find(text));
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{log}");
    assert!(!log.contains("got INT"), "the agent's signal alone: {log}");
    assert_eq!(job.report()["reason"], "aborted");
}

#[test]
fn cancelled_step_that_traps_term_only_cleans_up() {
    docker_or_skip!();
    let job = Job::new();
    let script = "trap 'echo cleaned up; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
    job.cancelled(30, PROPAGATE, script).expect_code(0);
    assert!(job.log().contains("cleaned up"), "{}", job.log());
    assert_eq!(job.report()["cause"], "aborted by SIGTERM; exited with 0 after SIGTERM");
}

#[test]
fn cancelled_step_that_ignores_term_is_ended_by_the_inner_deadline() {
    docker_or_skip!();
    let job = Job::new();
    let script = "trap '' INT TERM; echo ready; while :; do sleep 0.05; done";
    let ended = job.cancelled(10, PROPAGATE, script);
    ended.expect_code(137);
    let report = job.report();
    assert_eq!((&report["reason"], &report["child"]["signal"]), (&"aborted".into(), &"SIGKILL".into()));
    // 10 s less max(3 s, 10 %), a second and more before the agent's KILL at 9 s.
    assert_eq!(report["grace_period_ns"], 7_000_000_000_u64, "{report}");
}

#[test]
fn cancelled_step_stays_cancelled_whatever_the_command_returns() {
    docker_or_skip!();
    let job = Job::new();
    let ended = job.cancelled(30, "", &deaf_until("exit 0"));
    assert_eq!(ended.exit, Exit::Code(130), "{ended:#?}");
}

#[test]
fn hook_ends_a_container_whose_client_was_killed() {
    docker_or_skip!();
    let job = Job::new();
    let mut step = job.start(30, "", &deaf_until("exit 0"));
    step.until_stdout("ready");
    // As an agent that is killed: everything on the host dies, dockerd's part lives.
    for member in job.tree.members() {
        let pid = Pid::from_raw(member.pid).expect("a process");
        // A client may die with the wrapper that started it.
        let _ = kill_process(pid, Signal::KILL);
    }
    step.wait();
    assert_ne!(job.containers(), "", "it runs on");
    let mut hook = Command::new(images::deploy().join("buildkite/hooks/remove-leftovers"));
    images::succeed(hook.env("BUILDKITE_AGENT_NAME", &job.id));
    assert_eq!(job.containers(), "");
    assert_eq!(job.report()["reason"], "aborted");
    assert!(job.log().contains("got TERM"), "{}", job.log());
}
