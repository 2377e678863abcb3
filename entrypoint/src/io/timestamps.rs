//! Timestamps in front of log lines.

use common::timestamp::Timestamp;

/// Inserts the time of a line's first byte in front of it: RFC 3339 in UTC with
/// microseconds, and a space.
///
/// A line that arrives in pieces gets one time. Text after a lone carriage return
/// (a progress bar) counts as a line of its own; `\r\n` ends one line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stamper {
    position: Position,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Position {
    #[default]
    LineStart,
    AfterReturn,
    InLine,
}

impl Stamper {
    /// Begins a new line, because something else ended the current one.
    pub(super) fn begin_line(&mut self) {
        self.position = Position::LineStart;
    }

    /// Returns the bytes with times in front of the lines that begin in them. Calls
    /// `now` at most once.
    pub(super) fn stamp(&mut self, bytes: &[u8], now: impl FnOnce() -> Timestamp) -> Vec<u8> {
        let mut now = Some(now);
        let mut prefix = Vec::new();
        let mut stamped = Vec::with_capacity(bytes.len() + bytes.len() / 2 + 32);
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            let begins = match self.position {
                Position::LineStart => true,
                Position::AfterReturn => first != b'\n',
                Position::InLine => false,
            };
            if begins {
                if let Some(now) = now.take() {
                    prefix = prefix_for(now());
                }
                stamped.extend_from_slice(&prefix);
            }
            let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (line, tail) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
            stamped.extend_from_slice(line);
            self.position = match line.last() {
                Some(b'\n') => Position::LineStart,
                Some(b'\r') => Position::AfterReturn,
                Some(_) | None => Position::InLine,
            };
            rest = tail;
        }
        stamped
    }
}

/// Formats a prefix; all have the same width.
fn prefix_for(time: Timestamp) -> Vec<u8> {
    let seconds = time.in_seconds(0);
    let micros = time.as_nanos().rem_euclid(1_000_000_000) / 1_000;
    format!("{}.{micros:06}Z ", seconds.trim_end_matches('Z')).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(chunks: &[&str]) -> String {
        let mut stamper = Stamper::default();
        let mut text = String::new();
        for (second, chunk) in chunks.iter().enumerate() {
            let second = i64::try_from(second).expect("few chunks");
            let now = || Timestamp::from_nanos(second * 1_000_000_000);
            text.push_str(&String::from_utf8(stamper.stamp(chunk.as_bytes(), now)).expect("UTF-8"));
        }
        text.replace("1970-01-01T00:00:", "@").replace(".000000Z", "")
    }

    #[test]
    fn each_line_gets_the_time_of_its_first_byte() {
        assert_eq!(stamp(&["a\nb\n"]), "@00 a\n@00 b\n");
        assert_eq!(stamp(&["a", "b", "\nc", "\n"]), "@00 ab\n@02 c\n");
        assert_eq!(stamp(&["\n\n", "x"]), "@00 \n@00 \n@01 x");
        assert_eq!(stamp(&[]), "");
    }

    #[test]
    fn a_line_that_was_ended_by_something_else_gets_a_new_time() {
        let mut stamper = Stamper::default();
        let now = || Timestamp::from_nanos(0);
        let first = stamper.stamp(b"..", now);
        stamper.begin_line();
        let second = stamper.stamp(b"..\n", now);
        assert_eq!(first, b"1970-01-01T00:00:00.000000Z ..");
        assert_eq!(second, b"1970-01-01T00:00:00.000000Z ..\n");
    }

    #[test]
    fn a_return_begins_a_line_unless_a_newline_follows() {
        assert_eq!(stamp(&["10%\r20%\r\n"]), "@00 10%\r@00 20%\r\n");
        assert_eq!(stamp(&["a\r", "\nb"]), "@00 a\r\n@01 b");
        assert_eq!(stamp(&["a\r", "b"]), "@00 a\r@01 b");
    }
}
