//! Pins: W-80, W-81, W-83, W-84.
//!
//! entrypoint-wrapper and the API server: the early upload of a kubeconfig, and
//! signals while something is uploaded.

use crate::wrapper::secret_update::{bodies, step, test0};
use crate::wrapper::step_pod::StepPod;
use common::signal::Signal;
use harness::api_server::{Answer, ApiServer};
use harness::wait;
use std::fs;
use std::time::Duration;

#[test]
fn minimal_then_whole_kubeconfig_are_uploaded_early() {
    let (pod, server) = (StepPod::new(), ApiServer::start());
    let script = r#"echo '{"min": 1}' >$SHARED_DIR/kubeconfig-minimal
        until [ -e go-on ]; do sleep 0.02; done
        printf 'kind: Config\nclusters:\n- name: a\n' >$SHARED_DIR/kubeconfig
        until [ -e end ]; do sleep 0.02; done; echo last >$SHARED_DIR/last"#;
    let mut command = pod.command_at(&server, &["sh", "-c", script]);
    let running = pod.start(command.current_dir(pod.path("")));
    let names = |body: &str| -> Vec<String> {
        let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
        body["data"].as_object().expect("data").keys().cloned().collect()
    };
    let first = server.until_seen(1);
    assert_eq!(names(&first.body), ["kubeconfig-minimal", "test0.txt"]);
    fs::write(pod.path("go-on"), "").expect("written");
    let second = server.until_seen(2);
    assert_eq!(names(&second.body), ["kubeconfig", "kubeconfig-minimal", "test0.txt"]);
    assert_eq!(second.data()[0].1, "kind: Config\nclusters:\n- name: a\n");
    fs::write(pod.path("end"), "").expect("written");
    pod.ended(running).expect_code(0);
    let stored = server.stored();
    assert_eq!(stored.len(), 3, "{stored:?}");
    assert_eq!(names(&stored[2]), ["kubeconfig", "kubeconfig-minimal", "last", "test0.txt"]);
}

