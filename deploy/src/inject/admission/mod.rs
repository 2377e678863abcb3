//! One pod as an API server sends it for admission: with its defaults filled in,
//! often without a name yet, and written by strangers.
//!
//! The destination, credentials, images and users are the operator's. A pod says
//! with annotations only what [`ANNOTATIONS`] lists.

use super::decoration::Decoration;
use super::field_path::{FieldPath, Finding};
use super::named_options::{NamedOptions, is_switch};
use super::options::{Mode, Options};
use super::workloads::{RestartBehavior, Template};
use super::{check, model, pod, preconditions};
use crate::terminal::{self, Problem};
use crate::yaml::{self, Map, Meaning, Node};

/// The prefix of labels and annotations, and the label that says whether a pod is decorated.
const PREFIX: &str = "pod-utils.dev/";
const LABEL: &str = "inject";

/// The options that a pod may set for itself.
const ANNOTATIONS: [&str; 8] = [
    "timeout",
    "grace-period",
    "container",
    "in-order",
    "propagate-error-code",
    "ignore-interrupts",
    "secrets",
    "job",
];

/// Annotations whose values are lists with commas.
const LISTS: [&str; 2] = ["container", "secrets"];

/// Options of `inject` that mean nothing for a pod of an API server, or the same for all pods.
const NOT_HERE: [&str; 9] =
    ["build-id", "check", "explain", "job-spec", "krm", "path", "select", "selector", "unknown-kinds"];

/// Controllers that start their pods' containers again for ever.
const SERVICES: [&str; 5] = ["DaemonSet", "Node", "ReplicaSet", "ReplicationController", "StatefulSet"];

/// Values that an API server fills in where a pod says nothing (`pkg/apis/core/v1/defaults.go`).
const DEFAULT_RESTART_POLICY: &str = "Always";
const DEFAULT_GRACE_SECONDS: i64 = 30;
const DEFAULT_MESSAGE_POLICY: &str = "File";

/// How pods are decorated on admission.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    options: NamedOptions,
    decoration: Decoration,
}

/// The outcome for a pod that may be created.
#[derive(Debug)]
pub(crate) enum Decorated {
    /// It stays as it is, with the reason.
    Unchanged(&'static str),
    /// It is to become this pod, with lines about possible mistakes.
    Changed(Box<Node>, Vec<String>),
}

impl Admission {
    /// Reads the operator's options, and returns lines about what may not be meant.
    pub(crate) fn parse(text: &str) -> Result<(Self, Vec<String>), Problem> {
        let one = |finding: Finding| Problem::new(terminal::harmless(&finding.to_string()));
        let (_, mut documents) = yaml::documents(text).map_err(|syntax| Problem::new(syntax.text))?;
        let (Some(document), true) = (documents.pop(), documents.is_empty()) else {
            return Err(Problem::new(
                "allowed is one document with options of podutils inject by their names",
            ));
        };
        let mut options = NamedOptions::read(&FieldPath::root(&document.node, "")).map_err(one)?;
        if let Some(name) = NOT_HERE.iter().find(|name| options.contains(name)) {
            return Err(Problem::new(format!("{name}: the webhook has no such option")));
        }
        if !options.contains("build-id-from") {
            // Each pod is decorated when it is made, so that the time tells its runs apart.
            options.push("build-id-from", Some("time".to_owned()));
        }
        let decoration = decoration(&options)?;
        for program in ["entrypoint", "sidecar"] {
            decoration.images.of(program)?;
        }
        let doubts = decoration.doubts();
        Ok((Self { options, decoration }, doubts))
    }

    /// Decorates a pod; the error has one line for each thing that is in the way.
    pub(crate) fn decorate(&self, original: &Node) -> Result<Decorated, Vec<String>> {
        let lines = |findings: Vec<Finding>| -> Vec<String> {
            findings.iter().map(|finding| terminal::harmless(&finding.to_string())).collect()
        };
        self.inject(original).map_err(lines)
    }

    fn inject(&self, original: &Node) -> Result<Decorated, Vec<Finding>> {
        let one = |finding| vec![finding];
        let at = FieldPath::root(original, "");
        let metadata = at.key("metadata");
        let label = metadata.keys(&["labels", &format!("{PREFIX}{LABEL}")]).text().map_err(one)?;
        if label.as_deref() == Some("false") {
            return Ok(Decorated::Unchanged("its label says so"));
        }
        let owner = Owner::of(&metadata).map_err(one)?;
        if label.is_none() && owner.as_ref().is_some_and(|owner| SERVICES.contains(&owner.kind.as_str())) {
            return Ok(Decorated::Unchanged("its controller keeps it running"));
        }
        let read = model::Pod::read(&at).map_err(one)?;
        if preconditions::decorated(&read).is_some() {
            return Ok(Decorated::Unchanged("it is decorated already"));
        }
        let own = self.with_annotations(&metadata).map_err(one)?;
        let decoration = own.as_ref().unwrap_or(&self.decoration);
        let mut node = original.clone();
        if let Some(spec) = node.as_map_mut().and_then(|pod| pod.slot("spec").as_map_mut()) {
            without_defaults(spec, owner.is_some());
        }
        let template = Template {
            kind: "Pod".to_owned(),
            object: Vec::new(),
            pod: Vec::new(),
            restarts: RestartBehavior::Once,
            name: job_name(&metadata, owner.as_ref()).map_err(one)?,
        };
        let mut warnings = pod::decorate(&mut node, &template, decoration)?.warnings;
        warnings.extend(check::findings(&node, &template));
        let lines = warnings.iter().map(|warning| terminal::harmless(&warning.to_string())).collect();
        Ok(Decorated::Changed(Box::new(node), lines))
    }

