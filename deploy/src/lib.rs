//! `podutils`: the operator's tool, for people rather than pods.
//!
//! `cli` knows the subcommands, and each subcommand has a module of its name. They share
//! `results` (reading results, wherever they are), `builds` (those of a job), `yaml` (YAML as Kubernetes
//! reads it) and `terminal` (what people read). `job_page` is the report of a job, and
//! makes hostile text harmless.
//! `contained` starts the programs that `podutils run` needs.

mod builds;
mod censor;
mod cli;
mod completions;
mod contained;
mod explain;
mod history;
mod inject;
mod licenses;
mod results;
mod run;
mod show;
mod terminal;
mod verify;
mod webhook;
mod yaml;

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program with its command line, `args[0]` being its own name.
pub fn run(args: Vec<OsString>) -> ExitCode {
    contained::run(&args).unwrap_or_else(|| cli::main(args))
}

/// Answers an `AdmissionReview` as the webhook does with common options: what the fuzz target
/// `webhook` calls. The error says why it is no review.
#[doc(hidden)]
pub fn review(body: &[u8]) -> Result<Vec<u8>, String> {
    webhook::review_with(body, "{out: s3://ci, image-prefix: reg}")
}

/// Decorates a stream as `podutils inject` does with common options: what the fuzz target `yaml`
/// calls. The error has a line for each thing that is in the way.
#[doc(hidden)]
pub fn decorate(stream: &str) -> Result<String, String> {
    inject::decorated_as_usual(stream)
}

/// Returns each document of a stream as it is written anew, as YAML and as JSON: what the fuzz
/// target `yaml` calls. The error says what is no YAML.
#[doc(hidden)]
pub fn rewrite(stream: &str) -> Result<Vec<[String; 2]>, String> {
    let (_, documents) = yaml::documents(stream).map_err(|syntax| syntax.text)?;
    Ok(documents
        .iter()
        .map(|document| [yaml::to_yaml(&document.node), yaml::to_json(&document.node)])
        .collect())
}
