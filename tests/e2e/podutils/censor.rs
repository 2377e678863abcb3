//! Pins: deploy/README.md, "podutils censor".
//!
//! `podutils censor`: masking a file by hand.

use harness::bins;
use harness::process::{self, Ended};
use harness::tree::Tree;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Writes a file and the directories above it.
fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("made");
    fs::write(path, content).expect("written");
}

/// Runs the filter in a directory; its stdin is the file `text` there.
fn censor(tree: &Tree, dir: &Path, args: &[&str]) -> Ended {
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" censor \"$@\" < text"]).arg(bins::program("podutils"));
    process::run(tree, command.args(args).current_dir(dir))
}

#[test]
fn secrets_are_masked_and_explained() {
    let (tree, dir) = (Tree::new(), tempfile::tempdir().expect("a directory"));
    let secrets = dir.path().join("secrets");
    write(&secrets.join("token"), "correct-horse-battery\n");
    write(&secrets.join("short"), "no");
    let text = "a correct-horse-battery, aGVsbG8=, Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5 correct%2Dhorse\n";
    write(&dir.path().join("text"), text);
    let expected = text
        .replace("correct-horse-battery", "XXXXXXXXXXXXXXXXXXXXX")
        .replace("Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5", "XXXXXXXXXXXXXXXXXXXXXXXXXXXX");
    let args = ["--secrets", "secrets", "--minimum-secret-length", "3"];
    let ended = censor(&tree, dir.path(), &[&args[..], &["text"]].concat());
    assert_eq!(ended.expect_code(0).stdout, expected);
    assert!(ended.only_line().contains("secrets/short"), "{}", ended.stderr);
    let explain = [&args[..], &["--explain", "-"]].concat();
    let ended = censor(&tree, dir.path(), &explain);
    assert_eq!(ended.expect_code(0).stdout, expected);
    let told: Vec<_> = ended.stderr.lines().skip(1).collect();
    assert_eq!(told, ["2: 21 bytes, secrets/token (plain)", "35: 28 bytes, secrets/token (base64)"]);
    assert!(!ended.stderr.contains("horse"));
}

/// The rest of a token in pytest's output, and in a terminal of 60 columns.
#[test]
fn shortened_tokens_are_masked_as_far_as_they_are_shown() {
    let (tree, dir) = (Tree::new(), tempfile::tempdir().expect("a directory"));
    write(&dir.path().join("secrets/token"), "ghp_16C7e42F292c6912E7710c838347Ae178B4a\n");
    write(
        &dir.path().join("text"),
        "assert 'ghp_16C7e42F292c6912E7...38347Ae178B4a' == ''\ntoken: ghp_16C7e42F292c6912E7710c838\n",
    );
    let args = ["--secrets", "secrets", "--explain"];
    let ended = censor(&tree, dir.path(), &args);
    let expected = format!("assert '{}...38347Ae178B4a' == ''\ntoken: {}\n", "X".repeat(22), "X".repeat(29));
    assert_eq!(ended.expect_code(0).stdout, expected);
    let told: Vec<_> = ended.stderr.lines().collect();
    let form = "secrets/token (shortened)";
    assert_eq!(told, [format!("8: 22 bytes, {form}"), format!("61: 29 bytes, {form}")]);
}

#[test]
fn text_of_any_length_is_masked() {
    let (tree, dir) = (Tree::new(), tempfile::tempdir().expect("a directory"));
    write(&dir.path().join("secrets/token"), "correct-horse-battery\n");
    let line = "0123456789 correct-horse-battery\n";
    write(&dir.path().join("text"), line.repeat(100_000));
    let ended = censor(&tree, dir.path(), &["--secrets", "secrets"]);
    let expected = line.replace("correct-horse-battery", &"X".repeat(21)).repeat(100_000);
    assert!(ended.expect_code(0).stdout == expected);
}

#[test]
fn mistakes_are_one_line_without_the_secret() {
    let (tree, dir) = (Tree::new(), tempfile::tempdir().expect("a directory"));
    write(&dir.path().join("secrets/.dockercfg"), "nonsense-of-it");
    write(&dir.path().join("text"), "text");
    for (args, code, part) in [
        (&["text"][..], 2, "--secrets"),
        (&["--secrets", "none"], 1, "none"),
        (&["--secrets", "secrets/.dockercfg"], 1, ".dockercfg"),
        (&["--secrets", "secrets", "--strict"], 1, "strict"),
        (&["--secrets", "secrets", "--minimum-secret-length", "x"], 2, "'x'"),
    ] {
        let ended = censor(&tree, dir.path(), args);
        ended.expect_code(code);
        let last = ended.stderr.lines().last().unwrap_or_default();
        assert!(last.starts_with("error: ") && last.contains(part), "{last}");
        assert!(ended.stdout.is_empty() && !ended.stderr.contains("nonsense-of-it"));
    }
}
