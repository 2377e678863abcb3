//! The story for scripts.

use super::log::At;
use super::manifest::Object;
use super::story::{Story, Told};
use super::timeline::{Kind, moments};
use crate::inert;
use serde_json::{Value, json};

/// One document; nothing in it acts on a terminal.
pub(crate) fn text(story: &Story) -> String {
    let objects = &story.objects;
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
    let finished = story.finished.as_ref();
    let document = json!({
        "version": 1,
        "destination": story.place,
        "result": story.result,
        "cause": story.cause,
        "timestamp": finished.and_then(|finished| finished.timestamp),
        "revision": finished.map(|finished| &finished.revision),
        "timeline": moments(story).iter().map(|moment| json!({
            "at": moment.at, "who": moment.who, "kind": kind(moment.kind), "what": moment.what,
        })).collect::<Vec<_>>(),
        "containers": story.containers.iter().map(container).collect::<Vec<_>>(),
        "deadline": story.deadline,
        "objects": {
            "count": objects.all.count, "bytes": objects.all.bytes, "states": states,
            "censored": objects.censored_bytes, "left_out": objects.left_out(),
            "troubled": objects.troubled.iter().map(object).collect::<Vec<_>>(),
            "largest": objects.largest().into_iter().map(object).collect::<Vec<_>>(),
        },
        "problems": story.problems,
    });
    // Numbers, texts and lists only: writing them does not fail.
    inert::json(&format!("{document:#}"))
}

fn container(told: &Told) -> Value {
    let log = match &told.log {
        Ok(log) => json!({
            "name": told.log_name, "bytes": log.bytes, "unread": log.unread, "tail": log.tail,
            "errors": log.errors.iter().map(|error| {
                let (line, byte) = match error.at {
                    At::Line(line) => (Some(line), None),
                    At::Byte(byte) => (None, Some(byte)),
                };
                json!({"line": line, "byte": byte, "text": error.text})
            }).collect::<Vec<_>>(),
            "errors_left_out": log.errors_left_out,
        }),
        Err(problem) => json!({"name": told.log_name, "problem": problem}),
    };
    json!({
        "name": told.container.name, "command": told.container.command, "state": told.container.state,
        "code": told.container.code, "report": told.report, "log": log,
    })
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Start => "start",
        Kind::Received => "received",
        Kind::Sent => "sent",
        Kind::Exit => "exit",
        Kind::Drained => "drained",
        Kind::Limit => "limit",
        Kind::Upload => "upload",
    }
}
