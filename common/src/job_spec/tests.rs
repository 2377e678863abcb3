use super::*;

const PERIODIC: &str = r#"{"type":"periodic","job":"job-name","buildid":"0","prowjobid":"prowjob"}"#;
const POSTSUBMIT: &str = r#"{"type":"postsubmit","job":"job-name","buildid":"0","prowjobid":"prowjob","refs":{"org":"org-name","repo":"repo-name","base_ref":"base-ref","base_sha":"base-sha"}}"#;
const PRESUBMIT: &str = r#"{"type":"presubmit","job":"job-name","buildid":"0","prowjobid":"prowjob","refs":{"org":"org-name","repo":"repo-name","base_ref":"base-ref","base_sha":"base-sha","pulls":[{"number":1,"author":"author-name","sha":"pull-sha","title":"pull-title","head_ref":"branch-name"}]}}"#;
const ALIASED: &str = r#"{"type":"postsubmit","job":"job-name","buildid":"0","prowjobid":"prowjob","refs":{"org":"org-name","repo":"repo-name","base_ref":"base-ref","base_sha":"base-sha","path_alias":"k8s.io/repo-name"}}"#;

fn spec(text: &str) -> JobSpec {
    let (spec, notes) = JobSpec::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert!(notes.is_empty(), "{notes:?}");
    spec
}

/// Checks the whole environment: the common variables, and `further`.
fn assert_environment(text: &str, job_type: &str, further: &[&str]) {
    let common = ["BUILD_ID=0", "CI=true", "JOB_NAME=job-name", "PROW_JOB_ID=prowjob"];
    let mut expected: Vec<String> = common.iter().chain(further).map(ToString::to_string).collect();
    expected.extend([format!("JOB_SPEC={text}"), format!("JOB_TYPE={job_type}")]);
    expected.sort();
    let actual: Vec<String> =
        environment(&spec(text)).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(actual, expected);
}

const POSTSUBMIT_VARIABLES: [&str; 7] = [
    "REPO_OWNER=org-name",
    "REPO_NAME=repo-name",
    "SRC_BASE=org-name/repo-name",
    "SRC_HOST=github.com",
    "PULL_BASE_REF=base-ref",
    "PULL_BASE_SHA=base-sha",
    "PULL_REFS=base-ref:base-sha",
];

#[test]
fn v_je_1_periodic() {
    assert_environment(PERIODIC, "periodic", &[]);
}

#[test]
fn v_je_2_postsubmit() {
    assert_environment(POSTSUBMIT, "postsubmit", &POSTSUBMIT_VARIABLES);
}

#[test]
fn v_je_3_presubmit() {
    let mut further = POSTSUBMIT_VARIABLES.to_vec();
    further.pop();
    further.extend([
        "PULL_REFS=base-ref:base-sha,1:pull-sha",
        "PULL_HEAD_REF=branch-name",
        "PULL_NUMBER=1",
        "PULL_PULL_SHA=pull-sha",
        "PULL_TITLE=pull-title",
    ]);
    assert_environment(PRESUBMIT, "presubmit", &further);
}

#[test]
fn v_je_4_postsubmit_with_path_alias() {
    let mut further = POSTSUBMIT_VARIABLES.to_vec();
    further[2] = "SRC_BASE=repo-name";
    further[3] = "SRC_HOST=k8s.io";
    assert_environment(ALIASED, "postsubmit", &further);
}

/// Only the agent that makes the pod knows that it is the one of Kubernetes:
/// `JOB_SPEC` does not say so (J-40).
#[test]
fn v_je_5_the_build_number_is_not_told_by_a_specification() {
    assert!(environment(&spec(PERIODIC)).iter().all(|(name, _)| name != "BUILD_NUMBER"));
}

#[test]
fn j_41_a_periodic_job_with_refs_is_told_nothing_of_them() {
    let mut with_refs = spec(POSTSUBMIT);
    with_refs.job_type = JobType::Periodic;
    assert!(environment(&with_refs).iter().all(|(name, _)| name != "REPO_OWNER"));
}

#[test]
fn j_42_what_a_presubmit_lacks_is_left_out_and_empty_values_are_set() {
    let mut odd = spec(PRESUBMIT);
    odd.refs.as_mut().expect("refs").pulls[0].title.clear();
    assert!(environment(&odd).contains(&("PULL_TITLE".to_owned(), String::new())));
    odd.refs.as_mut().expect("refs").pulls.clear();
    assert!(environment(&odd).iter().all(|(name, _)| name != "PULL_NUMBER"));
    odd.refs = None;
    assert!(environment(&odd).iter().all(|(name, _)| name != "PULL_REFS"));
}

#[test]
fn j_43_the_source_follows_alias_then_link() {
    for (alias, link, host, base) in [
        ("", "", "github.com", "o/r"),
        ("k8s.io/x", "https://other.com/o/r", "k8s.io", "x"),
        ("k8s.io", "", "k8s.io", "o/r"),
        ("", "https://ghe.example.com/o/r", "ghe.example.com", "o/r"),
        ("", "ssh://host/a/b/c", "host", "a/b/c"),
        ("", "ghe.example.com", "ghe.example.com", "o/r"),
    ] {
        let mut odd = spec(POSTSUBMIT);
        odd.refs = Some(Refs {
            org: "o".to_owned(),
            repo: "r".to_owned(),
            path_alias: alias.to_owned(),
            repo_link: link.to_owned(),
            ..Refs::default()
        });
        let variables = environment(&odd);
        assert!(variables.contains(&("SRC_HOST".to_owned(), host.to_owned())), "{alias} {link}");
        assert!(variables.contains(&("SRC_BASE".to_owned(), base.to_owned())), "{alias} {link}");
    }
}

