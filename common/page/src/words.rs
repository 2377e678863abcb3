//! Parts of a report in words, as terminal and page have them.

use crate::amounts::size;
use crate::escape::visible;
use crate::job::JobReport;
use crate::manifest::Object;
use crate::timeline;
use common::duration::GoDuration;
use common::report::Report;
use common::timestamp::Timestamp;

/// A command as a shell would take it.
pub fn command(words: &[String]) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%^".contains(c);
    let quoted = words.iter().map(|word| {
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// CPU time and memory.
pub fn usage(report: &Report) -> String {
    let cpu = |nanos: u64| timeline::time(GoDuration::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX)));
    let mut text = format!(
        "CPU {} user, {} system; largest process {}",
        cpu(report.usage.user_ns),
        cpu(report.usage.system_ns),
        size(report.usage.max_rss_bytes)
    );
    if let Some(cgroup) = &report.cgroup {
        text +=
            &cgroup.memory_peak_bytes.map(|bytes| format!("; container {}", size(bytes))).unwrap_or_default();
        if let Some(kills) = cgroup.oom_kills.filter(|kills| *kills > 0) {
            let processes = if kills == 1 { "process" } else { "processes" };
            text = format!("{text}; {kills} {processes} killed for lack of memory");
        }
    }
    text
}

/// The peak of memory with its limit, and for how long the CPU limit stopped the
/// container: `memory 3.1 of 4.0 GiB, CPU throttled 37 % of the time`.
pub fn machine(report: &Report) -> Option<String> {
    let course = report.course.as_ref()?;
    let column = |name: &str| course.columns.get(name).map(Vec::as_slice).unwrap_or_default();
    let of_cgroup = report.cgroup.as_ref().and_then(|cgroup| cgroup.memory_peak_bytes);
    let sampled = column("memory_kib").iter().max().map(|kib| kib.saturating_mul(1024));
    let memory = of_cgroup.max(sampled).map(|peak| {
        let limit = course.memory_limit_bytes.filter(|limit| *limit > 0);
        // Pages of files count towards the cgroup's own peak.
        let peak = limit.map_or(peak, |limit| peak.min(limit));
        format!("memory {}", limit.map_or_else(|| size(peak), |limit| of(&size(peak), &size(limit))))
    });
    let milliseconds = column("at_s").last().map_or(0, |seconds| seconds.saturating_mul(1000));
    let throttled = column("throttled_ms").iter().fold(0_u64, |sum, value| sum.saturating_add(*value));
    let percent = throttled.saturating_mul(100).checked_div(milliseconds).unwrap_or(0).min(100);
    let throttled = (percent > 0).then(|| format!("CPU throttled {percent} % of the time"));
    let parts: Vec<_> = memory.into_iter().chain(throttled).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Counts lines that are equal to one that is shown.
pub fn again(count: u64) -> String {
    format!("and {count} equal line{}", if count == 1 { "" } else { "s" })
}

/// Two sizes, the unit once where they share it.
fn of(part: &str, whole: &str) -> String {
    match (part.rsplit_once(' '), whole.rsplit_once(' ')) {
        (Some((number, unit)), Some((_, other))) if unit == other => format!("{number} of {whole}"),
        _ => format!("{part} of {whole}"),
    }
}

/// Describes the processes that the command left behind.
pub fn leftovers(report: &Report) -> Option<String> {
    let left = &report.leftovers;
    let counts = [(left.ended, "ended"), (left.killed, "killed"), (left.unkillable, "could not be killed")];
    let said: Vec<_> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if said.is_empty() && !left.unknown {
        return None;
    }
    let mut text = format!("processes left behind: {}", said.join(", "));
    if left.unknown {
        text += " (/proc could not be read)";
    }
    if !left.names.is_empty() {
        text = format!("{text}: {}", left.names.join("; "));
    }
    Some(text)
}

/// Describes the problem of an object.
pub fn trouble(object: &Object) -> String {
    match (object.why(), object.matches_report) {
        ("", Some(false)) => "what was read is not what entrypoint wrote".to_owned(),
        (why, _) => why.to_owned(),
    }
}

/// Numbers and sizes over all objects.
pub fn sums(job: &JobReport) -> String {
    let objects = &job.objects;
    let states = objects.by_state.iter().map(|(state, sum)| format!("{} {state}", sum.count));
    let mut text = format!(
        "{} objects, {} ({})",
        objects.all.count,
        size(objects.all.bytes),
        states.collect::<Vec<_>>().join(", ")
    );
    if objects.censored_bytes > 0 {
        text = format!("{text}; {} bytes of secrets censored", objects.censored_bytes);
    }
    visible(&text).into_owned()
}

/// The time of the result, where there is no other.
pub fn finished_at(job: &JobReport) -> Option<Timestamp> {
    let seconds = job.finished.as_ref()?.timestamp?;
    Some(Timestamp::from_nanos(seconds.saturating_mul(1_000_000_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_copied_into_a_shell() {
        let words = ["sh", "-c", "echo it's", ""].map(str::to_owned);
        assert_eq!(command(&words), r"sh -c 'echo it'\''s' ''");
    }

    #[test]
    fn sizes_share_their_unit() {
        assert_eq!(of("3.1 GiB", "4.0 GiB"), "3.1 of 4.0 GiB");
        assert_eq!(of("512.0 MiB", "4.0 GiB"), "512.0 MiB of 4.0 GiB");
    }
}
