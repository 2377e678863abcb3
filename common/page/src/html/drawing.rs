//! The timeline as inline SVG: one lane for each container and one for sidecar.
//!
//! The list of moments below it says the same in words, so the drawing is one
//! image with a title to those who cannot see it.

use crate::escape::visible;
use crate::job::JobReport;
use crate::timeline::{self, SIDECAR};
use common::report::{Origin, Report};
use common::timestamp::Timestamp;
use maud::{Markup, html};

/// More lanes are a wall; the list has all.
const MAX_LANES: usize = 12;

/// Widths of the drawing, for wide and for narrow windows.
pub(super) const BROAD: f64 = 760.0;
pub(super) const NARROW: f64 = 340.0;
const MARGIN: f64 = 10.0;
const LANE: f64 = 50.0;
const BAR: f64 = 16.0;
/// From the top of a lane to its bar: the label's line and the signals' line.
const TO_BAR: f64 = 24.0;
const AXIS: f64 = 26.0;
/// Labels of signals closer than this would lie over each other.
const LABEL_ROOM: f64 = 44.0;

/// A span of time on the width of the drawing.
#[derive(Clone, Copy)]
struct Scale {
    from: Timestamp,
    to: Timestamp,
    width: f64,
}

impl Scale {
    #[expect(clippy::cast_precision_loss, reason = "a pixel is coarser")]
    fn x(self, at: Timestamp) -> f64 {
        let whole = (self.to.as_nanos() - self.from.as_nanos()).max(1) as f64;
        let part = at.since(self.from).as_nanos() as f64;
        ((part / whole).clamp(0.0, 1.0) * (self.width - 2.0 * MARGIN) + MARGIN).mul_add(10.0, 0.5).floor()
            / 10.0
    }

    fn shows(self, at: Timestamp) -> bool {
        self.from <= at && at <= self.to
    }
}

/// One drawing of what happened between two times.
pub(super) fn svg(job: &JobReport, from: Timestamp, to: Timestamp, title: &str, width: f64) -> Markup {
    let scale = Scale { from, to, width };
    let reports: Vec<_> = job
        .containers
        .iter()
        .enumerate()
        .filter_map(|(index, container)| {
            Some((timeline::name(&container.entry.name, index), container.report.as_ref()?))
        })
        .take(MAX_LANES)
        .collect();
    let has_sidecar = !job.passes.is_empty();
    let lanes = reports.len() + usize::from(has_sidecar);
    #[expect(clippy::cast_precision_loss, reason = "a dozen at most")]
    let tops: Vec<f64> = (0..lanes).map(|lane| 4.0 + LANE * lane as f64).collect();
    let height = tops.last().map_or(0.0, |top| top + LANE) + AXIS;
    html! {
        svg viewBox={ "0 0 " (width) " " (height) } role="img" aria-label=(title) {
            (axis(scale, height))
            @for ((name, report), top) in reports.iter().zip(&tops) {
                (container(scale, name, report, *top))
            }
            @if let (true, Some(top)) = (has_sidecar, tops.last()) {
                (sidecar(scale, job, *top))
            }
        }
    }
}

fn container(scale: Scale, name: &str, report: &Report, top: f64) -> Markup {
    let bar = top + TO_BAR;
    let ended = report.child_ended.unwrap_or(report.finished);
    let class = if report.code == 0 { "ok" } else { "bad" };
    html! {
        text.lane x=(MARGIN) y=(top + 12.0) { (shortened(name)) }
        @if let Some((begin, end)) = timeline::grace(report) {
            (rect(scale, "grace", begin, end, bar - 3.0, BAR + 6.0, "grace period"))
        }
        (rect(scale, class, report.started, ended, bar, BAR, "the command ran"))
        (rect(scale, "drain", ended, report.finished, bar, BAR, "its processes and its output ended"))
        @if scale.shows(timeline::timeout(report)) {
            (line(scale, timeline::timeout(report), bar, "timeout"))
        }
        (signals(scale, report, bar))
        @if scale.shows(ended) {
            path.exit d=(format!("M{} {} l5 {} l-5 {} l-5 -{} z", scale.x(ended), bar, BAR / 2.0, BAR / 2.0, BAR / 2.0)) {
                title { "exit: " (visible(&report.cause)) }
            }
        }
    }
}

