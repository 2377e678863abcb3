use super::*;
use proptest::prelude::*;

#[track_caller]
fn read(text: &str) -> Vec<Document<'_>> {
    documents(text).unwrap_or_else(|error| panic!("{error:?}")).1
}

#[track_caller]
fn one(text: &str) -> Node {
    let mut chunks = read(text);
    assert_eq!(chunks.len(), 1, "{chunks:?}");
    chunks.remove(0).node
}

fn refused(text: &str) -> String {
    let syntax = documents(text).expect_err("refused");
    assert_eq!(syntax.text.lines().count(), 1, "{syntax:?}");
    format!("document {}, {}", syntax.document, syntax.text)
}

/// Written and read again it is the same, and is written the same.
#[track_caller]
fn survives(text: &str) -> String {
    let node = one(text);
    let written = to_yaml(&node);
    let again = one(&written);
    assert_eq!(to_yaml(&again), written);
    assert_eq!(meanings(&again), meanings(&node), "{written}");
    written
}

/// The meaning of a node, without its styles.
fn meanings(node: &Node) -> String {
    match node {
        Node::Scalar(scalar) => format!("{:?}{:?}", scalar.meaning(), scalar.tag()),
        Node::List(list) => format!("[{}]", list.iter().map(meanings).collect::<Vec<_>>().join(",")),
        Node::Map(map) => {
            let member = |(key, node): &(Scalar, Node)| format!("{:?}:{}", key.meaning(), meanings(node));
            format!("{{{}}}", map.entries().iter().map(member).collect::<Vec<_>>().join(","))
        }
    }
}

#[test]
fn what_could_be_misread_stays_as_it_was_written() {
    let text = "a: yes\nb: \"yes\"\nc: 0123\nd: '0123'\ne: 1e3\nf: 12:30:45\ng: ~\nh:\ni: null\nj: .5\nk: 0x1F\nl: on\nm: 1_000\nn: 2001-12-14\n";
    assert_eq!(survives(text), text.replace("'0123'", "\"0123\""));
}

#[test]
fn block_scalars_keep_every_line_break_and_blank() {
    for text in [
        "a: |\n  one\n\n  two\n",
        "a: |-\n  one\n",
        "a: |+\n  one\n\n\nb: 1\n",
        "a: |2\n    indented\n  less\n",
        "a: |\n  tab\there \n  # no comment\n",
        "a:\n- |\n  in a list\n- - |-\n    deeper\n",
        "a: |2-\n\n   x\n",
    ] {
        assert_eq!(survives(text), text);
    }
    let Node::Map(map) = one("a: >\n  one\n  two\n\n  three\n") else { panic!("a mapping") };
    assert_eq!(map.get("a").and_then(Node::meaning), Some(Meaning::Text("one two\nthree\n")));
    survives("a: >\n  one\n  two\n\n  three\n");
    survives("a: |\n\nb: |+\n\n\n");
}

#[test]
fn flow_style_comments_and_long_plain_texts_keep_their_meaning() {
    assert_eq!(
        survives("a: {b: [1, two, {c: d}], e: []} # gone\n"),
        "a:\n  b:\n  - 1\n  - two\n  - c: d\n  e: []\n"
    );
    assert_eq!(survives("a: one\n  two\n"), "a: one two\n");
    assert_eq!(survives("- a: 1\n  b: {}\n-\n  - x\n"), "- a: 1\n  b: {}\n- - x\n");
    survives("a: \"\\u0000\\x1b\\n\\t\\u2028\\ufeff\"\n");
    survives("'a: b': 'it''s'\n\"- x\": '#'\n");
    survives(
        "? very long key that is longer than simple keys may be, which some parsers limit to a hundred and twenty-eight characters, so it is explicit\n: v\n",
    );
}

