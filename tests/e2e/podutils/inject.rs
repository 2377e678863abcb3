//! Pins: deploy/README.md, "podutils inject".
//!
//! `podutils inject` from its command line, and what it makes of a pod run by
//! podman.

use harness::pod::{files_below, json_of, read};
use harness::process::{self, Ended, Exit};
use harness::tree::Tree;
use harness::{bins, skip};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

const POD: &str = "# kept\nkind: Pod\nmetadata: {name: unit}\nspec:\n  containers:\n  - {name: test, image: i, command: [make, test]}\n";
const USUAL: [&str; 6] = ["--out", "s3://ci", "--image-prefix", "reg", "--build-id", "7"];

/// Runs `podutils inject` with this standard input.
fn inject(input: &[u8], flags: &[&str]) -> Ended {
    // The standard input of a shell, so that it is a pipe's end as in real use.
    inject_by("cat \"$0\" | exec \"$@\"", input, flags)
}

/// Runs it by a shell's script, whose `$0` is a file with the input.
fn inject_by(script: &str, input: &[u8], flags: &[&str]) -> Ended {
    let (tree, dir) = (Tree::new(), tempfile::tempdir().expect("a directory"));
    let file = dir.path().join("input");
    fs::write(&file, input).expect("written");
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(&file).arg(bins::program("podutils")).arg("inject").args(flags);
    process::run(&tree, &mut command)
}

/// Checks a stream with at most so much memory: everything that a program writes into counts
/// as data.
fn checked_in_64_mib(input: &str) -> Ended {
    let script = format!("ulimit -d {}; exec \"$@\" <\"$0\"", 64 << 10);
    inject_by(&script, input.as_bytes(), &["--check", "--unknown-kinds", "pass"])
}

#[test]
fn stream_of_many_documents_is_refused_in_little_memory() {
    let list = "- a\n".repeat(199_000) + "---\n";
    let json = format!("{{\"a\": [{}1]}}\n", "1,".repeat(199_000));
    for stream in [list.repeat(20), json.repeat(40)] {
        let ended = checked_in_64_mib(&stream);
        ended.expect_code(1);
        let line = ended.only_line();
        assert!(line.starts_with("error: document 2, "), "{line}");
        assert!(line.contains("the stream has more than 200000 values"), "{line}");
    }
}

#[test]
fn as_much_as_a_stream_may_hold_is_read_in_little_memory() {
    // Nothing takes more space than mappings with one key.
    for member in ["- a: b\n".to_owned(), format!("- {{a: {}}}\n", "b".repeat(235))] {
        let ended = checked_in_64_mib(&member.repeat(66_000));
        ended.expect_code(0);
    }
    let ended = checked_in_64_mib(&format!("[{}x]\n", "{a: b}, ".repeat(66_000)));
    ended.expect_code(1);
    assert!(ended.only_line().contains("too much in one pair of brackets"), "{}", ended.stderr);
}

