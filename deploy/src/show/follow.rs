//! `podutils show --follow`: the log of a job that still runs, as checkpoints deliver it.
//!
//! A checkpoint replaces the log by a longer one with the same beginning, so that what is new
//! begins where the last look ended. The result ends it.

use super::read::finished;
use crate::results::Results;
use crate::terminal::{self, Problem};
use anyhow::{Context, Result};
use flate2::write::GzDecoder;
use job_page::escape::{coloured_line, visible, without_colours};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Duration;
use tokio::time::Instant;

/// Between two looks at the destination; checkpoints come every minute or so.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Bytes of a log from before the first look that are shown.
const MAX_BEFORE: u64 = 1 << 20;

/// Bytes of a compressed log that are shown at a time, at least.
const MAX_KEPT: usize = 1 << 20;

/// Bytes read at a time.
const BLOCK_BYTES: u64 = 1 << 20;

/// A longer line is shown in pieces.
const MAX_LINE: usize = 64 << 10;

/// Logs that are followed; a pod has few containers.
const MAX_LOGS: usize = 50;

/// The end of a build log's name: a container's name can be before it.
const LOG: &str = "build-log.txt";

/// Time for which a result without a manifest can be a provisional one.
const SETTLE_TIME: Duration = Duration::from_secs(30);

