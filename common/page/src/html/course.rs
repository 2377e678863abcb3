//! The course of a job: what it used of the machine, as small drawings.

use crate::amounts::size;
use crate::timeline::lack_of_memory;
use common::report::{Course, MAX_SAMPLES, Report};
use common::timestamp::Timestamp;
use maud::{Markup, html};

const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 92.0;
/// The room of the drawing itself, within its labels.
const TOP: f64 = 16.0;
const BOTTOM: f64 = 76.0;

/// One drawing: its values with the unit in which they are labelled.
struct Chart {
    title: &'static str,
    values: Vec<f64>,
    limit: Option<f64>,
    label: fn(f64) -> String,
}

pub(super) fn section(report: &Report) -> Markup {
    let Some(course) = &report.course else { return html! {} };
    let times = column(course, "at_s");
    let last = times.last().copied().unwrap_or_default();
    if times.len() < 2 || last <= 0.0 {
        return html! {};
    }
    let marks = marks(report, last);
    html! {
        details.inner open {
            summary { "What it used" }
            div.charts {
                @for chart in charts(course, &times) { (draw(&chart, &times, &marks)) }
            }
            @let has = |class| marks.iter().any(|mark| mark.class == class);
            @if has("received") || has("killed") {
                p.note {
                    @if has("received") { "Dashed lines are signals. " }
                    @if has("killed") { "At red lines the kernel killed for lack of memory. " }
                    "The last solid line is the end of the command."
                }
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser")]
fn column(course: &Course, name: &str) -> Vec<f64> {
    let values = course.columns.get(name).map(Vec::as_slice).unwrap_or_default();
    values.iter().take(MAX_SAMPLES).map(|value| *value as f64).collect()
}

/// The drawings that show anything.
#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser")]
fn charts(course: &Course, times: &[f64]) -> Vec<Chart> {
    let level = |name: &str, factor: f64| -> Vec<f64> {
        column(course, name).into_iter().map(|value| value * factor).collect()
    };
    // What was used since the sample before, in each second.
    let rate = |name: &str, factor: f64| -> Vec<f64> {
        let before = std::iter::once(0.0).chain(times.iter().copied());
        let spans = times.iter().zip(before).map(|(at, before)| (at - before).max(1.0));
        column(course, name).into_iter().zip(spans).map(|(value, span)| value * factor / span).collect()
    };
    let bytes = |value: f64| size(to_whole(value));
    let chart = |title, values, label: fn(f64) -> String| Chart { title, values, limit: None, label };
    let mut charts = vec![
        Chart {
            limit: course.memory_limit_bytes.map(|limit| limit as f64),
            ..chart("Memory", level("memory_kib", 1024.0), bytes)
        },
        Chart {
            limit: course.cpu_limit_millis.map(|limit| limit as f64 / 1000.0),
            ..chart("CPU", rate("cpu_ms", 0.001), |value| format!("{value:.2} CPUs"))
        },
        chart("Throttled", rate("throttled_ms", 0.1), percent),
        chart("Waiting for CPU", rate("cpu_pressure_ms", 0.1), percent),
        chart("Waiting for memory", rate("memory_pressure_ms", 0.1), percent),
        chart("Waiting for disks", rate("io_pressure_ms", 0.1), percent),
        chart("Processes and threads", level("pids", 1.0), |value| format!("{value:.0}")),
        chart("Read from disks", rate("read_kib", 1024.0), each_second),
        chart("Written to disks", rate("written_kib", 1024.0), each_second),
        chart("Output", rate("output_kib", 1024.0), each_second),
        chart("Free for the log", level("free_kib", 1024.0), bytes),
    ];
    charts.retain(|chart| chart.values.len() > 1 && chart.values.iter().any(|value| *value > 0.0));
    charts
}

fn percent(value: f64) -> String {
    format!("{:.0} %", value.min(100.0))
}

fn each_second(value: f64) -> String {
    format!("{}/s", size(to_whole(value)))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
fn to_whole(value: f64) -> u64 {
    value as u64
}

/// A moment, as a part of the whole width.
struct Mark {
    class: &'static str,
    part: f64,
    title: String,
}

#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser")]
fn marks(report: &Report, last: f64) -> Vec<Mark> {
    let began = report.course.as_ref().and_then(|course| course.started).unwrap_or(report.started);
    let part = |at: Timestamp| (at.since(began).as_nanos() as f64 / 1e9 / last).clamp(0.0, 1.0);
    let signals = report.interrupts.iter().take(20).map(|interrupt| Mark {
        class: "received",
        part: part(interrupt.at),
        title: interrupt.signal.to_string(),
    });
    let end = report.child_ended.map(|at| Mark { class: "end", part: part(at), title: "the end".to_owned() });
    // Last, so that they lie over the end where they are its cause.
    let kills = lack_of_memory(report).into_iter().map(|kills| Mark {
        class: "killed",
        part: part(kills.at),
        title: kills.in_words(),
    });
    signals.chain(end).chain(kills).collect()
}

fn draw(chart: &Chart, times: &[f64], marks: &[Mark]) -> Markup {
    let peak = chart.values.iter().copied().fold(0.0, f64::max);
    // A limit far above says only that there was room.
    let limit = chart.limit.filter(|limit| *limit > 0.0 && *limit < peak * 8.0);
    let top = limit.map_or(peak, |limit| limit.max(peak)).max(f64::MIN_POSITIVE);
    let last = times.last().copied().unwrap_or(1.0);
    let tenths = |value: f64| (value * 10.0).round() / 10.0;
    let x = |at: f64| tenths(at / last * WIDTH);
    let y = |value: f64| tenths(BOTTOM - value / top * (BOTTOM - TOP));
    let points: Vec<_> =
        times.iter().zip(&chart.values).map(|(at, value)| format!("{} {}", x(*at), y(*value))).collect();
    let line = format!("M{}", points.join(" L"));
    let begin = times.first().copied().unwrap_or_default();
    let end = times.get(points.len().saturating_sub(1)).copied().unwrap_or(last);
    let area = format!("{line} L{} {BOTTOM} L{} {BOTTOM} z", x(end), x(begin));
    let told = format!("{}, at most {}", chart.title, (chart.label)(peak));
    html! {
        figure.chart {
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(told) {
                text.lane x="0" y="11" { (chart.title) }
                text.time x=(WIDTH) y="11" text-anchor="end" {
                    "peak " ((chart.label)(peak))
                    @if let Some(limit) = chart.limit { " of " ((chart.label)(limit)) }
                }
                path.area d=(area) {}
                path.curve d=(line) {}
                @if let Some(limit) = limit {
                    line.limit x1="0" x2=(WIDTH) y1=(y(limit)) y2=(y(limit)) { title { "limit" } }
                }
                @for mark in marks {
                    @let at = tenths(mark.part * WIDTH);
                    line class={ "mark " (mark.class) } x1=(at) x2=(at) y1=(TOP) y2=(BOTTOM) { title { (mark.title) } }
                }
                line.tick x1="0" x2=(WIDTH) y1=(BOTTOM) y2=(BOTTOM) {}
                text.time x="0" y="89" { "+0s" }
                text.time x=(WIDTH) y="89" text-anchor="end" { "+" (seconds(last)) }
            }
        }
    }
}

fn seconds(seconds: f64) -> String {
    crate::amounts::time(std::time::Duration::from_secs(to_whole(seconds))).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::report::Cgroup;
    use std::collections::BTreeMap;
    use std::time::Duration;

    fn course(columns: &[(&str, &[u64])]) -> Course {
        let columns: BTreeMap<_, _> =
            columns.iter().map(|(name, values)| ((*name).to_owned(), values.to_vec())).collect();
        Course { memory_limit_bytes: Some(4 << 30), cpu_limit_millis: Some(500), columns, started: None }
    }

    fn report(course: Course) -> Report {
        let text = r#"{"version":1,"reason":"timed_out","cause":"c","code":127,"started":"2026-01-01T00:00:00Z",
            "finished":"2026-01-01T00:00:10Z","timeout_ns":1,"grace_period_ns":1,"interrupts":
            [{"signal":"SIGINT","at":"2026-01-01T00:00:05Z","from":"timeout","sent_to":"child"}],
            "output":{"child_bytes":0,"dropped_bytes":0,"log_bytes":0,"log_crc32c":""},
            "leftovers":{"ended":0,"killed":0,"unkillable":0,"unknown":false,"names":[]},
            "usage":{"max_rss_bytes":0,"user_ns":0,"system_ns":0}}"#;
        let report: Report = serde_json::from_str(text).expect("a report");
        let child_ended = Some(Timestamp::from_nanos(report.started.as_nanos() + 8_000_000_000));
        Report { course: Some(course), child_ended, ..report }
    }

    #[test]
    fn what_was_used_is_drawn_with_limits_and_moments() {
        let columns: [(&str, &[u64]); 4] = [
            ("at_s", &[1, 5, 10]),
            ("memory_kib", &[1 << 20, 2 << 20, 3 << 20]),
            ("cpu_ms", &[500, 2000, 2500]),
            ("throttled_ms", &[0, 0, 0]),
        ];
        let text = section(&report(course(&columns))).into_string();
        assert!(text.contains("peak 3.0 GiB of 4.0 GiB"), "{text}");
        assert!(text.contains("peak 0.50 CPUs of 0.50 CPUs"), "{text}");
        assert!(!text.contains("Throttled"), "{text}");
        assert!(text.contains(r#"<line class="mark received" x1="160" x2="160""#), "{text}");
        assert!(text.contains(r#"<line class="mark end" x1="256" x2="256""#), "{text}");
        assert_eq!(text.matches("<svg").count(), 2, "{text}");
    }

    #[test]
    fn moments_of_kills_are_those_of_their_samples() {
        let columns: [(&str, &[u64]); 3] =
            [("at_s", &[1, 5, 10]), ("memory_kib", &[1, 2, 3]), ("oom_kills", &[0, 2, 0])];
        let mut report = report(course(&columns));
        report.cgroup = Some(Cgroup { memory_peak_bytes: None, oom_kills: Some(3) });
        let text = section(&report).into_string();
        for (x, title) in [
            ("160", "the kernel killed 2 processes for lack of memory, at some time in the 4s before"),
            ("256", "the kernel killed a process for lack of memory"),
        ] {
            let mark = format!(
                r#"<line class="mark killed" x1="{x}" x2="{x}" y1="16" y2="76"><title>{title}</title>"#
            );
            assert_eq!(text.matches(&mark).count(), 1, "{mark} in {text}");
        }
        // The command began late, after another entry.
        report.course.as_mut().expect("a course").started =
            Some(report.started.after(Duration::from_secs(2)));
        let text = section(&report).into_string();
        assert!(text.contains(r#"<line class="mark received" x1="96" x2="96""#), "{text}");
        assert!(text.contains(r#"<line class="mark killed" x1="160" x2="160""#), "{text}");
        // What a forged report says.
        let columns: [(&str, &[u64]); 2] =
            [("at_s", &[u64::MAX, 0]), ("oom_kills", &[u64::MAX, u64::MAX, 9])];
        report.course = Some(course(&columns));
        assert!(section(&report).into_string().len() < 8000);
    }

    #[test]
    fn columns_of_any_length_are_drawn_as_far_as_they_go() {
        let long = vec![u64::MAX; 100_000];
        let columns: [(&str, &[u64]); 3] = [("at_s", &[0, 1, 1, 2]), ("memory_kib", &long), ("pids", &[1])];
        let text = section(&report(course(&columns))).into_string();
        assert!(text.len() < 8000 && text.contains("Memory") && !text.contains("NaN"), "{text}");
        assert_eq!(section(&report(course(&[("at_s", &[0])]))).into_string(), "");
        assert_eq!(section(&report(course(&[]))).into_string(), "");
    }
}