fn signals(scale: Scale, report: &Report, bar: f64) -> Markup {
    let mut free_from = 0.0;
    let labelled = report.interrupts.iter().filter(|interrupt| scale.shows(interrupt.at)).map(|interrupt| {
        let x = scale.x(interrupt.at);
        let has_room = x >= free_from;
        if has_room {
            free_from = x + LABEL_ROOM;
        }
        (interrupt, x, has_room)
    });
    html! {
        @for (interrupt, x, has_room) in labelled {
            @let to = match (interrupt.sent_to, interrupt.from) {
                (None, _) => "received",
                (Some(_), Origin::Leftovers) => "sent to what was left",
                (Some(_), Origin::Outside | Origin::Timeout) => "sent",
            };
            path class=(if interrupt.sent_to.is_some() { "sent" } else { "received" })
                d=(format!("M{x} {} l4.5 -7 h-9 z", bar - 1.0)) {
                title { (interrupt.signal) " " (to) }
            }
            @if has_room {
                @let anchor = if x > scale.width - 60.0 { "end" } else { "middle" };
                text.signal x=(x.max(16.0)) y=(bar - 10.0) text-anchor=(anchor) {
                    (interrupt.signal.to_string().trim_start_matches("SIG"))
                }
            }
        }
    }
}

fn sidecar(scale: Scale, job: &JobReport, top: f64) -> Markup {
    let bar = top + TO_BAR;
    html! {
        text.lane x=(MARGIN) y=(top + 12.0) { (SIDECAR) }
        @for pass in &job.passes {
            @let class = if pass.policy == "final" { "final" } else { "early" };
            @let end = pass.finished.unwrap_or(scale.to);
            (rect(scale, class, pass.started, end, bar, BAR, &format!("{} upload", pass.policy.replace('_', "-"))))
        }
        @if let Some(deadline) = job.deadline.filter(|deadline| scale.shows(*deadline)) {
            (line(scale, deadline, bar, "deadline"))
        }
    }
}

fn rect(
    scale: Scale,
    class: &str,
    from: Timestamp,
    to: Timestamp,
    y: f64,
    height: f64,
    title: &str,
) -> Markup {
    if to < scale.from || from > scale.to || to < from {
        return html! {};
    }
    let (left, right) = (scale.x(from), scale.x(to));
    // What happened is seen, however short it was, but no larger than it was.
    let width = ((right - left).max(1.0) * 10.0).round() / 10.0;
    html! {
        rect class=(class) x=(left) y=(y) width=(width) height=(height) rx=(if width > 6.0 { "2" } else { "0" }) {
            title { (visible(title)) ", " (timeline::time(to.since(from))) }
        }
    }
}

fn line(scale: Scale, at: Timestamp, bar: f64, title: &str) -> Markup {
    let x = scale.x(at);
    html! {
        line.limit x1=(x) x2=(x) y1=(bar - 8.0) y2=(bar + BAR + 6.0) { title { (title) } }
    }
}

/// A line and a time at round numbers after the beginning of the drawing.
fn axis(scale: Scale, height: f64) -> Markup {
    let whole = scale.to.since(scale.from).as_std();
    let step = step(whole.as_nanos(), if scale.width < 500.0 { 3 } else { 6 });
    let base = height - AXIS + 4.0;
    let ticks = (0..=whole.as_nanos() / step).map(|number| {
        let after = std::time::Duration::from_nanos(u64::try_from(number * step).unwrap_or(u64::MAX));
        (scale.x(scale.from.after(after)), after)
    });
    html! {
        @for (x, after) in ticks {
            line.tick x1=(x) x2=(x) y1="0" y2=(base) {}
            @let anchor = if x < 30.0 { "start" } else if x > scale.width - 40.0 { "end" } else { "middle" };
            text.time x=(x) y=(base + 14.0) text-anchor=(anchor) {
                "+" (common::duration::GoDuration::from_std(after))
            }
        }
    }
}

/// A round step that gives at most so many ticks: of 1, 2 or 5 milliseconds, seconds
/// and so on, and of parts of minutes and hours.
fn step(whole: u128, most: u128) -> u128 {
    const SECOND: u128 = 1_000_000_000;
    let fine = (3..9).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u128.pow(power)));
    let coarse =
        [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400];
    let mut steps = fine.chain(coarse.map(|seconds| seconds * SECOND));
    steps.find(|step| whole / step <= most).unwrap_or_else(|| (whole / most).max(1))
}

fn shortened(name: &str) -> String {
    let name = visible(name);
    let mut short: String = name.chars().take(60).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_round() {
        for (nanos, expected) in [
            (100_000_000_u128, 20_000_000_u128),
            (6_500_000_000, 1_000_000_000),
            (7_200_000_000_000, 1_800_000_000_000),
            (1, 1000),
        ] {
            assert_eq!(step(nanos, 6), expected, "{nanos}");
        }
        let year = 365 * 86_400 * 1_000_000_000;
        assert!(year / step(year, 6) <= 6);
    }

    #[test]
    fn times_outside_are_at_the_edge() {
        let at = Timestamp::from_nanos;
        let scale = Scale { from: at(100), to: at(200), width: BROAD };
        assert!((scale.x(at(0)) - MARGIN).abs() < 0.2);
        assert!((scale.x(at(150)) - BROAD / 2.0).abs() < 0.2);
        assert!((scale.x(at(900)) - (BROAD - MARGIN)).abs() < 0.2);
    }
}
