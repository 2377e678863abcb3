//! The commands that documents show.

use super::{root, shown, texts};
use harness::bins;
use harness::process::{self, Ended, Exit};
use harness::tree::Tree;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A `sh` block of a document.
struct Block {
    at: String,
    /// The comment above it.
    marker: String,
    script: String,
}

fn blocks() -> Vec<Block> {
    texts(&[".md"]).iter().flat_map(|(path, text)| blocks_of(path, text)).collect()
}

fn blocks_of(path: &Path, text: &str) -> Vec<Block> {
    let lines: Vec<_> = text.lines().collect();
    let mut found = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        if matches!(line.trim(), "```sh" | "```bash" | "```shell" | "```console") {
            let script = lines[number + 1..].iter().take_while(|line| line.trim() != "```");
            let above = number.checked_sub(1).map_or("", |above| lines[above]);
            let marker = above.trim_start().strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
            found.push(Block {
                at: format!("{}:{}", shown(path), number + 1),
                marker: marker.unwrap_or_default().to_owned(),
                script: script.flat_map(|line| [line, "\n"]).collect(),
            });
        }
    }
    found
}

#[test]
fn every_command_is_run_or_says_what_it_needs() {
    let ci = fs::read_to_string(root().join(".ci/run")).expect(".ci/run");
    let tests = texts(&[".rs"]);
    for Block { at, marker, .. } in blocks() {
        match marker.split_once(": ") {
            Some(("command", name)) => {
                assert!(at.starts_with("README.md:"), "{at}: .ci/run reads README.md only");
                assert!(ci.contains(&format!("readme_command {name})")), "{at}: .ci/run does not run {name}");
            }
            Some(("tested by", name)) => {
                let function = format!("fn {name}(");
                let is_there = tests.iter().any(|(path, text)| {
                    path.starts_with(root().join("tests"))
                        && (path.file_stem().is_some_and(|stem| stem == name) || text.contains(&function))
                });
                assert!(is_there, "{at}: there is no test {name}");
            }
            Some(("not run", reason)) => assert!(reason.starts_with("needs "), "{at}: {reason}"),
            _ => assert_eq!(marker, "runs here", "{at}: the line above does not say who runs this"),
        }
    }
}

/// A directory with what the shown commands take for granted: the programs by
/// their names, and a `CronJob` to decorate.
fn scratch() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let bin = dir.path().join("bin");
    fs::create_dir(&bin).expect("made");
    for name in ["entrypoint", "sidecar", "entrypoint-wrapper", "podutils"] {
        symlink(bins::program(name), bin.join(name)).expect("linked");
    }
    for name in ["initupload", "gcsupload"] {
        symlink(bins::program("sidecar"), bin.join(name)).expect("linked");
    }
    let golden = root().join("deploy/src/inject/golden/nightly-cronjob.in.yaml");
    let cronjob = fs::read_to_string(golden).expect("a CronJob").replace("- name: nightly", "- name: test");
    fs::write(dir.path().join("cronjob.yaml"), cronjob).expect("written");
    (dir, bin)
}

fn run(block: &Block) -> Ended {
    let (dir, bin) = scratch();
    let path = std::env::var("PATH").expect("a PATH");
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", &block.script]).current_dir(dir.path());
    command.env("PATH", format!("{}:{path}", bin.display())).env("HOME", dir.path());
    process::run(&Tree::new(), &mut command)
}

#[test]
fn commands_marked_so_run_here() {
    let blocks: Vec<_> = blocks().into_iter().filter(|block| block.marker == "runs here").collect();
    assert!(blocks.len() >= 3, "{} commands are run", blocks.len());
    for block in blocks {
        let ended = run(&block);
        assert_eq!(ended.exit, Exit::Code(0), "{}: {ended:#?}", block.at);
    }
}

#[test]
fn markers_are_read() {
    let text = "a\n<!-- runs here -->\n```sh\ntrue\n```\n\n```sh\nfalse\n```\n```yaml\na: b\n```\n";
    let blocks = blocks_of(Path::new("x.md"), text);
    let read: Vec<_> = blocks.iter().map(|block| (block.marker.as_str(), block.script.as_str())).collect();
    assert_eq!(read, [("runs here", "true\n"), ("", "false\n")]);
}
