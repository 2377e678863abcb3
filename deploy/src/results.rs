//! One job's results, wherever they are.

use crate::terminal::Problem;
use clap::{Arg, ArgMatches, value_parser};
use sidecar::destination::{Credentials, Destination};
use sidecar::io::store::{Head, Listed, Store, StoreError};
use std::future::Future;
use std::io::{Read, Seek, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

/// The id of the argument.
const DESTINATION: &str = "DESTINATION";

/// How often a store is asked, when it fails in a way that passes.
const ATTEMPTS: u32 = 4;

/// Before the second attempt; doubled before each one more.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// What the objects are read from.
#[derive(Debug)]
pub(crate) struct Results {
    destination: Destination,
    credentials: Credentials,
    store: Store,
}

impl Results {
    /// The arguments that name a place.
    pub(crate) fn args() -> Vec<Arg> {
        let file = |id: &'static str, help: &'static str| {
            Arg::new(id)
                .long(id)
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help_heading("Credentials")
                .help(help)
        };
        vec![
            Arg::new(DESTINATION).required(true).help(
                "Where one job's finished.json and manifest.json are: a directory, file:///DIRECTORY, \
                 s3://BUCKET/PATH, gs://BUCKET/PATH or az://CONTAINER/PATH",
            ),
            file(
                "s3-credentials-file",
                "JSON file for s3:// [default: AWS_… variables, profile, instance role]",
            ),
            file("gcs-credentials-file", "JSON file for gs:// [default: application default credentials]"),
        ]
    }

    /// The place that a command line names.
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
            let path = std::path::absolute(&text).map_err(|error| refuse(&error))?;
            let path = path.to_str().ok_or_else(|| refuse(&"the path is not UTF-8"))?;
            Destination::local_dir(path).map_err(|error| refuse(&error))?
        };
        Self::open(destination, credentials)
    }

    /// A destination with its credentials.
    pub(crate) fn open(destination: Destination, credentials: Credentials) -> Result<Self, Problem> {
        let store = Store::open(&destination, &credentials)
            .map_err(|error| Problem::new(format!("{destination}: {error}")))?;
        Ok(Self { destination, credentials, store })
    }

    /// As people write it.
    pub(crate) fn display(&self) -> String {
        self.destination.to_string()
    }

    /// The destination.
    pub(crate) fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Whether the store keeps content types.
    pub(crate) fn keeps_attributes(&self) -> bool {
        self.store.keeps_attributes()
    }

    /// The place above, of which this one is `base`; `None` where it is not.
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

    /// What the store says about an object.
    pub(crate) async fn head(&self, name: &str) -> Result<Option<Head>, StoreError> {
        patiently(|| self.store.head(name)).await
    }

    /// A part of an object.
    pub(crate) async fn range(&self, name: &str, range: Range<u64>) -> Result<Option<Vec<u8>>, StoreError> {
        patiently(|| self.store.read_range(name, range.clone())).await
    }

    /// A whole object, block by block. `take` may see the beginning again, after `begin`.
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

    /// All objects.
    pub(crate) async fn list(&self, take: impl Fn(Listed)) -> Result<(), StoreError> {
        // One that is seen twice does no harm.
        patiently(async || self.store.list(&mut |listed| take(listed)).await).await
    }

    /// A document of any size as a file, so that it need not be held.
    pub(crate) async fn document(&self, name: &str) -> Result<Option<std::fs::File>, String> {
        let fail = |error: std::io::Error| format!("a temporary file: {error}");
        let begin = || tempfile::tempfile().map_err(fail);
        let take = |file: &mut Result<std::fs::File, String>, block: &[u8]| {
            if let Ok(open) = file
                && let Err(error) = open.write_all(block)
            {
                *file = Err(fail(error));
            }
            file.is_ok()
        };
        match self.through(name, begin, take).await {
            Ok(None) => Ok(None),
            Ok(Some((_, file))) => {
                let mut file = file?;
                file.rewind().map_err(fail)?;
                Ok(Some(file))
            }
            Err(error) => Err(format!("{name}: {error}")),
        }
    }

    /// A document of at most `limit` bytes.
    pub(crate) async fn small(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, String> {
        let Some(file) = self.document(name).await? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| format!("{name}: {error}"))?;
        if bytes.len() as u64 > limit {
            return Err(format!("{name}: it has more than {limit} bytes"));
        }
        Ok(Some(bytes))
    }
}

/// Asks again while the failure is one that passes.
async fn patiently<T, F: Future<Output = Result<T, StoreError>>>(
    ask: impl Fn() -> F,
) -> Result<T, StoreError> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match ask().await {
            Err(StoreError::Transient(_)) => tokio::time::sleep(pause).await,
            answer @ (Ok(_) | Err(StoreError::Setup(_) | StoreError::Permanent(_))) => return answer,
        }
        pause *= 2;
    }
    ask().await
}

/// Runs what reads a place.
pub(crate) fn block_on<T>(task: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::new(format!("cannot start the event loop: {error}")))?
        .block_on(task)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_above_is_found_by_whole_segments() {
        let place = |text: &str| {
            Results::open(Destination::parse(text).expect("a destination"), Credentials::default())
                .expect("opened")
        };
        let above = place("file:///out/logs/job/7").above("logs/job/7").expect("above");
        assert_eq!(above.display(), "file:///out");
        assert!(place("file:///out/xlogs/job/7").above("logs/job/7").is_none());
        assert!(place("file:///elsewhere").above("logs/job/7").is_none());
    }
}
