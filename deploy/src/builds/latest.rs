//! The last build of a job, for those who name the job's folder only.

use super::aliases::Runs;
use super::folder::{Folder, LATEST};
use crate::results::Results;
use crate::terminal::Problem;
use anyhow::{Context, Result};
use std::cell::RefCell;

/// The word for it at the end of a destination.
const WORD: &str = "latest";

/// Upper bound on the content of `latest-build.txt`.
const MAX_ID_BYTES: usize = 255;

/// Objects; each build has at least one of them.
const OF_A_BUILD: [&str; 3] = ["finished.json", "started.json", "manifest.json"];

/// Returns the build that is meant: the destination itself where it is one, else the last
/// build of the job whose folder it is, or whose folder is before `latest`. A folder that has
/// no builds stays what it is.
pub(crate) async fn meant(results: Results) -> Result<Results, Problem> {
    for name in OF_A_BUILD {
        let head = results.head(name).await;
        // An error is told when the build is read.
        if !matches!(head, Ok(None)) {
            return Ok(results);
        }
    }
    let folder = results.above(WORD);
    let found = last_build(folder.as_ref().unwrap_or(&results)).await;
    Ok(found.with_context(|| results.display())?.unwrap_or(results))
}

async fn last_build(folder: &Results) -> Result<Option<Results>> {
    let id = match folder.text(LATEST, MAX_ID_BYTES).await? {
        Some(text) => text.trim().to_owned(),
        None => return Ok(newest(folder).await.and_then(|id| folder.below(&id))),
    };
    if id.is_empty() || id == "." || id == ".." || id.contains('/') || id.chars().any(char::is_control) {
        anyhow::bail!("{LATEST} names no build: {:?}", job_page::escape::visible(&id));
    }
    if let Some(runs) = Runs::of(folder)
        && let Some(run) = runs.folder(folder, &id).await?
    {
        return Ok(runs.root.below(&run));
    }
    Ok(folder.below(&id))
}

/// Returns the newest build of a folder in which nobody notes it, as in that of `podutils run`.
/// One that cannot be listed has none that could be found.
async fn newest(folder: &Results) -> Option<String> {
    let members = RefCell::new(Folder::default());
    folder.children(|child| members.borrow_mut().add(child, 1)).await.ok()?;
    members.into_inner().newest()
}
