//! A job's report for a terminal.

use job_page::amounts::size;
use job_page::escape::{visible, without_colours};
use job_page::excerpt::At;
use job_page::job::{ContainerReport, JobReport};
use job_page::manifest::Object;
use job_page::sgr::for_terminal;
use job_page::test_results::TestResults;
use job_page::timeline::{self, moments};
use job_page::words::{again, command, leftovers, machine, sums, trouble, usage};

/// At most this many rows of each table.
const MAX_MOMENTS: usize = 60;
const MAX_LARGEST: usize = 10;
const MAX_TROUBLED: usize = 20;
const MAX_ERRORS: usize = 10;
const MAX_TAIL: usize = 15;

/// All lines; nothing in them acts on a terminal.
pub(crate) fn lines(job: &JobReport, coloured: bool) -> Vec<String> {
    let mut lines = headline(job).to_vec();
    lines.extend(facts(job).map(|facts| format!("  {facts}")));
    lines.extend(job.problems.iter().map(|problem| format!("  not known: {}", visible(problem))));
    let errors = job.finished.iter().flat_map(|finished| &finished.errors);
    lines.extend(errors.map(|error| format!("  metadata: {}", visible(error))));
    lines.extend(job.not_masked.iter().map(|complaint| format!("  not masked: {}", visible(complaint))));
    section(&mut lines, "Tests", job.tests.as_ref().map(TestResults::lines).unwrap_or_default());
    section(&mut lines, "Timeline", timeline_lines(job));
    for (index, one) in job.containers.iter().enumerate() {
        let name = timeline::name(&one.entry.name, index);
        section(&mut lines, &format!("Container {}", visible(&name)), container(one, coloured));
    }
    if job.containers_left_out > 0 {
        lines.push(format!("… and {} more containers", job.containers_left_out));
    }
    section(&mut lines, "Objects", objects(job));
    lines
}

/// Result, place and cause.
pub(crate) fn headline(job: &JobReport) -> [String; 2] {
    let result = format!("{}  {}", visible(&job.result), visible(&job.destination));
    [result, format!("  {}", visible(&job.cause))]
}

fn section(lines: &mut Vec<String>, title: &str, body: Vec<String>) {
    if !body.is_empty() {
        lines.push(String::new());
        lines.push(title.to_owned());
        lines.extend(body.into_iter().map(|line| format!("  {line}").trim_end().to_owned()));
    }
}

/// Start and duration.
fn facts(job: &JobReport) -> Option<String> {
    let (begin, end) = job.span()?;
    let mut text = format!("{}, took {}", timeline::clock(begin), timeline::time(end.since(begin)));
    if let Some(finished) = job.finished.as_ref().filter(|finished| !finished.revision.is_empty()) {
        text = format!("{text}, revision {}", visible(&finished.revision));
    }
    Some(text)
}

fn timeline_lines(job: &JobReport) -> Vec<String> {
    let moments = moments(job);
    let Some(begin) = moments.first().map(|moment| moment.at) else { return Vec::new() };
    let who = moments.iter().map(|moment| visible(&moment.who).chars().count()).max().unwrap_or(0).min(30);
    let row = |moment: &timeline::Moment| {
        let after = format!("+{}", timeline::time(moment.at.since(begin)));
        format!("{after:>12}  {:<who$}  {}", visible(&moment.who), visible(&moment.what))
    };
    bounded(moments.iter().map(row), moments.len(), MAX_MOMENTS)
}

fn container(container: &ContainerReport, coloured: bool) -> Vec<String> {
    let shown = |line: &str| if coloured { for_terminal(line) } else { without_colours(line).into_owned() };
    let mut rows = Vec::new();
    if !container.entry.command.is_empty() {
        rows.push(format!("command  {}", visible(&command(&container.entry.command))));
    }
    let code = container.entry.code.map(|code| format!(" with code {code}")).unwrap_or_default();
    rows.push(format!("state    {}{code}", visible(&container.entry.state)));
    if let Some(report) = &container.report {
        rows.push(format!("cause    {}", visible(&report.cause)));
        rows.push(format!("used     {}", usage(report)));
        rows.extend(machine(report).map(|machine| format!("machine  {machine}")));
        let output = &report.output;
        let mut text = format!("output   {}", size(output.child_bytes));
        if output.dropped_bytes > 0 {
            text = format!("{text}, of which {} did not fit into the log", size(output.dropped_bytes));
        }
        rows.push(text);
        if let Some(leftovers) = leftovers(report) {
            rows.push(format!("left     {}", visible(&leftovers)));
        }
    }
    match &container.log {
        Err(problem) => rows.push(format!("log      {}", visible(problem))),
        Ok(log) => {
            rows.push(format!("log      {}, {}", visible(&container.log_name), size(log.bytes)));
            if !log.errors.is_empty() {
                rows.push("lines that look like errors:".to_owned());
                let last = log.errors.iter().skip(log.errors.len().saturating_sub(MAX_ERRORS));
                rows.extend(last.map(|error| {
                    let again =
                        if error.again > 0 { format!(" ({})", again(error.again)) } else { String::new() };
                    format!("  {:>10}  {}{again}", at(error.at), shown(&error.text))
                }));
            }
            if !log.tail.is_empty() {
                rows.push("the log's end:".to_owned());
                let tail = log.tail.iter().skip(log.tail.len().saturating_sub(MAX_TAIL));
                rows.extend(tail.map(|line| format!("  {}", shown(line))));
            }
        }
    }
    rows
}

/// Shows a position in a log.
pub(crate) fn at(at: At) -> String {
    match at {
        At::Line(line) => line.to_string(),
        At::Byte(byte) => format!("@{byte}"),
    }
}

fn objects(job: &JobReport) -> Vec<String> {
    let objects = &job.objects;
    if objects.all.count == 0 {
        return Vec::new();
    }
    let mut rows = vec![sums(job)];
    if !objects.troubled.is_empty() {
        rows.push("not as they should be:".to_owned());
        let row = |object: &Object| {
            let name = visible(objects.name(&object.key)).into_owned();
            format!("  {name:<40} {} {}", visible(&object.state), visible(&trouble(object)))
        };
        let count = usize::try_from(objects.count_of_troubled()).unwrap_or(usize::MAX);
        let count = count.max(objects.troubled.len());
        rows.extend(bounded(objects.troubled.iter().map(row), count, MAX_TROUBLED));
    }
    rows.push("the largest:".to_owned());
    rows.extend(objects.largest().into_iter().take(MAX_LARGEST).map(|object| {
        let name = visible(objects.name(&object.key)).into_owned();
        format!("  {name:<40} {:>12}", size(object.stored_bytes.unwrap_or(0)))
    }));
    rows
}

fn bounded(rows: impl Iterator<Item = String>, count: usize, most: usize) -> Vec<String> {
    let mut rows: Vec<_> = rows.take(most).collect();
    if count > rows.len() {
        rows.push(format!("… and {} more", count - rows.len()));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted() {
        let rows = bounded((0..9).map(|n| n.to_string()), 9, 3);
        assert_eq!(rows, ["0", "1", "2", "… and 6 more"]);
    }
}
