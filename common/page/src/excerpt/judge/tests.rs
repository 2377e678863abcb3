use super::*;

/// Lines of logs, and whether they look like errors.
const SAMPLES: &[(bool, &str)] = &[
    (true, "E0102 15:04:05.123456       1 reflector.go:138] failed to list *v1.Pod"),
    (true, "F0102 15:04:05.123456       1 main.go:7] no kubeconfig"),
    (true, "npm ERR! code ELIFECYCLE"),
    (true, "  ✕ adds two numbers (3 ms)"),
    (true, "  ● math › adds two numbers"),
    (true, "Killed"),
    (true, "make: *** [Makefile:3: test] Killed"),
    (true, "./run.sh: line 3:  1234 Killed                  stress --vm 1"),
    (true, "Reason: OOMKilled"),
    (true, "sh: 1: foo: command not found"),
    (true, "cat: /nowhere: No such file or directory"),
    (true, "main.o: in function `main': undefined reference to `foo'"),
    (true, "./x.go:3:2: undefined: y"),
    (true, "src/lib.rs:10:5: cannot find value"),
    (true, "--- FAIL: TestOne (0.00s)"),
    (true, "Tests run: 5, Failures: 3, Errors: 0, Skipped: 0"),
    (true, "2 failures, 0 errors"),
    (true, "20 errors, 0 failures"),
    (true, "0 errors, 10 failures"),
    (true, "no errors so far, but fatal: cannot read the index"),
    (true, "0 failures; panic: runtime error: index out of range"),
    (true, "error: something"),
    (true, "ERROR: something"),
    (true, "error[E0308]: mismatched types"),
    (true, "java.lang.NullPointerException: x"),
    (true, "AssertionError: 1 != 2"),
    (true, "Traceback (most recent call last):"),
    (true, "thread 'main' panicked at src/main.rs:2:5:"),
    (true, "FAILED tests/test_a.py::test_b - assert 1 == 2"),
    (true, "FAIL\texample.com/x\t0.1s"),
    (true, "not ok 4 - error handling works"),
    (true, "Segmentation fault (core dumped)"),
    (true, "panic: test timed out after 1m0s"),
    (true, "fatal error: out of memory"),
    (true, "======= 3 failed, 9 passed in 0.12s ======="),
    (true, "test result: FAILED. 1 passed; 1 failed; 0 ignored"),
    (true, "mkdir: cannot create directory '/x': Permission denied"),
    (true, "dial tcp 127.0.0.1:80: connect: connection refused"),
    (true, "write /x: no space left on device"),
    (true, "Cannot find module 'x'"),
    (false, "0 errors, 0 failures"),
    (false, "ok  \texample.com/errors\t0.01s"),
    (false, "ok example.com/errors"),
    (false, "PASS errors_test.go"),
    (false, "Installing error-handling@1.0.0"),
    (false, "ok 4 - error handling works"),
    (false, "==== ERRORS ===="),
    (false, "--- PASS: TestFailover (0.00s)"),
    (false, "=== RUN   TestError"),
    (false, "test errors::are_shown ... ok"),
    (false, "test result: ok. 12 passed; 0 failed; 0 ignored"),
    (false, "Tests run: 5, Failures: 0, Errors: 0, Skipped: 0"),
    (false, "build finished without errors"),
    (false, "I0102 15:04:05.123456       1 errors.go:12] started"),
    (false, "added 3 packages, node_modules/error-ex"),
    (false, "tests/test_errors.py::test_fine PASSED"),
    (false, "GET /api/errors/12 200"),
    (false, "src/x.c:3:2: warning: unused variable"),
    (false, r#"{"component":"entrypoint","error":"wrapped process failed","level":"error","msg":"x"}"#),
    (false, "failover succeeded"),
    (false, ""),
    (false, "=========="),
];

#[test]
fn errors_are_told_from_what_only_names_them() {
    let mut wrong = Vec::new();
    for (expected, line) in SAMPLES {
        if Judge::new().is_error(line.as_bytes()) != *expected {
            wrong.push(format!("{line:?} is {}", if *expected { "one" } else { "none" }));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_sample_passes_the_hints() {
    let judge = Judge::new();
    for (_, line) in SAMPLES.iter().filter(|(is_error, _)| *is_error) {
        assert!(judge.find_hint(format!("\nx\n{line}\n").as_bytes()).is_some(), "{line}");
    }
}

#[test]
fn the_message_of_a_failed_test_follows_it() {
    let mut judge = Judge::new();
    let lines = [
        "--- FAIL: TestA",
        "    a_test.go:7: 1 is not 2",
        "    a_test.go:8: more",
        "fine",
        "--- FAIL: TestB",
        "fine",
    ];
    let errors = lines.map(|line| judge.is_error(line.as_bytes()));
    assert_eq!(errors, [true, true, false, false, true, false]);
}

#[test]
fn colours_hide_nothing() {
    assert!(Judge::new().is_error(b"\x1b[31m\x1b[1merror\x1b[0m: x"));
    assert!(Judge::new().is_error("caf\u{e9} İ: error".as_bytes()));
}
