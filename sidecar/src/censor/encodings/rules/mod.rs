//! The rules by which secrets are found, as tests: each has functions that write a value
//! so, and a value that one wrote must be masked wherever it stands. Nothing is masked
//! because of a row here.

mod table;
mod writers;

use super::super::engine::canonical;
use super::super::likeness::{is_telling_line, looks_random};
use super::super::{Censor, CensoringOptions, Secrets};
use proptest::collection::vec;
use proptest::prelude::*;
use table::{Of, ROWS, Writer};
use writers::text;

/// The document's table.
fn markdown() -> String {
    let mut lines = vec!["| written as | in these ways |".to_owned(), "| --- | --- |".to_owned()];
    for (heading, rules, note) in ROWS {
        let rules: Vec<_> = rules.iter().map(|(rule, ..)| *rule).collect();
        lines.push(format!("| {heading} | {}{note} |", rules.join(", ")));
    }
    lines.join("\n")
}

#[test]
fn the_document_has_the_table_of_rules() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let document = std::fs::read_to_string(path).expect("a document");
    let table = markdown();
    assert!(
        document.contains(&format!("\n{table}\n")),
        "sidecar/README.md does not have this table:\n{table}"
    );
}

fn token(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    let letters = &b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[..];
    vec(prop::sample::select(letters), length).prop_filter("it looks generated", |token| {
        let (front, end) = (token.first_chunk::<16>(), token.last_chunk::<16>());
        looks_random(front.unwrap_or(&[0; 16])) && looks_random(end.unwrap_or(&[0; 16]))
    })
}

fn value(of: Of) -> BoxedStrategy<Vec<u8>> {
    let any = || prop_oneof![token(24..80), vec(33..127_u8, 24..60)];
    // A value can end in what begins an escape or joins two parts, or contain an escape of a terminal.
    let is_whole = |value: &Vec<u8>| {
        !value.windows(2).any(|pair| pair.eq_ignore_ascii_case(b"\\e"))
            && !value[value.len() - 10..].iter().any(|byte| b"\\%&+".contains(byte))
            && canonical(value).len() >= 12
    };
    match of {
        Of::Any => any().prop_filter("it ends in no escape", is_whole).boxed(),
        Of::Parted => any()
            .prop_map(|value| {
                value.into_iter().map(|byte| if b"\\%&+".contains(&byte) { b'#' } else { byte }).collect()
            })
            .boxed(),
        Of::Tokens => token(24..80).boxed(),
        Of::Escapes => (
            token(24..60),
            prop::sample::select(vec!["%41", "&lt;", "\\x41", "\\u0041", "%%", "\\n"]),
            token(16..20),
        )
            .prop_map(|(front, escape, end)| [&front, escape.as_bytes(), &end].concat())
            .boxed(),
        Of::Sections => (token(16..60), token(16..20))
            .prop_map(|(front, end)| [&front[..], b"]]>", &end].concat())
            .boxed(),
        Of::Lines => vec(token(24..64), 2..6)
            .prop_filter("each line tells", |lines| lines.iter().all(|line| is_telling_line(line)))
            .prop_map(|lines| lines.join(&b'\n'))
            .boxed(),
        Of::Bytes => (token(24..30), token(24..30))
            .prop_map(|(front, end)| [front, vec![0xe4, 0xff, 0x90], end].concat())
            .boxed(),
    }
}

/// Returns the writers of all rules with their values.
fn writers() -> Vec<(&'static str, Of, Writer)> {
    let rules = ROWS.iter().flat_map(|(_, rules, _)| rules.iter());
    rules.flat_map(|(rule, of, writers)| writers.iter().map(|writer| (*rule, *of, *writer))).collect()
}

fn written() -> impl Strategy<Value = (&'static str, Vec<u8>, Vec<u8>)> {
    let of = |(rule, of, write): (&'static str, Of, Writer)| {
        (value(of), 0..60_usize).prop_map(move |(value, number)| (rule, write(&value, number), value))
    };
    prop::sample::select(writers()).prop_flat_map(of)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 1500 } else { 6000 }))]

    #[test]
    fn a_secret_is_masked_by_each_rule_and_nothing_beside_it(
        (rule, written, value) in written(), before in "[a-z\n ,.]{0,300}", behind in "[a-z\n ,.]{0,300}",
    ) {
        let options = CensoringOptions::default();
        let censor = Censor::new(&Secrets::of_values(&[&value], &options), &options, 1);
        // A letter beside a part of a value could be the value's next one.
        let text_of = [before.as_bytes(), b"\n,", &written, b",\n", behind.as_bytes()].concat();
        let masked = censor.bytes(&text_of);
        prop_assert_eq!(masked.len(), text_of.len());
        let (front, rest) = masked.split_at(before.len() + 2);
        let (place, end) = rest.split_at(written.len());
        prop_assert_eq!(front, &text_of[..front.len()], "{}", rule);
        prop_assert_eq!(end, &text_of[text_of.len() - end.len()..], "{}", rule);
        // Numbers of lines and addresses stay, and letters that an encoding shares with what is beside.
        let lines = place.split(|byte| *byte == b'\n').count();
        let kept = if rule.contains("dumps") { 8 * lines } else if rule.contains("each line") { 3 * lines } else { 10 };
        let visible = canonical(place).iter().filter(|byte| byte.is_ascii_alphanumeric() && !b"X98".contains(byte)).count();
        prop_assert!(visible <= kept, "{}: {:?} of {:?} is {:?}", rule, text(&written), text(&value), text(place));
    }
}
