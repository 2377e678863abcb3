//! Cost of a delivery as a whole: scans, holes, members, lists and warnings.

use crate::archives::gzip;
use crate::case::{Case, FAILED, FINE, SECRET};
use crate::size;
use serde_json::json;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::process::Command;
use std::time::{Duration, Instant};

/// Longer than any of these deliveries takes on a busy machine without optimisation.
const LIMIT: Duration = Duration::from_mins(2);

fn sparse(case: &Case, name: &str, length: u64) -> fs::File {
    let file = fs::File::create(case.artifact(name)).expect("made");
    file.set_len(length).expect("sparse");
    file
}

#[test]
fn sparse_files_take_neither_time_nor_space() {
    let case = Case::local();
    let count = size(20, 100);
    for number in 0..count {
        let file = sparse(&case, &number.to_string(), 300 << 30);
        file.write_all_at(SECRET.as_bytes(), (300 << 30) - 100).expect("written");
    }
    let started = Instant::now();
    let delivered = case.deliver(FINE);
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
    delivered.expect_artifacts("stored", count);
    for number in 0..count {
        let object = delivered.job.objects_dir().join(format!("artifacts/{number}"));
        let metadata = fs::metadata(&object).expect("there");
        assert!(metadata.len() == 300 << 30 && metadata.blocks() * 512 < 16 << 20, "{metadata:?}");
        let mut end = [0; SECRET.len()];
        fs::File::open(&object).expect("there").read_exact_at(&mut end, (300 << 30) - 100).expect("read");
        assert_eq!(String::from_utf8_lossy(&end), "X".repeat(SECRET.len()), "I6");
    }
}

#[test]
fn file_whose_parts_do_not_fit_into_memory_is_refused_at_once() {
    let case = Case::s3();
    sparse(&case, "sparse", 300 << 30);
    fs::write(case.artifact("file"), SECRET).expect("written");
    let started = Instant::now();
    let delivered = case.deliver(FAILED);
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
    delivered.job.expect_refused("artifacts/sparse", "failed", "the most for delivery.memory");
    delivered.expect_artifacts("stored", 1);
}

/// The source of a container is read in blocks, whose checksums are kept.
#[test]
fn sparse_archive_of_ten_tebibytes_costs_little_memory() {
    let case = Case::local().options(json!({"delivery": {"limits": {"cpu_time": "5s"}}}));
    let dir = case.job.pod.path("packed");
    fs::create_dir(&dir).expect("made");
    fs::write(dir.join("file"), "text").expect("written");
    let tar = Command::new("tar").arg("-C").arg(&dir).args(["-cf", "-", "file"]).output().expect("tar");
    if fs::File::create(case.artifact("sparse.tar")).expect("made").set_len(10 << 40).is_err() {
        harness::skip!("files of 10 TiB are not possible here");
    }
    let file = fs::File::options().write(true).open(case.artifact("sparse.tar")).expect("there");
    file.write_all_at(&tar.stdout, 0).expect("written");
    let delivered = case.deliver(FAILED);
    delivered.job.expect_refused("artifacts/sparse.tar", "skipped", "delivery.limits.cpu_time");
}

#[test]
fn many_names_of_one_archive_are_scanned_once() {
    let case = Case::local().options(json!({"delivery": {"limits": {"unpacked_bytes": 3 << 20}}}));
    fs::write(case.artifact("0.gz"), gzip(&vec![b'a'; 2 << 20])).expect("written");
    let count = size(200, 10_000);
    for number in 1..count {
        let name = case.artifact(format!("{number}.gz"));
        if number % 2 == 0 {
            fs::hard_link(case.artifact("0.gz"), name).expect("linked");
        } else {
            symlink("0.gz", name).expect("linked");
        }
    }
    case.deliver(FINE).expect_artifacts("stored", count);
}

