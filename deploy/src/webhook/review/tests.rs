use super::*;
use serde_json::{Value, json};

fn admission() -> Admission {
    Admission::parse("{out: s3://ci, image-prefix: reg}").expect("options").0
}

fn request(change: impl FnOnce(&mut Value)) -> Value {
    let mut review = json!({
        "apiVersion": VERSION,
        "kind": KIND,
        "request": {
            "uid": "u-1",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "operation": "CREATE",
            "namespace": "team",
            "name": "unit",
            "userInfo": {"username": "somebody"},
            "object": {
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "unit"},
                "spec": {"containers": [{"name": "test", "image": "i", "command": ["make"]}]},
            },
            "oldObject": null,
            "dryRun": true,
        },
    });
    change(&mut review);
    review
}

#[track_caller]
fn answer(request: &Value, undecoratable: Undecoratable) -> (Reviewed, Value) {
    let reviewed = review(request.to_string().as_bytes(), &admission(), undecoratable).expect("a review");
    let body: Value = serde_json::from_slice(&reviewed.body).expect("JSON");
    assert_eq!((&body["apiVersion"], &body["kind"]), (&json!(VERSION), &json!(KIND)));
    assert_eq!(body["response"]["uid"], "u-1");
    (reviewed, body["response"].clone())
}

#[test]
fn a_pod_gets_a_json_patch() {
    let (reviewed, response) = answer(&request(|_| {}), Undecoratable::Refuse);
    assert_eq!((reviewed.outcome, reviewed.pod.as_str()), (Outcome::Decorated, "team/unit"));
    assert_eq!((&response["allowed"], &response["patchType"]), (&json!(true), &json!("JSONPatch")));
    let patch = STANDARD.decode(response["patch"].as_str().expect("a patch")).expect("base64");
    let patch: Vec<Value> = serde_json::from_slice(&patch).expect("JSON");
    let command = patch.iter().find(|operation| operation["path"] == "/spec/containers/0/command");
    assert_eq!(command.expect("the command")["value"], json!(["/tools/entrypoint"]));
    assert!(patch.iter().all(|operation| operation["op"] != "remove"), "{patch:?}");
}

#[test]
fn what_is_not_utf_8_is_no_review() {
    // Not even where nobody looks.
    for key in ["userInfo", "dryRun", "object"] {
        let mut text = request(|request| request["request"][key] = "?".into()).to_string().into_bytes();
        let at = text.windows(3).position(|part| part == b"\"?\"").expect("the value");
        text[at + 1] = 0xff;
        let error = review(&text, &admission(), Undecoratable::Pass).expect_err(key);
        assert!(error.contains("UTF-8"), "{error}");
    }
}

#[test]
fn everything_but_a_new_pod_passes() {
    for change in [
        |request: &mut Value| request["operation"] = "UPDATE".into(),
        |request: &mut Value| request["kind"]["kind"] = "Job".into(),
        |request: &mut Value| request["kind"]["group"] = "other".into(),
        |request: &mut Value| request["subResource"] = "eviction".into(),
        |request: &mut Value| request["object"] = Value::Null,
        |request: &mut Value| {
            request["object"]["metadata"]["labels"] = json!({"pod-utils.dev/inject": "false"});
        },
    ] {
        let (reviewed, response) =
            answer(&request(|review| change(&mut review["request"])), Undecoratable::Refuse);
        assert_eq!(reviewed.outcome, Outcome::Unchanged);
        assert_eq!(response, json!({"uid": "u-1", "allowed": true}));
    }
}

#[test]
fn a_pod_that_cannot_be_decorated_is_refused_or_passes_with_a_warning() {
    let without = request(|review| {
        review["request"]["object"]["spec"]["containers"][0]["command"].take();
    });
    let (reviewed, response) = answer(&without, Undecoratable::Refuse);
    assert_eq!(reviewed.outcome, Outcome::Refused);
    assert_eq!((&response["allowed"], &response["status"]["code"]), (&json!(false), &json!(422)));
    let message = response["status"]["message"].as_str().expect("a message");
    assert!(message.starts_with("spec.containers[0].command: missing"), "{message}");
    assert_eq!(message.lines().count(), 1);

    let (reviewed, response) = answer(&without, Undecoratable::Pass);
    assert_eq!((reviewed.outcome, &response["allowed"]), (Outcome::LetThrough, &json!(true)));
    let warning = response["warnings"][0].as_str().expect("a warning");
    assert!(warning.starts_with("pod-utils: not decorated: spec.containers[0].command"), "{warning}");
    assert!(warning.chars().count() <= MAX_WARNING_CHARS + 1);
    assert!(response.get("patch").is_none());
}

#[test]
fn hostile_objects_are_refused_in_bounds() {
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let wide = format!("[{}1]", "1,".repeat(250_000));
    for (object, part) in [
        (json!([]).to_string(), "no JSON object"),
        (format!("{{\"a\":{deep}}}"), "nested more than"),
        (format!("{{\"a\":{wide}}}"), "more than 200000 values"),
        ("{\"a\":1,\"a\":2}".to_owned(), "there twice"),
    ] {
        let text = request(|_| {}).to_string().replacen(
            &request(|_| {})["request"]["object"].to_string(),
            &object,
            1,
        );
        let reviewed = review(text.as_bytes(), &admission(), Undecoratable::Refuse).expect("a review");
        let reason = reviewed.reason;
        assert!(reason.contains(part), "{part}: {reason}");
        assert_eq!(reviewed.outcome, Outcome::Refused);
    }
}

#[test]
fn other_requests_are_no_reviews() {
    for body in [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        "\u{0}".to_owned(),
        json!({"apiVersion": "admission.k8s.io/v1beta1", "kind": KIND, "request": {"uid": "u"}}).to_string(),
        json!({"apiVersion": VERSION, "kind": "Pod", "request": {"uid": "u"}}).to_string(),
        json!({"apiVersion": VERSION, "kind": KIND}).to_string(),
        json!({"apiVersion": VERSION, "kind": KIND, "request": {}}).to_string(),
    ] {
        let why = review(body.as_bytes(), &admission(), Undecoratable::Refuse).expect_err(&body);
        assert_eq!(why.lines().count(), 1, "{why}");
    }
}
