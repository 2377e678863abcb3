//! Pins: deploy/README.md, "podutils run".
//!
//! A `podutils` without its siblings: installed by `cargo install`, copied to `~/bin`.

use harness::bins;
use harness::pod::{json_of, read};
use harness::process;
use harness::tree::Tree;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs the copied podutils in `dir` and returns its one folder of results.
fn run(dir: &Path, script: &str) -> std::path::PathBuf {
    let tree = Tree::new();
    let mut command = Command::new(dir.join("bin/podutils"));
    command
        .args(["run", "--job", "alone", "--", "sh", "-c", script])
        .current_dir(dir)
        .env("TMPDIR", dir)
        .env_remove("POD_UTILS_BIN_DIR");
    process::run(&tree, &mut command).expect_code(0);
    let mut builds = fs::read_dir(dir.join("pod-utils-out/alone")).expect("the job's folder").flatten();
    let build = builds.next().expect("a build").path();
    assert!(builds.next().is_none());
    build
}

/// Programs beside it may be of another version.
#[test]
fn what_lies_beside_podutils_is_not_taken() {
    let dir = tempfile::Builder::new().prefix("pod-utils-alone-").tempdir().expect("a directory");
    fs::create_dir(dir.path().join("bin")).expect("made");
    fs::copy(bins::program("podutils"), dir.path().join("bin/podutils")).expect("copied");
    for name in ["entrypoint", "sidecar"] {
        fs::copy("/bin/false", dir.path().join("bin").join(name)).expect("copied");
    }
    let results = run(dir.path(), "echo ran");
    assert_eq!(read(&results.join("build-log.txt")), "ran\n");
}

/// It runs the entrypoint and the sidecar that it contains, and the command's signal
/// dispositions are those that the real entrypoint gives it.
#[test]
fn podutils_alone_in_a_directory_runs_a_job() {
    let dir = tempfile::Builder::new().prefix("pod-utils-alone-").tempdir().expect("a directory");
    fs::create_dir(dir.path().join("bin")).expect("made");
    fs::copy(bins::program("podutils"), dir.path().join("bin/podutils")).expect("copied");
    let script = "grep SigIgn /proc/self/status; cat /proc/$PPID/comm; echo made > \"$ARTIFACTS/file.txt\"";
    let results = run(dir.path(), script);
    assert_eq!(read(&results.join("build-log.txt")), "SigIgn:\t0000000000000000\nentrypoint\n");
    assert_eq!(read(&results.join("artifacts/file.txt")), "made\n");
    assert_eq!(json_of(&results.join("finished.json"))["result"], "SUCCESS");
}
