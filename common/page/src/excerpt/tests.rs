use super::*;

fn scanned(blocks: &[&[u8]]) -> Excerpt {
    let mut scanner = Scanner::new();
    for block in blocks {
        scanner.push(block);
    }
    scanner.finish()
}

#[test]
fn lines_keep_their_numbers_across_blocks() {
    let excerpt = scanned(&[b"fine\nan Er", b"ror here\n0 errors\n10 errors\r\nlast: PANIC"]);
    let at: Vec<_> = excerpt.errors.iter().map(|error| (error.at, error.text.as_str())).collect();
    assert_eq!(
        at,
        [(At::Line(2), "an Error here"), (At::Line(4), "10 errors"), (At::Line(5), "last: PANIC")]
    );
    assert_eq!(excerpt.tail.last().map(String::as_str), Some("last: PANIC"));
    assert_eq!((excerpt.has_more, excerpt.lines, excerpt.tail_begins_at()), (false, Some(5), Some(1)));
    assert_eq!(scanned(&[]).tail, Vec::<String>::new());
}

#[test]
fn lines_that_are_only_counted_count() {
    let fine = "fine\n".repeat(SCAN_BYTES / 2);
    let excerpt = scanned(&[b"fatal: a", b"\n", fine.as_bytes(), b"fine and err", b"or\nfine\n", b"panic"]);
    let at: Vec<_> = excerpt.errors.iter().map(|error| error.at).collect();
    let after = SCAN_BYTES as u64 / 2;
    assert_eq!(at, [At::Line(1), At::Line(after + 2), At::Line(after + 4)]);
    let mut scanner = Scanner::new();
    scanner.jump(100);
    scanner.push(b"x\ny\nz\n");
    scanner.push(b"error\n");
    let excerpt = scanner.finish();
    assert_eq!((excerpt.errors[0].at, excerpt.unread, excerpt.lines), (At::Byte(106), 100, None));
}

#[test]
fn blocks_of_any_size_show_the_same() {
    let parts = [
        "fine",
        "\n",
        "\n",
        "error: it broke",
        "E0102 15:04:05.000 it broke",
        "0 errors",
        "--- FAIL: TestA (0.00s)",
        "    a_test.go:3: message",
        "terraform",
        "x",
        "\r\n",
        "✗ one",
        "./x.go:3:2: undefined: y",
        "E0",
    ];
    let mut state = 1_u64;
    for _ in 0..300 {
        let mut log = String::new();
        for _ in 0..60 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            log.push_str(parts[usize::try_from(state >> 40).unwrap_or(0) % parts.len()]);
        }
        let whole = scanned(&[log.as_bytes()]);
        // A line alone is looked at whether it has a hint or not.
        let lines: Vec<_> = log.as_bytes().split_inclusive(|byte| *byte == b'\n').collect();
        assert_eq!(scanned(&lines), whole, "{log:?}");
        for size in [1, 3, 40] {
            let blocks: Vec<_> = log.as_bytes().chunks(size).collect();
            assert_eq!(scanned(&blocks), whole, "{size}: {log:?}");
        }
    }
}

#[test]
fn an_error_in_the_middle_of_a_large_log_is_found() {
    let fine = "a line of 32 bytes, all is well\n".repeat(32 << 10);
    let mut scanner = Scanner::new();
    for part in 0..66 {
        if part == 33 {
            scanner.push(b"fatal: the middle\n");
        }
        scanner.push(fine.as_bytes());
    }
    let excerpt = scanner.finish();
    assert_eq!(excerpt.bytes, 66 * (1 << 20) + 18);
    assert_eq!((excerpt.errors.len(), excerpt.unread), (1, 0));
    assert_eq!(excerpt.errors[0].at, At::Line(33 * (32 << 10) + 1));
}

#[test]
fn the_message_of_a_failed_test_is_found_across_blocks() {
    let excerpt = scanned(&[b"--- FAIL: TestA", b"\n    a_test.go:3: message\nfine\n"]);
    assert_eq!(excerpt.errors.len(), 2);
    assert_eq!(excerpt.errors[1].at, At::Line(2));
    let excerpt = scanned(&[b"--- FAIL: TestA\n", b"    it says so\nfine\nfine\n"]);
    assert_eq!(excerpt.errors.len(), 2);
}

