//! Reading of a job's report from its destination.

use super::log;
use crate::results::Results;
use crate::terminal::Problem;
use anyhow::{Context, Result};
use job_page::excerpt::Excerpt;
use job_page::job::{Finished, JobReport};
use job_page::manifest::{self, Rest};
use job_page::objects::Objects;

/// `finished.json` holds what the job says about itself, a MiB for each entry.
const MAX_FINISHED_BYTES: u64 = 16 << 20;

/// Reads everything; fails only if nothing at all can be read.
pub(crate) async fn job_report(results: &Results) -> Result<JobReport, Problem> {
    let mut problems = Vec::new();
    let finished = match results.small("finished.json", MAX_FINISHED_BYTES).await {
        Ok(Some(bytes)) => Finished::parse(&bytes).map_err(|error| problems.push(error)).ok(),
        Ok(None) => {
            problems.push(
                "there is no finished.json: the job may still run, or nothing was delivered".to_owned(),
            );
            None
        }
        Err(error) => {
            problems.push(format!("{error:#}"));
            None
        }
    };
    let mut objects = Objects::default();
    let rest = match results.document("manifest.json").await {
        Ok(Some(file)) => manifest::read(file, &mut |object| objects.add(object)),
        Ok(None) => Err("there is no manifest.json: sidecar writes it after its final upload".to_owned()),
        Err(error) => Err(format!("{error:#}")),
    };
    let rest = rest.unwrap_or_else(|error| {
        problems.push(error);
        Rest::default()
    });
    if finished.is_none() && objects.all.count == 0 {
        return Err(Problem::new(format!("{}: {}", results.display(), problems.join("; "))));
    }
    let base =
        objects.base.clone().filter(|base| !base.is_empty()).map(|base| base + "/").unwrap_or_default();
    let closing = [("manifest.json", objects.all.count > 0), ("finished.json", finished.is_some())];
    for (name, _) in closing.into_iter().filter(|(_, is_there)| *is_there) {
        objects.add_closing(&format!("{base}{name}"), "stored");
    }
    let mut job = JobReport::new(results.display(), finished, rest, objects, problems);
    for container in &mut job.containers {
        let log = read_log(results, &job.objects, &container.entry.log, &container.log_name).await;
        container.log = log.map_err(|error| format!("{error:#}"));
        // All of it passed when it was delivered.
        let whole = container.entry.log_errors.take();
        if let (Ok(log), Some(whole)) = (&mut container.log, whole)
            && log.unread > whole.unread
        {
            log.adopt(whole);
        }
    }
    Ok(job)
}

/// Returns `finished.json` as it is; `None` as long as there is none.
pub(super) async fn finished(results: &Results) -> Result<Option<Vec<u8>>, Problem> {
    Ok(results.small("finished.json", MAX_FINISHED_BYTES).await.with_context(|| results.display())?)
}

async fn read_log(results: &Results, objects: &Objects, key: &str, name: &str) -> Result<Excerpt> {
    // Without its line in the manifest it is read as it is.
    let all = objects.troubled.iter().chain(objects.largest());
    let encoding =
        all.into_iter().find(|object| object.key == key).and_then(|object| object.content_encoding.clone());
    let read = log::read(results, name, encoding.as_deref()).await?;
    read.with_context(|| format!("{name} is not there"))
}