    /// Returns what the pod's annotations make of the options; `None` without any.
    fn with_annotations(&self, metadata: &FieldPath<'_>) -> Result<Option<Decoration>, Finding> {
        let annotations = metadata.key("annotations");
        let mut options = self.options.clone();
        let mut has_own = false;
        for (key, value) in annotations.text_members()? {
            let Some(name) = key.strip_prefix(PREFIX) else { continue };
            let wrong = |text: String| annotations.key(&key).finding(text);
            if !ANNOTATIONS.contains(&name) {
                let allowed = ANNOTATIONS.join(", ");
                return Err(wrong(format!("a pod may not set this; allowed with this prefix are {allowed}")));
            }
            has_own = true;
            options.remove(name);
            match value.as_str() {
                "true" if is_switch(name) => options.push(name, None),
                "false" if is_switch(name) => {}
                _ if is_switch(name) => {
                    return Err(wrong(format!("{value:?}: allowed is \"true\" or \"false\"")));
                }
                _ if LISTS.contains(&name) => {
                    let values = value.split(',').map(str::trim).filter(|value| !value.is_empty());
                    values.for_each(|value| options.push(name, Some(value.to_owned())));
                }
                _ => options.push(name, Some(value)),
            }
        }
        let wrong = |problem: Problem| annotations.finding(problem.text);
        has_own.then(|| decoration(&options).map_err(wrong)).transpose()
    }
}

fn decoration(options: &NamedOptions) -> Result<Decoration, Problem> {
    match Options::from_matches(&options.matches()?)?.mode {
        Mode::Inject { decoration, .. } => Ok(*decoration),
        Mode::Check | Mode::Krm => Err(Problem::new("check and krm are no options of the webhook")),
    }
}

/// The controller of a pod.
struct Owner {
    kind: String,
    name: String,
}

impl Owner {
    fn of(metadata: &FieldPath<'_>) -> Result<Option<Self>, Finding> {
        for owner in metadata.key("ownerReferences").items()? {
            if owner.key("controller").is_true()? {
                let text = |key| owner.key(key).text().map(Option::unwrap_or_default);
                return Ok(Some(Self { kind: text("kind")?, name: text("name")? }));
            }
        }
        Ok(None)
    }
}

/// The name of the job that a pod runs: that of its `CronJob` or `Job`, else its own.
fn job_name(metadata: &FieldPath<'_>, owner: Option<&Owner>) -> Result<String, Finding> {
    if let Some(owner) = owner.filter(|owner| owner.kind == "Job") {
        // A CronJob names its Jobs with the minute since 1970 that they are due.
        let due = owner.name.rsplit_once('-');
        let is_due = |minute: &str| minute.len() == 8 && minute.bytes().all(|byte| byte.is_ascii_digit());
        return Ok(due
            .filter(|(_, minute)| is_due(minute))
            .map_or(owner.name.as_str(), |(name, _)| name)
            .into());
    }
    if let Some(name) = metadata.key("name").text()? {
        return Ok(name);
    }
    let generated = metadata.key("generateName").text()?.unwrap_or_default();
    Ok(generated.trim_end_matches('-').to_owned())
}

/// Takes out what the API server has filled in, so that it does not count as the pod's
/// own will.
fn without_defaults(spec: &mut Map, has_controller: bool) {
    let is_text = |node: Option<&Node>, text| node.and_then(Node::meaning) == Some(Meaning::Text(text));
    if !has_controller && is_text(spec.get("restartPolicy"), DEFAULT_RESTART_POLICY) {
        spec.remove("restartPolicy");
    }
    let grace = spec.get("terminationGracePeriodSeconds").and_then(Node::meaning);
    if grace == Some(Meaning::Int(DEFAULT_GRACE_SECONDS)) {
        spec.remove("terminationGracePeriodSeconds");
    }
    for key in ["initContainers", "containers"] {
        if spec.get(key).is_none() {
            continue;
        }
        for container in spec.members(key) {
            if is_text(container.get("terminationMessagePolicy"), DEFAULT_MESSAGE_POLICY) {
                container.remove("terminationMessagePolicy");
            }
        }
    }
}

#[cfg(test)]
mod tests;
