//! Pins: contract 4.5 as changed; sidecar/README.md, "Odd files".
//!
//! Files whose name promises gzip.

use harness::job::Job;
use serde_json::json;
use std::fs;
use std::process::{Command, Stdio};

fn gzip(text: &str) -> Vec<u8> {
    use std::io::Write;
    let mut gzip = Command::new("gzip");
    let mut running = gzip.arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("gzip");
    running.stdin.take().expect("piped").write_all(text.as_bytes()).expect("written");
    running.wait_with_output().expect("ended").stdout
}

#[test]
fn name_is_kept_where_the_content_is_no_complete_gzip() {
    let job = Job::s3();
    let entry = job.pod.entry("test");
    job.pod.entrypoint(&entry, &["echo", "output"], json!({})).wait().expect_code(0);
    let whole = gzip(&"a line of a log\n".repeat(1000));
    let artifact =
        |name: &str, content: &[u8]| fs::write(job.pod.artifacts().join(name), content).expect("written");
    fs::create_dir_all(job.pod.artifacts().join("cut")).expect("made");
    artifact("whole.log.gz", &whole);
    artifact("cut/whole.txt.gz", &whole[..whole.len() - 5]);
    artifact("plain.txt.gz", b"a plain text\n");
    artifact("empty.json.gz", b"");
    job.sidecar(&[&entry], json!({"delivery": {"fail_on_error": true}})).wait().expect_code(0);
    assert_eq!(fs::read(job.objects_dir().join("artifacts/whole.log")).expect("stored"), whole);
    let typed = |name: &str| {
        let object = job.listed(&format!("artifacts/{name}"));
        (object["content_type"].clone(), object["content_encoding"].clone())
    };
    assert_eq!(typed("cut/whole.txt.gz"), (json!("application/x-gzip"), json!(null)));
    assert_eq!(typed("plain.txt.gz"), (json!("text/plain; charset=utf-8"), json!(null)));
    assert_eq!(typed("empty.json.gz"), (json!("text/plain; charset=utf-8"), json!(null)));
    assert_eq!(job.text("artifacts/plain.txt.gz"), "a plain text\n");
}
