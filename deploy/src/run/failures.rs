//! Objects that could not be delivered, from sidecar's records: those that failed in one way together.

use serde_json::Value;
use sidecar::io::driver::FAILED_UPLOAD;

/// Names in a line.
const MAX_NAMES: usize = 3;

/// Lines.
const MAX_GROUPS: usize = 10;

/// Kinds of errors that are told apart; a store that puts numbers into its errors has many.
const MAX_KINDS: usize = 1000;

/// Failed objects by their error.
#[derive(Debug, Default)]
pub(super) struct Failures {
    groups: Vec<Group>,
    /// Those of further kinds.
    others: usize,
}

#[derive(Debug)]
struct Group {
    error: String,
    names: Vec<String>,
    count: usize,
}

impl Failures {
    /// Takes a record; returns whether it is one of a failed object. `place` is the
    /// destination, which all names have in common.
    pub(super) fn take(&mut self, record: &Value, place: &str) -> bool {
        if record["msg"].as_str() != Some(FAILED_UPLOAD) {
            return false;
        }
        let text = |key: &str| record[key].as_str().unwrap_or("?").to_owned();
        let (dest, error) = (text("dest"), text("error"));
        let below = dest.strip_prefix(place).map(|name| name.trim_start_matches('/').to_owned());
        let name = below.unwrap_or(dest);
        if let Some(group) = self.groups.iter_mut().find(|group| group.error == error) {
            group.count += 1;
            if group.names.len() < MAX_NAMES {
                group.names.push(name);
            }
        } else if self.groups.len() < MAX_KINDS {
            self.groups.push(Group { error, names: vec![name], count: 1 });
        } else {
            self.others += 1;
        }
        true
    }

    /// One line for each error, the most frequent first.
    pub(super) fn lines(mut self) -> Vec<String> {
        self.groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        let rest = self.groups.iter().skip(MAX_GROUPS).map(|group| group.count).sum::<usize>() + self.others;
        let shown = self.groups.iter().take(MAX_GROUPS).map(|group| {
            let more = match group.count - group.names.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("{}{more}: {}", group.names.join(", "), group.error)
        });
        let mut lines: Vec<_> = shown.collect();
        if rest > 0 {
            lines.push(format!("{rest} more objects with other errors"));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_are_named_and_equal_errors_are_one_line() {
        let mut failures = Failures::default();
        let failed = |name: &str, error: &str| json!({"level": "error", "msg": FAILED_UPLOAD, "dest": format!("s3://b/p/{name}"), "error": error});
        assert!(!failures.take(&json!({"msg": "other"}), "s3://b/p"));
        assert!(failures.take(&failed("last.txt", "500"), "s3://b/p"));
        for number in 0..5 {
            assert!(failures.take(&failed(&format!("a/{number}"), "403"), "s3://b/p"));
        }
        assert_eq!(failures.lines(), ["a/0, a/1, a/2 and 2 more: 403", "last.txt: 500"]);
    }

    #[test]
    fn many_errors_are_few_lines() {
        let mut failures = Failures::default();
        for number in 0..2000 {
            failures.take(&json!({"msg": FAILED_UPLOAD, "dest": "x", "error": number.to_string()}), "");
        }
        let lines = failures.lines();
        assert_eq!(
            (lines.len(), lines[MAX_GROUPS].as_str()),
            (MAX_GROUPS + 1, "1990 more objects with other errors")
        );
    }
}