/// Follows until there is a result.
pub(super) async fn follow(results: &Results) -> Result<(), Problem> {
    let mut logs: BTreeMap<String, Log> = BTreeMap::new();
    let mut result: Option<(Vec<u8>, Instant)> = None;
    let (mut had_manifest, mut has_said) = (false, false);
    loop {
        // What the log holds when its result is seen is all. The manifest is written just before the
        // result, so that one look later it is no provisional result any more.
        let now = finished(results).await?;
        result = match (now, result) {
            (Some(now), Some((before, since))) if now == before => Some((before, since)),
            (now, _) => now.map(|now| (now, Instant::now())),
        };
        let is_settled = |(_, since): &(Vec<u8>, Instant)| had_manifest || since.elapsed() >= SETTLE_TIME;
        let is_over = result.as_ref().is_some_and(is_settled);
        had_manifest = has_manifest(results).await?;
        for name in names(results).await? {
            let is_new = !logs.contains_key(&name);
            if !is_new || logs.len() < MAX_LOGS {
                logs.entry(name).or_default();
            }
        }
        let several = logs.len() > 1;
        for (name, log) in &mut logs {
            log.show_new(results, name, several, is_over).await?;
        }
        if is_over {
            return Ok(());
        }
        if logs.is_empty() && !has_said {
            has_said = true;
            terminal::line(&format!("{}: no log is there yet, waiting for a checkpoint", results.display()));
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

async fn has_manifest(results: &Results) -> Result<bool, Problem> {
    let head = results.head("manifest.json").await.with_context(|| results.display())?;
    Ok(head.is_some())
}

/// The names of the build logs. A directory that is not there yet has none.
async fn names(results: &Results) -> Result<BTreeSet<String>, Problem> {
    let names = RefCell::new(BTreeSet::new());
    let listed = results.children(|child| {
        let is_log = child.name == LOG || child.name.ends_with(&format!("-{LOG}"));
        if is_log && !child.is_folder && names.borrow().len() < MAX_LOGS {
            names.borrow_mut().insert(child.name);
        }
    });
    match listed.await {
        Err(error) if !results.is_directory() => Err(error).with_context(|| results.display())?,
        Ok(()) | Err(_) => Ok(names.into_inner()),
    }
}

/// One log that is followed.
#[derive(Debug, Default)]
struct Log {
    /// Bytes of it that were read.
    read: Option<u64>,
    /// Of a compressed log the stored bytes, when it was read.
    stored: u64,
    lines: Lines,
}

impl Log {
    /// Shows what is new; `is_all` also the end of a line that has not ended.
    async fn show_new(
        &mut self,
        results: &Results,
        name: &str,
        with_name: bool,
        is_all: bool,
    ) -> Result<(), Problem> {
        let named = || name.to_owned();
        let container = name.strip_suffix(&format!("-{LOG}")).filter(|_| with_name);
        let prefix = container.map(|name| format!("{}: ", visible(name))).unwrap_or_default();
        let Some(head) = results.head(name).await.with_context(named)? else { return Ok(()) };
        match head.content_encoding.as_deref() {
            None => {}
            Some("gzip") => return self.show_unpacked(results, name, &prefix, head.bytes, is_all).await,
            Some(other) => {
                if is_all {
                    terminal::line(&format!("{name}: its encoding {other:?} is not understood"));
                }
                return Ok(());
            }
        }
        let first = head.bytes.saturating_sub(MAX_BEFORE);
        let mut read = *self.read.get_or_insert_with(|| {
            if first > 0 {
                terminal::line(&format!("{name}: the first {} are left out", terminal::size(first)));
                self.lines.skip_line();
            }
            first
        });
        if head.bytes < read {
            terminal::line(&format!("{name}: it begins anew"));
            self.lines = Lines::default();
            read = 0;
        }
        while read < head.bytes {
            let end = head.bytes.min(read + BLOCK_BYTES);
            let Some(block) = results.range(name, read..end).await.with_context(named)? else { break };
            if block.is_empty() {
                break;
            }
            read += block.len() as u64;
            print(&prefix, self.lines.push(&block))?;
        }
        self.read = Some(read);
        if is_all {
            print(&prefix, self.lines.finish())?;
        }
        Ok(())
    }

    /// The same of a log that is stored compressed: it has no parts, so that it is read from
    /// the beginning whenever it is another one.
    async fn show_unpacked(
        &mut self,
        results: &Results,
        name: &str,
        prefix: &str,
        stored: u64,
        is_all: bool,
    ) -> Result<(), Problem> {
        if self.stored != stored {
            let mut from = self.read.unwrap_or(0);
            let mut new = unpacked(results, name, from).await.with_context(|| name.to_owned())?;
            if let Some(Ok(end)) = &new
                && end.seen < from
            {
                terminal::line(&format!("{name}: it begins anew"));
                (self.lines, from) = (Lines::default(), 0);
                new = unpacked(results, name, from).await.with_context(|| name.to_owned())?;
            }
            match new {
                Some(Ok(new)) => {
                    self.stored = stored;
                    self.take(name, prefix, from, &new)?;
                }
                Some(Err(error)) if is_all => terminal::line(&format!("{name}: not gzip: {error}")),
                // A checkpoint replaced it while it was read.
                Some(Err(_)) | None => {}
            }
        }
        if is_all {
            print(prefix, self.lines.finish())?;
        }
        Ok(())
    }

    fn take(&mut self, name: &str, prefix: &str, from: u64, new: &End) -> Result<(), Problem> {
        let begin = new.seen - new.kept.len() as u64;
        if begin > from {
            terminal::line(&format!("{name}: {} are left out", terminal::size(begin - from)));
            self.lines = Lines::default();
            self.lines.skip_line();
        }
        self.read = Some(new.seen);
        print(prefix, self.lines.push(&new.kept))
    }
}

/// Reads a compressed log to its end; `None` when there is none, an error within where it
/// cannot be unpacked.
async fn unpacked(results: &Results, name: &str, from: u64) -> Result<Option<std::io::Result<End>>> {
    let begin = || (GzDecoder::new(End { from, ..End::default() }), Ok(()));
    let found = results.through(name, begin, |(decoder, result), block| {
        *result = decoder.write_all(block);
        result.is_ok()
    });
    let Some((_, (decoder, result))) = found.await? else { return Ok(None) };
    Ok(Some(result.and_then(|()| decoder.finish())))
}

/// The end of a text, behind what was read before.
#[derive(Debug, Default)]
struct End {
    /// Bytes that are not wanted any more.
    from: u64,
    seen: u64,
    kept: Vec<u8>,
}

impl Write for End {
    fn write(&mut self, block: &[u8]) -> std::io::Result<usize> {
        let old = usize::try_from(self.from.saturating_sub(self.seen)).unwrap_or(usize::MAX).min(block.len());
        self.seen += block.len() as u64;
        self.kept.extend_from_slice(&block[old..]);
        let excess = self.kept.len().saturating_sub(MAX_KEPT);
        if excess > MAX_KEPT {
            self.kept.drain(..excess);
        }
        Ok(block.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn print(prefix: &str, lines: Vec<String>) -> Result<(), Problem> {
    let mut text = Vec::new();
    for line in lines {
        text.extend_from_slice(prefix.as_bytes());
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    terminal::print(&text)?;
    // Somebody waits for it; one who has gone is noticed by the next write.
    let _ = std::io::stdout().flush();
    Ok(())
}

/// Makes lines of the pieces of a log; nothing in them acts on a terminal.
#[derive(Debug, Default)]
struct Lines {
    partial: Vec<u8>,
    skips: bool,
}

impl Lines {
    /// Leaves out the rest of the line in whose middle it begins.
    fn skip_line(&mut self) {
        self.skips = true;
    }

    fn push(&mut self, mut bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            self.take(&bytes[..end], &mut lines);
            self.end(&mut lines);
            bytes = &bytes[end + 1..];
        }
        self.take(bytes, &mut lines);
        lines
    }

    /// Returns the last line if it has no end.
    fn finish(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.partial.is_empty() {
            self.end(&mut lines);
        }
        lines
    }

    fn take(&mut self, bytes: &[u8], lines: &mut Vec<String>) {
        if self.skips {
            return;
        }
        for piece in bytes.chunks(MAX_LINE) {
            if self.partial.len() + piece.len() > MAX_LINE {
                self.end(lines);
            }
            self.partial.extend_from_slice(piece);
        }
    }

    fn end(&mut self, lines: &mut Vec<String>) {
        let line = std::mem::take(&mut self.partial);
        if std::mem::take(&mut self.skips) {
            return;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        lines.push(without_colours(&coloured_line(&String::from_utf8_lossy(line))).into_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_of_a_text_is_bounded_and_begins_where_the_last_look_ended() {
        let mut end = End { from: 5, ..End::default() };
        for block in [&b"abc"[..], b"def", b"ghi"] {
            end.write_all(block).expect("kept");
        }
        assert_eq!((end.seen, end.kept.as_slice()), (9, &b"fghi"[..]));
        for _ in 0..40 {
            end.write_all(&vec![b'x'; MAX_KEPT / 8]).expect("kept");
        }
        assert!((MAX_KEPT..=2 * MAX_KEPT).contains(&end.kept.len()), "{}", end.kept.len());
        assert_eq!(end.seen, 9 + 40 * MAX_KEPT as u64 / 8);
    }

    #[test]
    fn lines_are_whole_bounded_and_harmless() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"a\r\nb\x1b]0;x\x07"), ["a"]);
        assert_eq!(lines.push(b"c\n\nd"), ["b\\u{1b}]0;x\\u{7}c", ""]);
        assert_eq!(lines.finish(), ["d"]);
        assert_eq!(lines.finish(), Vec::<String>::new());
        lines.skip_line();
        assert_eq!(lines.push(b"half a"), Vec::<String>::new());
        assert_eq!(lines.push(b" line\nwhole\n"), ["whole"]);
        let long = vec![b'x'; 3 * MAX_LINE];
        let pieces = lines.push(&long);
        assert!(pieces.len() == 2 && pieces.iter().all(|piece| piece.len() == MAX_LINE), "{}", pieces.len());
    }
}