#[test]
fn equal_lines_are_joined() {
    let excerpt = scanned(&["error: a\nfine\n".repeat(1000).as_bytes(), b"error: b\n"]);
    let errors: Vec<_> = excerpt.errors.iter().map(|error| (error.text.as_str(), error.again)).collect();
    assert_eq!(errors, [("error: a", 999), ("error: b", 0)]);
}

#[test]
fn a_long_log_is_a_bounded_excerpt() {
    let line = |number: usize| [format!("error {number} ").as_bytes(), &[b'x'; 10_000], b"\n"].concat();
    let blocks: Vec<_> = (0..300).map(line).collect();
    let blocks: Vec<_> = blocks.iter().map(Vec::as_slice).collect();
    let excerpt = scanned(&blocks);
    assert_eq!(excerpt.errors.len(), FIRST_ERRORS + LAST_ERRORS);
    assert_eq!(excerpt.errors_left_out, 300 - 40);
    assert!(excerpt.errors.iter().all(|error| error.text.len() <= MAX_LINE + 3));
    assert!(excerpt.has_more && excerpt.tail.len() <= TAIL_LINES);
    let lines = scanned(&["short\n".repeat(5000).as_bytes()]);
    assert!(lines.has_more);
    assert_eq!(lines.tail, vec!["short"; TAIL_LINES]);
    assert_eq!(lines.tail_begins_at(), Some(4901));
}

#[test]
fn a_log_of_nothing_but_errors_is_looked_through_to_a_bound() {
    let lines: Vec<_> = (0..MAX_ERRORS + 50_000).map(|number| format!("error {number}\n")).collect();
    let excerpt = scanned(&[lines.concat().as_bytes()]);
    assert_eq!(excerpt.lines, Some(MAX_ERRORS + 50_000));
    assert_eq!(excerpt.errors_left_out, MAX_ERRORS - 40);
    assert!(excerpt.unread > 500_000, "{}", excerpt.unread);
}

#[test]
fn behind_a_gap_only_bytes_are_known() {
    let mut scanner = Scanner::new();
    scanner.push(b"begin\n");
    scanner.jump(1 << 30);
    scanner.push(b"half a line\nfatal: it\n");
    let excerpt = scanner.finish();
    assert_eq!(excerpt.errors[0].at, At::Byte((1 << 30) + 12));
    assert_eq!(excerpt.tail, ["fatal: it"]);
}

#[test]
fn hostile_lines_are_inert_and_colours_stay() {
    let excerpt =
        scanned(&["\u{1b}]0;x\u{7}error \u{202e}\n".as_bytes(), b"error \xff\n", b"\x1b[31merror\x1b[2J\n"]);
    assert_eq!(excerpt.errors[0].text, "\\u{1b}]0;x\\u{7}error \\u{202e}");
    assert_eq!(excerpt.errors[1].text, "error \u{fffd}");
    assert_eq!(excerpt.errors[2].text, "\u{1b}[31merror\\u{1b}[2J");
}

#[test]
fn what_the_manifest_keeps_can_be_taken_over() {
    let whole = scanned(&[b"fine\nerror: x\nerror: x\n"]);
    let text = serde_json::to_string(&whole.log_errors()).expect("written");
    assert_eq!(
        text,
        r#"{"lines":3,"errors":[{"line":2,"text":"error: x","again":1}],"left_out":0,"unread":0}"#
    );
    let mut part = Excerpt { unread: 7, ..Excerpt::default() };
    part.adopt(serde_json::from_str(&text).expect("read"));
    assert_eq!((&part.errors, part.lines, part.unread), (&whole.errors, Some(3), 0));
    let hostile = r#"{"lines":1,"errors":[{"byte":2,"text":"\u001b[2J"}]}"#;
    part.adopt(serde_json::from_str(hostile).expect("read"));
    assert_eq!(part.errors[0].text, "\\u{1b}[2J");
}

#[test]
fn a_hole_of_any_size_is_a_line() {
    let mut scanner = Scanner::new();
    scanner.push(b"begin\n");
    scanner.push_zeros(1 << 50);
    scanner.push(b"\nerror: behind it\n");
    let excerpt = scanner.finish();
    assert_eq!((excerpt.bytes, excerpt.lines), (6 + (1 << 50) + 18, Some(3)));
    assert_eq!(excerpt.errors[0].at, At::Line(3));
    assert_eq!(excerpt.tail.last().map(String::as_str), Some("error: behind it"));
}
