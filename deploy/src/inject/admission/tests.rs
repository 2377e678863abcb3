use super::*;
use serde_json::{Value, json};

const OPTIONS: &str = "{out: s3://ci, image-prefix: reg, build-id-from: metadata.uid}";

fn node(value: &Value) -> Node {
    yaml::documents(&value.to_string()).expect("JSON").1.remove(0).node
}

/// A pod as an API server sends it.
fn pod(change: impl FnOnce(&mut Value)) -> Value {
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "unit"},
        "spec": {
            "containers": [{
                "name": "test", "image": "i", "command": ["make"], "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File", "resources": {},
            }],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "securityContext": {},
        },
    });
    change(&mut pod);
    pod
}

fn decorate(options: &str, pod: &Value) -> Result<Decorated, Vec<String>> {
    Admission::parse(options).expect("options").0.decorate(&node(pod))
}

/// The pod that becomes of a pod.
#[track_caller]
fn changed(pod: &Value) -> Value {
    match decorate(OPTIONS, pod).expect("decorated") {
        Decorated::Changed(node, _) => serde_json::from_str(&yaml::to_json(&node)).expect("JSON"),
        Decorated::Unchanged(why) => panic!("unchanged: {why}"),
    }
}

#[track_caller]
fn unchanged(pod: &Value) -> &'static str {
    match decorate(OPTIONS, pod).expect("taken") {
        Decorated::Changed(node, _) => panic!("changed: {}", yaml::to_json(&node)),
        Decorated::Unchanged(why) => why,
    }
}

/// The job's name in the pod's variables.
fn job(pod: &Value) -> String {
    let env = pod["spec"]["containers"][0]["env"].as_array().expect("variables");
    let name = env.iter().find(|variable| variable["name"] == "JOB_NAME").expect("JOB_NAME");
    name["value"].as_str().expect("a text").to_owned()
}

fn owned(kind: &'static str, name: &'static str) -> impl FnOnce(&mut Value) {
    move |pod| {
        pod["metadata"] = json!({
            "generateName": format!("{name}-"),
            "ownerReferences": [{"kind": kind, "name": name, "controller": true, "apiVersion": "batch/v1", "uid": "u"}],
        });
        pod["spec"]["restartPolicy"] = "Never".into();
    }
}

#[test]
fn defaults_of_the_api_server_are_nobodys_will() {
    let pod = changed(&pod(|_| {}));
    assert_eq!(pod["spec"]["restartPolicy"], "Never");
    assert_eq!(pod["spec"]["terminationGracePeriodSeconds"], 85);
    assert_eq!(pod["spec"]["containers"][0]["terminationMessagePolicy"], "FallbackToLogsOnError");
    let own = changed(&self::pod(|pod| pod["spec"]["terminationGracePeriodSeconds"] = 120.into()));
    assert_eq!(own["spec"]["terminationGracePeriodSeconds"], 120);
}

#[test]
fn jobs_name_the_job() {
    assert_eq!(job(&changed(&pod(|_| {}))), "unit");
    assert_eq!(job(&changed(&pod(owned("Job", "lint")))), "lint");
    assert_eq!(job(&changed(&pod(owned("Job", "nightly-29384720")))), "nightly");
    assert_eq!(job(&changed(&pod(owned("Workflow", "build")))), "build");
    let annotated = pod(|pod| pod["metadata"]["annotations"] = json!({"pod-utils.dev/job": "other"}));
    assert_eq!(job(&changed(&annotated)), "other");
}

#[test]
fn what_is_not_meant_stays_as_it_is() {
    let decorated = changed(&pod(|_| {}));
    assert_eq!(unchanged(&decorated), "it is decorated already");
    let out = pod(|pod| pod["metadata"]["labels"] = json!({"pod-utils.dev/inject": "false"}));
    assert_eq!(unchanged(&out), "its label says so");
    for kind in ["ReplicaSet", "DaemonSet", "StatefulSet", "Node"] {
        assert_eq!(unchanged(&pod(owned(kind, "web"))), "its controller keeps it running");
    }
}

#[test]
fn annotations_set_what_a_pod_may_set() {
    let pod = changed(&pod(|pod| {
        pod["spec"]["containers"].as_array_mut().expect("a list").push(json!({"name": "db", "image": "i"}));
        pod["metadata"]["annotations"] = json!({
            "pod-utils.dev/timeout": "10m",
            "pod-utils.dev/grace-period": "1m",
            "pod-utils.dev/container": "test",
            "pod-utils.dev/propagate-error-code": "true",
            "pod-utils.dev/ignore-interrupts": "true",
            "pod-utils.dev/in-order": "false",
            "somebody.else/timeout": "1",
        });
    }));
    let env = pod["spec"]["containers"][0]["env"].as_array().expect("variables");
    let options = env.iter().find(|variable| variable["name"] == "ENTRYPOINT_OPTIONS").expect("options");
    let options: Value = serde_json::from_str(options["value"].as_str().expect("a text")).expect("JSON");
    assert_eq!(
        (&options["timeout"], &options["grace_period"]),
        (&json!(600_000_000_000_u64), &json!(60_000_000_000_u64))
    );
    assert_eq!(options["propagate_error_code"], true);
    assert!(pod["spec"]["containers"][1].get("env").is_none(), "left alone: {pod}");
}

