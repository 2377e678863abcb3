//! The durations of builds as a drawing.

use super::build::Build;
use super::text::{begin, clock};
use crate::terminal;
use job_page::escape::visible;
use maud::{Markup, html};
use std::time::Duration;

/// Bars that a page can show.
const MAX_BARS: usize = 200;

/// The drawing's size and margins, in its own units.
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 170.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 22.0;

/// The width of a bar where there are few.
const MAX_BAR_WIDTH: f64 = 40.0;

/// The height of a bar that would be too low to be seen.
const MIN_BAR_HEIGHT: f64 = 2.0;

/// Draws the durations, the newest build first; nothing where none is known.
pub(super) fn svg(builds: &[Build], class: fn(&str) -> &'static str) -> Option<Markup> {
    let builds = &builds[..builds.len().min(MAX_BARS)];
    let longest = builds.iter().filter_map(Build::took).max().filter(|took| *took > Duration::ZERO)?;
    let top = ceiling(longest);
    let step = ((WIDTH - LEFT) / count(builds.len())).min(MAX_BAR_WIDTH);
    let base = HEIGHT - BOTTOM;
    let height = |took: Duration| (took.as_secs_f64() / top.as_secs_f64() * (base - TOP)).max(MIN_BAR_HEIGHT);
    let bars = builds.iter().enumerate().filter_map(|(index, build)| Some((index, build, build.took()?)));
    let title = format!("The durations of the newest {} builds, from the newest to older ones", builds.len());
    Some(html! {
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(title) {
            @for part in [1.0, 0.5] {
                line.tick x1=(LEFT) x2=(WIDTH) y1=(tenths(base - part * (base - TOP))) y2=(tenths(base - part * (base - TOP))) {}
                text.time x=(LEFT - 6.0) y=(tenths(base - part * (base - TOP) + 4.0)) text-anchor="end" {
                    (terminal::time(top.mul_f64(part)))
                }
            }
            line.tick x1=(LEFT) x2=(WIDTH) y1=(base) y2=(base) {}
            @for (index, build, took) in bars {
                rect class=(class(build.result())) x=(tenths(LEFT + count(index) * step)) y=(tenths(base - height(took)))
                    width=(tenths((step - 1.0).max(1.0))) height=(tenths(height(took))) {
                    title {
                        (visible(&build.id)) ": " (visible(build.result())) ", " (terminal::time(took))
                        @if let Some(at) = begin(build) { ", " (clock(at)) }
                    }
                }
            }
            text.time x=(LEFT) y=(HEIGHT - 6.0) { "newest" }
        }
    })
}

#[expect(clippy::cast_precision_loss, reason = "there are few bars")]
fn count(number: usize) -> f64 {
    number as f64
}

/// A number with few digits, for the page's size.
fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// A round time at least as long.
fn ceiling(longest: Duration) -> Duration {
    const STEPS: [u32; 12] = [1, 2, 5, 10, 15, 20, 30, 60, 100, 200, 500, 1000];
    let units = [(1, 1000), (1000, 60), (60_000, 60), (3_600_000, 1000)];
    let unit = units.into_iter().find(|(unit, limit)| longest <= Duration::from_millis(unit * limit));
    let Some((unit, _)) = unit else { return longest };
    let round = STEPS.into_iter().map(|step| Duration::from_millis(unit) * step);
    round.into_iter().find(|round| longest <= *round).unwrap_or(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_times() {
        for (longest, top) in [(3, 5), (999, 1000), (1001, 2000), (61_000, 120_000), (5_000_000, 7_200_000)] {
            assert_eq!(ceiling(Duration::from_millis(longest)), Duration::from_millis(top), "{longest}");
        }
        let years = Duration::from_hours(100_000);
        assert_eq!(ceiling(years), years);
    }

    #[test]
    fn unknown_durations_are_no_drawing() {
        assert!(svg(&[Build::default()], |_| "ok").is_none());
    }
}
