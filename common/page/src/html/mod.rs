//! A job's report as one self-contained page.
//!
//! Everything from the job passes the template's escaping and [`crate::escape`]. Without
//! its script it shows the same, unsorted.

mod container;
mod course;
mod drawing;
mod log;
mod moments;
mod objects;
mod processes;
mod test_results;

use crate::amounts::size;
use crate::escape::visible;
use crate::frame::{Frame, class};
use crate::job::JobReport;
use crate::links::Links;
use crate::timeline;
use crate::words::{command, finished_at};
use common::timestamp::Timestamp;
use maud::{Markup, html};

/// The name of a page that lies beside the results.
pub const FILE_NAME: &str = "report.html";

/// A command is cut in title and headline, in characters.
const MAX_HEADLINE: usize = 100;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page.
pub fn page(job: &JobReport, links: &Links) -> String {
    let title = [job.result.as_str(), ": ", &name(job), " ", &short_command(job)].concat();
    let content = html! {
        (header(job))
        main {
            @if let Some(results) = &job.tests { (test_results::section(results)) }
            (problems(job))
            (moments::section(job))
            (metadata(job))
            @if !job.containers.is_empty() {
                section aria-labelledby="containers-title" {
                    h2 #containers-title { "Containers" }
                    @for (index, container) in job.containers.iter().enumerate() {
                        (container::article(container, index, links))
                    }
                    @if job.containers_left_out > 0 {
                        p.note { (job.containers_left_out) " more containers are left out; the manifest has them." }
                    }
                }
            }
            (objects::section(job, links))
        }
        footer {
            p { "Made by pod-utils " (common::version::VERSION) ". Times are in UTC" span.local hidden { "; point at one for yours" } "." }
        }
    };
    let frame =
        Frame { title: title.trim_end(), style: STYLE, script: SCRIPT, skip_to: ("objects", "objects") };
    frame.around(&content)
}

/// The job and its build.
fn name(job: &JobReport) -> String {
    let name = &job.job;
    if name.name.is_empty() { name.build_id.clone() } else { format!("{} {}", name.name, name.build_id) }
}

/// The command of the first container that failed, else of the first one.
fn short_command(job: &JobReport) -> String {
    let failed = job.containers.iter().find(|container| container.entry.code != Some(0));
    let Some(container) = failed.or_else(|| job.containers.first()) else { return String::new() };
    let line = command(&container.entry.command);
    let mut short: String = line.chars().take(MAX_HEADLINE).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

/// A time, whose local form a script shows on hover.
fn clock(at: Timestamp) -> Markup {
    html! { time datetime=(at.in_seconds(0)) { (timeline::clock(at)) } }
}

fn header(job: &JobReport) -> Markup {
    let span = job.span();
    let revision = job.finished.as_ref().map(|finished| finished.revision.as_str()).unwrap_or_default();
    html! {
        header class=(class(&job.result)) {
            p.badge { (visible(&job.result)) }
            p.job {
                strong { (visible(&name(job))) }
                @let command = short_command(job);
                @if !command.is_empty() { " " code { (visible(&command)) } }
            }
            h1 { (visible(&job.cause)) }
            p.place { (visible(&job.destination)) }
            dl.facts {
                @if let Some((begin, end)) = span {
                    div { dt { "Started" } dd { (clock(begin)) } }
                    div { dt { "Took" } dd { (timeline::time(end.since(begin))) } }
                } @else if let Some(at) = finished_at(job) {
                    div { dt { "Finished" } dd { (clock(at)) } }
                }
                @if job.objects.all.count > 0 {
                    div { dt { "Delivered" } dd { (size(job.objects.all.bytes)) } }
                }
                @if job.objects.count_of_troubled() > 0 {
                    div { dt { "Objects not in order" } dd.bad { (job.objects.count_of_troubled()) } }
                }
                @if job.objects.censored_bytes > 0 {
                    div { dt { "Censored" } dd { (job.objects.censored_bytes) " bytes of secrets" } }
                }
                @if !revision.is_empty() {
                    div { dt { "Revision" } dd { code { (visible(revision)) } } }
                }
            }
        }
    }
}

fn problems(job: &JobReport) -> Markup {
    html! {
        @if !job.not_masked.is_empty() {
            section.problems aria-labelledby="secrets-title" {
                h2 #secrets-title { "Secrets that were not masked" }
                ul {
                    @for complaint in &job.not_masked {
                        li { (visible(complaint)) }
                    }
                }
            }
        }
        @if let Some(finished) = job.finished.as_ref().filter(|finished| !finished.errors.is_empty()) {
            section.problems aria-labelledby="metadata-errors-title" {
                h2 #metadata-errors-title { "Metadata that is not in the result" }
                ul {
                    @for error in &finished.errors { li { (visible(error)) } }
                }
            }
        }
        @if !job.problems.is_empty() {
            section.problems aria-labelledby="problems-title" {
                h2 #problems-title { "What is not known" }
                ul {
                    @for problem in &job.problems {
                        li { (visible(problem)) }
                    }
                }
            }
        }
    }
}

/// The names and values that the job gave about itself.
fn metadata(job: &JobReport) -> Markup {
    let Some(finished) = job.finished.as_ref().filter(|finished| !finished.metadata.is_empty()) else {
        return html! {};
    };
    html! {
        section aria-labelledby="metadata-title" {
            h2 #metadata-title { "Metadata of the job" }
            div.card.wide {
                table {
                    tbody {
                        @for (name, value) in &finished.metadata {
                            tr { th scope="row" { (visible(name)) } td.value { (visible(value)) } }
                        }
                    }
                }
            }
            @if finished.metadata_left_out > 0 {
                p.note { (finished.metadata_left_out) " more are left out; " code { "finished.json" } " has them." }
            }
        }
    }
}
