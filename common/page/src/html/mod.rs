//! A job's report as one self-contained page.
//!
//! It asks for nothing from anywhere, and says so with a Content-Security-Policy
//! that names the hashes of its one style and its one script. Everything from the
//! job passes the template's escaping and [`crate::escape`]. Without its script
//! it shows the same, unsorted.

mod container;
mod drawing;
mod test_results;

use crate::amounts::size;
use crate::escape::visible;
use crate::job::JobReport;
use crate::links::Links;
use crate::manifest::Object;
use crate::timeline::{self, moments};
use crate::words::{finished_at, sums, trouble};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// More moments are in the manifest.
const MAX_MOMENTS: usize = 200;

/// The page.
pub fn page(job: &JobReport, links: &Links) -> String {
    let title = format!("{}: {}", job.result, job.destination);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (visible(&title)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#objects" { "Skip to the objects" }
                (header(job))
                main {
                    @if let Some(results) = &job.tests { (test_results::section(results)) }
                    (problems(job))
                    (timeline_section(job))
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
                    (objects(job, links))
                }
                footer {
                    p { "Made by podutils " (common::version::VERSION) ". Times are in UTC." }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// Nothing but the page's own style and script.
fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// The CSS class of a result.
fn class(result: &str) -> &'static str {
    match result {
        "SUCCESS" => "ok",
        "FAILURE" => "bad",
        _ => "warn",
    }
}

fn header(job: &JobReport) -> Markup {
    let span = job.span();
    let revision = job.finished.as_ref().map(|finished| finished.revision.as_str()).unwrap_or_default();
    html! {
        header class=(class(&job.result)) {
            p.badge { (visible(&job.result)) }
            h1 { (visible(&job.cause)) }
            p.place { (visible(&job.destination)) }
            dl.facts {
                @if let Some((begin, end)) = span {
                    div { dt { "Started" } dd { (timeline::clock(begin)) } }
                    div { dt { "Took" } dd { (timeline::time(end.since(begin))) } }
                } @else if let Some(at) = finished_at(job) {
                    div { dt { "Finished" } dd { (timeline::clock(at)) } }
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

fn timeline_section(job: &JobReport) -> Markup {
    let moments = moments(job);
    let Some((begin, end)) = job.span() else { return html! {} };
    html! {
        section aria-labelledby="timeline-title" {
            h2 #timeline-title { "Timeline" }
            figure {
                div.drawing tabindex="0" role="group" aria-label="Timeline, scrolls sideways" {
                    (drawing::svg(job, begin, end, "The whole job as a timeline; the table of moments below says the same"))
                }
                @if let Some((from, to)) = timeline::ending(job) {
                    figcaption { "The last " (timeline::time(to.since(from))) }
                    div.drawing tabindex="0" role="group" aria-label="End of the timeline, scrolls sideways" {
                        (drawing::svg(job, from, to, "The end of the job as a timeline"))
                    }
                }
                (legend())
            }
            details open[moments.len() <= 40] {
                summary { (moments.len()) " moments" }
                div.wide {
                    table.moments {
                        thead { tr { th scope="col" { "After" } th scope="col" { "Who" } th scope="col" { "What" } } }
                        tbody {
                            @for moment in moments.iter().take(MAX_MOMENTS) {
                                tr {
                                    td.number { "+" (timeline::time(moment.at.since(begin))) }
                                    td { (visible(&moment.who)) }
                                    td { (visible(&moment.what)) }
                                }
                            }
                        }
                    }
                }
                @if moments.len() > MAX_MOMENTS {
                    p.note { (moments.len() - MAX_MOMENTS) " more moments are left out; the manifest has them." }
                }
            }
        }
    }
}

fn legend() -> Markup {
    let bars = [
        ("ok", "command, passed"),
        ("bad", "command, failed"),
        ("drain", "drain"),
        ("grace", "grace period"),
        ("early", "best-effort upload"),
        ("final", "final upload"),
    ];
    html! {
        ul.legend aria-hidden="true" {
            @for (class, text) in bars {
                li { svg viewBox="0 0 18 12" { rect class=(class) x="1" y="1" width="16" height="10" rx="2" {} } (text) }
            }
            li { svg viewBox="0 0 18 12" { path.received d="M9 10 l4.5 -7 h-9 z" {} } "signal received" }
            li { svg viewBox="0 0 18 12" { path.sent d="M9 10 l4.5 -7 h-9 z" {} } "signal sent" }
            li { svg viewBox="0 0 18 12" { path.exit d="M9 1 l5 5 l-5 5 l-5 -5 z" {} } "exit" }
            li { svg viewBox="0 0 18 12" { line.limit x1="9" x2="9" y1="0" y2="12" {} } "timeout, deadline" }
        }
    }
}

fn objects(job: &JobReport, links: &Links) -> Markup {
    let objects = &job.objects;
    if objects.all.count == 0 {
        return html! {};
    }
    let shown = objects.troubled.iter().chain(objects.largest());
    html! {
        section #objects aria-labelledby="objects-title" {
            h2 #objects-title { "Objects" }
            p { (sums(job)) "." }
            @if objects.left_out() > 0 {
                p.note {
                    "The table shows what is not in order and the largest objects; " (objects.left_out())
                    " more are left out. " code { "manifest.json" } " lists all."
                }
            }
            p.filter hidden {
                label for="filter" { "Filter" }
                input #filter type="search" autocomplete="off" spellcheck="false";
                output for="filter" {}
            }
            table.objects #objects-table role="table" {
                thead role="rowgroup" {
                    tr role="row" {
                        th scope="col" role="columnheader" { "Name" }
                        th scope="col" role="columnheader" data-kind="number" { "Size" }
                        th scope="col" role="columnheader" { "Type" }
                        th scope="col" role="columnheader" { "State" }
                        th scope="col" role="columnheader" data-kind="number" { "Censored" }
                    }
                }
                tbody role="rowgroup" {
                    @for object in shown { (row(job, object, links)) }
                }
            }
        }
    }
}

fn row(job: &JobReport, object: &Object, links: &Links) -> Markup {
    let name = job.objects.name(&object.key);
    // What lies elsewhere has no address below the destination.
    let below = name != object.key || job.objects.base.as_deref() == Some("");
    let link = links.to(name).filter(|_| object.is_there() && below);
    let trouble = trouble(object);
    html! {
        tr role="row" {
            td.name role="cell" {
                @match link {
                    Some(link) => a href=(link) { (visible(name)) },
                    None => (visible(name)),
                }
            }
            td.number role="cell" data-value=(object.stored_bytes.unwrap_or(0)) {
                @match object.stored_bytes { Some(bytes) => (size(bytes)), None => "–" }
            }
            td role="cell" {
                (visible(object.content_type.as_deref().unwrap_or("–")))
                @if let Some(encoding) = &object.content_encoding { ", " (visible(encoding)) }
            }
            td role="cell" class=(if object.is_stored() && trouble.is_empty() { "state" } else { "state bad" }) {
                (visible(&object.state))
                @if !trouble.is_empty() { ": " (visible(&trouble)) }
            }
            td.number role="cell" data-value=(object.censored) {
                @if object.censored > 0 { (object.censored) " bytes" } @else { "0" }
            }
        }
    }
}
