//! Checks of the webhook: a review is answered or is none, an answer is one, its patch
//! can be applied, and the pod that becomes of it stays as it is.

use serde_json::{Value, json};

/// Checks the answer to any body.
pub fn webhook(body: &[u8]) {
    let Ok(answer) = podutils::review(body) else { return };
    let mut review: Value = serde_json::from_slice(body).expect("what was understood is JSON");
    let answer: Value = serde_json::from_slice(&answer).expect("an answer is JSON");
    let response = &answer["response"];
    assert_eq!(response["uid"], review["request"]["uid"], "{answer}");
    let allowed = response["allowed"].as_bool().expect("a decision");
    let message = response["status"]["message"].as_str();
    assert_eq!(allowed, message.is_none(), "{answer}");
    assert!(message.is_none_or(|text| text.lines().count() == 1 && !text.contains('\u{1b}')), "{answer}");
    let Some(patch) = response["patch"].as_str() else { return };
    let patch: Value = serde_json::from_slice(&decoded(patch)).expect("a patch is JSON");
    for operation in patch.as_array().expect("operations") {
        apply(&mut review["request"]["object"], operation);
    }
    let again = podutils::review(review.to_string().as_bytes()).expect("still a review");
    let again: Value = serde_json::from_slice(&again).expect("JSON");
    assert_eq!(
        again["response"],
        json!({"uid": response["uid"], "allowed": true}),
        "decorated twice: {review}"
    );
}

/// Applies an operation as RFC 6902 says; one that cannot be applied panics.
fn apply(document: &mut Value, operation: &Value) {
    let path = operation["path"].as_str().expect("a path");
    let value = operation["value"].clone();
    let (parent, key) = path.rsplit_once('/').expect("never the whole pod");
    let key = key.replace("~1", "/").replace("~0", "~");
    let op = operation["op"].as_str().expect("an operation");
    match (op, document.pointer_mut(parent).unwrap_or_else(|| panic!("{parent} is not there"))) {
        ("add", Value::Array(list)) => list.insert(key.parse().expect("an index"), value),
        ("replace", Value::Array(list)) => list[key.parse::<usize>().expect("an index")] = value,
        ("add", Value::Object(map)) => assert_eq!(map.insert(key, value), None),
        ("replace", Value::Object(map)) => assert!(map.insert(key, value).is_some()),
        ("remove", Value::Object(map)) => assert!(map.remove(&key).is_some()),
        (op, parent) => panic!("{op} in {parent}"),
    }
}

fn decoded(base64: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = base64.bytes().filter(|byte| *byte != b'=').map(digit).collect();
    let groups = digits.chunks(4).flat_map(|group| {
        let bits =
            group.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit)) << (6 * (4 - group.len()));
        bits.to_be_bytes()[1..][..group.len() - 1].to_vec()
    });
    groups.collect()
}
