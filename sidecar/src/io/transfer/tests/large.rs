//! Large sources, whose blocks are read ahead.

use super::super::input::READ_BYTES;
use super::*;

/// A sink that does something at the beginning, and fails at some time.
struct Disturbed {
    at_begin: Box<dyn Fn()>,
    writes_left: usize,
}

impl output::Sink for Disturbed {
    type Error = WriteError;

    fn begin(&mut self, _head: &ContentHeaders, _at_most: u64) -> Result<(), WriteError> {
        (self.at_begin)();
        Ok(())
    }

    fn wanted(&self) -> Result<(), WriteError> {
        Ok(())
    }

    fn write(&mut self, _bytes: &[u8]) -> Result<(), WriteError> {
        self.writes_left = self.writes_left.checked_sub(1).ok_or_else(gave_up)?;
        Ok(())
    }
}

/// More than is read ahead for, with a value at every place around the borders
/// of blocks, and one value that is longer than a block and its headroom.
fn text(long: &str) -> Vec<u8> {
    let mut text = b"no secret here, only a line of a log\n".repeat((9 << 20) / 37);
    for border in 1..30 {
        let at = border * READ_BYTES - border;
        text[at..at + 16].copy_from_slice(b"the-secret-value");
    }
    text.splice(5 << 20..5 << 20, long.bytes());
    text.extend_from_slice(b"the-secret-val");
    text
}

#[test]
fn i6_what_spans_blocks_is_masked_whether_they_are_read_ahead_or_not() {
    let place = Place::new();
    let long = (0..60_000).fold(String::new(), |long, number| long + &number.to_string() + "-");
    assert!(long.len() > READ_BYTES, "{}", long.len());
    let censor = censor_of(place.dir.path(), &["the-secret-value", &long]);
    let text = text(&long);
    let masked = censor.bytes(&text);
    assert!(masked != text && !String::from_utf8_lossy(&masked).contains("secret-value"));
    let request = request("artifacts/large.log", place.file(&text));
    let stored = run(upload(&place.store, &request, Some(&censor), &LIMITS)).expect("stored");
    assert!(place.content("artifacts/large.log") == masked, "the engine masks the same in one piece");
    assert_eq!(stored.source_bytes, text.len() as u64);
    assert_eq!(stored.source_crc32c, crc32c::crc32c(&text));
    assert_eq!(stored.stored_crc32c, crc32c::crc32c(&masked));
    assert!(!stored.changed);
    // The same, read by the thread that masks.
    let small = &text[..4 << 20];
    let request = Upload { key: "small.log".to_owned(), source: place.file(small), ..request };
    run(upload(&place.store, &request, Some(&censor), &LIMITS)).expect("stored");
    assert!(place.content("small.log") == censor.bytes(small));
}

#[test]
fn a_large_source_that_is_cut_while_it_is_read_ends_there() {
    let place = Place::new();
    let censor = censor_of(place.dir.path(), &["the-secret-value"]);
    let source = place.file(text(""));
    let path = place.dir.path().join("source");
    let request = request("artifacts/large.log", source);
    let mut sink = Disturbed {
        at_begin: Box::new(move || {
            std::fs::File::options().write(true).open(&path).expect("opened").set_len(1 << 20).expect("cut");
        }),
        writes_left: usize::MAX,
    };
    let totals = pump::pump(&request, false, Some(&*censor), &mut sink).expect("pumped");
    assert!(totals.changed && totals.source_bytes < 9 << 20, "{}", totals.source_bytes);
    assert_eq!(totals.stored_bytes, totals.source_bytes);
}

#[test]
fn a_large_attempt_that_fails_in_the_middle_ends_its_reader() {
    let place = Place::new();
    let censor = censor_of(place.dir.path(), &["the-secret-value"]);
    let request = request("artifacts/large.log", place.file(text("")));
    let mut sink = Disturbed { at_begin: Box::new(|| ()), writes_left: 3 };
    // The scope of the reader ends only with it.
    let failed = pump::pump(&request, true, Some(&*censor), &mut sink).expect_err("failed");
    assert!(matches!(UploadError::from(failed), UploadError::Write(WriteError::Transient { .. })));
}
