//! Pins: V-WC-1, W-114, W-115; contract 8.12.
//!
//! The composition of contract 8.12: wrapper → entrypoint → bash, as PID 1.

use crate::wrapper::step_pod::{StepPod, TEST0, printed};
use common::signal::Signal;
use harness::api_server::ApiServer;
use harness::docker::Engine;
use harness::pod::{Entry, Pod};
use harness::process::Running;
use harness::{bins, skip, wait};
use rustix::process::{Pid, kill_process};
use serde_json::{Value, json};
use std::process::Command;

/// ci-operator's form of a step's commands (W-114).
fn bash(commands: &str) -> [String; 3] {
    ["/bin/bash".to_owned(), "-c".to_owned(), format!("#!/bin/bash\nset -eu\n{commands}")]
}

/// A step's container: the wrapper as PID 1 of a pid namespace.
struct Chain {
    step: StepPod,
    pod: Pod,
    entry: Entry,
    server: ApiServer,
}

impl Chain {
    fn new() -> Self {
        let pod = Pod::new();
        let entry = pod.entry("test");
        Self { step: StepPod::new(), pod, entry, server: ApiServer::start() }
    }

    /// Starts the chain; `None` where a pid namespace is not permitted.
    fn start(&self, commands: &str, more: Value) -> Option<Running> {
        let words = bash(commands);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let entrypoint = bins::program("entrypoint");
        let wrapper = self.step.command_at(&self.server, &[entrypoint.to_str().expect("a plain path")]);
        let mut command = Command::new("unshare");
        self.step.environment(&mut command);
        command.envs(self.server.environment());
        command.env("ENTRYPOINT_OPTIONS", self.pod.entrypoint_options(&self.entry, &words, more).to_string());
        command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]);
        command.arg(wrapper.get_program()).args(wrapper.get_args());
        let mut running = self.step.start(&mut command);
        let began =
            wait::within(wait::PATIENCE, || (self.pid_1().is_some() || running.has_ended()).then_some(()));
        began.filter(|()| !running.stderr().contains("unshare"))?;
        Some(running)
    }

    /// The wrapper, as we see it from outside.
    fn pid_1(&self) -> Option<Pid> {
        let wrapper = bins::program("entrypoint-wrapper").display().to_string();
        let found =
            self.step.tree.members().into_iter().find(|member| member.command.starts_with(&wrapper))?;
        Pid::from_raw(found.pid)
    }

    fn signal(&self, signal: Signal) {
        let number = rustix::process::Signal::from_named_raw(signal.as_raw()).expect("a signal with a name");
        kill_process(self.pid_1().expect("running"), number).expect("sent");
    }

    /// Returns what the steps after this one find, as text.
    fn shared(&self) -> Vec<(String, String)> {
        self.server.seen().last().map(harness::api_server::Seen::data).unwrap_or_default()
    }
}

macro_rules! start_or_skip {
    ($chain:expr, $commands:expr, $more:expr) => {
        match $chain.start($commands, $more) {
            Some(running) => running,
            None => skip!("unshare --pid is not permitted here"),
        }
    };
}

fn texts<'a>(pairs: &[(&'a str, &'a str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn success_passes_through_both_layers() {
    let chain = Chain::new();
    let running =
        start_or_skip!(chain, "echo $$; cat $SHARED_DIR/test0.txt; echo out >$SHARED_DIR/out", json!({}));
    chain.step.ended(running).expect_code(0);
    assert_eq!(chain.entry.code().as_deref(), Some("0"));
    assert!(chain.entry.log_text().ends_with("\ntest0\n"), "{}", chain.entry.log_text());
    assert_eq!(chain.shared(), texts(&[("out", "out\n"), ("test0.txt", "test0\n")]));
}

#[test]
fn failure_keeps_its_code() {
    let chain = Chain::new();
    let running = start_or_skip!(chain, "echo out >$SHARED_DIR/out; sh -c 'exit 3'; echo never", json!({}));
    chain.step.ended(running).expect_code(3);
    assert_eq!(chain.entry.code().as_deref(), Some("3"));
    assert_eq!(chain.shared(), texts(&[("out", "out\n"), ("test0.txt", "test0\n")]));
}

#[test]
fn term_reaches_bash_as_interrupt_then_term() {
    // Without a child: a bash (5.2) that waits for one loses one of two signals that
    // come together, both trapped, whoever sends them.
    let commands = "trap 'echo got INT >>$SHARED_DIR/got' INT
        trap 'echo got TERM >>$SHARED_DIR/got; exit 7' TERM
        echo ready; while true; do :; done";
    for (propagate, code) in [(false, "130"), (true, "7")] {
        let chain = Chain::new();
        let running = start_or_skip!(chain, commands, json!({"propagate_error_code": propagate}));
        chain.entry.until_log("ready");
        chain.signal(Signal::TERM);
        let ended = chain.step.ended(running);
        ended.expect_code(code.parse().expect("a number"));
        assert_eq!(chain.entry.code().as_deref(), Some(code));
        assert_eq!(chain.entry.report()["reason"], "aborted");
        assert_eq!(chain.shared(), texts(&[("got", "got INT\ngot TERM\n"), ("test0.txt", "test0\n")]));
        assert!(ended.stderr.contains("received signal 15, forwarding\n"), "{ended:?}");
    }
}

