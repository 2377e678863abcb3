//! The Secret that carries a step's shared files to the steps after it.
//!
//! The Secret is replaced as a whole, unconditionally: ci-operator made it, and
//! the step's role allows no more than `get` and `update` on it. Two writes are
//! never in flight together, because early uploads and the final update happen in
//! one task.

mod checks;
mod cluster;
mod document;
mod early;
mod response;
mod retry;

pub(crate) use cluster::Cluster;
pub(crate) use early::EarlyUpload;

use crate::options::Step;
use crate::stderr;
use anyhow::{Context, Result, anyhow};
use response::Failure;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// The destination of the Secret.
#[derive(Debug)]
enum Destination {
    /// To stdout: a dry run.
    Stdout,
    /// To the API server.
    Server(Cluster),
}

/// One Secret, and how to write it.
#[derive(Debug)]
pub(crate) struct Secret {
    namespace: String,
    name: String,
    destination: Destination,
    update_timeout: Duration,
}

impl Secret {
    /// The Secret of a step; without a cluster it is printed.
    pub(crate) fn new(step: &Step, cluster: Option<Cluster>) -> Self {
        Self {
            namespace: step.namespace.clone(),
            name: step.secret.clone(),
            destination: cluster.map_or(Destination::Stdout, Destination::Server),
            update_timeout: step.update_timeout.as_std(),
        }
    }

    /// Writes the files of `dir`, and tries again after transient failures until
    /// the time for the update is over. Without that directory there is nothing
    /// to write (W-90).
    pub(crate) async fn update(&self, dir: &Path) -> Result<()> {
        let Some(files) = document::read(dir)? else { return Ok(()) };
        if let Some(warning) = files.left_out_warning() {
            stderr::line(&format!("warning: {warning}"));
        }
        let document = document::encode(&self.name, &files);
        match &self.destination {
            Destination::Stdout => print(&document),
            Destination::Server(cluster) => {
                let client = cluster.client()?;
                let path = self.path();
                retry::until(self.update_timeout, async |limit| client.put(&path, &document, limit).await)
                    .await
                    .with_context(|| self.named())
            }
        }
    }

    /// Writes the files of `dir` in one attempt: the next round is the retry.
    async fn offer(&self, dir: &Path) -> Result<()> {
        let Some(files) = document::read(dir)? else { return Ok(()) };
        let document = document::encode(&self.name, &files);
        match &self.destination {
            Destination::Stdout => print(&document),
            Destination::Server(cluster) => {
                let sent = cluster.client()?.put(&self.path(), &document, retry::ATTEMPT_TIMEOUT).await;
                sent.map_err(|failure: Failure| anyhow!(failure.into_message())).with_context(|| self.named())
            }
        }
    }

    fn path(&self) -> String {
        format!("/api/v1/namespaces/{}/secrets/{}", self.namespace, self.name)
    }

    fn named(&self) -> String {
        format!("Secret {} in namespace {}", self.name, self.namespace)
    }
}

fn print(document: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{document}").and_then(|()| stdout.flush()).context("cannot print the Secret")
}
