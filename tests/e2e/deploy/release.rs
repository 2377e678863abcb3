//! Pins: deploy/README.md, "Install, upgrade, roll back"; .github/CONTRIBUTING.md, "Releases".
//!
//! `deploy/release.sh` on the commit that is checked out, in clones: what is not
//! committed yet is not in them.

use harness::images::{self, succeed};
use harness::skip;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A clone of the checkout at `dir`.
fn cloned(dir: &Path) {
    let root = images::deploy().join("..");
    succeed(Command::new("git").args(["clone", "--quiet"]).arg(root).arg(dir));
}

fn release(dir: &Path, words: &[&str]) -> Output {
    let mut script = Command::new(dir.join("deploy/release.sh"));
    script.args(words).env_remove("CARGO_TARGET_DIR").env_remove("SOURCE_DATE_EPOCH");
    script.output().expect("the script starts")
}

#[track_caller]
fn refused(output: &Output, part: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.lines().count() == 1 && stderr.contains(part), "{stderr} without {part}");
}

#[test]
fn release_of_another_version_or_of_no_commit_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let clone = dir.path().join("clone");
    cloned(&clone);
    refused(&release(&clone, &["9.9.9"]), VERSION);
    refused(&release(&clone, &[VERSION, "--arch", "riscv"]), "--arch riscv");
    fs::write(clone.join("deploy/forgotten.txt"), "").expect("written");
    refused(&release(&clone, &[VERSION]), "not committed");
    assert_eq!(release(&clone, &[]).status.code(), Some(2));
    assert!(!clone.join("target").exists());
}

/// A release made of the static programs twice, in different places; the directory of
/// the first.
fn made_twice(dir: &Path) -> Result<PathBuf, String> {
    let programs = std::env::var_os("POD_UTILS_STATIC_DIR").ok_or("POD_UTILS_STATIC_DIR is not set")?;
    for tool in ["podman info", "cargo cyclonedx --version", "zstd --version"] {
        let works =
            Command::new("sh").args(["-c", tool]).output().is_ok_and(|output| output.status.success());
        if !works {
            return Err(format!("{tool:?} does not work here"));
        }
    }
    let arch = std::env::consts::ARCH;
    fs::create_dir(dir.join("programs")).expect("made");
    std::os::unix::fs::symlink(programs, dir.join("programs").join(arch)).expect("linked");
    let path = |name: &str| dir.join(name).display().to_string();
    cloned(&dir.join("one"));
    let output = release(
        &dir.join("one"),
        &[
            VERSION,
            "--arch",
            arch,
            "--programs",
            &path("programs"),
            "--prefix",
            "registry.test/ci",
            "--again",
            &path("another-place"),
        ],
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// The commands of the document, with this version and machine put in.
fn documented() -> String {
    let marker = "<!-- tested by: release_is_checked_unpacked_and_runs_a_job -->\n```sh\n";
    let document = fs::read_to_string(images::deploy().join("README.md")).expect("a document");
    let (_, after) = document.split_once(marker).expect("the commands");
    let (commands, _) = after.split_once("```").expect("their end");
    commands.replace("0.2.0", VERSION).replace("x86_64", std::env::consts::ARCH)
}

/// Another version beside the first is linked in its place, and the first again.
fn another_version_is_linked_and_the_first_again(release: &Path, name: &str) {
    let commands = documented();
    let link = commands.lines().find(|line| line.starts_with("ln ")).expect("the link");
    let opt = release.join("opt");
    succeed(Command::new("cp").arg("-a").arg(opt.join(name)).arg(opt.join("pod-utils-next")));
    for target in ["pod-utils-next", name] {
        succeed(Command::new("sh").args(["-c", &link.replace(name, target)]).current_dir(release));
        assert_eq!(fs::read_link(opt.join("pod-utils")).expect("a link"), Path::new(target));
        succeed(Command::new(opt.join("pod-utils/bin/podutils")).arg("--version"));
    }
}

/// The script compares the two itself, and fails when they differ.
#[test]
fn release_is_checked_unpacked_and_runs_a_job() {
    let dir = tempfile::tempdir().expect("a directory");
    let release = match made_twice(dir.path()) {
        Ok(release) => release,
        Err(reason) => skip!("{reason}"),
    };
    let here = |program: &str| {
        let mut command = Command::new(program);
        command.current_dir(&release).env_remove("POD_UTILS_BIN_DIR");
        command
    };
    succeed(here("sha256sum").args(["--check", "--quiet", "SHA256SUMS"]));
    succeed(here("sh").args(["-euc", &documented()]));
    let arch = std::env::consts::ARCH;
    let name = format!("pod-utils-{VERSION}-{arch}");
    let unpacked = release.join("opt").join(&name);
    let delivered = release.join("pod-utils-out/demo");
    assert!(delivered.read_dir().is_ok_and(|mut builds| builds.next().is_some()), "{delivered:?}");
    another_version_is_linked_and_the_first_again(&release, &name);
    succeed(here("tar").args([
        "--extract",
        "--zstd",
        &format!("--file=pod-utils-{VERSION}-manifests.tar.zst"),
    ]));
    for path in ["completions/bash/sidecar", "man/man1/podutils-run.1", "licenses/LICENSE", "bin/initupload"]
    {
        assert!(unpacked.join(path).is_file(), "{path}");
    }
    for program in ["entrypoint", "sidecar", "entrypoint-wrapper", "podutils"] {
        let path = release.join(format!("pod-utils-{VERSION}-{arch}-{program}.cdx.json"));
        let text = fs::read_to_string(path).expect("a bill of materials");
        assert!(
            !text.contains(&*std::env::temp_dir().to_string_lossy()),
            "{program}: names the place of the build"
        );
        let bill: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(bill["metadata"]["component"]["name"], program);
        let components = bill["components"].as_array().expect("components");
        assert!(components.iter().any(|component| component["name"] == "serde_json"), "{program}");
    }
    images_are_annotated_and_pinned(&release);
}

fn images_are_annotated_and_pinned(release: &Path) {
    let manifests = release.join(format!("pod-utils-{VERSION}-manifests"));
    let pod = fs::read_to_string(manifests.join("kubernetes/pod/pod.yaml")).expect("a pod");
    for image in images::NAMES {
        let archive = format!("--file=pod-utils-{VERSION}-{image}.oci.tar");
        let read = |path: &str| -> Value {
            let text = succeed(
                Command::new("tar").args(["--extract", "--to-stdout", &archive, path]).current_dir(release),
            );
            serde_json::from_str(&text).expect("JSON")
        };
        let layout = read("index.json");
        let digest = layout["manifests"][0]["digest"].as_str().expect("a digest").to_owned();
        let index = read(&format!("blobs/{}", digest.replace(':', "/")));
        let annotation = |key: &str| index["annotations"][format!("org.opencontainers.image.{key}")].clone();
        assert_eq!(annotation("title"), image);
        assert_eq!(annotation("version"), VERSION);
        assert_eq!(index["manifests"].as_array().map(Vec::len), Some(1), "{index}");
        if ["initupload", "entrypoint", "sidecar"].contains(&image) {
            let pinned = format!("image: registry.test/ci/{image}:{VERSION}@{digest}");
            assert!(pod.contains(&pinned), "no {pinned} in {pod}");
        }
    }
    let function = fs::read_to_string(manifests.join("kustomize/function.yaml")).expect("a function");
    assert!(
        function.contains(&format!("image-prefix: registry.test/ci\n  image-tag: {VERSION}\n")),
        "{function}"
    );
}