#[test]
fn annotations_reach_nothing_else() {
    for (name, value, part) in [
        ("out", "s3://mine", "a pod may not set this"),
        ("s3-credentials-secret", "x", "a pod may not set this"),
        ("image", "sidecar=mine", "a pod may not set this"),
        ("run-as", "0", "a pod may not set this"),
        ("option", "sidecar.gcs_options.bucket=s3://mine", "a pod may not set this"),
        ("resources", "none", "a pod may not set this"),
        ("timeout", "soon", "--timeout"),
        ("timeout", "1h --out=s3://mine", "--timeout"),
        ("in-order", "yes", "allowed is \"true\" or \"false\""),
        ("container", "other", "there is no such container"),
        ("secrets", "relative", "absolute path"),
        ("job", "a/b", "without slashes"),
    ] {
        let annotated =
            pod(|pod| pod["metadata"]["annotations"] = json!({format!("pod-utils.dev/{name}"): value}));
        let lines = decorate(OPTIONS, &annotated).expect_err(name);
        assert!(lines.len() == 1 && lines[0].contains(part), "{name}: {lines:?}");
    }
    // Words that look like flags are values.
    let annotated = pod(|pod| pod["metadata"]["annotations"] = json!({"pod-utils.dev/job": "--out=mine"}));
    assert_eq!(job(&changed(&annotated)), "--out=mine");
}

#[test]
fn what_cannot_be_decorated_is_one_line() {
    for (pod, part) in [
        (
            pod(|pod| pod["spec"]["containers"][0]["command"] = json!([])),
            "spec.containers[0].command: missing",
        ),
        (
            pod(|pod| {
                owned("Job", "lint")(pod);
                pod["spec"]["restartPolicy"] = "OnFailure".into();
            }),
            "spec.restartPolicy: OnFailure",
        ),
        (pod(|pod| pod["spec"] = json!([])), "spec: a list where a mapping belongs"),
        (pod(|pod| pod["metadata"]["labels"] = json!({"pod-utils.dev/inject": 1})), "where a text belongs"),
    ] {
        let lines = decorate(OPTIONS, &pod).expect_err(part);
        assert!(lines.len() == 1 && lines[0].contains(part), "{part}: {lines:?}");
    }
}

#[test]
fn options_that_are_no_options_of_the_webhook_are_refused() {
    for (options, part) in [
        ("{out: s3://ci, image-prefix: reg, select: Job}", "select: the webhook has no such option"),
        ("{out: s3://ci, image-prefix: reg, build-id: 7}", "build-id: the webhook has no such option"),
        ("{out: s3://ci}", "no image for entrypoint"),
        ("{image-prefix: reg}", "--out is missing"),
        ("{out: s3://ci, image-prefix: reg, tiemout: 1h}", "--tiemout"),
        ("[]", "a list where a mapping belongs"),
        ("", "one document"),
        ("a: [", "not YAML"),
    ] {
        let problem = Admission::parse(options).expect_err(options);
        assert!(problem.text.contains(part), "{problem:?}");
        assert_eq!(problem.text.lines().count(), 1, "{problem:?}");
    }
}

#[test]
fn each_pod_has_a_number_of_its_own_unless_said_otherwise() {
    let (admission, doubts) = Admission::parse("{out: s3://ci, image-prefix: reg}").expect("options");
    assert_eq!(doubts, Vec::<String>::new());
    let id = || match admission.decorate(&node(&pod(|_| {}))).expect("decorated") {
        Decorated::Changed(node, _) => {
            let pod: Value = serde_json::from_str(&yaml::to_json(&node)).expect("JSON");
            let env = pod["spec"]["containers"][0]["env"].as_array().expect("variables").clone();
            let id = env.iter().find(|variable| variable["name"] == "BUILD_ID").expect("an id");
            id["value"].as_str().expect("a text").parse::<i64>().expect("a number")
        }
        Decorated::Unchanged(why) => panic!("{why}"),
    };
    assert!(id() < id());
}

#[test]
fn pods_of_many_parts_are_refused_in_time() {
    let begin = std::time::Instant::now();
    let many = |count: usize, make: fn(usize) -> Value| Value::from((0..count).map(make).collect::<Vec<_>>());
    for (pod, is_refused) in [
        // As many as 3 MiB hold.
        (
            pod(|pod| {
                pod["spec"]["volumes"] = many(60_000, |n| json!({"name": format!("v{n}"), "secret": {}}));
            }),
            true,
        ),
        (
            pod(|pod| {
                pod["spec"]["containers"][0]["env"] = many(60_000, |n| json!({"name": format!("v{n}")}));
            }),
            true,
        ),
        (
            pod(|pod| {
                let labels = (0..60_000).map(|n| (format!("l{n}"), Value::from("x"))).collect();
                pod["metadata"]["labels"] = Value::Object(labels);
            }),
            false,
        ),
        (
            pod(|pod| {
                pod["spec"]["volumes"] = many(
                    4_900,
                    |n| json!({"name": format!("v{n}"), "secret": {"secretName": format!("s{n}")}}),
                );
                pod["spec"]["containers"][0]["volumeMounts"] =
                    many(4_900, |n| json!({"name": format!("v{n}"), "mountPath": format!("/m/{n}")}));
            }),
            false,
        ),
    ] {
        assert_eq!(decorate(OPTIONS, &pod).is_err(), is_refused);
    }
    // Quadratic in 60,000 takes minutes even where one step is fast.
    assert!(begin.elapsed() < std::time::Duration::from_mins(1), "{:?}", begin.elapsed());
}
