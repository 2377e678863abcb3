//! The page of a job, made on a thread of its own.

use bytes::Bytes;
use job_page::excerpt::Excerpt;
use job_page::html;
use job_page::job::{Finished, JobReport};
use job_page::links::Links;
use job_page::manifest::{self, Rest};
use job_page::objects::Objects;

/// Everything on a page but the result; all of it is masked.
#[derive(Debug)]
pub struct Page {
    /// Where the objects are.
    pub destination: String,
    /// The manifest without its objects.
    pub manifest: String,
    /// The objects.
    pub objects: Objects,
    /// The excerpts of the entries' logs.
    pub logs: Vec<Option<Excerpt>>,
}

impl Page {
    /// Renders it with the result that is about to be written.
    pub fn html(self, finished: &[u8]) -> Bytes {
        let mut problems = Vec::new();
        let finished = Finished::parse(finished).map_err(|error| problems.push(error)).ok();
        let rest = manifest::read(self.manifest.as_bytes(), &mut |_| {}).unwrap_or_else(|error| {
            problems.push(error);
            Rest::default()
        });
        let mut job = JobReport::new(self.destination, finished, rest, self.objects, problems);
        for (container, log) in job.containers.iter_mut().zip(self.logs) {
            let delivered_before = || "an earlier sidecar has delivered it".to_owned();
            container.log = log.ok_or_else(delivered_before);
        }
        html::page(&job, &Links::beside()).into()
    }
}
