//! Reading of logs for their excerpts.
//!
//! A log can be of any size, so only a part of it is read: all of one of at most
//! [`SCANNED`] bytes, else its beginning and its end. One that is stored
//! compressed has no parts; it is read as a whole.

use crate::results::Results;
use anyhow::{Context, Result, bail};
use job_page::excerpt::{Excerpt, Scanner};
use std::io::Write;

/// Bytes that are looked through for errors: a quarter at the beginning, where
/// set-ups fail, the rest at the end.
const SCANNED: u64 = 8 << 20;

/// A compressed log is read no further than this, uncompressed.
const MAX_UNCOMPRESSED: u64 = 4 << 30;

/// Reads what is shown of a log; `None` when there is none.
pub(super) async fn read(results: &Results, name: &str, encoding: Option<&str>) -> Result<Option<Excerpt>> {
    let named = || name.to_owned();
    if let Some(encoding) = encoding {
        return match encoding {
            "gzip" => read_compressed(results, name).await,
            other => bail!("{name}: its encoding {other:?} is not understood"),
        };
    }
    let Some(head) = results.head(name).await.with_context(named)? else { return Ok(None) };
    let mut scanner = Scanner::new();
    let mut at = 0;
    let gap = if head.bytes > SCANNED { SCANNED / 4..head.bytes - SCANNED / 4 * 3 } else { 0..0 };
    while at < head.bytes {
        if gap.contains(&at) {
            at = gap.end;
            scanner.jump(at);
        }
        let limit = if at < gap.start { gap.start } else { head.bytes };
        let end = limit.min(at + (1 << 20));
        let Some(block) = results.range(name, at..end).await.with_context(named)? else { return Ok(None) };
        if block.is_empty() {
            break;
        }
        at += block.len() as u64;
        scanner.push(&block);
    }
    Ok(Some(Excerpt { bytes: head.bytes, unread: gap.end - gap.start, ..scanner.finish() }))
}

async fn read_compressed(results: &Results, name: &str) -> Result<Option<Excerpt>> {
    let begin = || (flate2::write::GzDecoder::new(Bounded(Scanner::new())), Ok(()));
    let found = results
        .through(name, begin, |(decoder, result), block| {
            *result = decoder.write_all(block);
            result.is_ok() && decoder.get_ref().0.seen() < MAX_UNCOMPRESSED
        })
        .await
        .with_context(|| name.to_owned())?;
    let Some((head, (mut decoder, result))) = found else { return Ok(None) };
    result.and_then(|()| decoder.try_finish()).with_context(|| format!("{name}: not gzip"))?;
    let scanner = std::mem::take(&mut decoder.get_mut().0);
    Ok(Some(Excerpt { bytes: head.bytes, ..scanner.finish() }))
}

/// Hands on no more than is looked at.
struct Bounded(Scanner);

impl Write for Bounded {
    fn write(&mut self, block: &[u8]) -> std::io::Result<usize> {
        if self.0.seen() < MAX_UNCOMPRESSED {
            self.0.push(block);
        }
        Ok(block.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
