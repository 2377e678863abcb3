//! Names of files that end a line, a record, a URL or a page.

use crate::case::{Case, FINE, SECRET};
use serde_json::json;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

/// Delivers a file of each name to both kinds of destination.
#[track_caller]
fn deliver(names: &[&[u8]]) {
    for case in [Case::local(), Case::s3()] {
        for name in names {
            fs::write(case.artifact(OsStr::from_bytes(name)), "content").expect("written");
        }
        let delivered = case.deliver(FINE);
        let found = delivered.count(|object| {
            object["key"].as_str().is_some_and(|key| key.contains("artifacts/"))
                && ["stored", "skipped"].contains(&object["state"].as_str().unwrap_or_default())
        });
        assert_eq!(found, names.len(), "{:#}", delivered.job.manifest());
    }
}

#[test]
fn names_with_control_characters_forge_no_record() {
    deliver(&[b"a\nb", b"\x1b[2J", b"\r{\"level\":\"fatal\"}", b"tab\t", b"\x7f", b"\x01"]);
}

#[test]
fn names_with_bidirectional_and_c1_characters_arrive() {
    deliver(&[
        "\u{202e}txt.exe".as_bytes(),
        "\u{2066}x".as_bytes(),
        "\u{85}next".as_bytes(),
        "\u{9b}31m".as_bytes(),
    ]);
}

#[test]
fn names_that_mean_something_in_a_url_arrive() {
    deliver(&[b"a?b=c", b"#fragment", b"%2e%2e%2f", b"a+b c", b"&amp;", b"~", b"a:b", b"a;b", b"a,b"]);
}

#[test]
fn names_that_are_no_utf_8_arrive() {
    deliver(&[b"\xff\xfe", b"a\x80b", b"\xc3(", b"\xed\xa0\x80"]);
}

#[test]
fn names_of_pages_and_shells_arrive() {
    deliver(&[b"<script>alert(1)<", b"$(reboot)", b"`id`", b"'\"", b"-rf", b"*"]);
}

#[test]
fn items_named_like_results_never_replace_one() {
    let case = Case::local();
    let names = ["finished.json", "manifest.json", "build-log.txt", "sidecar-logs.json"];
    let items = names.map(|name| case.job.pod.logs().join(name));
    for item in &items {
        fs::write(item, "forged").expect("written");
    }
    let delivered = case.options(json!({"gcs_options": {"items": items}})).deliver(FINE);
    for name in names {
        assert_ne!(delivered.job.text(name), "forged", "{name}");
    }
}

#[test]
fn names_that_are_secrets_are_masked() {
    let case = Case::local();
    fs::create_dir(case.artifact(SECRET)).expect("made");
    fs::write(case.artifact(SECRET).join(format!("x-{SECRET}.txt")), SECRET).expect("written");
    // `deliver` looks for the secret in names, too.
    case.deliver(FINE).expect_artifacts("stored", 1);
}
