//! Containers that cost much to look into, or that look like none.

use crate::case::{Case, Delivered, FINE, SECRET};
use crate::size;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

/// Packs bytes with gzip(1).
pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut child =
        Command::new("gzip").arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("gzip");
    let mut input = child.stdin.take().unwrap();
    let content = content.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&content));
    let output = child.wait_with_output().expect("ended");
    writer.join().expect("no panic").expect("written");
    output.stdout
}

/// Checks that the one artifact is stored without the secret, or withheld and named.
#[track_caller]
fn expect_named(delivered: &Delivered) {
    let found = delivered.count(|object| {
        object["key"].as_str().is_some_and(|key| key.contains("artifacts/"))
            && ["stored", "withheld"].contains(&object["state"].as_str().unwrap_or_default())
    });
    assert!(found >= 1, "{:#}", delivered.job.manifest());
    let dir = delivered.job.objects_dir().join("artifacts");
    for name in harness::pod::files_below(&dir) {
        let mut content = fs::read(dir.join(&name)).expect("read");
        // Layer by layer, also where gzip complains at the end of one.
        for layer in 1.. {
            content = gunzip(content);
            if content.is_empty() {
                break;
            }
            assert!(!String::from_utf8_lossy(&content).contains(SECRET), "I6: in {name}, layer {layer}");
        }
    }
}

/// Returns what gzip finds in some bytes.
fn gunzip(content: Vec<u8>) -> Vec<u8> {
    let mut command = Command::new("gzip");
    command.arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("gzip");
    let mut stdin = child.stdin.take().expect("a pipe");
    // It reads no further than it understands.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&content)));
    let output = child.wait_with_output().expect("gzip ends");
    writer.join().expect("no panic");
    output.stdout
}

#[test]
fn many_links_to_one_archive_arrive() {
    let case = Case::local();
    let count = size(100, 10_000);
    fs::write(case.artifact("0.gz"), gzip(b"a small text")).expect("written");
    for number in 1..count {
        fs::hard_link(case.artifact("0.gz"), case.artifact(format!("{number}.gz"))).expect("linked");
    }
    case.deliver(FINE).expect_artifacts("stored", count);
}

#[test]
fn gzip_with_a_secret_is_masked() {
    let case = Case::local();
    fs::write(case.artifact("a.gz"), gzip(format!("text {SECRET} text").as_bytes())).expect("written");
    expect_named(&case.deliver(FINE));
}

#[test]
fn gzip_bomb_ends_within_its_limits() {
    let case = Case::local();
    fs::write(case.artifact("bomb.gz"), gzip(&vec![0; size(32 << 20, 1 << 30)])).expect("written");
    expect_named(&case.deliver(FINE));
}

#[test]
fn gzip_within_gzip_is_looked_into_or_withheld() {
    let case = Case::local();
    let mut content = format!("text {SECRET} text").into_bytes();
    for _ in 0..size(4, 64) {
        content = gzip(&content);
    }
    fs::write(case.artifact("nested.gz"), content).expect("written");
    expect_named(&case.deliver(FINE));
}

#[test]
fn gzip_that_is_cut_off_is_withheld_or_masked() {
    let case = Case::local();
    let mut content = gzip(format!("text {SECRET} text").as_bytes());
    content.truncate(content.len() - 6);
    fs::write(case.artifact("cut.gz"), content).expect("written");
    expect_named(&case.deliver(FINE));
}

#[test]
fn gzip_of_many_members_is_masked() {
    let case = Case::local();
    let member = gzip(format!("member {SECRET}\n").as_bytes());
    fs::write(case.artifact("members.gz"), member.repeat(size(200, 100_000))).expect("written");
    expect_named(&case.deliver(FINE));
}

#[test]
fn tar_behind_other_bytes_is_masked_as_it_lies() {
    let case = Case::local();
    let dir = case.job.pod.path("packed");
    fs::create_dir(&dir).expect("made");
    fs::write(dir.join("file"), format!("text {SECRET} text")).expect("written");
    let tar = Command::new("tar").arg("-C").arg(&dir).args(["-cf", "-", "file"]).output().expect("tar");
    let shifted = [vec![b'#'; 512], tar.stdout].concat();
    fs::write(case.artifact("shifted.tar"), shifted).expect("written");
    expect_named(&case.deliver(FINE));
}

#[test]
fn names_of_archives_on_other_content_arrive() {
    let case = Case::local();
    let names = ["a.gz", "a.zip", "a.tar", "a.tgz", "a.xz", "a.zst", "a.bz2"];
    for name in names {
        fs::write(case.artifact(name), format!("no archive: {SECRET}")).expect("written");
    }
    let delivered = case.deliver(FINE);
    let found =
        delivered.count(|object| object["key"].as_str().is_some_and(|key| key.starts_with("artifacts/a.")));
    assert!(found >= names.len(), "{:#}", delivered.job.manifest());
}
