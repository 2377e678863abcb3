//! The images of `deploy/images`, built by its script from the static programs.
//!
//! Beside them lies the image of [`docker`] with a shell, under
//! [`SHELL_IMAGE`], in the place of a test's own image.

use crate::docker::{self, Engine};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Stands for the image of a test: a shell and the usual small programs.
pub const SHELL_IMAGE: &str = "localhost/pod-utils-e2e:test";

/// The names of the images under [`PREFIX`].
pub const NAMES: [&str; 6] =
    ["entrypoint", "sidecar", "initupload", "gcsupload", "entrypoint-wrapper", "pod-utils"];

/// Where the script puts the images when nothing is said.
pub const PREFIX: &str = "localhost/pod-utils";

/// An image's full name.
pub fn name(image: &str) -> String {
    format!("{PREFIX}/{image}:{}", env!("CARGO_PKG_VERSION"))
}

/// Builds the images in docker's store, once; an error says why these tests are
/// not wanted here.
pub fn in_docker() -> Result<(), String> {
    static BUILT: OnceLock<()> = OnceLock::new();
    Engine::find()?;
    BUILT.get_or_init(|| {
        build("docker", &NAMES);
        build("docker", &["s3-server"]);
        succeed(Command::new("docker").args(["tag", docker::IMAGE, SHELL_IMAGE]));
    });
    Ok(())
}

/// Builds the images in podman's store, once; an error says why these tests are
/// not wanted here.
pub fn in_podman() -> Result<(), String> {
    static BUILT: OnceLock<()> = OnceLock::new();
    in_docker()?;
    BUILT.get_or_init(|| {
        build("podman", &NAMES);
        let dir = tempfile::tempdir().expect("a directory");
        let archive = dir.path().join("image.tar");
        succeed(Command::new("docker").args(["save", SHELL_IMAGE, "--output"]).arg(&archive));
        succeed(Command::new("podman").args(["load", "--quiet", "--input"]).arg(&archive));
    });
    Ok(())
}

/// Runs the script with these options and images, and returns what it prints: a
/// line for each image, with its layers.
#[track_caller]
pub fn build(engine: &str, words: &[&str]) -> String {
    let mut script = Command::new(deploy().join("images/build.sh"));
    script.args(["--engine", engine, "--programs"]).arg(programs()).args(words);
    succeed(&mut script)
}

/// The static programs.
///
/// # Panics
/// When they are not there: whoever asks has found an engine, which needs them.
pub fn programs() -> PathBuf {
    std::path::absolute(std::env::var_os("POD_UTILS_STATIC_DIR").expect("static programs")).expect("a path")
}

/// The directory `deploy` of this checkout.
pub fn deploy() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy")).to_owned()
}

/// Runs a command that has to succeed, and returns its stdout.
#[track_caller]
pub fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
