//! Pins: entrypoint/README.md, "Limits".
//!
//! entrypoint and the reader of its stdout: closed, stuck, slow, a file, a socket.

use harness::bins;
use harness::pod::Pod;
use harness::process::{self};
use harness::wait;
use serde_json::json;
use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

const HOSTILE: &str = env!("CARGO_BIN_EXE_hostile");

#[test]
fn closed_stdout_does_not_end_the_job() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = pod.entrypoint_command(&entry, &[HOSTILE, "flood", "1000000"], json!({}));
    let running = process::start_with(pod.tree(), &mut command, Stdio::from(writer), Stdio::piped());
    drop(command);
    running.wait().expect_code(0);
    let report = entry.report();
    assert_eq!(entry.log_text().len(), 1_000_000);
    assert_eq!(report["output"]["live_dropped_bytes"], 1_000_000, "{report}");
    assert_eq!(report["output"]["dropped_bytes"], 0, "{report}");
}

#[test]
fn closed_stdout_is_not_reported_as_an_interrupt() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = pod.entrypoint_command(&entry, &["echo", "unheard"], json!({}));
    process::start_with(pod.tree(), &mut command, Stdio::from(writer), Stdio::piped()).wait().expect_code(0);
    assert_eq!(entry.report()["interrupts"], json!([]));
}

#[test]
fn missing_stdout_leaves_the_log_complete() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let options = pod.entrypoint_options(&entry, &[HOSTILE, "flood", "1000000"], json!({}));
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" >&- 2>&-"]).arg(bins::program("entrypoint"));
    command.env("ENTRYPOINT_OPTIONS", options.to_string());
    process::run(pod.tree(), &mut command).expect_code(0);
    assert_eq!(entry.log_text().len(), 1_000_000);
}

#[test]
fn stuck_reader_does_not_stop_the_job_and_may_come_back() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let go = pod.path("go");
    let script =
        format!("{HOSTILE} flood 4000000; until [ -e {} ]; do sleep 0.05; done; echo after", go.display());
    let mut command = pod.entrypoint_command(&entry, &["sh", "-c", &script], json!({}));
    let running = process::start_with(pod.tree(), &mut command, Stdio::from(writer), Stdio::piped());
    drop(command);
    wait::until("the whole log", || (entry.log_text().len() >= 4_000_000).then_some(()));
    let text = std::thread::spawn(move || {
        let mut text = Vec::new();
        reader.read_to_end(&mut text).map(|_| text)
    });
    entry.until_log("Live output goes on");
    fs::write(&go, "").expect("written");
    let ended = running.wait();
    ended.expect_code(0);
    let report = entry.report();
    let text = text.join().expect("no panic").expect("read");
    assert!(String::from_utf8_lossy(&text).contains("after\n"), "live output resumed");
    let dropped = report["output"]["live_dropped_bytes"].as_u64().expect("a number");
    assert!(dropped > 0 && dropped < 4_000_000, "{report}");
    assert_eq!(report["output"]["dropped_bytes"], 0, "{report}");
}

#[test]
fn slow_reader_gets_everything() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let mut command = pod.entrypoint_command(&entry, &[HOSTILE, "flood", "1000000"], json!({}));
    let running = process::start_with(pod.tree(), &mut command, Stdio::from(writer), Stdio::piped());
    drop(command);
    let mut total = 0;
    let mut buffer = vec![0; 20_000];
    loop {
        match reader.read(&mut buffer).expect("read") {
            0 => break,
            count => total += count,
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    running.wait().expect_code(0);
    assert_eq!(total, 1_000_000);
    assert_eq!(entry.report()["output"]["live_dropped_bytes"], 0);
}

#[test]
fn file_or_socket_as_stdout_gets_everything() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let file = fs::File::create(pod.path("stdout")).expect("made");
    let mut command = pod.entrypoint_command(&entry, &[HOSTILE, "flood", "500000"], json!({}));
    process::start_with(pod.tree(), &mut command, Stdio::from(file), Stdio::piped()).wait().expect_code(0);
    assert_eq!(fs::metadata(pod.path("stdout")).expect("there").len(), 500_000);

    let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().expect("sockets");
    let theirs = Stdio::from(std::os::fd::OwnedFd::from(theirs));
    let mut command = pod.entrypoint_command(&entry, &[HOSTILE, "flood", "500000"], json!({}));
    let running = process::start_with(pod.tree(), &mut command, theirs, Stdio::piped());
    drop(command);
    let mut text = Vec::new();
    ours.read_to_end(&mut text).expect("read");
    running.wait().expect_code(0);
    assert_eq!(text.len(), 500_000);
}

#[test]
fn inherited_stdout_stays_blocking() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut command = pod.entrypoint_command(&entry, &["echo", "x"], json!({}));
    let ours = writer.try_clone().expect("shared");
    process::start_with(pod.tree(), &mut command, Stdio::from(writer), Stdio::piped()).wait().expect_code(0);
    let flags = rustix::fs::fcntl_getfl(&ours).expect("flags");
    assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK));
    drop(reader);
}
