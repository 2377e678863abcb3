//! Reports of real runners are in `tests/fuzz/corpus/junit`: each one has a test that passes, and
//! others that fail, are skipped, raise something or run again.

use super::*;

const SAMPLES: &[(&str, &[u8])] = &[
    ("bats", include_bytes!("../../../tests/fuzz/corpus/junit/bats.xml")),
    ("pytest-reruns", include_bytes!("../../../tests/fuzz/corpus/junit/pytest-reruns.xml")),
    ("ctest", include_bytes!("../../../tests/fuzz/corpus/junit/ctest.xml")),
    ("ctest-not-run", include_bytes!("../../../tests/fuzz/corpus/junit/ctest-not-run.xml")),
    ("gotestsum", include_bytes!("../../../tests/fuzz/corpus/junit/gotestsum.xml")),
    ("jest-junit", include_bytes!("../../../tests/fuzz/corpus/junit/jest-junit.xml")),
    ("meson", include_bytes!("../../../tests/fuzz/corpus/junit/meson.xml")),
    ("mocha", include_bytes!("../../../tests/fuzz/corpus/junit/mocha.xml")),
    ("node", include_bytes!("../../../tests/fuzz/corpus/junit/node.xml")),
    ("phpunit", include_bytes!("../../../tests/fuzz/corpus/junit/phpunit.xml")),
    ("pytest", include_bytes!("../../../tests/fuzz/corpus/junit/pytest.xml")),
    ("robot", include_bytes!("../../../tests/fuzz/corpus/junit/robot.xml")),
    ("rspec", include_bytes!("../../../tests/fuzz/corpus/junit/rspec.xml")),
    ("surefire", include_bytes!("../../../tests/fuzz/corpus/junit/surefire.xml")),
    ("vitest", include_bytes!("../../../tests/fuzz/corpus/junit/vitest.xml")),
];

fn sample(name: &str) -> &'static [u8] {
    SAMPLES.iter().find(|(other, _)| *other == name).expect("a sample").1
}

fn read_in(bytes: &[u8], step: usize) -> Option<TestFile> {
    let mut reader = Reader::default();
    for piece in bytes.chunks(step.max(1)) {
        reader.push(piece);
    }
    reader.finish()
}

fn read(bytes: &[u8]) -> TestFile {
    read_in(bytes, bytes.len()).expect("a report")
}

fn counts(file: &TestFile) -> [u64; 4] {
    let Counts { tests, failed, skipped, flaky, .. } = file.counts;
    [tests, failed, skipped, flaky]
}

#[test]
fn counts_of_real_runners() {
    for (name, expected) in [
        ("bats", [3, 1, 1, 0]),
        ("ctest", [6, 3, 2, 0]),
        // Two runs: one test passed in the second.
        ("gotestsum", [7, 3, 1, 1]),
        ("jest-junit", [5, 2, 1, 0]),
        ("meson", [6, 3, 1, 0]),
        ("mocha", [3, 2, 0, 0]),
        ("node", [6, 2, 2, 0]),
        ("phpunit", [6, 3, 1, 0]),
        ("pytest", [6, 3, 1, 0]),
        ("robot", [3, 1, 1, 0]),
        ("rspec", [4, 3, 1, 0]),
        ("surefire", [5, 2, 1, 1]),
        ("vitest", [5, 2, 1, 0]),
    ] {
        let file = read(sample(name));
        assert_eq!(counts(&file), expected, "{name}");
        assert!(!file.is_incomplete, "{name}");
    }
}

