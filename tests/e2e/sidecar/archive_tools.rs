//! Pins: sidecar/README.md, "Containers".
//!
//! Archives that other tools made, and that other tools read afterwards.

use harness::skip;
use sidecar::censor::archive::Verdict;
use sidecar::censor::{Censor, CensoringOptions};
use std::path::Path;
use std::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/sidecar/archive_tools.py");

#[track_caller]
fn python(arguments: &[&Path], what: &str) -> String {
    let output = Command::new("python3").args([SCRIPT, what]).args(arguments).output().expect("started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Returns whether a tool accepts the file.
fn accepts(tool: &[&str], file: &Path) -> bool {
    let Ok(output) = Command::new(tool[0]).args(&tool[1..]).arg(file).output() else { return true };
    output.status.success()
}

#[test]
fn rewritten_archives_are_read_by_other_tools_with_their_metadata() {
    if Command::new("python3").arg("-V").output().is_err() {
        skip!("there is no python3");
    }
    let dir = tempfile::tempdir().expect("a directory");
    let [secrets, before, after] = ["secrets", "before", "after"].map(|name| dir.path().join(name));
    for made in [&secrets, &before, &after] {
        std::fs::create_dir(made).expect("made");
    }
    std::fs::write(secrets.join("token"), "the-secret-value").expect("written");
    let secret_directories = vec![secrets.display().to_string()];
    let censor = Censor::load(&CensoringOptions { secret_directories, ..CensoringOptions::default() });
    python(&[&before], "make");
    for entry in std::fs::read_dir(&before).expect("listed").flatten() {
        let file = std::fs::read(entry.path()).expect("read");
        let mut output = Vec::new();
        match censor.look_into(&file.as_slice(), &|| false).expect("looked into") {
            Verdict::Clean { .. } => output = file,
            Verdict::Dirty => match censor.rewrite(&file.as_slice(), &mut output, &|| false) {
                Ok(_) => {}
                Err(error) => panic!("{:?}: {error}", entry.file_name()),
            },
            verdict @ (Verdict::Plain { .. } | Verdict::Withheld(_)) => panic!("{verdict:?}"),
        }
        std::fs::write(after.join(entry.file_name()), output).expect("written");
    }
    let compared = python(&[&before, &after], "compare");
    let optional = [".zst", ".sparse.", ".deb"];
    let names: Vec<_> =
        compared.split_whitespace().filter(|name| !optional.iter().any(|part| name.contains(part))).collect();
    assert_eq!(
        names.join(" "),
        "c.bz2 c.gz c.lzma c.xz c.zz v.gnu.tar v.pax.tar v.stored.zip v.streamed.zip v.tar.bz2 v.tar.gz v.tar.xz v.ustar.tar v.zip"
    );
    let count = |part: &str| compared.split_whitespace().filter(|name| name.contains(part)).count();
    let is_there = |tool: &str| Command::new(tool).arg("--version").output().is_ok();
    for (tool, part, files) in [
        ("zstd", ".zst", 3),
        ("bsdtar", ".sparse.bsd", 1),
        ("tar", ".sparse.gnu", 1),
        ("tar", ".sparse.posix", 1),
        ("dpkg-deb", ".deb", 3),
    ] {
        assert_eq!(count(part), if is_there(tool) { files } else { 0 }, "{part}");
    }
    for name in ["v.zip", "v.stored.zip", "v.streamed.zip"] {
        assert!(accepts(&["unzip", "-tqq"], &after.join(name)), "unzip {name}");
    }
    for name in ["v.gnu.tar", "v.pax.tar", "v.ustar.tar", "v.tar.gz"] {
        assert!(accepts(&["tar", "-tf"], &after.join(name)), "tar {name}");
    }
    for (tool, name) in
        [("gzip", "v.tar.gz"), ("xz", "v.tar.xz"), ("bzip2", "v.tar.bz2"), ("zstd", "v.tar.zst")]
    {
        let file = after.join(name);
        assert!(!file.exists() || accepts(&[tool, "-t"], &file), "{tool} {name}");
    }
}
