//! Numbers, links, sizes and kinds of files.

use crate::case::{Case, FAILED, FINE, SECRET};
use crate::size;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

/// Names of one file, below what any file system allows.
const LINKS: usize = 1000;

#[test]
fn many_hard_links_to_one_file_arrive() {
    let case = Case::local();
    // More than fit into the listing's share of the memory.
    let count = size(12_000, 1_000_000);
    fs::write(case.artifact("0"), format!("content with {SECRET}")).expect("written");
    for number in 1..count {
        fs::hard_link(case.artifact("0"), case.artifact(number.to_string())).expect("linked");
    }
    case.deliver(FINE).expect_artifacts("stored", count);
}

#[test]
fn many_empty_files_arrive() {
    let case = Case::s3();
    let count = size(1_000, 100_000);
    for number in 0..count {
        fs::File::create(case.artifact(number.to_string())).expect("made");
    }
    case.deliver(FINE).expect_artifacts("stored", count);
}

#[test]
fn many_empty_directories_delay_nothing() {
    let case = Case::local();
    for number in 0..size(2_000, 300_000) {
        fs::create_dir(case.artifact(number.to_string())).expect("made");
    }
    fs::write(case.artifact("file"), SECRET).expect("written");
    case.deliver(FINE).expect_artifacts("stored", 1);
}

#[test]
fn many_long_paths_arrive() {
    let case = Case::local();
    let long = "d".repeat(200);
    let count = size(3_000, 1_000_000);
    let mut dir = case.artifact("");
    // Almost PATH_MAX together.
    for _ in 0..17 {
        dir.push(&long);
    }
    fs::create_dir_all(&dir).expect("made");
    for number in 0..count {
        // Links take no inode; a file has 65,000 at most.
        let first = number - number % LINKS;
        if number == first {
            fs::write(dir.join(number.to_string()), number.to_string()).expect("written");
        } else {
            fs::hard_link(dir.join(first.to_string()), dir.join(number.to_string())).expect("linked");
        }
    }
    case.deliver(FINE).expect_artifacts("stored", count);
}

/// Each of them is read by a thread, and the listing goes on meanwhile.
#[test]
fn many_files_with_long_paths_arrive() {
    let case = Case::local();
    let count = size(300, 100_000);
    let dir = case.artifact(vec!["d".repeat(200); 17].join("/"));
    fs::create_dir_all(&dir).expect("made");
    for number in 0..count {
        // Empty ones take no block, so that they fit into a file system in memory.
        let content = if number % 16 == 0 { "x" } else { "" };
        fs::write(dir.join(number.to_string()), content).expect("written");
    }
    case.deliver(FINE).expect_artifacts("stored", count);
}

#[test]
fn sparse_file_arrives_in_little_memory() {
    let case = Case::s3();
    let length = size(64 << 20, 4 << 30) as u64;
    fs::File::create(case.artifact("sparse")).expect("made").set_len(length).expect("sparse");
    let delivered = case.deliver(FINE);
    let stored = delivered.job.objects_dir().join("artifacts/sparse");
    assert_eq!(fs::metadata(stored).expect("there").len(), length);
}

/// Larger than a bucket takes: refused before a buffer is made.
#[test]
fn file_larger_than_the_store_takes_is_refused_at_once() {
    let case = Case::s3();
    let length = size(1 << 40, 10 << 40) as u64;
    if fs::File::create(case.artifact("sparse")).expect("made").set_len(length).is_err() {
        harness::skip!("files of {length} bytes are not possible here");
    }
    fs::write(case.artifact("file"), SECRET).expect("written");
    let delivered = case.deliver(FAILED);
    delivered.job.expect_refused("artifacts/sparse", "failed", "it is too large");
    delivered.expect_artifacts("stored", 1);
}

#[test]
fn many_special_files_are_named_and_delay_nothing() {
    let case = Case::local();
    let count = size(200, 20_000);
    for number in 0..count {
        mknodat(CWD, case.artifact(format!("pipe-{number}")), FileType::Fifo, Mode::from_raw_mode(0o666), 0)
            .expect("a named pipe");
    }
    let _socket = UnixListener::bind(case.artifact("socket")).expect("a socket");
    fs::write(case.artifact("file"), "content").expect("written");
    let delivered = case.deliver(FINE);
    delivered.expect_artifacts("stored", 1).expect_artifacts("skipped", count + 1);
}

#[test]
fn many_symlinks_in_a_circle_are_named_and_delay_nothing() {
    let case = Case::local();
    let count = size(500, 50_000);
    for number in 0..count {
        symlink(((number + 1) % count).to_string(), case.artifact(number.to_string())).expect("linked");
    }
    case.deliver(FINE).expect_artifacts("skipped", count);
}

#[test]
fn chain_of_symlinks_leads_to_no_file_outside() {
    let case = Case::local();
    let outside = case.job.pod.path("outside");
    fs::write(&outside, "private content of another volume").expect("written");
    symlink(&outside, case.artifact("link-0")).expect("linked");
    for number in 1..20 {
        symlink(format!("link-{}", number - 1), case.artifact(format!("link-{number}"))).expect("linked");
    }
    case.deliver(FINE).expect_artifacts("skipped", 20);
}

#[test]
fn unreadable_files_are_named_and_the_rest_arrives() {
    use std::os::unix::fs::PermissionsExt;
    let case = Case::local();
    let unreadable = case.artifact("unreadable");
    fs::write(&unreadable, SECRET).expect("written");
    fs::set_permissions(&unreadable, fs::Permissions::from_mode(0o000)).expect("set");
    if fs::File::open(&unreadable).is_ok() {
        harness::skip!("this user may read everything");
    }
    fs::write(case.artifact("file"), "content").expect("written");
    case.deliver(FINE).expect_artifacts("stored", 1);
}
