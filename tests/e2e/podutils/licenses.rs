//! Pins: deploy/README.md, "podutils licenses".

use harness::bins;
use harness::images;
use harness::process;
use harness::tree::Tree;
use std::collections::BTreeSet;
use std::process::Command;

/// The packages that a release ships, and what they are built for.
const SHIPPED: [&str; 4] = ["entrypoint", "sidecar", "entrypoint-wrapper", "podutils"];
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"];

/// The libraries that the shipped programs are built from, as cargo resolves them: name
/// and version. Libraries of build scripts and tests are not among them.
fn libraries(target: &str) -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--locked", "--offline", "--edges=normal", "--prefix=none", "--target", target]);
    cargo.args(SHIPPED.map(|package| format!("--package={package}")));
    let tree = images::succeed(cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")));
    let library = |line: &str| {
        let mut words = line.split_whitespace();
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        // Crates of this workspace have a path.
        (!line.contains("(/")).then(|| format!("{name} {version}"))
    };
    tree.lines().filter_map(library).collect()
}

/// It fails after a change of `Cargo.lock`: `deploy/licenses/generate.sh` has to run then.
#[test]
fn every_library_has_its_licence() {
    let tree = Tree::new();
    let ended = process::run(&tree, Command::new(bins::program("podutils")).arg("licenses"));
    ended.expect_code(0);
    let named: BTreeSet<String> =
        ended.stdout.lines().filter_map(|line| line.strip_prefix("  ")).map(str::to_owned).collect();
    let needed: BTreeSet<String> = TARGETS.into_iter().flat_map(libraries).collect();
    assert!(needed.len() > 100, "{needed:?}");
    let missing: Vec<_> = needed.difference(&named).collect();
    assert!(missing.is_empty(), "without a licence: {missing:?}");
}