#[test]
fn stdin_and_stdout_may_be_pipes() {
    let ended = inject(POD.as_bytes(), &USUAL);
    ended.expect_code(0);
    assert_eq!(ended.stderr, "", "silence unless asked");
    assert!(ended.stdout.starts_with("# kept\nkind: Pod\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("- /tools/entrypoint\n"), "{}", ended.stdout);

    let mut explained = USUAL.to_vec();
    explained.push("--explain");
    let explained = inject(POD.as_bytes(), &explained);
    assert_eq!(explained.stdout, ended.stdout);
    for part in
        ["document 1, spec.containers[0]: wrapped", "spec.restartPolicy: Never", "spec.terminationGrace"]
    {
        assert!(explained.stderr.contains(part), "no {part} in {}", explained.stderr);
    }

    let checked = inject(ended.stdout.as_bytes(), &["--check"]);
    assert_eq!((&checked.exit, checked.stdout.as_str(), checked.stderr.as_str()), (&Exit::Code(0), "", ""));
    let broken = ended.stdout.replace("restartPolicy: Never", "restartPolicy: OnFailure");
    let checked = inject(broken.as_bytes(), &["--check", "-"]);
    checked.expect_code(1);
    assert!(checked.stdout.starts_with("document 1, spec.restartPolicy: OnFailure"), "{}", checked.stdout);
    assert_eq!(checked.stdout.lines().count(), 1);

    let again = inject(ended.stdout.as_bytes(), &USUAL);
    again.expect_code(1);
    assert!(again.only_line().starts_with("error: document 1, spec.containers[0].env["), "{}", again.stderr);
    assert!(again.only_line().contains("already decorated"), "{}", again.stderr);
}

#[test]
fn unreadable_input_is_one_line_and_writes_nothing() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.extend([format!("a{level}: &a{level} [{aliases}]\n")]);
    }
    let pod_and = |more: &str| format!("{POD}---\n{more}").into_bytes();
    for (input, part) in [
        (Vec::new(), "no document"),
        (b"# only this\n---\n".to_vec(), "no document"),
        (b"kind: ConfigMap\n".to_vec(), "no pod"),
        (pod_and("kind: Pod\nmetadata: {name: x\n"), "document 2, line "),
        (pod_and("a: {{ .Values.a }}\n"), "template"),
        (pod_and("kind: Pod\nkind: Pod\n"), "is there twice"),
        (pod_and("kind: Widget\n"), "document 2, kind: Widget is not known"),
        (pod_and(&bomb), "aliases"),
        (vec![b'['; 200_000], "line 1"),
        (b"kind: \xff\n".to_vec(), "UTF-8"),
        (vec![b' '; (16 << 20) + 1], "longer than 16.0 MiB"),
    ] {
        let ended = inject(&input, &USUAL);
        ended.expect_code(1);
        assert!(ended.only_line().starts_with("error: ") && ended.stderr.contains(part), "{part}: {ended:?}");
        assert_eq!(ended.stdout, "");
    }
    let mut missing = USUAL.to_vec();
    missing.push("/no/such/file.yaml");
    let ended = inject(b"", &missing);
    ended.expect_code(1);
    assert!(ended.only_line().contains("/no/such/file.yaml"), "{ended:?}");
    inject(POD.as_bytes(), &["--image-prefix", "reg"]).expect_code(2);
    inject(POD.as_bytes(), &["--check", "--explain"]).expect_code(2);
}

/// A podman that answers, with images of the static programs.
struct Podman {
    config: PathBuf,
    _dir: tempfile::TempDir,
}

/// The test's image: a shell and the usual small programs.
const SHELL: &str = "localhost/pod-utils-inject/shell:test";
const PREFIX: &str = "localhost/pod-utils-inject";

