//! A destination that takes nothing for a while, under `podutils run`.

use super::run::{Desk, base_path};
use harness::s3::{Fault, S3};

#[test]
fn outage_is_shown_and_bridged() {
    let desk = Desk::new();
    let s3 = S3::start();
    let _ = s3.out_for(std::time::Duration::from_secs(3), Fault::Status(503));
    let credentials = s3.credentials_file(desk.dir.path()).display().to_string();
    let args = ["run", "--out", "s3://bucket", "--s3-credentials-file", &credentials, "--", "true"];
    let ended = desk.run(&args);
    ended.expect_code(0);
    for line in ["takes nothing at the moment, trying on: 503", "takes objects again, after "] {
        assert!(ended.stderr.contains(&format!("podutils: The destination {line}")), "{}", ended.stderr);
    }
    let base = base_path(&s3.keys(), "logs/local/");
    assert_eq!(s3.json(&format!("{base}/finished.json"))["result"], "SUCCESS");
}

#[test]
fn store_that_stays_away_is_given_up() {
    let desk = Desk::new();
    let s3 = S3::start();
    s3.script(|_| Fault::Status(503));
    let credentials = s3.credentials_file(desk.dir.path()).display().to_string();
    let out = ["run", "--out", "s3://bucket", "--retry-for", "2s", "--s3-credentials-file", &credentials];
    let ended = desk.run(&[&out[..], &["--", "true"]].concat());
    ended.expect_code(1);
    assert!(ended.stderr.contains("The destination has taken nothing for 2s"), "{}", ended.stderr);
    assert_eq!(desk.pods().len(), 1, "the pod directory is kept");
}

#[test]
fn progress_of_a_slow_delivery_is_told() {
    let desk = Desk::new();
    let s3 = S3::start();
    let delay = std::time::Duration::from_secs(7);
    s3.script(move |seen| if seen.key.ends_with("/a.txt") { Fault::Delay(delay) } else { Fault::None });
    let credentials = s3.credentials_file(desk.dir.path()).display().to_string();
    let args = ["run", "--out", "s3://bucket", "--s3-credentials-file", &credentials, "--"];
    let ended = desk.run(&[&args[..], &["sh", "-c", "echo a > $ARTIFACTS/a.txt"]].concat());
    ended.expect_code(0);
    let told = ended.stderr.find(" objects are stored").expect("a line about the progress");
    assert!(told < ended.stderr.find("SUCCESS after ").expect("a result"), "{}", ended.stderr);
}
