//! Credentials as editors and shells leave them.

use crate::case::{Case, FINE};
use serde_json::json;
use std::fs;

/// Delivers with keys in the environment, each value changed by `with`.
#[track_caller]
fn deliver(with: impl Fn(&str) -> String) {
    let mut case = Case::s3().options(json!({"gcs_options": {"s3_credentials_file": ""}}));
    for (name, value) in case.job.s3.as_ref().expect("a bucket").environment() {
        case = case.environment(name, with(&value));
    }
    fs::write(case.artifact("file"), "content").expect("written");
    case.deliver(FINE).expect_artifacts("stored", 1);
}

#[test]
fn keys_of_the_environment_deliver() {
    deliver(str::to_owned);
}

#[test]
fn keys_with_a_newline_at_the_end_deliver() {
    deliver(|value| format!("{value}\n"));
}

#[test]
fn keys_with_spaces_around_them_deliver() {
    deliver(|value| format!(" {value}\t"));
}
