//! Parts of a report in words, as terminal and page have them.

use crate::amounts::size;
use crate::escape::visible;
use crate::job::JobReport;
use crate::manifest::Object;
use crate::timeline;
use common::duration::GoDuration;
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
pub fn usage(report: &common::report::Report) -> String {
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
            text = format!("{text}; {kills} processes killed for lack of memory");
        }
    }
    text
}

/// Describes the processes that the command left behind.
pub fn leftovers(report: &common::report::Report) -> Option<String> {
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
}
