//! Pins: deploy/buildkite/README.md; entrypoint/README.md, "Signals".
//!
//! A real buildkite-agent runs entrypoint, directly and by `run-in-docker`, and the job
//! is cancelled: the command gets the agent's signal alone and its whole grace period,
//! marker and report hold its real end, and everything is over before the agent's own
//! KILL. The agent itself reports −1 of every cancelled job.
//!
//! `POD_UTILS_BUILDKITE_AGENT` names the program, which `go build -C
//! tests/campaign/buildkite github.com/buildkite/agent/v3` makes; without it nothing is run.

#![expect(clippy::unwrap_used, reason = "in a test a panic with a place is the right answer")]

mod agent;

use agent::{Finish, JOB, Step, checkout};
use harness::{bins, images, pod, skip};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Traps TERM only, as a benchmark does that has to stop its servers.
const TERM_ONLY: &str = "trap 'echo cleaned up; exit 0' TERM
    touch $CAMPAIGN/ready; while :; do sleep 0.05; done";

/// Hears nothing.
const DEAF: &str = "trap '' INT TERM HUP; touch $CAMPAIGN/ready; while :; do sleep 0.05; done";

/// The agent, or the end of the test.
macro_rules! agent_or_skip {
    () => {
        match std::env::var_os("POD_UTILS_BUILDKITE_AGENT") {
            Some(agent) => std::path::absolute(agent).unwrap(),
            None => skip!("POD_UTILS_BUILDKITE_AGENT names no agent"),
        }
    };
}

/// Entrypoint with the options of `run-in-docker`.
fn entrypoint(propagate: bool) -> String {
    format!(
        "{} --artifact-dir=$CAMPAIGN/artifacts --process-log=$CAMPAIGN/log --marker-file=$CAMPAIGN/marker \
         --signal-scope=group --interrupt=received --escalation=SIGTERM=1s {}-- bash ./test.sh",
        bins::program("entrypoint").display(),
        if propagate { "--propagate-error-code " } else { "" }
    )
}

/// The end of a cancelled job.
struct Cancelled {
    finish: Finish,
    dir: tempfile::TempDir,
}

impl Cancelled {
    /// Runs a command until its test is ready, cancels, and checks that nobody is left.
    fn run(agent: &Path, flags: &[&str], command: &str, test: &str) -> Self {
        // Known before the agent starts, because its environment is the job's.
        let campaign = tempfile::Builder::new().prefix("campaign-").tempdir().unwrap();
        let environment = [("CAMPAIGN", campaign.path().display().to_string())];
        let mut step = Step::start(agent, flags, command, &[("test.sh", test)], &environment);
        step.until(campaign.path().join("ready").to_str().unwrap());
        step.cancel();
        let (finish, _own, tree) = step.finish();
        assert_eq!(tree.members(), [], "nobody is left when the agent has ended");
        Self { finish, dir: campaign }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn report(&self) -> Value {
        pod::json_of(&self.file("marker.report.json"))
    }

    /// Checks what the agent says of every cancelled job.
    fn expect_cancel(&self) {
        let Finish { exit_status, signal, signal_reason } = &self.finish;
        let said = (exit_status.as_str(), signal.as_str(), signal_reason.as_str());
        assert_eq!(said, ("-1", "SIGTERM", "cancel"), "{}", self.report());
    }

    fn expect_cleaned_up(&self, grace: &str) {
        self.expect_cancel();
        assert!(pod::read(&self.file("log")).contains("cleaned up"), "{}", self.report());
        assert_eq!(pod::read(&self.file("marker")), "0");
        assert_eq!(self.report()["cause"], "aborted by SIGTERM; exited with 0 after SIGTERM");
        let granted = self.report()["grace_period_ns"].as_u64().unwrap() / 1_000_000_000;
        assert_eq!(format!("{granted}s"), grace);
    }
}

#[test]
fn term_only_trap_cleans_up_and_the_agent_says_minus_one() {
    let agent = agent_or_skip!();
    let command = format!("exec {}", entrypoint(true));
    Cancelled::run(&agent, &[], &command, TERM_ONLY).expect_cleaned_up("7s");
}

#[test]
fn command_of_several_lines_has_its_whole_grace_period() {
    let agent = agent_or_skip!();
    for last in ["exec ", ""] {
        let command = format!("echo first\n{last}{}", entrypoint(true));
        Cancelled::run(&agent, &[], &command, TERM_ONLY).expect_cleaned_up("7s");
    }
}

#[test]
fn deaf_test_is_killed_by_entrypoint_before_the_agent_kills() {
    let agent = agent_or_skip!();
    let ended = Cancelled::run(&agent, &[], &format!("exec {}", entrypoint(false)), DEAF);
    ended.expect_cancel();
    assert_eq!(pod::read(&ended.file("marker")), "130");
    assert_eq!(ended.report()["cause"], "aborted by SIGTERM; did not exit within 7s; killed");
}

#[test]
fn each_of_both_grace_periods_ends_a_deaf_test_in_time() {
    let agent = agent_or_skip!();
    let cases = [
        (["--cancel-grace-period=20", "--signal-grace-period-seconds=4"], "2s"),
        (["--cancel-grace-period=6", "--signal-grace-period-seconds=-1"], "3s"),
    ];
    for (flags, grace) in cases {
        let ended = Cancelled::run(&agent, &flags, &format!("exec {}", entrypoint(false)), DEAF);
        ended.expect_cancel();
        let cause = format!("aborted by SIGTERM; did not exit within {grace}; killed");
        assert_eq!(ended.report()["cause"], cause, "{flags:?}");
    }
}

#[test]
fn step_in_a_container_cleans_up_and_leaves_no_container() {
    let agent = agent_or_skip!();
    if let Err(reason) = images::in_docker() {
        skip!("{reason}");
    }
    for (test, marker) in [(TERM_ONLY, "0"), (DEAF, "137")] {
        let test = test.replace("$CAMPAIGN", "/work");
        let run = images::deploy().join("buildkite/run-in-docker");
        let command =
            format!("exec {} --network=none {} -- sh ./test.sh", run.display(), images::SHELL_IMAGE);
        let environment = [
            ("POD_UTILS_DIR", images::programs().display().to_string()),
            ("ENTRYPOINT_FLAGS", "--propagate-error-code".to_owned()),
        ];
        let mut step = Step::start(&agent, &[], &command, &[("test.sh", &test)], &environment);
        let own = checkout(step.dir.path());
        step.until(own.join("ready").to_str().unwrap());
        step.cancel();
        let (finish, _dir, tree) = step.finish();
        assert_eq!(tree.members(), []);
        assert_eq!(finish.signal_reason, "cancel");
        let kept = own.join(".pod-utils").join(JOB);
        assert_eq!(
            pod::read(&kept.join("marker-file.txt")),
            marker,
            "{}",
            pod::read(&kept.join("process-log.txt"))
        );
        let filter = format!("name=buildkite-{JOB}");
        let mut list = std::process::Command::new("docker");
        assert_eq!(images::succeed(list.args(["ps", "--all", "--quiet", "--filter", &filter])), "");
    }
}
