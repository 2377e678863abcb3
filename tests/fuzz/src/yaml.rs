//! Checks of YAML and of `podutils inject`: what is written can be read and means the same, JSON
//! means what another parser says, and a decorated pod is refused as one.

use serde_json::Value;

/// Checks any stream of documents.
pub fn yaml(stream: &[u8]) {
    let Ok(stream) = str::from_utf8(stream) else { return };
    match podutils::rewrite(stream) {
        Ok(documents) => {
            if let ([[_, json]], Ok(value @ Value::Object(_))) =
                (documents.as_slice(), serde_json::from_str::<Value>(stream))
            {
                assert_eq!(serde_json::from_str::<Value>(json).expect("JSON stays JSON"), value);
            }
            documents.iter().for_each(survives);
        }
        Err(error) => is_one_line(&error),
    }
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

/// A mapping is read again as what was written; nothing but mappings is ever written.
fn survives([yaml, json]: &[String; 2]) {
    if json.starts_with('{') && !json.starts_with("{}") {
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
