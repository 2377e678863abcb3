//! The shape of the source tree: what may lie where, and what the pure parts may
//! not reach.

mod imports;
mod rust_source;

use std::fs;
use std::path::{Path, PathBuf};

/// The directories of pure code: a function from state and event to state and
/// effects, without clock, handle, file or runtime.
const CORES: [&str; 2] = ["entrypoint/src/supervise", "sidecar/src/deliver"];

/// Paths that would let a core reach the outside.
const IMPURE: [&str; 18] = [
    "std::time::Instant",
    "Instant::now",
    "SystemTime",
    "Timestamp::now",
    "std::fs",
    "std::io",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::os",
    "tokio",
    "rustix",
    "libc",
    "object_store",
    "notify",
    "tracing",
    "async fn",
];

/// Longer files have more than one reason to exist.
const MAX_LINES: usize = 400;

/// Longer mains do something themselves.
const MAX_MAIN_LINES: usize = 25;

fn root() -> PathBuf {
    fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).expect("the workspace")
}

/// All Rust files below a directory with their text.
fn sources(dir: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("readable");
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}

/// The lines before the unit tests, which may be long and may do anything.
fn before_tests(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

#[test]
fn top_level_is_fixed() {
    let allowed = [
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "common",
        "deploy",
        "entrypoint",
        "entrypoint-wrapper",
        "findings",
        "sidecar",
        "tests",
    ];
    let ignored = fs::read_to_string(root().join(".gitignore")).expect("a .gitignore");
    let is_ignored = |name: &str| ignored.lines().any(|line| line.trim_matches('/') == name);
    for entry in fs::read_dir(root()).expect("listed").flatten() {
        let name = entry.file_name().into_string().expect("a plain name");
        assert!(name.starts_with('.') || allowed.contains(&name.as_str()) || is_ignored(&name), "{name}");
    }
    for name in allowed {
        assert!(root().join(name).exists(), "{name} is missing");
    }
}

#[test]
fn cores_reach_nothing_outside() {
    for core in CORES {
        let files = sources(&root().join(core));
        assert!(!files.is_empty(), "{core} is gone");
        for (path, text) in files {
            for (number, line) in before_tests(&text).filter(|(_, line)| !is_comment(line)) {
                let found = IMPURE.iter().find(|impure| mentions(line, impure));
                assert_eq!(found, None, "{}:{}: {line}", path.display(), number + 1);
            }
        }
    }
}

/// Where entrypoint reads the wall clock: to say when something happened.
/// Everything that decides counts on the monotonic one.
const WALL_CLOCK: [&str; 3] =
    ["entrypoint/src/io/process_log.rs", "entrypoint/src/io/processes.rs", "entrypoint/src/io/report.rs"];

#[test]
fn wall_clock_decides_nothing_in_entrypoint() {
    for (path, text) in sources(&root().join("entrypoint/src")) {
        if WALL_CLOCK.iter().any(|allowed| path.ends_with(allowed)) {
            continue;
        }
        for (number, line) in before_tests(&text).filter(|(_, line)| !is_comment(line)) {
            let found = ["SystemTime", "Timestamp::now"].iter().find(|clock| mentions(line, clock));
            assert_eq!(found, None, "{}:{}: {line}", path.display(), number + 1);
        }
    }
}

/// Whether the line contains the path as whole words.
fn mentions(line: &str, path: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(path)
        .any(|(at, _)| !line[..at].ends_with(is_word) && !line[at + path.len()..].starts_with(is_word))
}

#[test]
fn files_are_short_and_mains_are_thin() {
    for (path, text) in sources(&root()) {
        if path.strip_prefix(root()).is_ok_and(|path| path.starts_with("target")) {
            continue;
        }
        let lines = before_tests(&text).count();
        let most = if path.ends_with("src/main.rs") { MAX_MAIN_LINES } else { MAX_LINES };
        assert!(lines <= most, "{} has {lines} lines before its tests, {most} are enough", path.display());
    }
}

#[test]
fn unsafe_code_is_in_entrypoints_sys_and_main_only() {
    let is_exception = |line: &str| line.contains("(unsafe_code") && !is_comment(line);
    let unsafe_files: Vec<_> = ["common", "entrypoint", "sidecar", "entrypoint-wrapper", "deploy"]
        .iter()
        .flat_map(|part| sources(&root().join(part)))
        .filter(|(_, text)| text.lines().any(is_exception))
        .map(|(path, _)| path)
        .collect();
    let allowed = ["entrypoint/src/main.rs", "entrypoint/src/sys/mod.rs"].map(|path| root().join(path));
    assert!(unsafe_files.iter().all(|path| allowed.contains(path)), "{unsafe_files:?}");
}

#[test]
fn mentions_are_whole_words() {
    assert!(mentions("use tokio::time;", "tokio"));
    assert!(!mentions("let tokio_like = 1;", "tokio"));
    assert!(!mentions("cannotify();", "notify"));
}
