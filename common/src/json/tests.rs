use super::*;
use crate::duration::GoDuration;
use crate::entry::Entry;
use std::collections::BTreeMap;

#[derive(Debug, Default, PartialEq)]
struct Delivery {
    memory: i64,
    dry_run: bool,
}

crate::document!(Delivery { memory, dry_run });

#[derive(Debug, Default, PartialEq)]
struct Options {
    process_log: String,
    media_types: BTreeMap<String, String>,
    items: Vec<String>,
    limits: Option<Vec<String>>,
    timeout: GoDuration,
    delivery: Delivery,
    censoring: Option<Delivery>,
    entries: Vec<Entry>,
}

crate::document!(Options {
    process_log,
    media_types as "mediaTypes",
    items,
    limits,
    timeout,
    delivery,
    censoring,
    entries,
});

fn options(text: &str) -> Options {
    let mut options = Options::default();
    decode(&mut options, text).unwrap_or_else(|error| panic!("{text}: {error}"));
    options
}

fn refused(text: &str) -> String {
    let error = decode(&mut Options::default(), text).expect_err(text).to_string();
    assert!(!error.contains('\n'), "one line: {error}");
    assert!(error.len() < 400, "bounded: {error}");
    assert!(error.contains("allowed is"), "{error}");
    error
}

#[test]
fn o_10_the_document_is_one_object_or_null() {
    assert_eq!(options("null"), Options::default());
    assert_eq!(options(" \n{ } \t\r\n"), Options::default());
    for text in ["[]", "1", "\"x\"", "true", "{} {}", "{}x", "{", "{\"a\":}", "{\"a\":1,}", "nul", "{'a':1}"]
    {
        refused(text);
    }
    assert_eq!(refused("[1]"), "[1] is a list; allowed is an object");
}

#[test]
fn o_4_an_empty_text_is_an_error() {
    assert_eq!(decode(&mut Options::default(), ""), Err(JsonError::Empty));
    assert_eq!(decode(&mut Options::default(), " \n"), Err(JsonError::Empty));
}

#[test]
fn o_11_unknown_keys_are_ignored_and_noted_with_their_path() {
    let mut options = Options::default();
    let text = r#"{"procesLog":1,"process_log":"x","delivery":{"memroy":[1]},"entries":[{},{"new":null}]}"#;
    let notes = decode(&mut options, text).expect("decoded");
    assert_eq!(notes.unknown_keys(), ["procesLog", "delivery.memroy", "entries[1].new"]);
    let said: Vec<_> = notes.unknown().map(|key| key.to_string()).collect();
    assert_eq!(said[1], "delivery.memroy; did you mean \"memory\"?");
    assert_eq!(said[2], "entries[1].new", "nothing is like it");
    assert!(!notes.is_empty());
    assert_eq!(options.process_log, "x");
    assert!(decode(&mut options, "{}").expect("decoded").is_empty());
}