#[test]
fn kubeconfig_of_an_earlier_step_is_not_uploaded_again() {
    let (pod, server) = (StepPod::new(), ApiServer::start());
    fs::write(pod.path("shared/kubeconfig"), "{\"a\": 1}").expect("written");
    step(&pod, &server, &["sh", "-c", "echo '{\"b\": 1}' >$SHARED_DIR/kubeconfig-minimal; sleep 2.5"])
        .expect_code(0);
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn half_written_kubeconfig_is_never_uploaded() {
    let (pod, server) = (StepPod::new(), ApiServer::start());
    let script = r#"printf '{"kind": "Config", "clus' >$SHARED_DIR/kubeconfig
        printf 'kind: Config\n' >$SHARED_DIR/kubeconfig-minimal
        for i in 1 2 3 4 5 6; do sleep 0.5; printf 'more%s: x\n' $i >>$SHARED_DIR/kubeconfig-minimal; done
        echo half | tr -d '\n'; until [ -e go-on ]; do sleep 0.02; done
        printf 'ters": []}' >>$SHARED_DIR/kubeconfig
        until [ -e end ]; do sleep 0.02; done"#;
    let mut command = pod.command_at(&server, &["sh", "-c", script]);
    let mut running = pod.start(command.current_dir(pod.path("")));
    running.until_stdout("half");
    // Both were there for three rounds and more.
    assert_eq!(bodies(&server), [""; 0]);
    fs::write(pod.path("go-on"), "").expect("written");
    let first = server.until_seen(1);
    assert_eq!(first.data()[0].1, r#"{"kind": "Config", "clusters": []}"#);
    fs::write(pod.path("end"), "").expect("written");
    pod.ended(running).expect_code(0);
}

#[test]
fn early_upload_never_overtakes_the_final_update() {
    let (pod, server) = (StepPod::new(), ApiServer::start());
    server.script([Answer::Hold]);
    let script = r#"echo '{"a": 1}' >$SHARED_DIR/kubeconfig; until [ -e end ]; do sleep 0.02; done
        echo '{"a": 2}' >$SHARED_DIR/kubeconfig; exit 4"#;
    let mut command = pod.command_at(&server, &["sh", "-c", script]);
    let running = pod.start(command.current_dir(pod.path("")));
    server.until_seen(1);
    fs::write(pod.path("end"), "").expect("written");
    wait::until("the command's end", || {
        pod.tree.members().iter().all(|member| !member.command.starts_with("sh")).then_some(())
    });
    // The server still holds the early one: a second request would overtake it.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(server.seen().len(), 1);
    server.release();
    pod.ended(running).expect_code(4);
    let values: Vec<_> = server.seen().iter().map(|seen| seen.data()[0].1.clone()).collect();
    assert_eq!(values, ["{\"a\": 1}\n", "{\"a\": 2}\n"]);
    assert_eq!(server.stored(), bodies(&server));
}

#[test]
fn early_upload_that_hangs_is_awaited_within_a_bound() {
    let (pod, server) = (StepPod::new(), ApiServer::start());
    server.script([Answer::Hang]);
    let script = r#"echo '{"a": 1}' >$SHARED_DIR/kubeconfig; until [ -e end ]; do sleep 0.02; done"#;
    let mut command = pod.command_at(&server, &["sh", "-c", script]);
    let running = pod.start(command.current_dir(pod.path("")));
    server.until_seen(1);
    fs::write(pod.path("end"), "").expect("written");
    let ended = pod.ended(running);
    ended.expect_code(0);
    assert!(ended.only_line().starts_with("warning: early upload of the kubeconfig failed"), "{ended:?}");
    assert_eq!(server.stored().len(), 1);
    assert!(ended.took < Duration::from_secs(30), "{ended:?}");
}

#[test]
fn failing_early_upload_is_retried_and_logged_once() {
    let (pod, server) = (StepPod::new(), ApiServer::start());
    server.script(std::iter::repeat_n(Answer::Refuse(403, "not yet"), 3));
    let script = r#"echo '{"a": 1}' >$SHARED_DIR/kubeconfig; until [ -e end ]; do sleep 0.02; done"#;
    let mut command = pod.command_at(&server, &["sh", "-c", script]);
    let running = pod.start(command.current_dir(pod.path("")));
    server.until_seen(4);
    fs::write(pod.path("end"), "").expect("written");
    let ended = pod.ended(running);
    ended.expect_code(0);
    assert!(ended.only_line().contains("403 Forbidden: not yet"), "{ended:?}");
    assert_eq!(server.seen().len(), 5);
}

#[test]
fn signals_during_the_update_end_nothing() {
    let (pod, server) = (StepPod::new(), ApiServer::start());
    server.script([Answer::Hold]);
    let running = pod.start(&mut pod.command_at(&server, &["sh", "-c", "exit 9"]));
    server.until_seen(1);
    for signal in [Signal::TERM, Signal::INT, Signal::TERM] {
        running.signal(signal);
    }
    server.release();
    pod.ended(running).expect_code(9);
    assert_eq!(server.stored(), [test0()]);
}

#[test]
fn signals_reach_the_command_during_an_early_upload() {
    let (pod, server) = (StepPod::new(), ApiServer::start());
    server.script([Answer::Hold]);
    let script = r#"trap 'echo got TERM; exit 8' TERM
        echo '{"a": 1}' >$SHARED_DIR/kubeconfig; while :; do sleep 0.02; done"#;
    let mut running = pod.start(&mut pod.command_at(&server, &["sh", "-c", script]));
    server.until_seen(1);
    running.signal(Signal::TERM);
    running.until_stdout("got TERM");
    server.release();
    pod.ended(running).expect_code(8);
    assert_eq!(server.stored().len(), 2);
}