impl Podman {
    /// An error says why these tests are not wanted here.
    fn find() -> Result<&'static Self, String> {
        static PODMAN: OnceLock<Podman> = OnceLock::new();
        let Some(programs) = std::env::var_os("POD_UTILS_STATIC_DIR") else {
            return Err("POD_UTILS_STATIC_DIR names no directory of static programs".to_owned());
        };
        if Command::new("podman").arg("--version").output().is_err() {
            return Err("there is no podman".to_owned());
        }
        if !Path::new("/bin/busybox").exists() {
            return Err("there is no static /bin/busybox".to_owned());
        }
        Ok(PODMAN.get_or_init(|| Self::prepare(Path::new(&programs))))
    }

    fn prepare(programs: &Path) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let config = dir.path().join("containers.conf");
        // Raising limits is not permitted everywhere, and crun refuses some control groups.
        let text = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1000:1000\"]\n\
                    [engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\n";
        fs::write(&config, text).expect("written");
        let podman = Self { config, _dir: dir };
        for program in ["entrypoint", "sidecar", "initupload"] {
            let file = if program == "initupload" { "sidecar" } else { program };
            podman.build(program, &programs.join(file), "");
        }
        let applets = "RUN [\"/busybox\", \"--install\", \"-s\", \"/bin\"]\n";
        podman.build("shell", Path::new("/bin/busybox"), applets);
        podman
    }

    fn build(&self, name: &str, program: &Path, more: &str) {
        let dir = tempfile::tempdir().expect("a directory");
        let file = if name == "shell" { "busybox" } else { name };
        fs::copy(program, dir.path().join(file))
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        fs::create_dir(dir.path().join("bin")).expect("made");
        let recipe = if name == "shell" {
            format!("FROM scratch\nCOPY {file} /{file}\nCOPY bin /bin\nENV PATH=/bin\n{more}")
        } else {
            format!("FROM scratch\nCOPY {file} /{file}\nENTRYPOINT [\"/{file}\"]\n")
        };
        fs::write(dir.path().join("Containerfile"), recipe).expect("written");
        self.run(&[
            "build",
            "--quiet",
            "--tag",
            &format!("{PREFIX}/{name}:test"),
            &dir.path().display().to_string(),
        ]);
    }

    fn command(&self) -> Command {
        let mut command = Command::new("podman");
        if std::env::var_os("CONTAINERS_CONF").is_none() {
            command.env("CONTAINERS_CONF", &self.config);
        }
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).stdin(Stdio::null()).output().expect("podman starts")
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// An injected pod that was started; removed with the value.
struct Played {
    podman: &'static Podman,
    name: String,
    volumes: Vec<String>,
    dir: tempfile::TempDir,
}

impl Played {
    /// Injects the pod with this `spec`, whose name becomes unique, and starts it.
    #[track_caller]
    fn start(podman: &'static Podman, spec: &str, flags: &[&str]) -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let name = format!("inject-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let dir = tempfile::tempdir().expect("a directory");
        for part in ["out", "secret"] {
            fs::create_dir(dir.path().join(part)).expect("made");
            fs::set_permissions(dir.path().join(part), fs::Permissions::from_mode(0o777)).expect("set");
        }
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("set");
        fs::write(dir.path().join("secret/token"), "correct-horse-battery").expect("written");
        let secret = dir.path().join("secret").display().to_string();
        let pod = format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n{spec}")
            .replace("SECRET", &secret);
        let out = format!("file://{}", dir.path().join("out").display());
        let mut all = vec!["--out", &out, "--job", "played", "--build-id", "7"];
        // Limits of memory cannot be set everywhere.
        all.extend(["--image-prefix", PREFIX, "--image-tag", "test", "--resources", "none"]);
        all.extend(flags);
        let ended = inject(pod.as_bytes(), &all);
        ended.expect_code(0);
        let warning = ended.only_line();
        assert!(warning.contains("is a directory of the node"), "{warning}");
        // Podman's volumes belong to the machine, not to a pod.
        let own = ["logs", "tools", "pod-utils-home"];
        let volumes = own.map(|volume| format!("{name}-{volume}"));
        let mut text = ended.stdout;
        for volume in own {
            text = text.replace(&format!("name: {volume}\n"), &format!("name: {name}-{volume}\n"));
        }
        let file = dir.path().join("pod.yaml");
        fs::write(&file, text).expect("written");
        let played = Self { podman, name, volumes: volumes.to_vec(), dir };
        podman.run(&["kube", "play", "--quiet", "--network=host", &file.display().to_string()]);
        played
    }

    /// The exit status of a container, at its end.
    fn wait(&self, container: &str) -> i32 {
        let text = self.podman.run(&["wait", &format!("{}-{container}", self.name)]);
        text.trim().parse().expect("an exit status")
    }

    fn logs(&self, container: &str) -> String {
        let output = self.podman.output(&["logs", &format!("{}-{container}", self.name)]);
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }

    fn until_logs(&self, container: &str, text: &str) {
        harness::wait::until(text, || self.logs(container).contains(text).then_some(()));
    }

