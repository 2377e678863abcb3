//! One container on the page.

use crate::amounts::size;
use crate::escape::visible;
use crate::excerpt::{At, Excerpt};
use crate::job::ContainerReport;
use crate::links::Links;
use crate::timeline;
use crate::words::{command, leftovers};
use common::duration::GoDuration;
use common::report::{ChildEnd, Report};
use maud::{Markup, html};

/// A command longer than this is cut, in characters.
const MAX_COMMAND: usize = 4000;

/// Containers beyond this number show only ten lines of their log's end.
const MAX_LONG_TAILS: usize = 8;

pub(super) fn article(container: &ContainerReport, index: usize, links: &Links) -> Markup {
    let name = timeline::name(&container.entry.name, index);
    let title = format!("container-{index}");
    let class = if container.entry.code == Some(0) { "ok" } else { "bad" };
    html! {
        article aria-labelledby=(title) {
            h3 id=(title) { (visible(&name)) " " span class={ "pill " (class) } { (ended(container)) } }
            @if !container.entry.command.is_empty() {
                @let line: String = command(&container.entry.command).chars().take(MAX_COMMAND).collect();
                pre.command tabindex="0" aria-label="Command" { code { (visible(&line)) } }
            }
            @match &container.report {
                Some(report) => (facts(report)),
                None => p.note { "There is no report of its entrypoint: nothing more is known about its end." },
            }
            @match &container.log {
                Ok(log) => (self::log(container, log, index, links)),
                Err(problem) => p.note { "Its log cannot be shown: " (visible(problem)) },
            }
        }
    }
}

fn ended(container: &ContainerReport) -> String {
    match (container.entry.state.as_str(), container.entry.code) {
        ("ended", Some(code)) => format!("code {code}"),
        (state, _) => visible(state).into_owned(),
    }
}

fn facts(report: &Report) -> Markup {
    let cpu = |nanos: u64| timeline::time(GoDuration::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX)));
    let usage = &report.usage;
    let cgroup = report.cgroup.as_ref();
    let oom_kills = cgroup.and_then(|cgroup| cgroup.oom_kills).unwrap_or(0);
    html! {
        p.cause { (visible(&report.cause)) }
        dl.facts {
            div { dt { "Ended by" } dd {
                @match report.child {
                    Some(ChildEnd::ExitCode(code)) => { "exit code " (code) },
                    Some(ChildEnd::Signal(signal)) => { "signal " (signal) },
                    None => "not started",
                }
            } }
            div { dt { "Took" } dd { (timeline::time(report.finished.since(report.started))) } }
            div { dt { "CPU" } dd { (cpu(usage.user_ns)) " user, " (cpu(usage.system_ns)) " system" } }
            div { dt { "Peak memory" } dd {
                (size(usage.max_rss_bytes)) " in one process"
                @if let Some(peak) = cgroup.and_then(|cgroup| cgroup.memory_peak_bytes) {
                    ", " (size(peak)) " in the container"
                }
            } }
            @if oom_kills > 0 {
                div { dt { "Out of memory" } dd.bad { (oom_kills) " processes killed" } }
            }
            div { dt { "Output" } dd {
                (size(report.output.child_bytes))
                @if report.output.dropped_bytes > 0 {
                    ", " span.bad { (size(report.output.dropped_bytes)) " did not fit into the log" }
                }
            } }
            @if let Some(left) = leftovers(report) {
                div.long { dt { "Left behind" } dd { (visible(&left)) } }
            }
        }
    }
}

fn log(container: &ContainerReport, log: &Excerpt, index: usize, links: &Links) -> Markup {
    let name = &container.log_name;
    let link = links.to(name);
    let tail = if index < MAX_LONG_TAILS {
        log.tail.as_slice()
    } else {
        &log.tail[log.tail.len().saturating_sub(10)..]
    };
    html! {
        p.log {
            "Log: "
            @match &link {
                Some(link) => a href=(link) { (visible(name)) },
                None => code { (visible(name)) },
            }
            ", " (size(log.bytes))
        }
        @if !log.errors.is_empty() {
            h4 { "Lines that look like errors" }
            @if log.unread > 0 {
                p.note { "The middle of the log, " (size(log.unread)) ", was not looked through." }
            }
            ol.errors {
                @for error in &log.errors {
                    @let place = match error.at {
                        At::Line(number) => format!("line {number}"),
                        At::Byte(number) => format!("byte {number}"),
                    };
                    li {
                        @match links.to_line(name, &error.text) {
                            Some(link) => a href=(link) { (place) },
                            None => span.at { (place) },
                        }
                        " " code { (error.text) }
                    }
                }
            }
            @if log.errors_left_out > 0 {
                p.note { (log.errors_left_out) " more lines look like errors." }
            }
        }
        @if !tail.is_empty() {
            h4 { @if log.has_more { "The last " (tail.len()) " lines" } @else { "All lines" } }
            pre.tail tabindex="0" aria-label="End of the log" { code { (tail.join("\n")) } }
        }
    }
}
