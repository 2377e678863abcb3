//! Pins: W-3, W-10, W-28, W-90, W-93, W-95, W-96, W-98, W-99.
//!
//! entrypoint-wrapper and the API server: the early upload, the final update, and
//! what can go wrong with them.

use crate::wrapper::step_pod::{StepPod, TEST0, printed};
use harness::api_server::{Answer, ApiServer, TOKEN};
use harness::process::Ended;
use harness::skip;
use std::fs;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Long enough for what the server is scripted to do, short enough for a test.
const SHORT: &str = "--update-timeout=2s";

/// A step of `args` with an update at `server`, to its end.
#[track_caller]
pub(crate) fn step(pod: &StepPod, server: &ApiServer, args: &[&str]) -> Ended {
    pod.run(pod.command_at(server, args))
}

/// The bodies of all requests so far.
pub(crate) fn bodies(server: &ApiServer) -> Vec<String> {
    server.seen().into_iter().map(|seen| seen.body).collect()
}

/// S0 without the newline that a dry run adds.
pub(crate) fn test0() -> String {
    printed(&[TEST0]).trim_end().to_owned()
}

#[test]
fn secret_is_replaced_as_a_whole_after_the_command() {
    let (pod, server) = (StepPod::new(), ApiServer::start());
    let script = "echo new >$SHARED_DIR/new; rm $SHARED_DIR/test0.txt";
    let ended = step(&pod, &server, &["sh", "-c", script]);
    ended.expect_code(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
    let seen = server.seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(
        (seen[0].method.as_str(), seen[0].path.as_str()),
        ("PUT", "/api/v1/namespaces/test/secrets/test")
    );
    assert_eq!(seen[0].authorization, format!("Bearer {TOKEN}"));
    assert_eq!(seen[0].content_type, "application/json");
    assert_eq!(format!("{}\n", seen[0].body), printed(&[("new", "bmV3Cg==")]));
}

#[test]
fn modes_without_an_update_send_nothing() {
    let (pod, server) = (StepPod::new(), ApiServer::start());
    for mode in ["--mode=skip-kubeconfig", "--mode=observer"] {
        let script = r#"echo '{"a": 1}' >$SHARED_DIR/kubeconfig; sleep 1.5; exit 6"#;
        step(&pod, &server, &[mode, "sh", "-c", script]).expect_code(6);
    }
    assert_eq!(bodies(&server), [""; 0]);
}

#[test]
fn failed_command_keeps_its_code_and_the_secret_is_written() {
    let (pod, server) = (StepPod::new(), ApiServer::start());
    let ended = step(&pod, &server, &["sh", "-c", "exit 7"]);
    ended.expect_code(7);
    assert_eq!(ended.stderr, "error: command failed: exit status 7\n");
    step(&pod, &server, &["sh", "-c", "kill -9 $$"]).expect_code(137);
    assert_eq!(bodies(&server), [test0(), test0()]);
}

#[test]
fn command_that_cannot_start_is_1_and_the_secret_is_written() {
    let (pod, server) = (StepPod::new(), ApiServer::start());
    let ended = step(&pod, &server, &["/no/such/program"]);
    ended.expect_code(1);
    assert!(ended.only_line().starts_with("error: could not start /no/such/program"), "{ended:?}");
    assert_eq!(bodies(&server), [test0()]);
}

#[test]
fn removed_directory_writes_nothing() {
    let (pod, server) = (StepPod::new(), ApiServer::start());
    step(&pod, &server, &["sh", "-c", "rm -r $SHARED_DIR"]).expect_code(0);
    assert_eq!(bodies(&server), [""; 0]);
}

#[test]
fn refusals_are_final_and_one_line() {
    let forbidden = "secrets \"test\" is forbidden: User \"system:serviceaccount:test:default\" cannot update resource \
                     \"secrets\" in API group \"\" in the namespace \"test\"";
    for (status, message) in [
        (403, forbidden),
        (404, "secrets \"test\" not found"),
        (409, "the object has been modified"),
        (413, "Request entity too large: limit is 3145728"),
        (422, "Secret \"test\" is invalid:\ndata: Too long"),
    ] {
        let (pod, server) = (StepPod::new(), ApiServer::start());
        server.script([Answer::Refuse(status, message)]);
        let ended = step(&pod, &server, &["true"]);
        ended.expect_code(1);
        let line = ended.only_line();
        let start = format!(
            "error: secret update failed: Secret test in namespace test: the API server answered {status} "
        );
        assert!(line.starts_with(&start), "{line}");
        assert!(line.ends_with(&message.replace('\n', " ")), "{line}");
        assert_eq!(server.seen().len(), 1, "{status} is tried once");
    }
}

#[test]
fn refused_update_does_not_hide_the_commands_code() {
    let (pod, server) = (StepPod::new(), ApiServer::start());
    server.script([Answer::Refuse(403, "no")]);
    let ended = step(&pod, &server, &["sh", "-c", "exit 3"]);
    ended.expect_code(3);
    assert_eq!(
        ended.stderr,
        "error: [command failed: exit status 3, secret update failed: Secret test in namespace test: \
         the API server answered 403 Forbidden: no]\n"
    );
}

#[test]
fn transient_failures_are_retried() {
    for answers in [
        vec![Answer::Refuse(500, "etcdserver: leader changed"), Answer::Text(503, "<html>not yet</html>")],
        vec![Answer::Drop, Answer::Drop],
        vec![Answer::Busy(0)],
    ] {
        let (pod, server) = (StepPod::new(), ApiServer::start());
        server.script(answers.clone());
        let ended = step(&pod, &server, &["true"]);
        ended.expect_code(0);
        assert_eq!(ended.stderr, "", "{answers:?}");
        assert_eq!(server.seen().len(), answers.len() + 1, "{answers:?}");
        assert_eq!(server.stored(), [test0()]);
    }
}

#[test]
fn retry_after_of_the_server_is_obeyed() {
    let (pod, server) = (StepPod::new(), ApiServer::start());
    server.script([Answer::Busy(2)]);
    step(&pod, &server, &["true"]).expect_code(0);
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen[1].at - seen[0].at >= Duration::from_secs(2), "{seen:?}");
}

