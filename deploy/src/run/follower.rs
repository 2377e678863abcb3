//! Follows sidecar's records while it delivers, for what people wait for.

use job_page::escape::visible;
use serde_json::Value;
use sidecar::io::driver::ABOUT_DESTINATION;
use sidecar::io::progress::ARE_STORED;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

/// Bytes read at one look; the rest follows at the next.
const MAX_READ_BYTES: u64 = 1 << 20;

/// Reads what was appended to the records since the last look.
#[derive(Debug)]
pub(crate) struct Follower {
    path: PathBuf,
    read: u64,
}

impl Follower {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, read: 0 }
    }

    /// Returns the new lines about the destination and the progress of delivery.
    pub(crate) fn news(&mut self) -> Vec<String> {
        // Without the file there is only less to tell.
        let new = self.appended().unwrap_or_default();
        // An incomplete line is read again, unless it never ends.
        let whole = match new.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None if new.len() as u64 == MAX_READ_BYTES => new.len(),
            None => 0,
        };
        self.read += whole as u64;
        String::from_utf8_lossy(&new[..whole]).lines().filter_map(about_destination).collect()
    }

    fn appended(&self) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.read))?;
        let mut bytes = Vec::new();
        file.take(MAX_READ_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

fn about_destination(line: &str) -> Option<String> {
    let record: Value = serde_json::from_str(line).ok()?;
    let message = record["msg"].as_str()?;
    let is_news = ABOUT_DESTINATION.iter().any(|beginning| message.starts_with(beginning));
    let is_progress = message.starts_with(|c: char| c.is_ascii_digit()) && message.contains(ARE_STORED);
    if !is_news && !is_progress {
        return None;
    }
    let text = match record["error"].as_str() {
        Some(error) => format!("{message}: {error}"),
        None => message.to_owned(),
    };
    Some(visible(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn whole_lines_about_the_destination_are_shown_once() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        let mut follower = Follower::new(file.path().to_owned());
        let waiting =
            format!(r#"{{"level":"warning","msg":"{} for 1m0s","error":"503\u001b"}}"#, ABOUT_DESTINATION[1]);
        write!(file, "no record\n{{\"msg\":\"other\"}}\n{waiting}").expect("written");
        assert_eq!(follower.news(), Vec::<String>::new(), "the line may go on");
        writeln!(file).expect("written");
        assert_eq!(follower.news(), [format!("{} for 1m0s: 503\\u{{1b}}", ABOUT_DESTINATION[1])]);
        assert_eq!(follower.news(), Vec::<String>::new());
        let progress = format!("3 of 9 {ARE_STORED}, 5s left");
        writeln!(file, r#"{{"msg":"{progress}"}}"#).expect("written");
        assert_eq!(follower.news(), [progress]);
        assert_eq!(Follower::new("/nowhere".into()).news(), Vec::<String>::new());
    }
}
