//! Pins: O-5, O-73.
//!
//! The command lines of all programs: flags that are none, help, versions.

use harness::bins;
use harness::process::{self};
use harness::tree::Tree;
use std::process::Command;

#[test]
fn unknown_flags_are_status_2_and_help_is_0() {
    let tree = Tree::new();
    for program in ["entrypoint", "sidecar"] {
        let run = |args: &[&str]| {
            let mut command = Command::new(bins::program(program));
            command.env_remove("ENTRYPOINT_OPTIONS").env_remove("SIDECAR_OPTIONS");
            process::run(&tree, command.args(args))
        };
        let ended = run(&["--no-such-flag"]);
        ended.expect_code(2);
        assert!(ended.stderr.contains("no-such-flag"), "{ended:#?}");
        run(&["-h"]).expect_code(0);
    }
}

#[test]
fn mistyped_flags_get_a_suggestion() {
    let tree = Tree::new();
    for (program, flag, meant) in [
        ("entrypoint", "--grace-priod=1s", "'--grace-period'"),
        ("sidecar", "-local-output-dirs=/x", "'--local-output-dir'"),
        ("entrypoint-wrapper", "--wait-for-fil=x", "'--wait-for-file'"),
    ] {
        let mut command = Command::new(bins::program(program));
        command.env_remove("ENTRYPOINT_OPTIONS").env_remove("SIDECAR_OPTIONS");
        let ended = process::run(&tree, command.arg(flag));
        ended.expect_code(2);
        assert!(ended.stderr.contains(meant), "{ended:#?}");
    }
}

#[test]
fn version_names_package_and_commit() {
    let tree = Tree::new();
    for program in ["entrypoint", "sidecar", "entrypoint-wrapper", "podutils"] {
        let mut command = Command::new(bins::program(program));
        command.env_remove("ENTRYPOINT_OPTIONS").env_remove("SIDECAR_OPTIONS");
        let ended = process::run(&tree, command.arg("--version"));
        ended.expect_code(0);
        assert_eq!(ended.stdout, format!("{program} {}\n", common::version::VERSION));
    }
}
