//! Pins: deploy/README.md, "podutils run".
//!
//! Mistakes found before the job: options and commands that cannot work.

use super::run::Desk;
use std::fs;
use std::path::PathBuf;

#[test]
fn mistakes_are_one_line_and_nothing_runs() {
    let desk = Desk::new();
    fs::write(desk.path("file"), "").expect("written");
    let witness = desk.path("ran");
    let touch = witness.display().to_string();
    for (args, status, part) in [
        (&["run"][..], 2, "no command"),
        (&["run", "--timeout", "soon", "--", "touch"], 2, "soon"),
        (&["run", "--jobs", "x", "--", "touch"], 2, "--job"),
        (&["run", "--out", "ftp://x", "--", "touch"], 1, "ftp://x"),
        (&["run", "--out", "file/below", "--", "touch"], 1, "file/below"),
        (&["run", "--out", "file:///dev/null/x", "--", "touch"], 1, "/dev/null/x"),
        (&["run", "--secrets", "missing", "--", "touch"], 1, "missing"),
        (&["run", "--secrets", "file", "--", "touch"], 1, "file"),
        (&["run", "--s3-credentials-file", "missing", "--", "touch"], 1, "missing"),
        (&["run", "--programs", "tmp", "--", "touch"], 1, "tmp/entrypoint"),
        (&["run", "--job", "a/b", "--", "touch"], 1, "a/b"),
        (&["run", "--out", "s3:/bucket", "--", "touch"], 1, "is s3:// meant?"),
        (&["run", "--timeout", "-5s", "--", "touch"], 2, "allowed is a time above zero"),
        (&["run", "--", "touch ran && true"], 1, "sh -c 'touch ran && true'"),
        (&["run", "./tmp"], 1, "it is a directory"),
        (&["show"], 2, "see podutils show --help"),
        (&["frobnicate"], 2, "frobnicate"),
    ] {
        let mut words = args.to_vec();
        if words.last() == Some(&"touch") {
            words.push(&touch);
        }
        let ended = desk.run(&words);
        ended.expect_code(status);
        let line = ended.only_line();
        assert!(line.starts_with("error: ") && line.contains(part), "{words:?}: {line}");
        assert!(!witness.exists(), "{words:?}");
        assert_eq!(desk.pods(), Vec::<PathBuf>::new());
    }
}
