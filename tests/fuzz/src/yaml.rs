//! Checks of YAML and of `podutils inject`: what is written can be read and means the same, JSON
//! means what another parser says, and a decorated pod is refused as one.

use serde_json::Value;

/// Checks any stream of documents.
pub fn yaml(stream: &[u8]) {
    let Ok(stream) = str::from_utf8(stream) else { return };
    match podutils::rewrite(stream) {
        Ok(documents) => documents.iter().for_each(survives),
        Err(error) => is_one_line(&error),
    }
    means_what_json_means(stream);
    match podutils::decorate(stream) {
        Ok(decorated) => {
            let again = podutils::decorate(&decorated);
            let is_refused = again
                .as_ref()
                .is_err_and(|errors| errors.lines().all(|line| line.contains("already decorated")));
            let is_same = again.as_ref().is_ok_and(|again| meanings(again) == meanings(&decorated));
            assert!(is_refused || is_same, "{again:?} of {decorated}");
        }
        Err(errors) => errors.lines().for_each(is_one_line),
    }
}

/// JSON is YAML with the same meaning. An object alone is read by a reader of JSON, and behind
/// the marker of a document, as a list always is, by that of YAML.
fn means_what_json_means(stream: &str) {
    let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str::<Value>(stream) else {
        return;
    };
    for stream in [stream, &format!("---\n{stream}")] {
        // Duplicate keys, breaks of YAML 1.1 and surrogates are refused.
        let Ok(documents) = podutils::rewrite(stream) else { continue };
        let [[_, json]] = documents.as_slice() else { panic!("{} documents: {stream}", documents.len()) };
        let again = serde_json::from_str::<Value>(json).expect("JSON stays JSON");
        assert!(is_same(&again, &value), "{again} of {stream}");
    }
}

/// Returns whether two values are the same, but for the last digit of numbers with fractions or
/// of more than 64 bits: Kubernetes reads such as doubles.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) if one.is_f64() && other.is_f64() => {
            let (one, other) = (one.as_f64().unwrap_or(0.0), other.as_f64().unwrap_or(0.0));
            (one - other).abs() <= one.abs() * 4.0 * f64::EPSILON
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let is_same =
                |(key, value): (&String, &Value)| other.get(key).is_some_and(|other| is_same(value, other));
            one.len() == other.len() && one.iter().all(is_same)
        }
        _ => one == other,
    }
}

/// A mapping or a list is read again as what was written; nothing else is ever written.
fn survives([yaml, json]: &[String; 2]) {
    let is_collection = json.starts_with(['{', '[']);
    if is_collection && !json.starts_with("{}") && !json.starts_with("[]") {
        let again = podutils::rewrite(yaml).unwrap_or_else(|error| panic!("{error}: {yaml}"));
        assert_eq!(again, [[yaml.clone(), json.clone()]]);
    }
}

/// The documents without their notation.
fn meanings(stream: &str) -> Vec<[String; 2]> {
    podutils::rewrite(stream).unwrap_or_else(|error| panic!("{error}: {stream}"))
}

fn is_one_line(text: &str) {
    assert!(text.lines().count() == 1 && !text.contains(char::is_control), "{text:?}");
}
