//! Finds the commit for `--version`: `POD_UTILS_COMMIT` when it is set (builds
//! without `.git` set it, and so stay reproducible), else what git says.
//!
//! Debug builds do not ask git: everything would be built again after each commit.

use std::env;
use std::path::Path;
use std::process::Command;

/// Enough digits to find a commit, as `git log --oneline` shows it.
const DIGITS: usize = 12;

fn main() {
    println!("cargo::rerun-if-env-changed=POD_UTILS_COMMIT");
    println!("cargo::rerun-if-changed=build.rs");
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let given = env::var("POD_UTILS_COMMIT").ok().filter(|commit| is_commit(commit));
    let is_debug = env::var("PROFILE").is_ok_and(|profile| profile == "debug");
    let commit = given.or_else(|| if is_debug { None } else { of_git() });
    let version = match commit {
        Some(commit) => format!("{version} ({})", &commit[..commit.len().min(DIGITS)]),
        None => version,
    };
    println!("cargo::rustc-env=POD_UTILS_VERSION={version}");
}

fn is_commit(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The commit that is checked out, when this is a checkout of ours.
fn of_git() -> Option<String> {
    let here = env::var("CARGO_MANIFEST_DIR").ok()?;
    // A copy of the sources inside somebody else's checkout has no commit.
    let root = git(&here, &["rev-parse", "--show-toplevel"])?;
    if Path::new(&root).canonicalize().ok()? != Path::new(&here).parent()?.canonicalize().ok()? {
        return None;
    }
    let log = git(&here, &["rev-parse", "--git-path", "logs/HEAD"])?;
    // It gets a line for every commit and checkout. Without it git keeps no log, and
    // a path that is not there would run this each time.
    let log = Path::new(&here).join(log);
    if log.is_file() {
        println!("cargo::rerun-if-changed={}", log.display());
    }
    git(&here, &["rev-parse", "HEAD"]).filter(|commit| is_commit(commit))
}

fn git(directory: &str, words: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(directory).args(words).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
