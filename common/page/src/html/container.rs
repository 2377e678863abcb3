//! One container on the page.

use super::{course, log, processes};
use crate::amounts::size;
use crate::escape::visible;
use crate::job::ContainerReport;
use crate::links::Links;
use crate::timeline;
use crate::words::{command, leftovers, machine};
use common::duration::GoDuration;
use common::report::{ChildEnd, Report};
use maud::{Markup, html};

/// A command longer than this is cut, in characters.
const MAX_COMMAND: usize = 4000;

/// Containers beyond this number show no drawings and no processes.
const MAX_DETAILED: usize = 8;

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
                Some(report) => {
                    (facts(report))
                    @if index < MAX_DETAILED {
                        (processes::section(&report.processes))
                        (course::section(report))
                    }
                },
                None => p.note { "There is no report of its entrypoint: nothing more is known about its end." },
            }
            @match &container.log {
                Ok(log) => (log::section(&container.log_name, log, index, links)),
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
            @if let Some(machine) = machine(report) {
                div { dt { "Use of the machine" } dd { (machine) } }
            }
            @if oom_kills > 0 {
                div { dt { "Out of memory" } dd.bad { (oom_kills) @if oom_kills == 1 { " process killed" } @else { " processes killed" } } }
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
