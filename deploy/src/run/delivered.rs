//! Delivered objects according to the manifest, in a bounded number of lines.

use crate::terminal;
use job_page::escape::visible;
use serde_json::Value;

/// At most this many objects are named.
const MAX_OBJECTS: usize = 20;

/// At most this many of those that are missing are named.
const MAX_MISSING: usize = 10;

/// Documents that tell about the others and are not in the manifest themselves.
const CLOSING: [&str; 2] = ["manifest.json", "finished.json"];

/// The objects of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Delivered {
    /// Name and size of each stored object.
    stored: Vec<(String, Option<u64>)>,
    /// Name of each missing one, and why it is missing.
    missing: Vec<(String, String)>,
}

impl Delivered {
    /// Reads a manifest; `name` shortens its keys.
    pub(super) fn new<'a>(manifest: &'a Value, name: impl Fn(&'a str) -> &'a str) -> Self {
        let mut delivered = Self::default();
        for object in manifest["objects"].as_array().into_iter().flatten() {
            let key = visible(name(object["key"].as_str().unwrap_or("?"))).into_owned();
            let state = object["state"].as_str().unwrap_or("?");
            match state {
                // What changed while it was read is there all the same.
                "stored" | "changed" => delivered.stored.push((key, object["stored_bytes"].as_u64())),
                _ => {
                    let why = ["reason", "error"].iter().find_map(|field| object[*field].as_str());
                    let why = why.map(|why| format!(": {}", visible(why))).unwrap_or_default();
                    delivered.missing.push((key, format!("{state}{why}")));
                }
            }
        }
        delivered.stored.extend(CLOSING.map(|name| (name.to_owned(), None)));
        // The log and the result are not to drown in artifacts.
        delivered.stored.sort_by_key(|(name, _)| name.contains('/'));
        // What failed comes first, and those that failed in one way together.
        delivered
            .missing
            .sort_by(|(_, a), (_, b)| (!a.starts_with("failed"), a).cmp(&(!b.starts_with("failed"), b)));
        delivered
    }

    /// The lines about it; `place` is where everything is.
    pub(super) fn lines(&self, place: &str) -> Vec<String> {
        let mut lines = vec![format!("{} objects in {place}", self.stored.len())];
        let (shown, rest) = self.stored.split_at(self.stored.len().min(MAX_OBJECTS));
        lines.extend(shown.iter().map(|(name, size)| {
            let size = size.map(terminal::size).unwrap_or_default();
            format!("  {name:<40} {size}").trim_end().to_owned()
        }));
        lines.extend(more(rest.len()));
        if !self.missing.is_empty() {
            lines.push(format!("{} not delivered:", self.missing.len()));
            let groups: Vec<_> = self.missing.chunk_by(|(_, a), (_, b)| a == b).collect();
            let (shown, rest) = groups.split_at(groups.len().min(MAX_MISSING));
            lines.extend(shown.iter().map(|group| {
                let (name, why) = &group[0];
                let others =
                    if group.len() > 1 { format!(" and {} more", group.len() - 1) } else { String::new() };
                format!("  {:<40} {why}", format!("{name}{others}"))
            }));
            lines.extend(more(rest.iter().map(|group| group.len()).sum()));
        }
        lines
    }
}

fn more(count: usize) -> Option<String> {
    (count > 0).then(|| format!("  … and {count} more"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn stored_and_missing_objects_are_told_apart_and_harmless() {
        let manifest = json!({"objects": [
            {"key": "base/a\nb", "state": "stored", "stored_bytes": 3},
            {"key": "base/dir/x", "state": "stored", "stored_bytes": 1},
            {"key": "base/pipe", "state": "skipped", "reason": "it is a named pipe"},
            {"key": "base/denied", "state": "failed", "error": "403"},
            {"key": "base/fifo", "state": "skipped", "reason": "it is a named pipe"},
        ]});
        let lines = Delivered::new(&manifest, |key| key.trim_start_matches("base/")).lines("/out");
        assert_eq!(lines[0], "4 objects in /out");
        assert!(lines[1].starts_with("  a\\u{a}b ") && lines[1].ends_with("3 bytes"), "{lines:?}");
        assert!(lines[4].starts_with("  dir/x"), "{lines:?}");
        assert_eq!(lines[5], "3 not delivered:");
        assert!(lines[6].ends_with("failed: 403"), "{lines:?}");
        assert!(lines[7].starts_with("  pipe and 1 more "), "{lines:?}");
        assert!(lines[7].ends_with("skipped: it is a named pipe"), "{lines:?}");
        assert_eq!(lines.len(), 8);
    }

    #[test]
    fn many_objects_are_a_bounded_list() {
        let objects: Vec<_> = (0..5000).map(|n| json!({"key": format!("{n}"), "state": "stored"})).collect();
        let lines = Delivered::new(&json!({"objects": objects}), |key| key).lines("/out");
        assert_eq!(lines[0], "5002 objects in /out");
        assert_eq!(lines.len(), 1 + MAX_OBJECTS + 1);
        assert_eq!(lines.last().map(String::as_str), Some("  … and 4982 more"));
    }
}
