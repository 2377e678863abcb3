//! The delivered objects on the page.

use crate::amounts::size;
use crate::escape::visible;
use crate::job::JobReport;
use crate::links::Links;
use crate::manifest::Object;
use crate::objects::FOLLOWS;
use crate::words::{sums, trouble};
use maud::{Markup, html};

pub(super) fn section(job: &JobReport, links: &Links) -> Markup {
    let objects = &job.objects;
    if objects.all.count == 0 {
        return html! {};
    }
    let shown = objects.troubled.iter().chain(objects.largest()).chain(&objects.closing);
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
    // The page's own neighbours follow it.
    let is_there = object.is_there() || job.objects.closing.contains(object);
    let link = links.to(name).filter(|_| is_there && below);
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
            td role="cell" class=(if is_in_order(object) && trouble.is_empty() { "state" } else { "state bad" }) {
                (visible(&object.state))
                @if !trouble.is_empty() { ": " (visible(&trouble)) }
            }
            td.number role="cell" data-value=(object.censored) {
                @if object.censored > 0 { (object.censored) " bytes" } @else { "0" }
            }
        }
    }
}

fn is_in_order(object: &Object) -> bool {
    object.is_stored() || object.state == FOLLOWS
}
