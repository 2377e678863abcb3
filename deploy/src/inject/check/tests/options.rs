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

#[test]
fn what_comes_from_elsewhere_may_be_right() {
    let bucket = "    - {name: BUCKET, valueFrom: {configMapKeyRef: {name: c, key: k}}}\n";
    let from = r#""bucket":"s3://acme-ci""#;
    assert!(OURS.contains(from));
    let text = OURS
        .replace(from, r#""bucket":"$(BUCKET)""#)
        .replace("    - name: SIDECAR_OPTIONS\n", &format!("{bucket}    - name: SIDECAR_OPTIONS\n"));
    assert_eq!(findings(&text), [], "{text}");
}

#[test]
fn job_specs_that_sidecar_refuses_are_found_wherever_the_build_id_comes_from() {
    let job = |spec: &str| {
        let env = "    - {name: BUILD_ID, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}\n";
        STEP.replace(
            "    - name: JOB_SPEC\n      value: '{\"type\":\"periodic\",\"job\":\"e2e\",\"buildid\":\"1\"}'\n",
            &format!("{env}    - name: JOB_SPEC\n      value: '{spec}'\n"),
        )
    };
    assert_eq!(findings(&job(r#"{"type":"periodic","job":"e2e","buildid":"$(BUILD_ID)"}"#)), []);
    for (spec, part) in [
        (r#"{"type":"foo","job":"e2e","buildid":"$(BUILD_ID)"}"#, "foo"),
        (r#"{"type":"presubmit","job":"e2e","buildid":"$(BUILD_ID)"}"#, "refs is missing"),
    ] {
        let found = findings(&job(spec));
        assert!(found.iter().any(|finding| finding.text.contains(part)), "{part}: {found:?}");
    }
}

#[test]
fn users_that_the_kubelet_refuses_are_found() {
    let root = OURS.replace("runAsUser: 1000", "runAsUser: 0");
    assert!(findings(&root).iter().any(|finding| finding.text.contains("but the user is root")), "{root}");
    let nobody = OURS.replace("runAsUser: 1000\n", "runAsGroup: 1000\n").replacen(
        "runAsGroup: 1000\n    runAsGroup: 1000\n",
        "runAsGroup: 1000\n",
        1,
    );
    let found = findings(&nobody);
    assert!(found.iter().any(|finding| finding.text.contains("no user is named")), "{found:?}\n{nobody}");
}
