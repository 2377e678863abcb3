//! A container of ci-operator's step made of a directory: what the wrapper needs
//! around it (contract 10.7, "common environment").

use harness::api_server::ApiServer;
use harness::bins;
use harness::process::{self, Ended, Running};
use harness::tree::Tree;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A step's directories and processes; both end with the value.
#[derive(Debug)]
pub(crate) struct StepPod {
    // Dropped first: nobody writes into a directory that is being removed.
    pub(crate) tree: Tree,
    dir: tempfile::TempDir,
}

impl StepPod {
    /// `HOME` and `SHARED_DIR` with `test0.txt`; a `TMPDIR` that does not exist yet.
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("pod-utils-step-").tempdir().expect("a directory");
        let pod = Self { tree: Tree::new(), dir };
        // Some steps run as another user.
        fs::set_permissions(pod.path(""), fs::Permissions::from_mode(0o777)).expect("set");
        for name in ["home", "shared"] {
            fs::create_dir(pod.path(name)).expect("made");
        }
        fs::write(pod.path("shared/test0.txt"), "test0\n").expect("written");
        pod
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The wrapper with the common environment, `args` being flags and command.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(bins::program("entrypoint-wrapper"));
        self.environment(&mut command);
        command.args(args);
        command
    }

    /// Gives a command the common environment and no other.
    pub(crate) fn environment(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", path_variable())
            .env("HOME", self.path("home"))
            .env("SHARED_DIR", self.path("shared"))
            .env("TMPDIR", self.path("tmp"))
            .env("CLI_DIR", "/cli-dir")
            .env("NAMESPACE", "test")
            .env("JOB_NAME_SAFE", "test");
    }

    /// A dry run of `args`, to its end.
    #[track_caller]
    pub(crate) fn dry_run(&self, args: &[&str]) -> Ended {
        self.run(self.command(["--dry-run"].iter().chain(args)))
    }

    /// The wrapper with a real update at `server`.
    pub(crate) fn command_at(&self, server: &ApiServer, args: &[&str]) -> Command {
        let account = format!("--service-account-dir={}", server.account_dir().display());
        let mut command = self.command([account.as_str()].iter().chain(args));
        command.envs(server.environment());
        command
    }

    /// Runs a command to its end, and checks that nothing temporary is left.
    #[track_caller]
    pub(crate) fn run(&self, mut command: Command) -> Ended {
        self.ended(self.start(&mut command))
    }

    pub(crate) fn start(&self, command: &mut Command) -> Running {
        process::start(&self.tree, command)
    }

    /// Waits for the end, and checks that nothing temporary is left.
    #[track_caller]
    pub(crate) fn ended(&self, running: Running) -> Ended {
        let ended = running.wait();
        assert_eq!(names(&self.path("tmp")), [""; 0], "temporary data is left: {ended:#?}");
        ended
    }
}

/// The PATH of the tests themselves.
pub(crate) fn path_variable() -> String {
    std::env::var("PATH").expect("a PATH")
}

/// The names in a directory, sorted; none without the directory.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The Secret `test` with these base64 values, as a dry run prints it (S0 of the
/// contract has `test0.txt` only).
pub(crate) fn printed(data: &[(&str, &str)]) -> String {
    let data: Vec<String> = data.iter().map(|(name, value)| format!("{name:?}:{value:?}")).collect();
    format!(
        "{{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"metadata\":{{\"name\":\"test\",\"creationTimestamp\":null,\
         \"labels\":{{\"ci.openshift.io/skip-censoring\":\"true\"}}}},\"data\":{{{}}},\"type\":\"Opaque\"}}\n",
        data.join(",")
    )
}

/// `test0.txt` in the form of [`printed`].
pub(crate) const TEST0: (&str, &str) = ("test0.txt", "dGVzdDAK");

/// Whether tests may become another user.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
