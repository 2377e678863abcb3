//! Where the programs under test are.
//!
//! They are built once per test run, by the same cargo, into the same target
//! directory and with the same profile as the tests themselves.
//! `POD_UTILS_BIN_DIR` names a directory of ready-made programs instead, so that
//! the same tests can judge what is shipped.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The path of one of the programs: `entrypoint`, `sidecar`,
/// `entrypoint-wrapper` or `podutils`.
pub fn program(name: &str) -> PathBuf {
    let path = dir().join(name);
    assert!(path.is_file(), "{} is missing", path.display());
    path
}

/// The directory that holds the programs, built if need be.
pub fn dir() -> &'static Path {
    // A failed build is remembered too: it would only fail again for every test.
    static DIR: OnceLock<Option<PathBuf>> = OnceLock::new();
    let dir = DIR.get_or_init(|| match std::env::var_os("POD_UTILS_BIN_DIR") {
        Some(dir) => Some(std::path::absolute(dir).expect("a directory name")),
        None => build(),
    });
    dir.as_ref().expect("the programs under test can be built; cargo's messages are above")
}

/// Cargo's layout is `<target>[/<triple>]/<profile>/deps/<this test>`.
fn build() -> Option<PathBuf> {
    let own = std::env::current_exe().expect("the test's own path");
    let profile_dir = own.ancestors().nth(2).expect("cargo's layout").to_owned();
    // Cargo keeps this file in every target directory; `CACHEDIR.TAG` it writes
    // only into one that it has made itself.
    let target_dir = profile_dir.ancestors().skip(1).find(|dir| dir.join(".rustc_info.json").is_file());
    let target_dir = target_dir.expect("a target directory of cargo");
    let mut cargo = Command::new(env!("CARGO"));
    // The whole workspace with its tests, so that cargo unifies features as
    // `cargo test --workspace` did and builds nothing a second time.
    cargo.args(["build", "--quiet", "--workspace", "--bins", "--tests", "--target-dir"]).arg(target_dir);
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    // What cargo told this test of its own package would look like a change to
    // build scripts that depend on it, and everything above them be built again.
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|own| name.starts_with(own)))
        {
            cargo.env_remove(name);
        }
    }
    match profile_dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => {}
        Some(profile) => {
            cargo.args(["--profile", profile]);
        }
    }
    if profile_dir.parent() != Some(target_dir) {
        cargo.arg("--target").arg(profile_dir.parent().and_then(Path::file_name).expect("a triple"));
    }
    cargo.status().expect("cargo starts").success().then_some(profile_dir)
}
