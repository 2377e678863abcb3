use super::*;
use crate::io::object::Origin;
use crate::options::{JobFlags, UploadOptions};
use crate::settings::Settings;
use common::job_spec::JobSpec;
use serde_json::{Value, json};

fn init(spec: &Value, records: Option<&Value>) -> InitUpload {
    let spec = spec.to_string();
    let options = UploadOptions { local_output_dir: "/out".to_owned(), ..UploadOptions::default() };
    let parsed = crate::settings::job_spec(&JobFlags::default(), JobSpec::parse(&spec)).expect("a job");
    InitUpload {
        job: UploadJob {
            settings: Settings::of_upload(options, None, Some(&parsed)).expect("valid"),
            spec: parsed,
        },
        main_refs: exact_refs::main_refs(&spec).expect("parses"),
        clone_log: records.map(|records| CloneLog {
            records: clone_records::parse(&records.to_string()).expect("parses"),
            content: records.to_string().into(),
        }),
    }
}

/// Names and contents of the closing objects, in their order.
fn objects(init: &InitUpload) -> Vec<(String, String)> {
    let mask = |text: &str| text.to_owned();
    let objects = init.closing(7, &mask).into_iter().flatten();
    objects
        .map(|wanted| {
            let Origin::Document(content) = wanted.source else { panic!("{wanted:?}") };
            (wanted.key.to_string(), String::from_utf8(content.to_vec()).expect("a text"))
        })
        .collect()
}

fn started(init: &InitUpload) -> Value {
    let objects = objects(init);
    let (_, text) = objects.iter().find(|(name, _)| name == "started.json").expect("always there");
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn vectors_v_is() {
    let base =
        json!({"org": "kubernetes", "repo": "test-infra", "base_ref": "master", "base_sha": "deadbeef"});
    let release = json!({"org": "kubernetes", "repo": "release", "base_ref": "v1.10"});
    let mut pulled = base.clone();
    pulled["pulls"] = json!([{"number": 123, "author": "a", "sha": "abcd1234"}]);
    let record = json!([{"refs": release, "final_sha": "aaaaaaaa"}]);
    for (id, spec, records, pull, version, repos) in [
        (
            "V-IS-1",
            json!({"refs": pulled}),
            None,
            json!("123"),
            "abcd1234",
            json!({"kubernetes/test-infra": "master:deadbeef,123:abcd1234"}),
        ),
        (
            "V-IS-2",
            json!({"refs": base, "extra_refs": [release]}),
            None,
            Value::Null,
            "deadbeef",
            json!({"kubernetes/test-infra": "master:deadbeef", "kubernetes/release": "v1.10"}),
        ),
        (
            "V-IS-3",
            json!({"extra_refs": [release]}),
            Some(&record),
            Value::Null,
            "aaaaaaaa",
            json!({"kubernetes/release": "v1.10"}),
        ),
    ] {
        let started = started(&init(&spec, records));
        assert_eq!(started["pull"], pull, "{id}");
        assert_eq!(
            (&started["repo-commit"], &started["repo-version"]),
            (&json!(version), &json!(version)),
            "{id}"
        );
        assert_eq!(started["repos"], repos, "{id}");
    }
}

#[test]
fn i_10_only_a_record_of_exactly_the_main_refs_gives_the_version() {
    let refs = json!({"org": "o", "repo": "r", "base_ref": "main", "base_sha": "b"});
    let version = |record: &Value| {
        started(&init(
            &json!({"refs": refs}),
            Some(&json!([{"refs": {"org": "x"}, "final_sha": "x"}, record])),
        ))["repo-commit"]
            .clone()
    };
    assert_eq!(version(&json!({"refs": refs, "final_sha": "f"})), "f");
    assert_eq!(version(&json!({"refs": refs, "final_sha": ""})), "b");
    for (key, value) in [("workdir", json!(true)), ("pulls", json!([])), ("clone_depth", json!(1))] {
        let mut other = refs.clone();
        other[key] = value;
        assert_eq!(version(&json!({"refs": other, "final_sha": "f"})), "b", "{key}");
    }
}

#[test]
fn i_3_objects() {
    let spec = json!({"refs": {"org": "o", "repo": "r", "base_ref": "main"}});
    let names = |records: Option<&Value>| -> Vec<String> {
        objects(&init(&spec, records)).into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(names(None), ["started.json"]);
    assert_eq!(names(Some(&json!([{}]))), ["clone-log.txt", "clone-records.json", "started.json"]);
    let failed = json!([{"failed": true, "newer_key": 1}]);
    let objects = objects(&init(&spec, Some(&failed)));
    let text = "# FAILED\nEnvironment setup\n# Final SHA: \n# Total runtime: 0s\n";
    for (at, (name, content)) in [
        ("clone-log.txt", text),
        ("clone-records.json", &failed.to_string()),
        ("build-log.txt", text),
        (
            "started.json",
            r#"{"timestamp":7,"repos":{"o/r":"main"},"repo-commit":"main","repo-version":"main"}"#,
        ),
        ("finished.json", r#"{"timestamp":7,"passed":false,"result":"FAILURE"}"#),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(objects[at], (name.to_owned(), content.to_owned()));
    }
    assert_eq!(objects.len(), 5);
}