#[test]
fn attempts_end_at_their_deadline() {
    for (answer, word) in [(Answer::Hang, "cannot be reached"), (Answer::Refuse(500, "broken"), "500")] {
        let (pod, server) = (StepPod::new(), ApiServer::start());
        server.script(std::iter::repeat_n(answer, 100));
        let ended = step(&pod, &server, &[SHORT, "true"]);
        ended.expect_code(1);
        let line = ended.only_line();
        assert!(line.contains("given up after ") && line.contains(word), "{line}");
        assert!(server.stored().is_empty() && ended.took < Duration::from_secs(20), "{ended:?}");
    }
}

#[test]
fn absent_server_is_tried_until_the_deadline() {
    let (pod, server) = (StepPod::new(), ApiServer::start());
    // Nobody can listen there but root, and root does not.
    let mut command = pod.command_at(&server, &[SHORT, "true"]);
    command.env("KUBERNETES_SERVICE_PORT", "1");
    let ended = pod.run(command);
    ended.expect_code(1);
    let line = ended.only_line();
    assert!(line.contains("Connection refused") && line.contains("attempts"), "{line}");
    assert!(ended.took >= Duration::from_millis(500), "{ended:?}");
}

#[test]
fn only_the_pods_ca_is_trusted() {
    let (pod, server, other) = (StepPod::new(), ApiServer::start(), ApiServer::start());
    fs::copy(other.account_dir().join("ca.crt"), server.account_dir().join("ca.crt")).expect("copied");
    let ended = step(&pod, &server, &["true"]);
    ended.expect_code(1);
    let line = ended.only_line();
    assert!(line.contains("certificate") && !line.contains("given up"), "{line}");
    assert_eq!(bodies(&server), [""; 0]);
}