    /// Where the results of the run are.
    fn results(&self) -> PathBuf {
        self.dir.path().join("out/logs/played/7")
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        self.podman.output(&["pod", "rm", "--force", "--time=0", &self.name]);
        for volume in &self.volumes {
            self.podman.output(&["volume", "rm", "--force", volume]);
        }
    }
}

macro_rules! podman_or_skip {
    () => {
        match Podman::find() {
            Ok(podman) => podman,
            Err(reason) => skip!("{reason}"),
        }
    };
}

#[test]
fn injected_pod_delivers_its_results_without_its_secret() {
    let podman = podman_or_skip!();
    let script = "id -u; cat /s/token; umask 077; echo made > $ARTIFACTS/made.txt; exit 3";
    let spec = format!(
        "  containers:\n  - name: test\n    image: {SHELL}\n    command: [sh, -c]\n    args: ['{script}']\n    \
         volumeMounts: [{{name: s, mountPath: /s}}]\n  volumes: [{{name: s, hostPath: {{path: SECRET}}}}]\n"
    );
    let pod = Played::start(podman, &spec, &["--secrets", "/s", "--initupload"]);
    assert_eq!(pod.wait("test"), 3, "{}", pod.logs("test"));
    assert_eq!(pod.wait("sidecar"), 0, "{}", pod.logs("sidecar"));
    let results = pod.results();
    let files = files_below(&results);
    assert_eq!(json_of(&results.join("finished.json"))["result"], "FAILURE");
    let log = read(&results.join("build-log.txt"));
    assert!(log.starts_with(&format!("1000\n{}\n{{", "X".repeat(21))), "{log}");
    assert!(log.contains("exited with code 3"), "{log}");
    assert_eq!(read(&results.join("artifacts/made.txt")), "made\n", "only its owner may read it");
    assert!(files.contains(&"started.json".to_owned()), "{files:?}");
}

#[test]
fn injected_pod_stopped_is_aborted_after_its_clean_up() {
    let podman = podman_or_skip!();
    let script = "trap \"echo interrupted\" INT; trap \"echo cleaned; exit 5\" TERM; echo ready; while :; do sleep 0.1; done";
    let spec = format!("  containers:\n  - {{name: test, image: {SHELL}, command: [sh, -c, '{script}']}}\n");
    for flags in [&["--ignore-interrupts"][..], &[]] {
        let pod = Played::start(podman, &spec, flags);
        pod.until_logs("test", "ready");
        podman.run(&["pod", "stop", "--time", "85", &pod.name]);
        assert_eq!(pod.wait("test"), 130, "{}", pod.logs("test"));
        assert_eq!(pod.wait("sidecar"), 0, "{}", pod.logs("sidecar"));
        assert_eq!(json_of(&pod.results().join("finished.json"))["result"], "ABORTED");
        let log = read(&pod.results().join("build-log.txt"));
        let (int, term) = (log.find("interrupted"), log.find("cleaned"));
        assert!(int.is_some() && int < term, "{flags:?}: {log}");
    }
}

#[test]
fn injected_containers_run_one_after_the_other() {
    let podman = podman_or_skip!();
    let spec = format!(
        "  containers:\n  - {{name: second, image: {SHELL}, command: [sh, -c, 'cat $ARTIFACTS/of-first']}}\n  \
         - {{name: first, image: {SHELL}, command: [sh, -c, 'echo handed over >$ARTIFACTS/of-first']}}\n"
    );
    let pod = Played::start(podman, &spec, &["--in-order", "--container", "first", "--container", "second"]);
    assert_eq!(pod.wait("second"), 0, "{}", pod.logs("second"));
    assert_eq!(pod.wait("sidecar"), 0, "{}", pod.logs("sidecar"));
    assert_eq!(json_of(&pod.results().join("finished.json"))["result"], "SUCCESS");
    assert_eq!(read(&pod.results().join("second-build-log.txt")), "handed over\n");
}
