//! A job's history for scripts.

use super::History;
use super::build::Build;
use super::failed_tests::Test;
use super::test_table::Outcome;
use job_page::escape;
use serde_json::{Value, json};

/// One document; nothing in it acts on a terminal.
pub(super) fn text(history: &History) -> String {
    let tests = history.tests();
    let mut named = vec![Vec::new(); history.builds.len()];
    for test in &tests {
        for build in test.failed_in.iter().chain(&test.flaky_in) {
            let is_flaky = test.outcome(*build) == Some(Outcome::Flaky);
            named[*build].push(json!({"suite": test.suite, "name": test.name, "flaky": is_flaky}));
        }
    }
    let builds = history.builds.iter().zip(named);
    let document = json!({
        "version": 1,
        "destination": history.place,
        "builds": builds.map(|(build, failures)| one(build, &failures)).collect::<Vec<_>>(),
        "builds_left_out": history.left_out,
        "tests": tests.iter().map(|test| of_test(test, history)).collect::<Vec<_>>(),
        "failures_left_out": history.tests.left_out,
    });
    // Numbers, texts and lists only: writing them does not fail.
    escape::json(&format!("{document:#}"))
}

fn one(build: &Build, failures: &[Value]) -> Value {
    let tests = build.tests.as_ref().map(|tests| {
        json!({"count": tests.count, "failed": tests.failed, "complete": tests.is_whole, "failures": failures})
    });
    json!({
        "id": build.id,
        "result": build.result(),
        "cause": build.cause,
        "problem": build.problem,
        "started": build.started,
        "finished": build.finished,
        "seconds": build.took().map(|took| took.as_secs_f64()),
        "commit": build.commit,
        "tests": tests,
    })
}

fn of_test(test: &Test<'_>, history: &History) -> Value {
    let ids = |builds: &[usize]| builds.iter().map(|build| &history.builds[*build].id).collect::<Vec<_>>();
    json!({
        "suite": test.suite,
        "name": test.name,
        "flaky": test.is_flaky,
        "failed_in": ids(&test.failed_in),
        "passed_again_in": ids(&test.flaky_in),
    })
}
