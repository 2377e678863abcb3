//! The timeline on the page: drawings, and the moments in words.

use super::drawing;
use crate::escape::visible;
use crate::job::JobReport;
use crate::timeline::{self, moments};
use common::timestamp::Timestamp;
use maud::{Markup, html};

/// More moments are in the manifest.
const MAX_MOMENTS: usize = 200;

pub(super) fn section(job: &JobReport) -> Markup {
    let moments = moments(job);
    let Some((begin, end)) = job.span() else { return html! {} };
    html! {
        section aria-labelledby="timeline-title" {
            h2 #timeline-title { "Timeline" }
            figure {
                div.drawing {
                    (both(job, begin, end, "The whole job as a timeline; the table of moments below says the same"))
                }
                @if let Some((from, to)) = timeline::ending(job) {
                    figcaption { "The last " (timeline::time(to.since(from))) }
                    div.drawing {
                        (both(job, from, to, "The end of the job as a timeline"))
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
                                    td.number { time datetime=(moment.at.in_seconds(0)) { "+" (timeline::time(moment.at.since(begin))) } }
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

/// Two drawings, of which one is shown: text that is scaled down cannot be read.
fn both(job: &JobReport, from: Timestamp, to: Timestamp, title: &str) -> Markup {
    html! {
        div.broad { (drawing::svg(job, from, to, title, drawing::BROAD)) }
        div.narrow { (drawing::svg(job, from, to, title, drawing::NARROW)) }
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
