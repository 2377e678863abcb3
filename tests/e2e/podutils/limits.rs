//! Pins: deploy/README.md, "podutils run" and "podutils show".
//!
//! podutils where the kernel refuses it descriptors, or the pair of sockets that its event
//! loop needs.

use harness::process::{self, Exit};
use harness::tree::Tree;
use harness::{bins, refused, skip};
use std::path::Path;
use std::process::Command;

/// What has an event loop. `run` comes last: with enough descriptors to start, it tries for
/// minutes to deliver.
const SUBCOMMANDS: [&[&str]; 4] = [
    &["show", "nowhere"],
    &["verify", "nowhere"],
    &["history", "nowhere"],
    &["run", "--job", "j", "--", "true"],
];

fn podutils(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(bins::program("podutils"));
    command.args(args).current_dir(dir).env("TMPDIR", dir);
    command
}

#[test]
fn refused_descriptors_are_one_line_and_no_crash() {
    let (tree, dir) = (Tree::new(), tempfile::tempdir().expect("a directory"));
    for args in SUBCOMMANDS {
        let mut refused_loops = 0;
        for limit in 4..if args[0] == "run" { 9 } else { 24 } {
            let limited = format!("ulimit -n {limit} && exec \"$0\" \"$@\"");
            let mut command = refused::behind("sh", &["-c", &limited], &podutils(dir.path(), args));
            let ended = process::run(&tree, &mut command);
            assert_eq!(ended.exit, Exit::Code(1), "{limit}: {ended:#?}");
            assert!(!ended.stderr.contains("panicked"), "{limit}: {ended:#?}");
            refused_loops += usize::from(ended.only_line().starts_with("error: cannot start the event loop"));
        }
        assert!(refused_loops > 0, "{args:?}: no limit was low enough");
    }
}

#[test]
fn refused_socketpair_is_one_line_and_no_crash() {
    let (tree, dir) = (Tree::new(), tempfile::tempdir().expect("a directory"));
    for args in SUBCOMMANDS {
        let Some(mut command) = refused::without("socketpair", &podutils(dir.path(), args)) else {
            skip!("Python cannot set a seccomp filter here");
        };
        let ended = process::run(&tree, &mut command);
        ended.expect_code(1);
        assert!(ended.only_line().starts_with("error: cannot start the event loop: "), "{ended:#?}");
    }
}