#[test]
fn unusable_cluster_files_are_found_before_the_command() {
    let (pod, server) = (StepPod::new(), ApiServer::start());
    for (file, content) in [
        ("token", ""),
        ("token", "a\nb"),
        ("ca.crt", "x"),
        ("ca.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    ] {
        let path = server.account_dir().join(file);
        let before = fs::read(&path).expect("there");
        fs::write(&path, content).expect("written");
        let ended = step(&pod, &server, &["echo", "ran"]);
        ended.expect_code(1);
        assert!(ended.only_line().contains(file) && ended.stdout.is_empty(), "{ended:?}");
        fs::write(&path, before).expect("written");
    }
    assert!(!pod.path("tmp").exists());
}

#[test]
fn ipv6_host_works_and_a_proxy_is_never_used() {
    let Ok(server) = ApiServer::start_on(IpAddr::V6(Ipv6Addr::LOCALHOST)) else {
        skip!("there is no IPv6 here");
    };
    let pod = StepPod::new();
    let mut command = pod.command_at(&server, &["true"]);
    command.env("HTTPS_PROXY", "http://127.0.0.1:1").env("ALL_PROXY", "http://127.0.0.1:1");
    pod.run(command).expect_code(0);
    assert_eq!(server.stored(), [test0()]);
}

#[test]
fn token_replaced_between_attempts_is_used() {
    let (pod, server) = (StepPod::new(), ApiServer::start());
    server.script([Answer::Busy(1)]);
    let running = pod.start(&mut pod.command_at(&server, &["true"]));
    server.until_seen(1);
    server.rotate_token("the-second-token");
    pod.ended(running).expect_code(0);
    let tokens: Vec<_> = server.seen().into_iter().map(|seen| seen.authorization).collect();
    assert_eq!(tokens, [format!("Bearer {TOKEN}"), "Bearer the-second-token".to_owned()]);
}

#[test]
fn rejected_token_is_named() {
    let (pod, server) = (StepPod::new(), ApiServer::start());
    fs::write(server.account_dir().join("token"), "forged").expect("written");
    let ended = step(&pod, &server, &["true"]);
    ended.expect_code(1);
    let line = ended.only_line();
    assert!(line.contains("401 Unauthorized") && !line.contains("forged"), "{line}");
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn bad_names_and_sizes_are_refused_before_sending() {
    let (pod, server) = (StepPod::new(), ApiServer::start());
    let ended = step(
        &pod,
        &server,
        &["sh", "-c", "echo x >\"$SHARED_DIR/a b\"; echo x >$SHARED_DIR/c~; echo x >$SHARED_DIR/d"],
    );
    ended.expect_code(1);
    let line = ended.only_line();
    assert!(line.contains("\"a b\"") && line.contains("\"c~\"") && !line.contains("\"d\""), "{line}");

    let script =
        "head -c 700000 /dev/zero >$SHARED_DIR/log; head -c 400000 /dev/zero >$SHARED_DIR/dump; exit 2";
    let ended = step(&pod, &server, &["sh", "-c", script]);
    ended.expect_code(2);
    let line = ended.only_line();
    assert!(line.contains("1100006 bytes"), "{line}");
    assert!(line.contains("log (700000 bytes), dump (400000 bytes), test0.txt (6 bytes)"), "{line}");
    assert_eq!(bodies(&server), [""; 0]);

    // As much as a Secret holds goes through.
    let script = "head -c 1048570 /dev/zero >$SHARED_DIR/log";
    step(&pod, &server, &["sh", "-c", script]).expect_code(0);
    assert_eq!(server.stored().len(), 1);
}

#[test]
fn subdirectories_are_named_and_left_out() {
    let (pod, server) = (StepPod::new(), ApiServer::start());
    let script = "mkdir $SHARED_DIR/sub; echo x >$SHARED_DIR/sub/x; ln -s gone $SHARED_DIR/link";
    let ended = step(&pod, &server, &["sh", "-c", script]);
    ended.expect_code(0);
    let line = ended.only_line();
    assert!(line.starts_with("warning: ") && line.contains("sub (a subdirectory)"), "{line}");
    assert!(line.contains("link (a link to nothing)"), "{line}");
    assert_eq!(server.stored(), [test0()]);
}
