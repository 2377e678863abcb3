//! Options that programs refuse, or ignore.

use super::*;

#[test]
fn options_that_the_programs_refuse() {
    finds(
        PRESUBMIT,
        "{\"timeout\":7200000000000",
        "{\"timeout\":\"soon\"",
        "spec.containers[0].env[21]",
        "soon",
    );
    finds(
        PRESUBMIT,
        "\"args\":[\"make\",\"unit\"],\"container_name\":\"test\",\"process_log\":\"/logs/process-log.txt\",\"marker_file\":\"/logs/marker-file.txt\",\"metadata_file\":\"/logs/artifacts/metadata.json\"}'\n    volumeMounts:\n    - {name: api",
        "\"args\":[]}'\n    volumeMounts:\n    - {name: api",
        "spec.containers[0].env[21]",
        "args is empty",
    );
    finds(
        PRESUBMIT,
        "\"path_strategy\":\"explicit\",\"gcs_credentials_file\":\"/secrets/gcs/service-account.json\",\"dry_run\":false},\"entries\"",
        "\"dry_run\":false},\"entries\"",
        "spec.containers[1].env[1]",
        "path_strategy",
    );
    finds(
        STEP,
        "'{\"type\":\"periodic\",\"job\":\"e2e\",\"buildid\":\"1\"}'",
        "'{'",
        "spec.containers[1].env[0]",
        "JOB_SPEC",
    );
    finds(
        STEP,
        "    - name: JOB_SPEC\n      value: '{\"type\":\"periodic\",\"job\":\"e2e\",\"buildid\":\"1\"}'\n",
        "",
        "spec.containers[1].env",
        "JOB_SPEC is missing",
    );
}

#[test]
fn mistyped_keys_are_told_with_what_was_meant() {
    let text = PRESUBMIT.replace("{\"timeout\":7200000000000", "{\"time_out\":7200000000000");
    let found = findings(&text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].text.contains("no key time_out; did you mean \"timeout\"?"), "{found:?}");
}

#[test]
fn what_cannot_be_read_has_no_consequences() {
    let text = TWO.replace("\"timeout\":14400000000000", "\"timeout\":\"soon\"");
    let found = findings(&text);
    assert!(found.len() == 2 && found.iter().all(|finding| finding.text.contains("soon")), "{found:?}");
}
