//! Pins: sidecar/README.md, "Test reports"; deploy/README.md, "podutils run".
//!
//! Tests that failed, on `run`'s terminal, in `show` and on the page; and secrets that
//! cannot be masked, before anything runs.

use harness::bins;
use harness::pod::Pod;
use harness::process::{self, Ended};
use std::fs;
use std::process::Command;

const SCRIPT: &str = "printf '%s' \"<testsuite name='s'><testcase name='TestA' file='a.go' time='2'>\
    <failure message='one is not &lt;two&gt;'>a.go:4: <![CDATA[<b>bold</b>]]></failure></testcase>\
    <testcase name='TestB'/></testsuite>\" > \"$ARTIFACTS/junit.xml\"; exit 1";

fn podutils(pod: &Pod, args: &[&str]) -> Ended {
    let mut command = Command::new(bins::program("podutils"));
    process::run(pod.tree(), command.args(args).current_dir(pod.path("")))
}

#[test]
fn failed_tests_are_on_the_terminal_in_show_and_on_the_page() {
    let pod = Pod::new();
    let ran = podutils(&pod, &["run", "--", "sh", "-c", SCRIPT]);
    ran.expect_code(1);
    let sentence = "exited with code 1; 1 of 2 tests failed: TestA";
    assert!(ran.stderr.contains(sentence) && ran.stderr.contains("delivery took "), "{}", ran.stderr);
    let page = ran.stderr.lines().find_map(|line| line.split_once("report page: ")).expect("it is named").1;
    let text = fs::read_to_string(page).expect("a page");
    for part in [sentence, "id=\"tests-title\"", "one is not &lt;two&gt;", "a.go:4: &lt;b&gt;bold", "2.000"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let place = page.trim_end_matches("report.html");
    let shown = podutils(&pod, &["show", place]);
    for part in [sentence, "1 of 2 tests failed, 2.000 s in all", "TestA: one is not <two>"] {
        assert!(shown.stdout.contains(part), "no {part} in {}", shown.stdout);
    }
    let json = podutils(&pod, &["show", "--json", place]);
    assert!(json.stdout.contains("\"failed\": \"1\""), "{}", json.stdout);
}

#[test]
fn secret_that_cannot_be_masked_is_told_before_the_job_and_refused_under_strict() {
    let pod = Pod::new();
    let secrets = pod.path("secrets");
    fs::create_dir(&secrets).expect("made");
    fs::write(secrets.join("flag"), "false").expect("written");
    let secrets = secrets.display().to_string();
    let ran = podutils(&pod, &["run", "--secrets", &secrets, "--", "echo", "started"]);
    ran.expect_code(0);
    let warning = ran.stderr.find("flag is too short to be masked").expect("a warning");
    assert!(warning < ran.stderr.find("SUCCESS").expect("a result"), "{}", ran.stderr);
    let refused = podutils(&pod, &["run", "--strict", "--secrets", &secrets, "--", "echo", "started"]);
    refused.expect_code(1);
    assert!(!refused.stdout.contains("started"), "{}", refused.stdout);
    assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
}
