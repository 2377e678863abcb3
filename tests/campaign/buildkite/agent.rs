//! A real agent, and a fake of the API it talks to.

use harness::process::{self, Running};
use harness::tree::Tree;
use harness::wait;
use harness::web::{Answer, Asked, Web};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The job's id, and the name of its directory.
pub(crate) const JOB: &str = "0190-job";

/// Longer than any job here, whose agent has a grace period of 20 s at most.
const PATIENCE: Duration = Duration::from_mins(3);

/// A job that an agent runs.
pub(crate) struct Step {
    pub(crate) dir: tempfile::TempDir,
    api: Web,
    agent: Running,
    cancelled: Arc<AtomicBool>,
    // Dropped last: nothing of the job outlives the test.
    pub(crate) tree: Tree,
}

/// The end of the job as the agent reported it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finish {
    pub(crate) exit_status: String,
    pub(crate) signal: String,
    pub(crate) signal_reason: String,
}

impl Step {
    /// Starts an agent with these flags, which takes a job with this command. The files
    /// lie in the working directory of the job, as a checkout would have them.
    pub(crate) fn start(
        agent: &Path,
        flags: &[&str],
        command: &str,
        files: &[(&str, &str)],
        environment: &[(&str, String)],
    ) -> Self {
        let dir = tempfile::Builder::new().prefix("buildkite-").tempdir().unwrap();
        let hooks = dir.path().join("hooks");
        std::fs::create_dir(&hooks).unwrap();
        // In place of a checkout with git.
        let mut checkout = "#!/bin/sh\nset -e\n".to_owned();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
            let path = dir.path().join(name);
            checkout = [checkout, format!("cp {} .\n", path.display())].concat();
        }
        std::fs::write(hooks.join("checkout"), checkout).unwrap();
        std::fs::set_permissions(hooks.join("checkout"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let cancelled = Arc::new(AtomicBool::new(false));
        let api = fake(command.to_owned(), Arc::clone(&cancelled));
        let tree = Tree::new();
        let mut start = Command::new(agent);
        start.args([
            "start",
            "--token=token",
            "--name=campaign",
            "--disconnect-after-job",
            "--no-color",
            "--write-job-logs-to-stdout",
        ]);
        start.args(["--no-plugins", "--no-git-submodules", "--no-multipart-artifact-upload"]);
        start.arg(format!("--endpoint={}/v3", api.url()));
        start.arg(format!("--build-path={}", dir.path().join("builds").display()));
        start.arg(format!("--hooks-path={}", hooks.display()));
        start.args(flags).current_dir(dir.path());
        start.envs(environment.iter().map(|(name, value)| (*name, value.as_str())));
        // The machine's own agent, if this is one.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("BUILDKITE")) {
                start.env_remove(name);
            }
        }
        let agent = process::start(&tree, &mut start);
        Self { dir, api, agent, cancelled, tree }
    }

    /// Waits for a file of the job's.
    pub(crate) fn until(&mut self, name: &str) {
        let path = self.dir.path().join(name);
        let found = wait::within(PATIENCE, || (path.exists() || self.agent.has_ended()).then_some(()));
        assert!(found.is_some() && path.exists(), "no {name}: {:#?}", self.agent);
    }

    /// Cancels the job, as the button on the page does.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Waits for the agent's end and returns what it reported of the job, and the time
    /// from its first knowledge of the cancellation.
    pub(crate) fn finish(self) -> (Finish, tempfile::TempDir, Tree) {
        let ended = self.agent.wait_for(PATIENCE);
        let asked = self.api.asked();
        let finish = asked.iter().find(|asked| asked.path.ends_with("/finish"));
        let finish = finish.unwrap_or_else(|| panic!("the agent reported no end: {ended:#?}"));
        let job: Value = serde_json::from_str(&finish.body).unwrap();
        let text = |key: &str| job[key].as_str().unwrap_or_default().to_owned();
        let finish = Finish {
            exit_status: text("exit_status"),
            signal: text("signal"),
            signal_reason: text("signal_reason"),
        };
        (finish, self.dir, self.tree)
    }
}

/// The directory in which the job ran.
pub(crate) fn checkout(dir: &Path) -> PathBuf {
    dir.join("builds/campaign/acme/sample")
}

/// Plays as much of the API as one job needs.
fn fake(command: String, cancelled: Arc<AtomicBool>) -> Web {
    let accepted = AtomicBool::new(false);
    Web::start(move |asked: &Asked| {
        let path = asked.path.split('?').next().unwrap_or_default();
        let call = path.rsplit('/').next().unwrap_or_default();
        let answer = match (asked.method.as_str(), call) {
            (_, "register") => json!({
                "id": "agent", "name": "campaign", "access_token": "access", "meta_data": [],
                "ping_interval": 1, "job_status_interval": 1, "heartbeat_interval": 60,
            }),
            (_, "ping") if accepted.load(Ordering::Relaxed) => json!({"action": "idle"}),
            (_, "ping") => json!({"job": job(&command)}),
            (_, "accept") => {
                accepted.store(true, Ordering::Relaxed);
                job(&command)
            }
            ("GET", JOB) => {
                let state = if cancelled.load(Ordering::Relaxed) { "canceling" } else { "running" };
                json!({"id": JOB, "state": state})
            }
            _ => json!({}),
        };
        Answer(200, vec![("content-type", "application/json".to_owned())], answer.to_string())
    })
}

fn job(command: &str) -> Value {
    json!({
        "id": JOB, "state": "assigned", "chunks_max_size_bytes": 100_000, "chunks_interval_seconds": 1,
        "env": {
            "BUILDKITE_AGENT_NAME": "campaign", "BUILDKITE_JOB_ID": JOB, "BUILDKITE_COMMAND": command, "BUILDKITE_BUILD_ID": "0190-build",
            "BUILDKITE_BUILD_NUMBER": "1", "BUILDKITE_ORGANIZATION_SLUG": "acme",
            "BUILDKITE_PIPELINE_SLUG": "sample", "BUILDKITE_PIPELINE_PROVIDER": "none",
            "BUILDKITE_REPO": "none", "BUILDKITE_BRANCH": "main", "BUILDKITE_COMMIT": "HEAD",
        },
    })
}