fn refs(base_ref: &str, base_sha: &str, pulls: &[(i64, &str)]) -> Refs {
    let pulls =
        pulls.iter().map(|(number, sha)| Pull { number: *number, sha: (*sha).to_owned(), ..Pull::default() });
    Refs {
        base_ref: base_ref.to_owned(),
        base_sha: base_sha.to_owned(),
        pulls: pulls.collect(),
        ..Refs::default()
    }
}

fn revision_of(refs: Refs) -> String {
    JobSpec { refs: Some(refs), ..JobSpec::default() }.revision().to_owned()
}

#[test]
fn v_jr_1_to_3_revisions() {
    assert_eq!(revision_of(refs("master", "deadbeef", &[(123, "abcd1234")])), "abcd1234");
    assert_eq!(revision_of(refs("master", "deadbeef", &[])), "deadbeef");
    assert_eq!(revision_of(refs("master", "", &[])), "master");
}

#[test]
fn v_jr_4_extra_refs_without_refs() {
    let extra_refs = vec![refs("master", "", &[]), refs("main", "", &[])];
    assert_eq!(JobSpec { extra_refs, ..JobSpec::default() }.revision(), "master");
}

#[test]
fn j_10_auxiliary_refs_are_never_the_main_ones() {
    let auxiliary = Refs { auxiliary: true, ..refs("tools", "", &[]) };
    let mut spec = JobSpec { extra_refs: vec![auxiliary.clone()], ..JobSpec::default() };
    assert_eq!(spec.main_refs(), None);
    spec.extra_refs.push(refs("main", "", &[]));
    assert_eq!(spec.revision(), "main");
    spec.refs = Some(auxiliary);
    assert_eq!(spec.revision(), "tools");
}

#[test]
fn j_30_a_pull_counts_even_without_a_sha() {
    assert_eq!(revision_of(refs("master", "deadbeef", &[(1, "")])), "");
    assert_eq!(JobSpec::default().revision(), "");
}

#[test]
fn v_jt_1_to_3_refs_texts() {
    assert_eq!(refs("master", "deadbeef", &[(123, "abcd1234")]).text(), "master:deadbeef,123:abcd1234");
    assert_eq!(refs("master", "", &[]).text(), "master");
    assert_eq!(refs("master", "deadbeef", &[]).text(), "master:deadbeef");
}

#[test]
fn j_4_a_pull_with_a_ref_of_its_own() {
    let mut odd = refs("master", "", &[(1, "a"), (2, "b")]);
    odd.pulls[0].git_ref = "refs/changes/1".to_owned();
    assert_eq!(odd.text(), "master,1:a:refs/changes/1,2:b");
}

#[test]
fn j_1_to_3_every_key_is_read_and_written_in_order() {
    let text = concat!(
        r#"{"type":"batch","job":"j","buildid":"1","prowjobid":"p","refs":{"org":"o","repo":"r","repo_link":"l","#,
        r#""base_ref":"b","base_sha":"s","base_link":"bl","pulls":[{"number":1,"author":"a","sha":"s","title":"t","#,
        r#""ref":"r","head_ref":"h","link":"l","commit_link":"c","author_link":"al"}],"path_alias":"pa","#,
        r#""workdir":true,"auxiliary":true,"clone_uri":"cu","skip_submodules":true,"clone_depth":3,"#,
        r#""skip_fetch_head":true,"blobless_fetch":false,"sparse_checkout_files":["x"]},"#,
        r#""extra_refs":[{"org":"","repo":""}],"decoration_config":{"timeout":"2h0m0s","grace_period":"15s"}}"#
    );
    assert_eq!(spec(text).encode(), text);
    assert_eq!(JobSpec::default().encode(), "{}");
    let pull = json::to_go_string(&Pull::default());
    assert_eq!(pull, r#"{"number":0,"author":"","sha":""}"#);
}

#[test]
fn j_1_unknown_keys_are_noted_and_a_malformed_spec_says_where() {
    let (_, notes) = JobSpec::parse(r#"{"refs":{"orgg":"x"}}"#).expect("parsed");
    assert_eq!(notes.unknown_keys(), ["refs.orgg"]);
    let error = JobSpec::parse(r#"{"refs":{"pulls":[{"number":"1"}]}}"#).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "JOB_SPEC: refs.pulls[0].number: \"1\" is a string; allowed is an integer of 64 bits without fraction \
         or exponent"
    );
}

#[test]
fn j_22_the_decoration_config_cannot_spoil_a_spec() {
    let durations = |text: &str| {
        let config = spec(&format!(r#"{{"decoration_config":{text}}}"#)).decoration_config;
        config.map(|config| {
            (config.timeout.map(GoDuration::as_nanos), config.grace_period.map(GoDuration::as_nanos))
        })
    };
    assert_eq!(
        durations(r#"{"timeout":5,"grace_period":"1s","gcs_configuration":{"bucket":1}}"#),
        Some((Some(5), Some(1_000_000_000)))
    );
    assert_eq!(
        durations(r#"{"timeout":"1d","grace_period":null,"pod_pending_timeout":1}"#),
        Some((None, None))
    );
    assert_eq!(durations("[]"), None);
    assert_eq!(durations("null"), None);
}

#[test]
fn types_are_texts_and_unknown_ones_survive() {
    for text in ["presubmit", "postsubmit", "periodic", "batch", "", "Periodic"] {
        assert_eq!(JobType::from(text).as_str(), text);
    }
    assert_eq!(JobType::from("Periodic"), JobType::Other("Periodic".to_owned()));
}
