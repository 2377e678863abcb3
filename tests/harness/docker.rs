//! Real containers, where a docker engine is there.
//!
//! No image can be pulled in a closed network: the image is made from nothing,
//! of our own static programs and Debian's static busybox and bash. `POD_UTILS_STATIC_DIR`
//! names the directory of the static programs (the continuous integration builds
//! them); without it tests skip with a line that says so. With it, a missing
//! engine is a failure: whoever sets it wants these tests to run.

use crate::tree::Tree;
use crate::{process, wait};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// Where Debian's busybox-static and bash-static lie.
const BUSYBOX: &str = "/bin/busybox";
const BASH: &str = "/bin/bash-static";

/// The image: a shell, a few programs of busybox, and ours in `/tools`.
pub const IMAGE: &str = "pod-utils-e2e:test";

/// An engine with an image of ours in it.
#[derive(Clone, Debug)]
pub struct Engine {
    image: String,
}

/// A container, removed with the value.
#[derive(Debug)]
pub struct Container {
    id: String,
}

impl Engine {
    /// The engine of this machine with our image; an error says why these
    /// tests are not wanted here.
    ///
    /// # Panics
    /// When they are wanted and something is missing.
    pub fn find() -> Result<Self, String> {
        static ENGINE: OnceLock<Engine> = OnceLock::new();
        let Some(programs) = std::env::var_os("POD_UTILS_STATIC_DIR") else {
            return Err("POD_UTILS_STATIC_DIR names no directory of static programs".to_owned());
        };
        let prepared = ENGINE.get_or_init(|| match Self::prepare(Path::new(&programs)) {
            Ok(engine) => engine,
            Err(reason) => panic!("containers are wanted, but {reason}"),
        });
        Ok(prepared.clone())
    }

    fn prepare(programs: &Path) -> Result<Self, String> {
        for shell in [BUSYBOX, BASH] {
            if !Path::new(shell).is_file() {
                return Err(format!("there is no static program {shell}"));
            }
        }
        let info = Command::new("docker").arg("info").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !info.is_ok_and(|status| status.success()) {
            return Err("no docker engine answers `docker info`".to_owned());
        }
        let image = IMAGE.to_owned();
        build(&image, programs).map_err(|error| format!("the image cannot be built: {error}"))?;
        Ok(Self { image })
    }

    /// Starts a container in the background: `docker run` with these options,
    /// our image, and this command line.
    #[track_caller]
    pub fn run(&self, options: &[&str], command: &[&str]) -> Container {
        let mut docker = Command::new("docker");
        docker.args(["run", "--detach", "--network=none"]).args(options).arg(&self.image).args(command);
        let output = docker.output().expect("docker starts");
        assert!(output.status.success(), "{docker:?}: {}", String::from_utf8_lossy(&output.stderr));
        Container { id: String::from_utf8_lossy(&output.stdout).trim().to_owned() }
    }
}

fn build(image: &str, programs: &Path) -> Result<(), String> {
    let context = tempfile::tempdir().map_err(|error| error.to_string())?;
    let root = context.path().join("root");
    let copy = |from: &Path, to: &str| {
        let to = root.join(to);
        std::fs::create_dir_all(to.parent().expect("a file name")).map_err(|error| error.to_string())?;
        std::fs::copy(from, &to).map_err(|error| format!("{}: {error}", from.display()))
    };
    for name in ["entrypoint", "sidecar", "entrypoint-wrapper"] {
        copy(&programs.join(name), &format!("tools/{name}"))?;
    }
    copy(Path::new(BUSYBOX), "bin/busybox")?;
    copy(Path::new(BASH), "bin/bash")?;
    for applet in ["sh", "sleep", "true", "cat", "tee", "ps", "setsid", "kill", "head", "tail", "dd", "id"] {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).map_err(|e| e.to_string())?;
    }
    let tmp = root.join("tmp");
    std::fs::create_dir(&tmp).map_err(|error| error.to_string())?;
    std::fs::set_permissions(&tmp, PermissionsExt::from_mode(0o1777)).map_err(|error| error.to_string())?;
    let recipe = "FROM scratch\nCOPY root /\nENV PATH=/bin\n";
    std::fs::write(context.path().join("Dockerfile"), recipe).map_err(|error| error.to_string())?;
    let mut docker = Command::new("docker");
    docker.env("DOCKER_BUILDKIT", "0").args(["build", "--quiet", "--tag", image]).arg(context.path());
    let output = docker.output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

impl Container {
    fn docker(&self, arguments: &[&str]) -> Output {
        Command::new("docker").args(arguments).arg(&self.id).output().expect("docker starts")
    }

    /// Stops it as a kubelet does: TERM, and KILL after `grace` seconds.
    pub fn stop(&self, tree: &Tree, grace: u32) -> process::Running {
        let mut docker = Command::new("docker");
        docker.args(["stop", "--time", &grace.to_string(), &self.id]);
        process::start(tree, &mut docker)
    }

    /// Waits for its end and returns its exit status.
    #[track_caller]
    pub fn wait(&self) -> i32 {
        wait::until("the container's end", || {
            let state = self.docker(&["inspect", "--format", "{{.State.Running}} {{.State.ExitCode}}"]);
            let state = String::from_utf8_lossy(&state.stdout).into_owned();
            state.trim().strip_prefix("false ").and_then(|code| code.parse().ok())
        })
    }

    /// Whether the kernel has killed a process in it for lack of memory.
    pub fn was_out_of_memory(&self) -> bool {
        let state = self.docker(&["inspect", "--format", "{{.State.OOMKilled}}"]);
        state.stdout.trim_ascii() == b"true"
    }

    /// Returns its stdout and stderr so far.
    pub fn logs(&self) -> String {
        let output = self.docker(&["logs"]);
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }

    /// Waits until its output contains `text`.
    #[track_caller]
    pub fn until_logs(&self, text: &str) {
        wait::until(&format!("{text:?} in the container's output"), || {
            self.logs().contains(text).then_some(())
        });
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.docker(&["rm", "--force", "--volumes"]);
    }
}