#[test]
fn tags_of_texts_become_quotes_and_others_stay() {
    assert_eq!(
        survives("a: !!str 123\nb: !!int 5\nc: !!binary aGk=\nd: ! 7\n"),
        "a: \"123\"\nb: 5\nc: !!binary aGk=\nd: \"7\"\n"
    );
}

#[test]
fn aliases_and_merge_keys_are_resolved() {
    let text =
        "base: &b {x: 1, y: 2}\nuse: *b\nmerged:\n  y: 3\n  <<: *b\n  z: 4\nlist:\n  <<: [{x: 9}, *b]\n";
    assert_eq!(
        survives(text),
        "base:\n  x: 1\n  y: 2\nuse:\n  x: 1\n  y: 2\nmerged:\n  y: 3\n  x: 1\n  z: 4\nlist:\n  x: 9\n  y: 2\n"
    );
    assert!(refused("a: {<<: 1}\n").contains("line 1"));
}

#[test]
fn documents_are_counted_without_the_empty_ones() {
    let chunks = read("---\n# only a comment\n---\n# head\n\na: 1\n...\n---\n--- # why\nb: 2\n--- {c: 3}\n");
    let texts: Vec<_> = chunks.iter().map(|chunk| (chunk.heading, chunk.text)).collect();
    assert_eq!(texts, [("# head\n\n", "a: 1\n"), (" # why\n", "b: 2\n"), ("", " {c: 3}\n")]);
    assert_eq!(read("").len() + read("# x\n").len() + read("---\n---\n").len(), 0);
    assert_eq!(read("\u{feff}a: 1\r\nb: 2\r\n").len(), 1);
}

#[test]
fn mistakes_are_named_with_document_and_line() {
    assert!(
        refused("a: 1\n---\nb: [1\n").starts_with("document 2, line "),
        "{}",
        refused("a: 1\n---\nb: [1\n")
    );
    assert!(refused("a: 1\n---\nx: y\nx: z\n").contains("document 2, line 4: the key \"x\" is there twice"));
    assert!(refused("{{ .Values.x }}\n").contains("template"));
    assert!(refused("a: {{ .Values.x }}\n").contains("template"));
    assert!(refused("a: {{ .Values.x }}-{{ y }}\n").contains("template"));
    assert!(refused("{{- if .x }}\na: 1\n{{- end }}\n").contains("template"));
    assert!(refused("? [a]\n: b\n").contains("as a key"));
    assert!(refused("%YAML 1.1\n---\na: 1\n").contains("directive"));
    assert!(refused("a: *b\n").contains("line 1"));
    assert!(refused("x: 1\na: b\u{2028}c\n").contains("line 2: a character"));
    assert!(refused("a: &a [*a]\n").contains("line 1"));
    assert!(refused("{\"a\": 1, \"a\": 2}\n").contains("\"a\" is there twice"));
}

#[test]
fn depth_and_aliases_are_bounded() {
    for deep in ["[".repeat(80_000), format!("{{\"a\":{}", "[".repeat(100_000)), "- ".repeat(100_000)] {
        assert!(refused(&deep).contains("deep") || refused(&deep).contains("not YAML"), "{}", refused(&deep));
    }
    let mut bomb = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.extend([format!("a{level}: &a{level} [{aliases}]\n")]);
    }
    assert!(refused(&bomb).contains("aliases"), "{}", refused(&bomb));
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), vec!["*a"; 20].join(", "));
    assert!(refused(&long).contains("aliases"));
}

#[test]
fn json_stays_json() {
    let text = "{\n  \"a\": [\n    1,\n    true,\n    null,\n    \"yes\",\n    1.5,\n    {}\n  ],\n  \"b\": \"\\u2028 😀 \\\"\"\n}\n";
    let (format, chunks) = documents(text).expect("read");
    assert_eq!(format, Format::Json);
    assert_eq!(to_json(&chunks[0].node), text);
    let surrogates = documents("{\"a\":\"\\ud83d\\ude00\"} {\"b\":1}").expect("read");
    assert_eq!(surrogates.1.len(), 2);
    assert_eq!(to_json(&surrogates.1[0].node), "{\n  \"a\": \"😀\"\n}\n");
    let (format, _) = documents("{a: b}\n").expect("read");
    assert_eq!(format, Format::Yaml);
}

