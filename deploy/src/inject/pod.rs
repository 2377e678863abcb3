//! One pod, decorated.

use super::containers::{self, Additions, ENTRYPOINT, HOME_VOLUME, LOGS, TOOLS};
use super::controller::Controller;
use super::decoration::{Build, Decoration};
use super::expand;
use super::field_path::{FieldPath, Finding};
use super::fragments::mount;
use super::model::{Container, Pod};
use super::resources::PodClass;
use super::workloads::{self, RestartBehavior, Template};
use super::{budget, preconditions, secrets, user};
use crate::yaml::{Map, Node};
use common::duration::GoDuration;
use common::timestamp::Timestamp;

/// The changes made to a pod, and doubts about it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// A pod was decorated.
    pub(super) is_decorated: bool,
    /// Each change with its path and its reason.
    pub(super) changes: Vec<Finding>,
    /// Possible mistakes.
    pub(super) warnings: Vec<Finding>,
}

impl Outcome {
    fn change(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.changes.push(Finding::new(path, text));
    }
}

/// Decorates the pod of a template in its document.
pub(super) fn decorate(
    document: &mut Node,
    template: &Template,
    decoration: &Decoration,
) -> Result<Outcome, Vec<Finding>> {
    let one = |finding| vec![finding];
    let object = workloads::path(&template.object, "");
    let at = workloads::down(workloads::down(FieldPath::root(document, ""), &template.object), &template.pod);
    let pod = Pod::read(&at).map_err(one)?;
    if let Some(finding) = preconditions::decorated(&pod) {
        return Err(one(finding));
    }
    let wrapped = preconditions::chosen(&pod, decoration).map_err(one)?;
    let mut findings = preconditions::findings(&pod, &wrapped, template.restarts, decoration);
    let controller = Controller::of(document, template);
    let mut job = decoration.job.clone();
    if decoration.build == Build::Time {
        findings.extend(controller.refuses_time());
        job.build_id = Timestamp::now().as_nanos().to_string();
    }
    if job.job.is_empty() {
        job.job.clone_from(&template.name);
    }
    if job.job.is_empty() {
        let path = super::field_path::join(&object, "metadata.name");
        findings.push(Finding::new(path, "missing, so the job has no name; add it, or use --job"));
    }
    findings.extend(decoration.azure.finding(&at).err());
    let users = user::resolve(&pod, &wrapped, decoration.run_as);
    findings.extend(users.finding(&pod));
    let grace = budget::resolve(&pod, decoration).unwrap_or_else(|finding| {
        findings.push(finding);
        0
    });
    let taken = preconditions::taken(decoration);
    let censored = if decoration.censor {
        secrets::find(&pod, &decoration.secrets, &taken).unwrap_or_else(|finding| {
            findings.push(finding);
            secrets::Censored::default()
        })
    } else {
        secrets::Censored::default()
    };
    if !findings.is_empty() {
        return Err(findings);
    }
    let additions = Additions {
        decoration,
        job,
        entries: containers::entries(&wrapped),
        censored,
        users,
        class: PodClass::of(&pod),
        grace,
    };
    additions.validate(&pod, &wrapped).map_err(one)?;
    let mut done = Outcome::default();
    done.warnings.extend(controller.doubts(decoration));
    for container in &wrapped {
        done.warnings.extend(expand::lost(container, &[]).perhaps);
        done.warnings.extend(preconditions::doubts(container));
    }
    let problem = |problem: crate::terminal::Problem| vec![Finding::new("", problem.text)];
    let work = Work { pod: &pod, wrapped: &wrapped, additions: &additions };
    work.apply(document, template, &mut done).map_err(problem)?;
    Ok(done)
}

/// Changes to one pod.
struct Work<'a> {
    pod: &'a Pod,
    wrapped: &'a [&'a Container],
    additions: &'a Additions<'a>,
}

