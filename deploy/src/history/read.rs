//! Reads the builds of a folder, several at a time.

use super::History;
use super::build::Build;
use super::test_table::TestTable;
use crate::builds::{Folder, Found, Runs, order};
use crate::results::Results;
use crate::show;
use crate::terminal::Problem;
use anyhow::Context;
use common::timestamp::Timestamp;
use futures::StreamExt;
use job_page::escape::visible;
use job_page::manifest;
use sidecar::io::store::StoreError;
use std::cell::RefCell;
use std::cmp::Reverse;

/// Builds that are read at the same time.
const MAX_CONCURRENT_BUILDS: usize = 24;

/// `finished.json` holds what the job says about itself, a MiB for each entry.
const MAX_FINISHED_BYTES: u64 = 4 << 20;

/// `started.json` names the repositories of a job.
const MAX_STARTED_BYTES: u64 = 256 << 10;

/// A manifest of some thirty thousand objects; of a larger one the times stay unknown.
const MAX_MANIFEST_BYTES: u64 = 8 << 20;

/// Reads the `last` newest builds; `with_pages` also finds out which have a page.
pub(super) async fn history(results: &Results, last: usize, with_pages: bool) -> Result<History, Problem> {
    let place = results.display();
    let folder = RefCell::new(Folder::default());
    let listed = results.children(|child| folder.borrow_mut().add(child, last)).await;
    listed.with_context(|| format!("{place}: it cannot be listed"))?;
    let folder = folder.into_inner();
    if folder.is_build() {
        let shown = visible(&place);
        return Err(Problem::new(format!(
            "{shown} is one build; allowed is the folder above it, that of the job"
        )));
    }
    let (found, mut left_out) = folder.builds();
    let count = found.len();
    let reader = Reader { results, runs: Runs::of(results), table: RefCell::default(), with_pages };
    let read = futures::stream::iter(found.into_iter().map(|found| reader.build(found)));
    let read: Vec<_> = read.buffer_unordered(MAX_CONCURRENT_BUILDS).collect().await;
    let mut builds = Vec::new();
    for build in read {
        builds.extend(build.with_context(|| place.clone())?);
    }
    if builds.iter().all(|build| build.problem.is_some()) {
        let problem = builds.into_iter().find_map(|build| build.problem);
        let why = problem.unwrap_or_else(|| {
            format!("none of its {count} folders has a finished.json or started.json; allowed is a job's folder, such as …/logs/JOB")
        });
        return Err(Problem::new(format!("{}: {}", visible(&place), visible(&why))));
    }
    sort(&mut builds);
    left_out += builds.len().saturating_sub(last);
    builds.truncate(last);
    Ok(History { place, builds, tests: reader.table.into_inner(), left_out })
}

/// Newest first: by number where all ids are numbers, else by time.
fn sort(builds: &mut [Build]) {
    if builds.iter().all(|build| order(&build.id).is_some()) {
        builds.sort_by_cached_key(|build| Reverse(order(&build.id)));
    } else {
        let time = |build: &Build| build.started.or(build.finished).map(Timestamp::as_nanos);
        builds.sort_by_cached_key(|build| (Reverse(time(build)), build.id.clone()));
    }
}

/// Reads builds.
struct Reader<'a> {
    results: &'a Results,
    runs: Option<Runs>,
    table: RefCell<TestTable>,
    with_pages: bool,
}

impl Reader<'_> {
    /// Reads one build: at most three small objects. `None` where there is none.
    async fn build(&self, found: Found) -> anyhow::Result<Option<Build>> {
        let (results, folder) = match (&self.runs, found.is_alias) {
            (_, false) => (self.results, found.id.clone()),
            (None, true) => return Ok(None),
            (Some(runs), true) => match runs.folder(self.results, &found.id).await? {
                Some(folder) => (&runs.root, folder),
                None => return Ok(None),
            },
        };
        let name = |name: &str| format!("{folder}/{name}");
        let (finished, started, has_page) = futures::join!(
            small(results, name("finished.json"), MAX_FINISHED_BYTES),
            small(results, name("started.json"), MAX_STARTED_BYTES),
            self.has_page(results, name(show::PAGE)),
        );
        let (finished, started) = (finished?, started?);
        if matches!((&finished, &started), (Small::Absent, Small::Absent)) {
            return Ok(None);
        }
        let here = (!found.is_alias).then(|| found.id.clone());
        let mut build = Build { id: found.id, folder: here, has_page, ..Build::default() };
        let has_start = matches!(&started, Small::Content(bytes) if build.take_started(bytes));
        match finished {
            Small::Content(bytes) => {
                if !build.take_finished(&bytes, &mut self.table.borrow_mut()) {
                    build.problem = Some("finished.json is no result".to_owned());
                } else if !has_start && !found.is_alias {
                    times_of_manifest(results, &name("manifest.json"), &mut build).await;
                }
            }
            Small::Absent => {
                "there is no result: it still runs, or it was lost".clone_into(&mut build.cause);
            }
            Small::Unreadable(problem) => build.problem = Some(problem),
        }
        Ok(Some(build))
    }

    /// A page is only linked, so that an error means that there is none.
    async fn has_page(&self, results: &Results, name: String) -> bool {
        self.with_pages && results.head(&name).await.is_ok_and(|head| head.is_some())
    }
}

/// A small document.
enum Small {
    Absent,
    Content(Vec<u8>),
    /// With the reason.
    Unreadable(String),
}

/// Reads a small document. What a later attempt could read is an error: the history would lack
/// what is there.
async fn small(results: &Results, name: String, limit: u64) -> anyhow::Result<Small> {
    match results.small(&name, limit).await {
        Ok(None) => Ok(Small::Absent),
        Ok(Some(bytes)) => Ok(Small::Content(bytes)),
        Err(error) if matches!(error.downcast_ref(), Some(StoreError::Transient(_))) => Err(error),
        Err(error) => Ok(Small::Unreadable(format!("{error:#}"))),
    }
}

/// Without a start only the manifest has times; one that cannot be read leaves them unknown.
async fn times_of_manifest(results: &Results, name: &str, build: &mut Build) {
    let Ok(Some(file)) = results.document_within(name, MAX_MANIFEST_BYTES).await else { return };
    if let Ok(rest) = manifest::read(file, &mut |_| {}) {
        build.take_manifest(&rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(builds: &[Build]) -> Vec<&str> {
        builds.iter().map(|build| build.id.as_str()).collect()
    }

    #[test]
    fn numbers_are_in_their_order_and_other_ids_in_that_of_time() {
        let build = |id: &str, started: Option<i64>| Build {
            id: id.to_owned(),
            started: started.map(Timestamp::from_nanos),
            ..Build::default()
        };
        let mut builds = [build("9", Some(5)), build("100", None), build("10", Some(7))];
        sort(&mut builds);
        assert_eq!(ids(&builds), ["100", "10", "9"]);
        let mut builds = [build("b", None), build("a", Some(1)), build("7", Some(3)), build("c", Some(2))];
        sort(&mut builds);
        assert_eq!(ids(&builds), ["7", "c", "a", "b"]);
    }
}
