//! A job's report for scripts.

use job_page::escape::{self, without_colours};
use job_page::excerpt::At;
use job_page::job::{ContainerReport, JobReport};
use job_page::manifest::Object;
use job_page::timeline::{Kind, moments};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One document; nothing in it acts on a terminal.
pub(crate) fn text(job: &JobReport) -> String {
    let objects = &job.objects;
    let states: serde_json::Map<_, _> = objects
        .by_state
        .iter()
        .map(|(state, sum)| (state.clone(), json!({"count": sum.count, "bytes": sum.bytes})))
        .collect();
    let object = |object: &Object| {
        json!({
            "name": objects.name(&object.key), "key": object.key, "state": object.state, "why": object.why(),
            "bytes": object.stored_bytes, "content_type": object.content_type, "censored": object.censored,
        })
    };
    let finished = job.finished.as_ref();
    let document = json!({
        "version": 1,
        "destination": job.destination,
        "job": job.job.name,
        "build": job.job.build_id,
        "result": job.result,
        "cause": job.cause,
        "timestamp": finished.and_then(|finished| finished.timestamp),
        "revision": finished.map(|finished| &finished.revision),
        "metadata": finished.map(|finished| finished.metadata.iter().cloned().collect::<BTreeMap<_, _>>()),
        "metadata_errors": finished.map(|finished| &finished.errors),
        "timeline": moments(job).iter().map(|moment| json!({
            "at": moment.at, "who": moment.who, "kind": kind(moment.kind), "what": moment.what,
        })).collect::<Vec<_>>(),
        "containers": job.containers.iter().map(container).collect::<Vec<_>>(),
        "deadline": job.deadline,
        "tests": job.tests,
        "not_masked": job.not_masked,
        "objects": {
            "count": objects.all.count, "bytes": objects.all.bytes, "states": states,
            "censored": objects.censored_bytes, "left_out": objects.left_out(),
            "troubled": objects.troubled.iter().map(object).collect::<Vec<_>>(),
            "largest": objects.largest().into_iter().map(object).collect::<Vec<_>>(),
        },
        "problems": job.problems,
    });
    // Numbers, texts and lists only: writing them does not fail.
    escape::json(&format!("{document:#}"))
}

fn container(container: &ContainerReport) -> Value {
    let log = match &container.log {
        Ok(log) => json!({
            "name": container.log_name, "bytes": log.bytes, "lines": log.lines, "unread": log.unread,
            "tail": log.tail.iter().map(|line| without_colours(line)).collect::<Vec<_>>(),
            "errors": log.errors.iter().map(|error| {
                let (line, byte) = match error.at {
                    At::Line(line) => (Some(line), None),
                    At::Byte(byte) => (None, Some(byte)),
                };
                json!({"line": line, "byte": byte, "text": without_colours(&error.text), "again": error.again})
            }).collect::<Vec<_>>(),
            "errors_left_out": log.errors_left_out,
        }),
        Err(problem) => json!({"name": container.log_name, "problem": problem}),
    };
    json!({
        "name": container.entry.name, "command": container.entry.command, "state": container.entry.state,
        "code": container.entry.code, "report": container.report, "log": log,
    })
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Start => "start",
        Kind::Received => "received",
        Kind::Sent => "sent",
        Kind::Exit => "exit",
        Kind::Drained => "drained",
        Kind::OutOfMemory => "out_of_memory",
        Kind::Limit => "limit",
        Kind::Upload => "upload",
    }
}