/// A Job makes no second pod for a test that failed. An Indexed Job that counts
/// failures per index keeps its own rule: one failed pod must not end the others.
fn controller(object: &mut Node, template: &Template, done: &mut Outcome) {
    if template.restarts != RestartBehavior::Job {
        return;
    }
    let steps = template.pod.split_last().map(|(_, steps)| steps).unwrap_or_default();
    let Some(spec) = workloads::down_mut(object, steps).and_then(Node::as_map_mut) else { return };
    let counts_per_index = spec.get("backoffLimitPerIndex").is_some_and(|limit| !limit.is_null());
    if !counts_per_index && spec.fill("backoffLimit", Node::number(0)) {
        let path = super::field_path::join(
            &workloads::path(&template.object, ""),
            &workloads::path(steps, "backoffLimit"),
        );
        done.change(path, "0: a test that failed has failed, and is not run again");
    }
}

impl Work<'_> {
    fn apply(
        &self,
        document: &mut Node,
        template: &Template,
        done: &mut Outcome,
    ) -> Result<(), crate::terminal::Problem> {
        let Some(object) = workloads::down_mut(document, &template.object) else { return Ok(()) };
        controller(object, template, done);
        let pod = workloads::down_mut(object, &template.pod).and_then(Node::as_map_mut);
        let Some(pod) = pod else { return Ok(()) };
        if let Some(text) = self.additions.decoration.azure.label(pod, self.pod) {
            let path = workloads::path(&template.pod, "metadata.labels");
            done.change(super::field_path::join(&workloads::path(&template.object, ""), &path), text);
        }
        let Some(spec) = pod.slot("spec").as_map_mut() else { return Ok(()) };
        self.wrap(spec, done);
        self.add(spec, done)?;
        self.resolve_times(spec, template.restarts, done);
        self.resolve_users(spec, done);
        for key in ["initContainers", "containers"] {
            if spec.get(key).is_some() {
                for container in spec.members(key) {
                    container.fill("terminationMessagePolicy", Node::text("FallbackToLogsOnError"));
                }
            }
        }
        let without = self.pod.all().filter(|container| !container.message_policy).count();
        if without > 0 {
            let text = "FallbackToLogsOnError where it was not set: a failed container shows its last lines";
            done.change(self.pod.field("containers[*].terminationMessagePolicy"), text);
        }
        Ok(())
    }

    fn wrap(&self, spec: &mut Map, done: &mut Outcome) {
        let image_volume = self.additions.decoration.image_volume;
        let names: Vec<_> = self.wrapped.iter().map(|container| container.name.as_str()).collect();
        for (node, container) in spec.members("containers").zip(&self.pod.containers) {
            let Some(entry) = names.iter().position(|name| *name == container.name) else {
                let text = "left alone: nothing waits for it, and the pod ends only when it ends";
                done.warnings.push(Finding::new(&container.path, text));
                continue;
            };
            node.set("command", Node::texts([ENTRYPOINT]));
            node.remove("args");
            let home = self.additions.home(self.pod, container);
            node.push("env", self.additions.test_variables(container, entry, home));
            let mut tools = mount("tools", TOOLS);
            if let (true, Some(map)) = (image_volume, tools.as_map_mut()) {
                map.set("readOnly", Node::bool(true));
            }
            node.push("volumeMounts", [mount("logs", LOGS), tools]);
            if let Some(path) = home {
                node.push("volumeMounts", [mount(HOME_VOLUME, path)]);
                done.change(
                    container.field("env"),
                    format!("HOME is {path}, an empty volume: the image's own is another user's"),
                );
            }
            let own: Vec<_> = container.env.iter().map(|variable| variable.name.as_str()).collect();
            let marker = &self.additions.entries[entry].marker_file;
            let mut text = format!("wrapped: {ENTRYPOINT} runs its command and leaves {marker}");
            if entry > 0 && self.additions.decoration.in_order {
                text.extend([", after ", names[entry - 1]]);
            }
            done.change(&container.path, text);
            let kept = ["ARTIFACTS", "BUILD_ID", "CI", "JOB_NAME", "JOB_TYPE"]
                .into_iter()
                .filter(|name| own.contains(name));
            for name in kept {
                done.change(container.field("env"), format!("its own {name} stays"));
            }
        }
    }

    fn add(&self, spec: &mut Map, done: &mut Outcome) -> Result<(), crate::terminal::Problem> {
        let decoration = self.additions.decoration;
        let mut inits = Vec::new();
        let inits_path = self.pod.field("initContainers");
        if decoration.initupload {
            inits.push(self.additions.initupload()?);
            done.change(&inits_path, "initupload: says at the destination that the job has started");
        }
        if decoration.image_volume {
            done.change(self.pod.field("volumes"), "tools: the image pod-utils, which holds entrypoint");
        } else {
            inits.push(self.additions.place_entrypoint()?);
            done.change(&inits_path, "place-entrypoint: copies entrypoint into the volume tools");
        }
        let sidecar = self.additions.sidecar()?;
        if decoration.native {
            inits.push(sidecar);
        } else {
            spec.push("containers", [sidecar]);
        }
        let place = if decoration.native { "initContainers" } else { "containers" };
        let text = "sidecar: waits for the marker of each wrapped container, then delivers logs, artifacts and the result";
        done.change(self.pod.field(place), text);
        for directory in &self.additions.censored.directories {
            done.change(self.pod.field(place), format!("sidecar: masks the Secrets in {directory}"));
        }
        spec.push("initContainers", inits);
        spec.push("volumes", self.additions.volumes(self.pod, self.wrapped)?);
        done.change(self.pod.field("volumes"), "logs: what entrypoint and sidecar share");
        if let Build::Field(field) = &decoration.build {
            let text = format!("BUILD_ID is the pod's {field}, so that each pod has results of its own");
            done.change(self.pod.field("containers[*].env"), text);
        }
        Ok(())
    }

    fn resolve_times(&self, spec: &mut Map, restarts: RestartBehavior, done: &mut Outcome) {
        let decoration = self.additions.decoration;
        let grace = GoDuration::from_secs(self.additions.grace);
        if spec.fill("terminationGracePeriodSeconds", Node::number(self.additions.grace)) {
            let text = format!(
                "{}: {} for the test to end, 10s for its processes and output, the rest of {grace} for uploads",
                self.additions.grace, decoration.grace_period
            );
            done.change(self.pod.field("terminationGracePeriodSeconds"), text);
        }
        let once = matches!(restarts, RestartBehavior::Once | RestartBehavior::Job);
        if once && spec.fill("restartPolicy", Node::text("Never")) {
            done.change(self.pod.field("restartPolicy"), "Never: a test runs once");
        }
    }

    fn resolve_users(&self, spec: &mut Map, done: &mut Outcome) {
        let users = &self.additions.users;
        let path = self.pod.field("securityContext");
        if let Some(context) = spec.slot("securityContext").as_map_mut() {
            let mut set = Vec::new();
            if users.non_root && context.fill("runAsNonRoot", Node::bool(true)) {
                set.push("runAsNonRoot true".to_owned());
            }
            for (key, value) in &users.pod {
                if context.fill(key, Node::number(*value)) {
                    set.push(format!("{key} {value}"));
                }
            }
            if !set.is_empty() {
                let text = format!("{}: sidecar can read what the test writes", set.join(", "));
                done.change(&path, text);
            }
        }
        if users.wrapped.is_empty() {
            return;
        }
        for (node, container) in spec.members("containers").zip(&self.pod.containers) {
            if self.wrapped.iter().any(|wrapped| wrapped.name == container.name)
                && let Some(context) = node.slot("securityContext").as_map_mut()
            {
                for (key, value) in &users.wrapped {
                    context.fill(key, Node::number(*value));
                }
                done.change(container.field("securityContext"), "the user that sidecar runs as");
            }
        }
    }
}
