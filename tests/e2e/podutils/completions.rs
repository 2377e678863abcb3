//! Pins: deploy/README.md, "Help, completions, man pages".
//!
//! Completions and manual pages: made from the programs' own definitions, and
//! accepted by the shells they are for.

use harness::process::{self, Ended};
use harness::tree::Tree;
use harness::{bins, skip};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

const PROGRAMS: [&str; 6] =
    ["podutils", "entrypoint", "sidecar", "initupload", "gcsupload", "entrypoint-wrapper"];

fn podutils(tree: &Tree, args: &[&str]) -> Ended {
    let ended = process::run(tree, Command::new(bins::program("podutils")).args(args));
    ended.expect_code(0);
    ended
}

/// The long flags that a program's help names.
fn flags_in_help(tree: &Tree, dir: &Path, program: &str) -> Vec<String> {
    let path = match program {
        "initupload" | "gcsupload" => {
            let link = dir.join(program);
            symlink(bins::program("sidecar"), &link).expect("linked");
            link
        }
        other => bins::program(other),
    };
    let mut command = Command::new(path);
    for variable in ["ENTRYPOINT_OPTIONS", "SIDECAR_OPTIONS", "INITUPLOAD_OPTIONS", "GCSUPLOAD_OPTIONS"] {
        command.env_remove(variable);
    }
    let help = process::run(tree, command.arg("--help"));
    help.expect_code(0);
    assert!(help.stdout.contains("Example"), "{program} teaches by example: {}", help.stdout);
    let lines = help.stdout.lines().filter_map(|line| {
        let (_, rest) =
            line.split_once("--").filter(|(before, _)| before.trim_end_matches([' ', ',']).len() <= 4)?;
        Some(rest.split(|c: char| !c.is_alphanumeric() && c != '-').next()?.to_owned())
    });
    let flags: Vec<String> = lines.filter(|flag| !flag.is_empty()).collect();
    assert!(flags.contains(&"help".to_owned()), "{flags:?}");
    flags
}

#[test]
fn completions_and_manuals_name_every_flag() {
    let tree = Tree::new();
    let dir = tempfile::tempdir().expect("a directory");
    for program in PROGRAMS {
        let manual = podutils(&tree, &["man", program]).stdout.replace("\\-", "-");
        assert!(manual.contains(".TH ") && manual.contains(program), "{manual}");
        for flag in flags_in_help(&tree, dir.path(), program) {
            assert!(manual.contains(&format!("--{flag}")), "{program}'s manual has no --{flag}");
            for shell in ["bash", "zsh", "fish"] {
                let text = podutils(&tree, &["completions", shell, program]).stdout;
                let said = if shell == "fish" { format!("-l {flag}") } else { format!("--{flag}") };
                assert!(text.contains(&said), "{program}'s completions for {shell} have no --{flag}");
            }
        }
    }
}

#[test]
fn manuals_are_read_without_a_warning() {
    if !is_installed("man") {
        skip!("man is not installed");
    }
    let tree = Tree::new();
    let dir = tempfile::tempdir().expect("a directory");
    podutils(&tree, &["man", "--dir", &dir.path().display().to_string()]);
    let run = podutils(&tree, &["man", "podutils-run"]).stdout;
    assert_eq!(run, fs::read_to_string(dir.path().join("podutils-run.1")).expect("a page"));
    for page in fs::read_dir(dir.path()).expect("listed").flatten() {
        let mut command = Command::new("man");
        command.arg("-l").arg(page.path()).env("MANWIDTH", "80").env("LC_ALL", "C.UTF-8").env("PAGER", "cat");
        let shown = process::run(&tree, &mut command);
        shown.expect_code(0);
        assert!(shown.stdout.contains("SYNOPSIS") && shown.stderr.is_empty(), "{page:?}: {}", shown.stderr);
    }
}

#[test]
fn manuals_and_completions_can_be_installed() {
    let tree = Tree::new();
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    podutils(&tree, &["man", "--dir", &path("man1").display().to_string()]);
    for name in ["podutils.1", "podutils-run.1", "podutils-show.1", "sidecar.1", "entrypoint-wrapper.1"] {
        let text = fs::read_to_string(path("man1").join(name)).expect(name);
        assert!(text.contains(".TH "), "{name}: {text}");
    }
    podutils(&tree, &["completions", "zsh", "--dir", &path("zsh").display().to_string()]);
    assert!(path("zsh/_entrypoint-wrapper").is_file());
}

/// Loads the completions of every program in a shell and lets `script` say, for the
/// program `$1`, what it completes.
fn load(shell: &str, words: &[&str], script: &str) {
    let tree = Tree::new();
    let dir = tempfile::tempdir().expect("a directory");
    for program in PROGRAMS {
        let file = dir.path().join(program);
        fs::write(&file, podutils(&tree, &["completions", shell, program]).stdout).expect("written");
        let mut command = Command::new(shell);
        command
            .args(words)
            .arg("-c")
            .arg(script)
            .env("HOME", dir.path())
            .env("FILE", &file)
            .env("PROGRAM", program);
        let ended = process::run(&tree, &mut command);
        ended.expect_code(0);
        assert_eq!(ended.stderr, "", "{ended:#?}");
        assert!(ended.stdout.contains("help") || ended.stdout.contains(program), "{ended:#?}");
    }
}

fn is_installed(shell: &str) -> bool {
    Path::new("/usr/bin").join(shell).exists() || Path::new("/bin").join(shell).exists()
}

#[test]
fn bash_loads_the_completions() {
    if !is_installed("bash") {
        skip!("there is no bash");
    }
    load(
        "bash",
        &["--norc"],
        r#"source "$FILE" && complete -p "$PROGRAM" && COMP_WORDS=("$PROGRAM" --he) COMP_CWORD=1 &&
           "$(complete -p "$PROGRAM" | sed 's/.*-F \([^ ]*\).*/\1/')" "$PROGRAM" --he "$PROGRAM" && echo "${COMPREPLY[@]}""#,
    );
}

#[test]
fn zsh_loads_the_completions() {
    if !is_installed("zsh") {
        skip!("there is no zsh");
    }
    load(
        "zsh",
        &["-f"],
        r#"autoload -U compinit && compinit -D -u && source "$FILE" && print -r -- "${_comps[$PROGRAM]}""#,
    );
}

#[test]
fn fish_loads_the_completions() {
    if !is_installed("fish") {
        skip!("there is no fish");
    }
    load("fish", &["--no-config"], r#"source $FILE; and complete -C "$PROGRAM --he""#);
}
