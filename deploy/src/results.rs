//! One job's results, in a directory or a bucket.

use crate::terminal::Problem;
use anyhow::{Context, Result};
use clap::{Arg, ArgMatches, value_parser};
use sidecar::destination::{Credentials, Destination};
use sidecar::io::store::{Child, Head, Listed, Store, StoreError};
use std::future::Future;
use std::io::{Read, Seek, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

/// The id of the argument.
const DESTINATION: &str = "DESTINATION";

/// Attempts at a request that fails transiently.
const MAX_ATTEMPTS: u32 = 4;

/// Pause before the second attempt; doubles with each further one.
const MIN_PAUSE: Duration = Duration::from_millis(200);

/// The destination of one job, opened for reading.
#[derive(Debug)]
pub(crate) struct Results {
    destination: Destination,
    credentials: Credentials,
    store: Store,
}

impl Results {
    /// Returns the arguments that name one job's destination.
    pub(crate) fn args() -> Vec<Arg> {
        Self::args_of(
            "Where one build's finished.json and manifest.json are: a directory, file:///DIRECTORY, \
             s3://BUCKET/PATH, gs://BUCKET/PATH or az://CONTAINER/PATH; of a job's folder, or its folder and /latest, \
             it is the last build",
        )
    }

    /// The same with another help about the destination.
    pub(crate) fn args_of(help: &'static str) -> Vec<Arg> {
        let file = |id: &'static str, help: &'static str| {
            Arg::new(id)
                .long(id)
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help_heading("Credentials")
                .help(help)
        };
        vec![
            Arg::new(DESTINATION).required(true).help(help),
            file(
                "s3-credentials-file",
                "JSON file for s3:// [default: AWS_… variables, profile, instance role]",
            ),
            file("gcs-credentials-file", "JSON file for gs:// [default: application default credentials]"),
        ]
    }

    /// Opens the destination that a command line names.
    pub(crate) fn from_matches(matches: &ArgMatches) -> Result<Self, Problem> {
        let text = matches.get_one::<String>(DESTINATION).cloned().unwrap_or_default();
        let credentials = Credentials {
            s3_credentials_file: matches.get_one::<PathBuf>("s3-credentials-file").cloned(),
            gcs_credentials_file: matches.get_one::<PathBuf>("gcs-credentials-file").cloned(),
        };
        let refuse = |error: &dyn std::fmt::Display| Problem::new(format!("{text}: {error}"));
        let destination = if text.contains("://") {
            Destination::parse(text.trim_end_matches('/'))
                .map_err(|error| Problem::new(error.to_string().replacen("bucket", DESTINATION, 1)))?
        } else {
            // As it is shown: one that is not there yet has no links to follow.
            let path = std::fs::canonicalize(&text).or_else(|_| std::path::absolute(&text));
            let path = path.map_err(|error| refuse(&error))?;
            let path = path.to_str().ok_or_else(|| refuse(&"the path is not UTF-8"))?;
            Destination::local_dir(path).map_err(|error| refuse(&error))?
        };
        Self::open(destination, credentials)
    }

    /// Opens a destination with its credentials.
    pub(crate) fn open(destination: Destination, credentials: Credentials) -> Result<Self, Problem> {
        let destination = destination.tidy();
        let store = Store::open(&destination, &credentials)
            .map_err(|error| Problem::new(format!("{destination}: {error}")))?;
        Ok(Self { destination, credentials, store })
    }

    /// Returns the destination as people write it.
    pub(crate) fn display(&self) -> String {
        self.destination.to_string()
    }

    /// The destination.
    pub(crate) fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Returns whether it is a directory of this machine.
    pub(crate) fn is_directory(&self) -> bool {
        matches!(self.destination, Destination::File { .. } | Destination::LocalDir { .. })
    }

    /// Returns whether the store keeps content types.
    pub(crate) fn keeps_attributes(&self) -> bool {
        self.store.keeps_attributes()
    }

    /// Opens the destination of which this one is the folder `base`; `None` if it is not.
    pub(crate) fn above(&self, base: &str) -> Option<Self> {
        let mut above = self.destination.clone();
        let stripped = |path: &str| {
            let rest = path.strip_suffix(base)?;
            (rest.is_empty() || rest.ends_with('/')).then(|| rest.trim_end_matches('/').to_owned())
        };
        match &mut above {
            Destination::File { root } | Destination::LocalDir { root } => {
                *root = PathBuf::from(stripped(root.to_str()?)?);
            }
            Destination::Gs { prefix, .. }
            | Destination::S3 { prefix, .. }
            | Destination::Az { prefix, .. } => *prefix = stripped(prefix)?,
        }
        Self::open(above, self.credentials.clone()).ok()
    }

    /// Opens the folder `path` of this destination; `None` if it leads out of it.
    pub(crate) fn below(&self, path: &str) -> Option<Self> {
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return None;
        }
        let mut below = self.destination.clone();
        match &mut below {
            Destination::File { root } | Destination::LocalDir { root } => root.push(path),
            Destination::Gs { prefix, .. }
            | Destination::S3 { prefix, .. }
            | Destination::Az { prefix, .. } => {
                *prefix = if prefix.is_empty() { path.to_owned() } else { format!("{prefix}/{path}") };
            }
        }
        Self::open(below, self.credentials.clone()).ok()
    }

    /// Returns the metadata of an object.
    pub(crate) async fn head(&self, name: &str) -> Result<Option<Head>, StoreError> {
        patiently(|| self.store.head(name)).await
    }

    /// Reads a part of an object.
    pub(crate) async fn range(&self, name: &str, range: Range<u64>) -> Result<Option<Vec<u8>>, StoreError> {
        patiently(|| self.store.read_range(name, range.clone())).await
    }

    /// Reads a whole object block by block. A retry starts over: `begin`, then `take` from the first block.
    pub(crate) async fn through<T>(
        &self,
        name: &str,
        begin: impl Fn() -> T,
        take: impl Fn(&mut T, &[u8]) -> bool,
    ) -> Result<Option<(Head, T)>, StoreError> {
        patiently(async || {
            let mut state = begin();
            let head = self.store.read_through(name, &mut |block| take(&mut state, block)).await?;
            Ok(head.map(|head| (head, state)))
        })
        .await
    }

    /// Lists all objects.
    pub(crate) async fn list(&self, take: impl Fn(Listed)) -> Result<(), StoreError> {
        // One that is seen twice does no harm.
        patiently(async || self.store.list(&mut |listed| take(listed)).await).await
    }

    /// Reads a small text; what is no UTF-8 becomes so.
    pub(crate) async fn text(&self, name: &str, limit: usize) -> Result<Option<String>, StoreError> {
        let read = patiently(|| self.store.read_small(name, limit)).await?;
        Ok(read.map(|(bytes, _)| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Lists the members of the destination itself.
    pub(crate) async fn children(&self, take: impl Fn(Child)) -> Result<(), StoreError> {
        patiently(async || self.store.children(&mut |child| take(child)).await).await
    }

    /// Downloads a JSON document of any size into a temporary file, to keep it out of
    /// memory; gives up at a first byte that is none of JSON's.
    pub(crate) async fn document(&self, name: &str) -> Result<Option<std::fs::File>> {
        self.document_within(name, u64::MAX).await
    }

    /// The same; one of more than `limit` bytes is an error.
    pub(crate) async fn document_within(&self, name: &str, limit: u64) -> Result<Option<std::fs::File>> {
        let take = |(file, shape, left): &mut (std::io::Result<std::fs::File>, Shape, u64), block: &[u8]| {
            if let Ok(open) = file {
                // Not to download gigabytes of something else.
                let written = within(left, block.len(), limit)
                    .and_then(|()| shape.take(block))
                    .and_then(|()| open.write_all(block));
                if let Err(error) = written {
                    *file = Err(error);
                }
            }
            file.is_ok()
        };
        let begin = || (tempfile::tempfile(), Shape::default(), limit);
        let found = self.through(name, begin, take).await.with_context(|| name.to_owned())?;
        let Some((_, (file, ..))) = found else { return Ok(None) };
        let mut file = file.with_context(|| name.to_owned())?;
        file.rewind().context("a temporary file")?;
        Ok(Some(file))
    }

    /// Reads a document of at most `limit` bytes.
    pub(crate) async fn small(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        let Some(mut file) = self.document_within(name, limit).await? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).with_context(|| name.to_owned())?;
        Ok(Some(bytes))
    }
}

/// Takes a block's bytes from what is left of a limit.
fn within(left: &mut u64, bytes: usize, limit: u64) -> std::io::Result<()> {
    *left = left
        .checked_sub(bytes as u64)
        .ok_or_else(|| std::io::Error::other(format!("it has more than {limit} bytes")))?;
    Ok(())
}

/// Upper bound on a text in a document of ours; the longest are reports of 64 KiB.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// The form of a JSON object, as far as it shows byte by byte: what stands outside of texts, and how
/// long these are. The parser checks the rest.
#[derive(Debug, Default)]
struct Shape {
    has_begun: bool,
    /// The length of the text so far.
    text: Option<usize>,
    is_escaped: bool,
}

impl Shape {
    /// Looks at the next block; the error says what no JSON object has.
    fn take(&mut self, block: &[u8]) -> std::io::Result<()> {
        for byte in block {
            let wrong = match &mut self.text {
                Some(length) => {
                    *length += 1;
                    if self.is_escaped {
                        self.is_escaped = false;
                    } else if *byte == b'\\' {
                        self.is_escaped = true;
                    } else if *byte == b'"' {
                        self.text = None;
                        continue;
                    }
                    (*length > MAX_TEXT_BYTES).then_some("it has a text of more than 64 KiB")
                }
                None if byte.is_ascii_whitespace() => None,
                None if !self.has_begun => {
                    self.has_begun = true;
                    (*byte != b'{').then_some("it is no JSON object")
                }
                None if *byte == b'"' => {
                    self.text = Some(0);
                    None
                }
                // Brackets, numbers, and the letters of true, false and null.
                None => (!b"{}[]:,0123456789+-.eEtrufalsn".contains(byte)).then_some("it is no JSON object"),
            };
            if let Some(wrong) = wrong {
                return Err(std::io::Error::other(wrong));
            }
        }
        Ok(())
    }
}

/// Retries transient failures.
async fn patiently<T, F: Future<Output = Result<T, StoreError>>>(
    ask: impl Fn() -> F,
) -> Result<T, StoreError> {
    let mut pause = MIN_PAUSE;
    for _ in 1..MAX_ATTEMPTS {
        match ask().await {
            Err(StoreError::Transient(_)) => tokio::time::sleep(pause).await,
            answer @ (Ok(_)
            | Err(StoreError::Setup(_) | StoreError::Setting(_) | StoreError::Permanent(_))) => {
                return answer;
            }
        }
        pause *= 2;
    }
    ask().await
}

/// Runs a task in a runtime of its own.
pub(crate) fn block_on<T>(task: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let cannot = |error: std::io::Error| Problem::new(format!("cannot start the event loop: {error}"));
    common::interrupts::check().map_err(cannot)?;
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?.block_on(task)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_object_is_given_up_at_once() {
        let long = format!("{{\"key\": \"{}\"}}", "k".repeat(MAX_TEXT_BYTES + 1));
        for (text, is_taken) in [
            (" {\"a\": [1.5e3, true, null, \"x\\\"y\\\\\"], \"b\": -1}\n", true),
            ("[]", false),
            ("{x", false),
            ("{\"a\": <html>", false),
            (&long, false),
        ] {
            for size in [1, 7, 1 << 20] {
                let mut shape = Shape::default();
                let taken = text.as_bytes().chunks(size).all(|block| shape.take(block).is_ok());
                assert_eq!(taken, is_taken, "{text}");
            }
        }
    }

    #[test]
    fn the_folder_above_is_found_by_whole_segments() {
        let open = |text: &str| {
            Results::open(Destination::parse(text).expect("a destination"), Credentials::default())
                .expect("opened")
        };
        let above = open("file:///out/logs/job/7").above("logs/job/7").expect("above");
        assert_eq!(above.display(), "file:///out");
        assert!(open("file:///out/xlogs/job/7").above("logs/job/7").is_none());
        assert!(open("file:///elsewhere").above("logs/job/7").is_none());
        assert_eq!(open("gs://bucket/a//x/./y").display(), "gs://bucket/a/x/y");
    }
}
