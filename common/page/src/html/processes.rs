//! The processes of a job before the first signal, as a tree.

use super::log::coloured;
use crate::amounts::{size, time};
use crate::escape::visible;
use crate::sgr::Style;
use common::report::{MAX_PROCESSES, ProcessState};
use maud::{Markup, html};
use std::time::Duration;

pub(super) fn section(processes: &[ProcessState]) -> Markup {
    let shown = &processes[..processes.len().min(MAX_PROCESSES)];
    html! {
        @if !shown.is_empty() {
            details.inner open[shown.len() <= 12] {
                summary { "Processes before the first signal: " (shown.len()) }
                ul.processes {
                    @for root in roots(shown) { (branch(shown, root, 0)) }
                }
            }
        }
    }
}

/// Processes whose parent is not among them. A parent has an earlier place in the list
/// than its children wherever the list is entrypoint's; in a forged one nothing turns in
/// circles either, since only later places count as children.
fn roots(processes: &[ProcessState]) -> impl Iterator<Item = usize> {
    (0..processes.len()).filter(|at| parent(processes, *at).is_none())
}

fn parent(processes: &[ProcessState], at: usize) -> Option<usize> {
    (0..at).rev().find(|other| processes[*other].pid == processes[at].parent)
}

fn branch(processes: &[ProcessState], at: usize, depth: usize) -> Markup {
    let process = &processes[at];
    let children: Vec<_> =
        (at + 1..processes.len()).filter(|other| parent(processes, *other) == Some(at)).collect();
    html! {
        li {
            (line(process))
            @if !children.is_empty() && depth < MAX_PROCESSES {
                ul {
                    @for child in children { (branch(processes, child, depth + 1)) }
                }
            }
        }
    }
}

fn line(process: &ProcessState) -> Markup {
    let millis = |millis: u64| time(Duration::from_millis(millis));
    let state = match process.state.as_str() {
        "R" => "runs",
        "S" => "sleeps",
        "D" => "waits for a device",
        "Z" => "has ended, not reaped",
        "T" | "t" => "is stopped",
        _ => "",
    };
    html! {
        strong { (visible(&process.name)) } " " span.note { (process.pid) }
        @if process.most_cpu { " " span.pill.warn { "most CPU" } }
        @if process.waits_longest { " " span.pill.warn { "waits longest" } }
        span.note {
            " " (state)
            @if !process.wchan.is_empty() { " in " code { (visible(&process.wchan)) } }
            ", age " (millis(process.age_ms)) ", CPU " (millis(process.cpu_ms)) ", " (size(process.rss_bytes))
            @if process.threads > 1 { ", " (process.threads) " threads" }
        }
        @if !process.command.is_empty() {
            br;
            code { (coloured(&process.command, &mut Style::default())) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32, name: &str) -> ProcessState {
        ProcessState { pid, parent, name: name.to_owned(), state: "S".to_owned(), ..ProcessState::default() }
    }

    #[test]
    fn processes_are_a_tree_and_every_one_is_there_once() {
        let tree =
            [process(7, 1, "make"), process(8, 7, "sh"), process(9, 8, "<curl>"), process(10, 7, "tee")];
        let text = section(&tree).into_string();
        let names: Vec<_> = text.split("<strong>").skip(1).map(|rest| rest.split('<').next()).collect();
        assert_eq!(names, ["make", "sh", "&lt;curl&gt;", "tee"].map(Some));
        assert_eq!(text.matches("<ul>").count(), 2, "{text}");
    }

    #[test]
    fn a_forged_circle_ends() {
        let circle = [process(7, 8, "a"), process(8, 7, "b"), process(9, 9, "c"), process(7, 7, "d")];
        let text = section(&circle).into_string();
        assert_eq!(text.matches("<strong>").count(), 4, "{text}");
        let many: Vec<_> = (0..1000).map(|pid| process(pid, pid - 1, "x")).collect();
        assert_eq!(section(&many).into_string().matches("<strong>").count(), MAX_PROCESSES);
    }
}