/// Texts that like to go wrong.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        "[\\n \\t#:a-]{0,10}",
        prop::sample::select(vec![
            "yes",
            "0123",
            "1e3",
            "~",
            "",
            "- a",
            "a: b",
            "|",
            "> x",
            "null",
            "a #b",
            "\u{85}",
            "\u{2028}x",
            "'",
            "\"",
            "%a",
            "@",
            "---",
            "...",
            "? a",
            "{{",
            "é",
            "\u{1f600}",
            "\r\n",
            "\u{7f}",
            "a\n",
            "\na",
            " a",
            "a ",
            "\n",
            "\n\n",
            "a\n\n\n"
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ]
}

fn node() -> impl Strategy<Value = Node> {
    let scalar = (text(), prop::sample::select(vec![scalar::Style::Quoted, scalar::Style::Block]))
        .prop_map(|(text, style)| Node::Scalar(Scalar::new(text, style, None)));
    let plain =
        prop::sample::select(vec!["yes", "0123", "1e3", "~", "null", "12", "x", "a-b", "-x", "1:2", ".5"])
            .prop_map(|text| Node::Scalar(Scalar::plain(text)));
    prop_oneof![scalar, plain, text().prop_map(Node::text)].prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Node::List),
            prop::collection::btree_map(text(), inner, 0..4).prop_map(|members| {
                let mut map = Map::default();
                for (key, node) in members {
                    map.set(&key, node);
                }
                Node::Map(map)
            }),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_again(node in node()) {
        let root = Node::map([("root", node)]);
        let written = to_yaml(&root);
        let (_, chunks) = documents(&written).map_err(|error| TestCaseError::fail(format!("{error:?} in {written}")))?;
        prop_assert_eq!(chunks.len(), 1, "{}", written);
        prop_assert_eq!(meanings(&chunks[0].node), meanings(&root), "{}", written);
        let json = to_json(&root);
        let has_numbers_of_yaml = ["0123", "~", "yes", ".5"].iter().any(|text| json.contains(&format!(" {text}")));
        if !has_numbers_of_yaml {
            let parsed: serde_json::Value = serde_json::from_str(&json)
                .map_err(|error| TestCaseError::fail(format!("{error} in {json}")))?;
            prop_assert!(parsed.is_object());
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>(), more in "[-a:{}\\[\\]&*<!|>'\"%@`#,\\n \t]{0,40}") {
        for text in [text, more] {
            if let Ok((_, chunks)) = documents(&text) {
                for chunk in chunks {
                    let _written = to_yaml(&chunk.node);
                }
            }
        }
    }
}

#[test]
fn indentation_that_only_kubernetes_takes_is_read_with_the_same_meaning() {
    for (text, same) in [
        ("args: [\n  a,\n  b\n]\n", "args: [a, b]\n"),
        ("spec:\n  args: [\n    a\n  ]\n  b: {c: 1,\n  d: 2\n}\n", "spec: {args: [a], b: {c: 1, d: 2}}\n"),
        ("- key: {a: [1,\n2], b: 3\n  }\n- x\n", "[{key: {a: [1, 2], b: 3}}, x]\n"),
        ("spec:\n  text: \"one\n  two\"\n  b: 1\n", "spec: {text: one two, b: 1}\n"),
        ("spec:\n  text: 'it''s\n\n  two'\n", "spec: {text: \"it's\\ntwo\"}\n"),
        ("key:\tvalue\nb:\t\t2 # c\n", "{key: value, b: 2}\n"),
        ("a: &x [\n1\n]\nb: !!str '2\n3'\n", "{a: [1], b: 2 3}\n"),
        (
            "run: |\n  a: [\n  \"open\nargs: [\n  '#', a # it's [\n]\n",
            "{run: \"a: [\\n\\\"open\\n\", args: ['#', a]}\n",
        ),
        ("- run: |\n    it's [\n  with: [\n  1\n  ]\n", "[{run: \"it's [\\n\", with: [1]}]\n"),
    ] {
        let read =
            |text: &str| documents(text).unwrap_or_else(|error| panic!("{error:?}\n{text}")).1.remove(0).node;
        assert_eq!(meanings(&read(text)), meanings(&read(same)), "{text}");
    }
    for text in ["args: [\n  a\n", "text: \"open\n", "a: [b]]\n", "a: 1\n  b: 2\n"] {
        assert!(documents(text).is_err(), "{text}");
    }
}

