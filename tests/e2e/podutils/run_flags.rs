//! Pins: deploy/README.md, "podutils run".
//!
//! Flags of `podutils run` that are options of entrypoint.

use super::run::Desk;
use harness::pod::read;

#[test]
fn flags_of_supervision_reach_entrypoint() {
    let desk = Desk::new();
    let message = desk.path("message").display().to_string();
    let script = "trap 'echo got QUIT; exit 5' QUIT; trap '' INT; echo ready; while :; do sleep 0.05; done";
    let flags = ["run", "--job", "demo", "--timeout", "1s", "--escalation", "SIGQUIT=500ms", "--timestamps"];
    let words = [&flags[..], &["--termination-message", &message, "--", "bash", "-c", script]].concat();
    desk.run(&words).expect_code(127);
    let log = read(&desk.results("demo").join("build-log.txt"));
    let stamped =
        |line: &str| line.split_once(' ').is_some_and(|(time, text)| time.len() > 20 && text == "got QUIT");
    assert!(log.lines().any(stamped), "{log}");
    assert_eq!(read(message.as_ref()), "timed out after 1s; exited with code 5\n");
}