#[test]
fn failures_have_name_message_and_output_in_every_dialect() {
    for (runner, suite, name, message, output) in [
        ("bats", "a.bats", "fails & says <why>", "(in test file a.bats, line 2)", "some output"),
        ("ctest", "fails", "fails", "output", "output"),
        ("gotestsum", "example.com/sample", "TestFails", "=== RUN   TestFails", "one is not two\n--- FAIL"),
        ("jest-junit", "math fails", "math fails", "Error: expect(received)", "\"<&>\""),
        ("meson", "sample", "sample:fails", "outerr", "out"),
        ("mocha", "fails", "math fails", "1 == 2", "+ expected - actual"),
        ("node", "test", "fails", "Expected values to be strictly equal:1 !== 2", "ERR_ASSERTION"),
        ("phpunit", "ATest", "testFails", "ATest::testFails", "Failed asserting that 2 is identical to 1."),
        ("pytest", "test_sample", "test_fails", "assert {'a': 1} == {'a': '<&\"\\'>'}\n", "AssertionError"),
        ("robot", "A", "Fails", "1 != 2", ""),
        ("rspec", "a_spec", "Calculator explodes", "boom <&>", "RuntimeError"),
        ("surefire", "SampleTest", "fails", "one is not <two>", "AssertionFailedError"),
        ("vitest", "a.test.mjs", "math > fails", "expected 1 to be 2", "- Expected"),
    ] {
        let file = read(sample(runner));
        let failure = file.failures.iter().find(|failure| failure.name == name);
        let failure = failure.unwrap_or_else(|| panic!("{runner}: no {name} in {:#?}", file.failures));
        assert_eq!(failure.suite, suite, "{runner}");
        assert!(failure.message.contains(message), "{runner}: {failure:?}");
        assert!(failure.output.contains(output), "{runner}: {failure:?}");
    }
    let surefire = read(sample("surefire"));
    let flaky: Vec<_> = surefire.failures.iter().filter(|failure| failure.flaky).collect();
    assert_eq!((flaky.len(), flaky[0].name.as_str()), (1, "flaky"));
    assert!(flaky[0].message.contains("first time"), "{flaky:?}");
    assert_eq!(read(sample("phpunit")).failures[0].file, "/src/phpunit/ATest.php");
    assert_eq!(read(sample("ctest")).slowest[0].name, "times_out");
}

/// The exit status of `CTest` says that these failed.
#[test]
fn tests_of_ctest_that_could_not_be_run_have_failed() {
    let file = read(sample("ctest-not-run"));
    assert_eq!(counts(&file), [6, 5, 1, 0]);
    let told: Vec<_> = file.failures.iter().map(|one| (one.name.as_str(), one.message.as_str())).collect();
    let expected = [
        ("setup", "no"),
        ("without_setup", "Fixture dependency failed"),
        ("without_file", "Required Files Missing"),
        ("elsewhere", "Failed to change working directory"),
        ("never_built", "Unable to find executable"),
    ];
    assert_eq!(told, expected);
    assert_eq!(file.failures[4].output, "Unable to find executable: /src/build/never-built");
}

/// The report has nine cases, and none failed but last attempts.
#[test]
fn attempts_of_pytest_rerunfailures_are_one_test() {
    let file = read(sample("pytest-reruns"));
    assert_eq!(counts(&file), [4, 2, 0, 1]);
    let told: Vec<_> = file.failures.iter().map(|one| (one.name.as_str(), one.flaky)).collect();
    assert_eq!(told, [("test_flaky", true), ("test_always", false), ("test_once", false)]);
    assert_eq!(file.failures[1].message, "assert 0");
}

/// A test that is skipped, and fails in a case of its own: no failed attempts that look passed.
#[test]
fn a_skipped_case_is_no_attempt_of_the_next_one() {
    let case = |outcome: &str| format!("<testcase classname=\"c\" name=\"n\">{outcome}</testcase>");
    let read = |cases: [&str; 2]| {
        let report = format!("<testsuite name=\"pytest\">{}</testsuite>", cases.map(case).concat());
        counts(&read(report.as_bytes()))
    };
    assert_eq!(read(["<skipped/>", "<error/>"]), [2, 1, 1, 0]);
    assert_eq!(read(["<skipped/>", ""]), [2, 0, 1, 0]);
    assert_eq!(read(["", "<error/>"]), [1, 1, 0, 0], "an attempt that pytest-rerunfailures calls passed");
}

#[test]
fn a_mark_of_the_byte_order_is_text_but_at_the_beginning() {
    let report = "\u{feff}<testsuite name=\"s\"><testcase name=\"a\"><failure>\u{feff}\u{feff}x\
                  </failure><system-out>y</system-out></testcase></testsuite>";
    for step in 1..report.len() {
        let file = read_in(report.as_bytes(), step).expect("a report");
        assert_eq!(file.failures[0].output, "\u{feff}\u{feff}x", "in pieces of {step}");
    }
}

/// Little is kept of a test before it fails, but its failure may be long.
#[test]
fn i8_attempts_that_fail_in_the_end_are_kept_within_bounds() {
    let cases = (0..400).map(|number| {
        let passed = format!("<testcase name=\"t{number}\"/>").repeat(2);
        let text = "x".repeat(4000);
        format!("{passed}<testcase name=\"t{number}\"><failure>{text}</failure></testcase>")
    });
    let report = format!("<testsuite name=\"pytest\">{}</testsuite>", cases.collect::<String>());
    let file = read(report.as_bytes());
    assert_eq!(counts(&file), [400, 400, 0, 0]);
    assert!(file.failures.iter().all(|failure| !failure.flaky));
    let bytes: usize = file.failures.iter().map(|failure| failure.message.len() + failure.output.len()).sum();
    assert!(bytes > MAX_KEPT_BYTES / 2 && bytes <= MAX_KEPT_BYTES, "{bytes}");
}