#[test]
fn step_that_ignores_signals_is_killed_and_its_files_are_shared() {
    let chain = Chain::new();
    let commands = "trap '' INT TERM; echo got this far >$SHARED_DIR/progress; echo ready; while true; do sleep 0.05; done";
    let running = start_or_skip!(chain, commands, json!({"grace_period": 300_000_000}));
    chain.entry.until_log("ready");
    chain.signal(Signal::TERM);
    chain.step.ended(running).expect_code(130);
    assert_eq!(chain.entry.code().as_deref(), Some("130"));
    assert_eq!(chain.shared(), texts(&[("progress", "got this far\n"), ("test0.txt", "test0\n")]));
}

#[test]
fn timeout_is_127_through_both_layers() {
    let chain = Chain::new();
    let running =
        start_or_skip!(chain, "sleep 100", json!({"timeout": 300_000_000, "grace_period": 300_000_000}));
    chain.step.ended(running).expect_code(127);
    assert_eq!(chain.entry.code().as_deref(), Some("127"));
    assert_eq!(chain.entry.report()["reason"], "timed_out");
}

#[test]
fn options_of_ci_operator_run_unchanged() {
    let chain = Chain::new();
    // The fixture's options, its paths moved to where a test may write.
    let options = r##"{"timeout":3600000000000,"grace_period":20000000000,"artifact_dir":"/logs/artifacts","args":["/bin/bash","-c","#!/bin/bash\nset -eu\ncommand0"],"container_name":"test","process_log":"/logs/process-log.txt","marker_file":"/logs/marker-file.txt","metadata_file":"/logs/artifacts/metadata.json"}"##;
    let logs = chain.pod.logs();
    let options = options.replace("/logs", &logs.display().to_string());
    let entrypoint = bins::program("entrypoint");
    let mut command = chain.step.command_at(&chain.server, &[entrypoint.to_str().expect("a plain path")]);
    command.env("ENTRYPOINT_OPTIONS", &options).env("CLI_DIR", chain.step.path("cli"));
    let cli = chain.step.path("cli/command0");
    std::fs::create_dir_all(cli.parent().expect("a directory")).expect("made");
    let script = "#!/bin/sh\necho ran command0 with $# arguments >$SHARED_DIR/ran\nprintf '%s\\n' \"$ENTRYPOINT_OPTIONS\"\n";
    std::fs::write(&cli, script).expect("written");
    std::fs::set_permissions(&cli, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("set");
    chain.step.run(command).expect_code(0);
    assert_eq!(std::fs::read_to_string(logs.join("marker-file.txt")).expect("a marker"), "0");
    assert_eq!(std::fs::read_to_string(logs.join("process-log.txt")).expect("a log"), format!("{options}\n"));
    assert!(logs.join("artifacts").is_dir());
    assert_eq!(
        chain.shared(),
        texts(&[("ran", "ran command0 with 0 arguments\n"), ("test0.txt", "test0\n")])
    );
}

#[test]
fn container_with_files_placed_by_init_containers_runs_the_chain() {
    let engine = match Engine::find() {
        Ok(engine) => engine,
        Err(reason) => skip!("{reason}"),
    };
    let step = StepPod::new();
    let pod = Pod::new();
    for dir in [pod.path(""), pod.logs()] {
        std::fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("set");
    }
    let entry = pod.entry("test");
    let logs = format!("{}:/logs", pod.logs().display());
    let shared = format!("{}:/var/run/secrets/ci.openshift.io/multi-stage:ro", step.path("shared").display());
    let placed = format!("{}:/tmp/entrypoint-wrapper", step.path("home").display());
    std::fs::set_permissions(step.path("home"), std::os::unix::fs::PermissionsExt::from_mode(0o777))
        .expect("set");
    let hardened =
        ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--user=1000760000:0"];
    let volumes = ["--tmpfs=/tmp:mode=1777", "--volume", &placed];
    // As the init container: the program copies itself to where the step starts it.
    let init =
        engine.run(&[&hardened[..], &volumes].concat(), &["/tools/entrypoint-wrapper", "--copy-mode-only"]);
    assert_eq!(init.wait(), 0, "{}", init.logs());
    let script = "trap 'echo got INT >>$SHARED_DIR/got' INT; trap 'echo got TERM >>$SHARED_DIR/got; exit 7' TERM; \
                  echo home is $HOME; echo ready; while :; do sleep 0.05; done";
    let options =
        pod.entrypoint_options(&entry, &["sh", "-c", script], json!({"propagate_error_code": true}));
    let options = options.to_string().replace(&pod.logs().display().to_string(), "/logs");
    let variables = [
        format!("--env=ENTRYPOINT_OPTIONS={options}"),
        "--env=NAMESPACE=test".to_owned(),
        "--env=JOB_NAME_SAFE=test".to_owned(),
        "--env=SHARED_DIR=/var/run/secrets/ci.openshift.io/multi-stage".to_owned(),
    ];
    let variables: Vec<&str> = variables.iter().map(String::as_str).collect();
    let more = ["--volume", &logs, "--volume", &shared];
    let container = engine.run(
        &[&hardened[..], &volumes, &more, &variables].concat(),
        &["/tmp/entrypoint-wrapper/entrypoint-wrapper", "--dry-run", "/tools/entrypoint"],
    );
    container.until_logs("ready");
    container.stop(&step.tree, 30).wait().expect_code(0);
    assert_eq!(container.wait(), 7, "{}", container.logs());
    assert_eq!(entry.code().as_deref(), Some("7"));
    let printed = printed(&[("got", "Z290IElOVApnb3QgVEVSTQo="), TEST0]);
    assert!(container.logs().contains(&printed), "{}", container.logs());
    assert!(entry.log_text().contains("home is /alabama\n"), "{}", entry.log_text());
}