/// To look into it and to pack it once uses most of the budget.
#[test]
fn many_names_of_one_archive_with_a_secret_are_packed_once() {
    let case = Case::local().options(json!({"delivery": {"limits": {"unpacked_bytes": 5 << 20}}}));
    let mut content = vec![b'a'; 2 << 20];
    content.extend_from_slice(SECRET.as_bytes());
    fs::write(case.artifact("0.gz"), gzip(&content)).expect("written");
    let count = size(200, 10_000);
    for number in 1..count {
        fs::hard_link(case.artifact("0.gz"), case.artifact(format!("{number}.gz"))).expect("linked");
    }
    let delivered = case.deliver(FINE);
    delivered.expect_artifacts("stored", count);
    let masked = delivered.count(|object| object["censored"] == SECRET.len());
    assert_eq!(masked, count + 1, "the log, and each name");
}

#[test]
fn archive_of_many_members_arrives_in_time() {
    let case = Case::local();
    let count = size(10_000, 100_000);
    let script = "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as z:\n \
                  for n in range(int(sys.argv[2])): z.writestr(f'{n}', b'a tiny member')\n";
    let zip = case.artifact("many.zip");
    let made = Command::new("python3").args(["-c", script]).arg(&zip).arg(count.to_string()).status();
    if !made.is_ok_and(|status| status.success()) {
        harness::skip!("there is no python3");
    }
    let started = Instant::now();
    case.deliver(FINE).expect_artifacts("stored", 1);
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
}

#[test]
fn files_beyond_the_limit_are_counted_and_cost_no_memory() {
    let case = Case::local().options(json!({"delivery": {"limits": {"files": 100}}}));
    let count = size(5_000, 1_000_000);
    fs::write(case.artifact("0"), SECRET).expect("written");
    for number in 1..count {
        fs::hard_link(case.artifact("0"), case.artifact(number.to_string())).expect("linked");
    }
    let delivered = case.deliver(FAILED);
    assert_eq!(delivered.job.manifest()["listing"]["not_listed"], count - 100);
    delivered.expect_artifacts("stored", 100);
}

/// Delivered objects leave memory for a file in the temporary directory.
#[test]
fn without_a_temporary_directory_the_manifest_lists_or_counts_every_file() {
    let case = Case::local().environment("TMPDIR", "/nowhere");
    let count = size(12_000, 200_000);
    fs::write(case.artifact("0"), SECRET).expect("written");
    for number in 1..count {
        fs::hard_link(case.artifact("0"), case.artifact(number.to_string())).expect("linked");
    }
    let delivered = case.deliver(FINE);
    let left_out = delivered.job.manifest()["listing"]["not_listed"].as_u64().unwrap_or_default();
    let left_out = usize::try_from(left_out).expect("few");
    delivered.expect_artifacts("stored", count - left_out);
    let objects = harness::pod::files_below(&delivered.job.objects_dir().join("artifacts"));
    assert_eq!(objects.len(), count, "all are delivered");
}

#[test]
fn warnings_with_one_reason_are_counted() {
    let case = Case::local();
    let long = "n".repeat(200);
    // More than fit into the listing's share of the memory.
    let count = size(8_000, 50_000);
    for number in 0..count {
        symlink("/nowhere", case.artifact(format!("{long}-{number}"))).expect("linked");
    }
    let delivered = case.deliver(FINE);
    let lines = delivered.ended.stderr.lines().filter(|line| line.contains("Skipping")).count();
    assert_eq!(lines, 101, "{}", delivered.ended.stderr);
    let counted = format!("Skipping {} more files", count - 100);
    assert!(delivered.ended.stderr.contains(&counted), "{}", delivered.ended.stderr);
    delivered.expect_artifacts("skipped", count);
}

#[test]
fn many_directories_below_a_long_path_cost_little_memory() {
    let case = Case::local();
    let mut dir = case.artifact("");
    for _ in 0..17 {
        dir.push("d".repeat(200));
    }
    fs::create_dir_all(&dir).expect("made");
    for number in 0..size(2_000, 50_000) {
        fs::create_dir(dir.join(number.to_string())).expect("made");
    }
    fs::write(dir.join("file"), SECRET).expect("written");
    case.deliver(FINE).expect_artifacts("stored", 1);
}