/// Other runners may have tests of the same name.
#[test]
fn equal_names_of_other_runners_are_tests_of_their_own() {
    let report = br#"<testsuite name="mocha"><testcase name="a"/><testcase name="a"/></testsuite>"#;
    assert_eq!(counts(&read(report)), [2, 0, 0, 0]);
}

#[test]
fn pieces_of_any_size_are_read_alike() {
    for (name, bytes) in SAMPLES {
        let whole = read(bytes);
        for step in [1, 2, 3, 7, 64, 1000] {
            assert_eq!(read_in(bytes, step).as_ref(), Some(&whole), "{name} in pieces of {step}");
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_incomplete_and_keeps_what_it_told() {
    for (name, bytes) in SAMPLES {
        let whole = read(bytes);
        let end = bytes.iter().rposition(|byte| *byte == b'>').expect("a tag");
        for at in 0..end {
            let Some(cut) = read_in(&bytes[..at], 100) else { continue };
            assert!(cut.is_incomplete, "{name} cut at {at}");
            assert!(cut.counts.tests <= whole.counts.tests, "{name} cut at {at}");
        }
    }
    let killed = b"<testsuite><testcase name='a'/><testcase name='b'><failure message='it is'>the begi";
    assert_eq!(counts(&read(killed)), [2, 1, 0, 0]);
}

#[test]
fn what_is_no_report_is_none() {
    for text in
        ["", "hello", "<html><testsuite><testcase/></testsuite></html>", "<coverage/>", "{}", "<", "<!"]
    {
        assert_eq!(read_in(text.as_bytes(), 5), None, "{text}");
    }
    assert_eq!(counts(&read(b"\xef\xbb\xbf<?xml version='1.0'?>\n<testsuite/>")), [0; 4]);
    assert_eq!(counts(&read(b"<j:testsuite xmlns:j='x'><j:testcase name='a'/></j:testsuite>")), [1, 0, 0, 0]);
}

#[test]
fn entities_of_a_dtd_are_not_expanded() {
    let bomb =
        b"<!DOCTYPE t [<!ENTITY a 'aaaaaaaa'><!ENTITY b '&a;&a;'><!ENTITY x SYSTEM 'file:///etc/passwd'>]>\
        <testsuite><testcase name='&b;'><failure message='&x;'>&b;&x;&amp;</failure></testcase></testsuite>";
    let file = read(bomb);
    let failure = &file.failures[0];
    assert_eq!((failure.name.as_str(), failure.output.as_str()), ("&b;", "&b;&x;&"));
}

#[test]
fn hostile_reports_are_bounded() {
    let deep = "<testsuite>".repeat(100_000);
    assert!(read_in(deep.as_bytes(), 4096).is_some_and(|file| file.is_incomplete));
    let mut tag = b"<testsuite><testcase name='".to_vec();
    tag.resize(2 << 20, b'x');
    assert!(read_in(&tag, 4096).is_some_and(|file| file.is_incomplete));
    let mut failed = b"<testsuite>".to_vec();
    for number in 0..20_000 {
        failed.extend(
            format!(
                "<testcase name='{number}'><failure message='{0}'>{0}</failure></testcase>",
                "y".repeat(200)
            )
            .bytes(),
        );
    }
    let file = read_in(&failed, 1 << 18).expect("a report");
    assert_eq!(file.counts.failed, 20_000);
    assert!(file.failures.iter().map(Failure::bytes).sum::<usize>() <= MAX_KEPT_BYTES);
    let many = "<testsuite>".to_owned() + &"<testcase/>".repeat(250_000);
    let file = read(many.as_bytes());
    assert_eq!((file.counts.tests, file.is_incomplete), (MAX_CASES, true));
}

#[test]
fn long_texts_pass_without_being_kept() {
    let mut xml = b"<testsuite><testcase name='a'><failure><![CDATA[".to_vec();
    xml.resize(8 << 20, b'z');
    xml.extend(b"]]]]></failure></testcase><!--");
    xml.resize(16 << 20, b'-');
    xml.extend(b"--><testcase name='b'/></testsuite>");
    let mut reader = Reader::default();
    for piece in xml.chunks(1000) {
        reader.push(piece);
        assert!(reader.window_bytes() <= 2 * (16 << 10));
    }
    let file = reader.finish().expect("a report");
    assert_eq!((counts(&file), file.is_incomplete), ([2, 1, 0, 0], false));
    assert_eq!(file.failures[0].output.len(), MAX_TEXT_BYTES);
}

#[test]
fn what_does_not_fit_loses_its_output_first() {
    let mut file = read(sample("phpunit"));
    let whole = file.shrink(usize::MAX);
    assert_eq!(file.shrink(whole), whole);
    let last = file.failures.last().expect("one").output.len();
    assert_eq!(file.shrink(whole - 1), whole - last);
    assert!(file.failures.last().expect("one").output.is_empty() && !file.failures[0].output.is_empty());
    assert_eq!(file.shrink(0), 0);
    assert_eq!((file.failures.len(), file.counts.failed), (0, 3));
}

fn summary(files: &[TestFile]) -> TestSummary {
    TestSummary::of(files, &|text| text.replace("hidden", "XXXXXX")).expect("reports")
}

#[test]
fn the_clause_says_what_the_result_does_not() {
    let clause = |xml: &str, passed| summary(&[read(xml.as_bytes())]).clause(passed);
    let failed = |count: usize| {
        let cases = (1..=count).map(|n| format!("<testcase name='T{n}'><failure/></testcase>"));
        format!("<testsuite>{}<testcase name='p'/></testsuite>", cases.collect::<String>())
    };
    assert_eq!(clause(&failed(1), false), "; 1 of 2 tests failed: T1");
    assert_eq!(clause(&failed(4), false), "; 4 of 5 tests failed: T1, T2, T3, …");
    assert_eq!(clause(&failed(2), true), "; but 2 of 3 tests failed: T1, T2");
    assert_eq!(clause(&failed(0), true), "");
    assert_eq!(clause(&failed(0), false), "; none of 1 tests failed");
    assert_eq!(clause("<testsuite/>", false), "");
    let flaky = "<testsuite><testcase name='a'><flakyFailure/></testcase></testsuite>";
    assert_eq!(clause(flaky, false), "; none of 1 tests failed; 1 flaky");
    assert_eq!(clause(flaky, true), "");
    let odd = "<testsuite><testcase name='a&#10;hidden&#27;b'><failure/></testcase></testsuite>";
    assert_eq!(clause(odd, false), "; 1 of 1 tests failed: a XXXXXX b");
}

#[test]
fn reports_are_summed_up_and_masked() {
    let files: Vec<_> = SAMPLES.iter().map(|(_, bytes)| read(bytes)).collect();
    let sum = summary(&files);
    assert_eq!((sum.files, sum.incomplete), (SAMPLES.len(), 0));
    assert_eq!(sum.counts.tests, files.iter().map(|file| file.counts.tests).sum::<u64>());
    assert!(
        sum.slowest.len() == MAX_SLOWEST && sum.slowest.is_sorted_by(|one, next| one.seconds >= next.seconds)
    );
    assert!(sum.failures.is_sorted_by_key(|failure| failure.flaky));
    let long = format!(
        "<testsuite><testcase name='a'><failure message='{} hidden'/></testcase></testsuite>",
        "x".repeat(295)
    );
    let sum = summary(&[read(long.as_bytes())]);
    assert!(sum.failures[0].message.ends_with(" XXXX…"), "{:?}", sum.failures[0]);
    assert_eq!(TestSummary::of([], &|text| text.to_owned()), None);
}

#[test]
fn zeros_count_as_if_they_were_read() {
    for front in
        ["<testsuite><testcase name='a'/>", "<testsuite><!-- ", "<testsuite><testcase><failure><![CDATA["]
    {
        let rest = b"--></testsuite>";
        let (mut one, mut other) = (Reader::default(), Reader::default());
        for reader in [&mut one, &mut other] {
            reader.push(front.as_bytes());
        }
        one.push_zeros(70_000);
        other.push(&vec![0; 70_000]);
        for reader in [&mut one, &mut other] {
            reader.push(rest);
        }
        assert_eq!(one.finish(), other.finish(), "{front}");
        let mut many = Reader::default();
        many.push(front.as_bytes());
        many.push_zeros(1 << 60);
        assert!(many.finish().is_none_or(|file| file.is_incomplete), "{front}");
    }
}