#[test]
fn a_document_is_read_in_linear_time_and_bounded() {
    let lines: Vec<_> = (0..110_000).map(|number| format!("k{number}: {number}\n")).collect();
    let keys = lines.concat();
    let begin = std::time::Instant::now();
    assert!(documents(&keys).is_err_and(|error| error.text.contains("more than 200000 values")));
    let fewer = lines[..90_000].concat();
    assert!(documents(&fewer).is_ok());
    // Quadratic it would take minutes.
    assert!(begin.elapsed().as_secs() < 60, "{:?}", begin.elapsed());
    let list = format!("{{\"a\": [{}1]}}", "1,".repeat(200_000));
    assert!(documents(&list).is_err_and(|error| error.text.contains("more than 200000 values")));
    let nested =
        (0..90).fold("x".to_owned(), |inner, level| format!("&a{level} [{inner}, {}]", "y, ".repeat(200)));
    assert!(documents(&nested).is_err_and(|error| error.text.contains("anchors and aliases")));
}

#[test]
fn bounds_are_those_of_the_whole_stream() {
    let list = |values: usize| "- a\n".repeat(values - 1);
    let yaml = |documents: &[&str]| documents.join("---\n");
    assert!(documents(&yaml(&[&list(100_000), &list(100_000)])).is_ok());
    for third in ["a\n", "[a, b]\n"] {
        let error = documents(&yaml(&[&list(100_000), &list(100_000), third])).expect_err("too many values");
        assert!(error.text.contains("the stream has more than 200000 values"), "{error:?}");
        assert_eq!((error.document, error.text.lines().count()), (3, 1), "{error:?}");
    }
    let json = format!("{{\"a\":[{}1]}}\n", "1,".repeat(66_000));
    assert!(documents(&json.repeat(3)).is_ok());
    let error = documents(&json.repeat(4)).expect_err("too many values");
    assert!(error.text.contains("the stream has more than 200000 values"), "{error:?}");
    assert_eq!((error.document, error.text.lines().count()), (4, 1), "{error:?}");
    // What an anchor keeps and two aliases repeat counts like what is written.
    let repeated = format!("a: &a\n{}b: *a\nc: *a\n", list(20_000));
    assert!(documents(&yaml(&[&repeated, &repeated])).is_ok());
    let error = documents(&yaml(&[repeated.as_str(); 3])).expect_err("too many aliases");
    assert!(error.document == 3 && error.text.contains("anchors and aliases"), "{error:?}");
    let long = format!("a: &a {}\nb: *a\n", "x".repeat(2 << 20));
    assert!(documents(&yaml(&[&long, &long])).is_ok());
    let error = documents(&yaml(&[long.as_str(); 3])).expect_err("too many aliases");
    assert!(error.document == 3 && error.text.contains("anchors and aliases"), "{error:?}");
}

#[test]
fn text_that_is_read_again_counts_once() {
    // YAML 1.2 does not take the last line; what was read before it is read a second time.
    let stream = format!("a:\n{}b: [\n1\n]\n", "- a\n".repeat(150_000));
    assert!(documents(&stream).is_ok());
}

#[test]
fn node_is_small() {
    assert_eq!(size_of::<Node>(), 32);
}