#[test]
fn o_12_keys_match_exactly_first_then_without_case() {
    assert_eq!(options(r#"{"Process_Log":"a"}"#).process_log, "a");
    assert_eq!(options(r#"{"PROCESS_LOG":"a"}"#).process_log, "a");
    assert_eq!(options(r#"{"proceſſ_log":"a"}"#).process_log, "a");
    assert_eq!(options(r#"{"\u0070rocess_log":"a"}"#).process_log, "a");
    assert_eq!(options(r#"{"processLog":"a"}"#).process_log, "");
    assert_eq!(options(r#"{"MEDIATYPES":{"Log":"t"}}"#).media_types["Log"], "t");
    assert!(options(r#"{"media_types":{"log":"t"}}"#).media_types.is_empty());
}

#[derive(Default)]
struct TwoCases {
    lower: String,
    upper: String,
    kelvin: String,
}

crate::document!(TwoCases { lower as "name", upper as "NAME", kelvin as "k" });

#[test]
fn o_12_an_exact_key_wins_over_an_earlier_one_of_other_case() {
    let mut target = TwoCases::default();
    decode(&mut target, r#"{"NAME":"u","Name":"l"}"#).expect("decoded");
    assert_eq!((target.lower.as_str(), target.upper.as_str()), ("l", "u"));
    decode(&mut target, "{\"\u{212a}\":\"kelvin\"}").expect("decoded");
    assert_eq!(target.kelvin, "kelvin");
}

#[test]
fn o_13_a_later_key_is_applied_on_top() {
    let twice = options(
        r#"{"process_log":"a","Process_Log":"b","delivery":{"memory":1},"delivery":{"dry_run":true},
            "censoring":{"memory":2},"censoring":{"dry_run":true},
            "mediaTypes":{"a":"1","b":"1"},"mediaTypes":{"b":"2"},"items":["a","b"],"items":["c"]}"#,
    );
    assert_eq!(twice.process_log, "b");
    assert_eq!(twice.delivery, Delivery { memory: 1, dry_run: true });
    assert_eq!(twice.censoring, Some(Delivery { memory: 2, dry_run: true }));
    assert_eq!(twice.media_types["a"], "1");
    assert_eq!(twice.media_types["b"], "2");
    assert_eq!(twice.items, ["c"]);
}

#[test]
fn o_14_a_wrong_type_names_key_value_and_what_is_allowed() {
    for (text, message) in [
        (
            r#"{"delivery":{"dry_run":"false"}}"#,
            r#"delivery.dry_run: "false" is a string; allowed is true or false"#,
        ),
        (
            r#"{"delivery":{"Memory":"1"}}"#,
            r#"delivery.memory: "1" is a string; allowed is an integer of 64 bits without fraction or exponent"#,
        ),
        (r#"{"process_log":7}"#, "process_log: 7 is a number; allowed is a string"),
        (r#"{"items":{"a":1}}"#, r#"items: {"a":1} is an object; allowed is a list of strings"#),
        (r#"{"items":["a",true]}"#, "items[1]: true is a bool; allowed is a string"),
        (r#"{"delivery":[]}"#, "delivery: [] is a list; allowed is an object"),
        (r#"{"mediaTypes":{"log":1}}"#, "mediaTypes.log: 1 is a number; allowed is a string"),
        (
            r#"{"mediaTypes":"x"}"#,
            r#"mediaTypes: "x" is a string; allowed is an object with strings as values"#,
        ),
        (
            r#"{"entries":[{"args":"x"}]}"#,
            r#"entries[0].args: "x" is a string; allowed is a list of strings"#,
        ),
        (r#"{"entries":{}}"#, "entries: {} is an object; allowed is a list of objects"),
    ] {
        assert_eq!(refused(text), message);
    }
    let long = format!("{{\"items\":\"{}\\n\"}}", "x".repeat(100_000));
    assert!(refused(&long).contains('…'));
    let long = format!("{{\"mediaTypes\":{{\"{}\":1}}}}", "x".repeat(100_000));
    refused(&long);
    refused("{\"items\":{\n\n\"a\":\n1}}");
}

#[test]
fn o_15_null_leaves_scalars_and_clears_the_rest() {
    let mut target = options(
        r#"{"process_log":"a","timeout":5,"delivery":{"memory":1,"dry_run":true},"censoring":{},
            "items":["a"],"limits":[],"mediaTypes":{"a":"b"},"entries":[{}]}"#,
    );
    assert_eq!(target.limits, Some(vec![]), "a present empty list is not absent");
    assert_eq!(target.censoring, Some(Delivery::default()));
    let text = r#"{"process_log":null,"timeout":null,"delivery":{"memory":null,"dry_run":null},"censoring":null,
                   "items":null,"limits":null,"mediaTypes":null,"entries":null}"#;
    decode(&mut target, text).expect("decoded");
    let left = Options {
        process_log: "a".to_owned(),
        timeout: GoDuration::from_nanos(5),
        delivery: Delivery { memory: 1, dry_run: true },
        ..Options::default()
    };
    assert_eq!(target, left);
    decode(&mut target, r#"{"delivery":null}"#).expect("decoded");
    assert_eq!(target, left);
}

#[test]
fn o_15_null_inside_a_list_is_a_default_element() {
    assert_eq!(options(r#"{"entries":[null]}"#).entries, [Entry::default()]);
    assert_eq!(options(r#"{"items":[null,"a"]}"#).items, ["", "a"]);
    assert_eq!(options(r#"{"mediaTypes":{"a":null}}"#).media_types["a"], "");
}

#[test]
fn o_16_integers_have_64_bits_and_no_fraction_or_exponent() {
    for (text, value) in
        [("10", 10), ("-0", 0), ("9223372036854775807", i64::MAX), ("-9223372036854775808", i64::MIN)]
    {
        assert_eq!(options(&format!("{{\"delivery\":{{\"memory\":{text}}}}}")).delivery.memory, value);
        let timeout = options(&format!("{{\"timeout\":{text}}}")).timeout;
        assert_eq!(timeout.as_nanos(), value);
    }
    for text in ["10.0", "1e1", "1E1", "9223372036854775808", "-9223372036854775809", "+1", "01"] {
        refused(&format!("{{\"delivery\":{{\"memory\":{text}}}}}"));
        refused(&format!("{{\"timeout\":{text}}}"));
    }
}

#[test]
fn o_17_halves_of_surrogate_pairs_are_replaced() {
    let value = |text: &str| options(&format!("{{\"process_log\":\"{text}\"}}")).process_log;
    assert_eq!(value(r"\ud83d\ude00"), "😀");
    assert_eq!(value(r"\ud83dx"), "\u{fffd}x");
    assert_eq!(value(r"\ud83d\ud83d\ude00"), "\u{fffd}😀");
    assert_eq!(value(r"\ude00\ud83d"), "\u{fffd}\u{fffd}");
    assert_eq!(value(r"\ud83dA"), "\u{fffd}A");
    assert_eq!(value(r#"\"\\\/\b\f\n\r\té"#), "\"\\/\u{8}\u{c}\n\r\té");
    assert_eq!(value("\u{fffd}ä"), "\u{fffd}ä");
    refused("{\"process_log\":\"a\nb\"}");
    refused(r#"{"process_log":"\x"}"#);
}

#[test]
fn durations_are_nanoseconds_or_go_strings() {
    assert_eq!(options(r#"{"timeout":"2h45m"}"#).timeout.to_string(), "2h45m0s");
    assert_eq!(options(r#"{"timeout":-1}"#).timeout.as_nanos(), -1);
    assert_eq!(
        refused(r#"{"timeout":"2 hours"}"#),
        "timeout: \"2 hours\" is no duration; allowed is an integer of nanoseconds or a duration such as \
         \"300ms\", \"1.5h\" or \"2h45m\""
    );
    refused(r#"{"timeout":true}"#);
    refused(r#"{"timeout":"90"}"#);
}

#[test]
fn o_18_strings_are_escaped_as_go_escapes_them() {
    let entry = Entry {
        args: vec!["<a>&\u{2028}\u{2029}\u{7f}é\"\\\n\u{1}\u{8}\u{c}".to_owned()],
        ..Entry::default()
    };
    let text = concat!(
        r#"{"args":["\u003ca\u003e\u0026\u2028\u2029"#,
        "\u{7f}",
        r#"é\"\\\n\u0001\b\f"],"process_log":"","marker_file":"","metadata_file":""}"#
    );
    assert_eq!(to_go_string(&entry), text);
    let mut back = Entry::default();
    decode(&mut back, text).expect("decoded");
    assert_eq!(back, entry);
}

#[test]
fn what_acts_on_a_terminal_or_reorders_text_is_escaped() {
    assert_eq!(
        to_go_string("a\u{9b}2J\u{202e}txt\u{2066}é\u{200b}"),
        "\"a\\u009b2J\\u202etxt\\u2066é\u{200b}\""
    );
}

#[test]
fn deep_nesting_neither_overflows_nor_hides() {
    let text = format!("{{\"x\":{}1{},\"process_log\":\"a\"}}", "[".repeat(50_000), "]".repeat(50_000));
    assert_eq!(options(&text).process_log, "a");
}
