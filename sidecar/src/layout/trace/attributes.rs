//! The attributes of spans, by the semantic conventions.

use super::otlp::{KeyValue, Value};
use super::{EntryFacts, Facts, Mask, Upload, result_of};
use crate::junit::Failure;
use common::job_spec::Refs;

/// Upper bound on a text, in bytes.
const MAX_TEXT_BYTES: usize = 1024;

/// Masks a text and cuts it afterwards: half of a secret is not found.
pub(super) fn text(mask: Mask<'_>, text: &str) -> String {
    let mut masked = mask(text);
    masked.truncate(masked.floor_char_boundary(MAX_TEXT_BYTES));
    masked
}

/// A list of attributes. Empty texts are left out.
pub(super) struct Attributes<'a> {
    mask: Mask<'a>,
    pub(super) list: Vec<KeyValue>,
}

impl<'a> Attributes<'a> {
    pub(super) fn new(mask: Mask<'a>) -> Self {
        Self { mask, list: Vec::new() }
    }

    fn text(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.list.push(KeyValue::new(key, Value::Text(text(self.mask, value))));
        }
    }

    fn number(&mut self, key: &str, value: impl TryInto<i64>) {
        self.list.push(KeyValue::new(key, Value::Number(value.try_into().unwrap_or(i64::MAX))));
    }

    pub(super) fn job(&mut self, facts: &Facts<'_>) {
        let result = result_of(facts);
        self.text("cicd.pipeline.action.name", "RUN");
        self.text("cicd.pipeline.result", result);
        if result != "success" {
            self.text("error.type", result);
        }
        self.text("pod_utils.sentence", facts.sentence);
        let Some(job) = facts.job else { return };
        self.text("cicd.pipeline.name", &job.job);
        self.text("cicd.pipeline.run.id", &job.build_id);
        self.text("pod_utils.job.type", job.job_type.as_str());
        if let Some(refs) = job.refs.as_ref().or(job.extra_refs.first()) {
            self.refs(refs);
        }
    }

    /// With several pull requests (a batch) the first one stands for all.
    fn refs(&mut self, refs: &Refs) {
        self.text("vcs.owner.name", &refs.org);
        self.text("vcs.repository.name", &refs.repo);
        self.text("vcs.repository.url.full", &refs.repo_link);
        let Some(pull) = refs.pulls.first() else {
            self.text("vcs.ref.head.name", &refs.base_ref);
            self.text("vcs.ref.head.revision", &refs.base_sha);
            return;
        };
        self.text("vcs.ref.base.name", &refs.base_ref);
        self.text("vcs.ref.base.revision", &refs.base_sha);
        self.text("vcs.ref.head.name", &pull.head_ref);
        self.text("vcs.ref.head.revision", &pull.sha);
        self.text("vcs.change.id", &pull.number.to_string());
        self.text("vcs.change.title", &pull.title);
    }

    pub(super) fn entry(&mut self, entry: &EntryFacts<'_>) {
        self.text("k8s.container.name", entry.container);
        self.text("cicd.pipeline.task.name", entry.container);
        self.text("pod_utils.reason", entry.told.0);
        if let Some(code) = entry.code {
            self.number("process.exit.code", code);
        }
        let Some(report) = entry.report else { return };
        self.number("pod_utils.output.bytes", report.output.child_bytes);
        self.number("pod_utils.memory.peak_bytes", report.usage.max_rss_bytes);
        self.number("pod_utils.cpu.ns", report.usage.user_ns.saturating_add(report.usage.system_ns));
    }

    pub(super) fn test(&mut self, failure: &Failure) {
        self.text("test.case.name", &failure.name);
        self.text("test.case.result.status", "fail");
        self.text("test.suite.name", &failure.suite);
        self.text("code.file.path", &failure.file);
    }

    pub(super) fn upload(&mut self, upload: &Upload) {
        self.text("pod_utils.object.key", &upload.key);
        self.number("pod_utils.object.bytes", upload.bytes);
    }
}
