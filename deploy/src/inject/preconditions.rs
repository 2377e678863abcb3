//! Pods that cannot be decorated, and what to do about it.

use super::containers::{self, ARTIFACTS, ENTRYPOINT, HOME_VOLUME, INITUPLOAD, LOGS, PLACE, SIDECAR, TOOLS};
use super::decoration::{Build, Decoration};
use super::field_path::Finding;
use super::model::{Container, Pod, is_below};
use super::workloads::RestartBehavior;
use common::job_spec;

/// The sign that somebody has decorated a pod already.
pub(super) fn decorated(pod: &Pod) -> Option<Finding> {
    let refuse = |path: String, sign: &str| {
        Some(Finding::new(path, format!("this pod is already decorated ({sign})")))
    };
    for container in pod.all() {
        for name in [entrypoint::options::VARIABLE, sidecar::options::VARIABLE, sidecar::initupload::VARIABLE]
        {
            if let Some(variable) = container.variable(name) {
                return refuse(variable.path.clone(), name);
            }
        }
        if container.command.iter().flatten().next().is_some_and(|word| word == ENTRYPOINT) {
            return refuse(container.field("command"), ENTRYPOINT);
        }
    }
    let placed = pod.inits.iter().find(|container| container.name == PLACE)?;
    refuse(placed.field("name"), PLACE)
}

/// The containers to wrap, in order.
pub(super) fn chosen<'a>(pod: &'a Pod, decoration: &Decoration) -> Result<Vec<&'a Container>, Finding> {
    if decoration.containers.is_empty() {
        return Ok(pod.containers.iter().collect());
    }
    let mut chosen: Vec<&Container> = Vec::new();
    for name in &decoration.containers {
        let Some(container) = pod.containers.iter().find(|container| container.name == *name) else {
            let names: Vec<_> = pod.containers.iter().map(|container| container.name.as_str()).collect();
            let text =
                format!("--container {name}: there is no such container; allowed are {}", names.join(", "));
            return Err(Finding::new(pod.field("containers"), text));
        };
        if !chosen.iter().any(|known| known.name == container.name) {
            chosen.push(container);
        }
    }
    if !decoration.in_order {
        // The order counts only where it was asked for.
        chosen.sort_by_key(|container| pod.containers.iter().position(|other| other.name == container.name));
    }
    Ok(chosen)
}

/// Everything that stands in the way.
pub(super) fn findings(
    pod: &Pod,
    wrapped: &[&Container],
    restarts: RestartBehavior,
    decoration: &Decoration,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if pod.host_pid {
        let text = "entrypoint must see only the processes of its own container; take hostPID out";
        findings.push(Finding::new(pod.field("hostPID"), text));
    }
    if let Some(path) = &pod.windows {
        findings.push(Finding::new(path, "this is a Windows pod; the programs run on Linux only"));
    }
    if let Some(policy) = pod.restart_policy.as_deref().filter(|policy| *policy != "Never")
        && matches!(restarts, RestartBehavior::Once | RestartBehavior::Job)
    {
        let why = match policy {
            "Always" | "OnFailure" => "would run the test again over its own results",
            _ => "is no policy of Kubernetes",
        };
        let text = format!("{policy} {why}; allowed is Never, or nothing");
        findings.push(Finding::new(pod.field("restartPolicy"), text));
    }
    names(pod, decoration, &mut findings);
    for container in wrapped {
        of_container(container, decoration, &mut findings);
    }
    findings
}

fn names(pod: &Pod, decoration: &Decoration, findings: &mut Vec<Finding>) {
    for container in pod.all() {
        let ours = match container.name.as_str() {
            SIDECAR => true,
            INITUPLOAD => decoration.initupload,
            _ => false,
        };
        if ours {
            let text = format!("the name {} is needed for a container of ours; rename it", container.name);
            findings.push(Finding::new(container.field("name"), text));
        }
    }
    let mut needed = vec!["logs", "tools", HOME_VOLUME];
    needed.extend(containers::shared(decoration).iter().map(|shared| shared.name));
    for volume in &pod.volumes {
        let numbered = volume.name.strip_prefix("censor-").is_some_and(|rest| rest.parse::<usize>().is_ok());
        if needed.contains(&volume.name.as_str()) || numbered {
            let text = format!("the name {} is needed for a volume of ours; rename it", volume.name);
            findings.push(Finding::new(format!("{}.name", volume.path), text));
        }
    }
}

fn of_container(container: &Container, decoration: &Decoration, findings: &mut Vec<Finding>) {
    if container.command.as_ref().is_none_or(Vec::is_empty) {
        let image = container.image.as_deref().unwrap_or("its image");
        let meant = container.mistyped_command.as_ref();
        let meant = meant.map(|key| format!(" (is {key} meant to be command?)")).unwrap_or_default();
        let text = format!(
            "missing{meant}, and the entry point of {image} is not known here; add the command that is to run \
             (docker image inspect shows Entrypoint and Cmd), or leave the container alone by naming others with --container"
        );
        findings.push(Finding::new(container.field("command"), text));
    }
    if container.command.iter().flatten().next().is_some_and(String::is_empty) {
        findings
            .push(Finding::new(container.field("command[0]"), "empty; this is the program that is to run"));
    }
    for mount in &container.mounts {
        if [LOGS, TOOLS].iter().any(|ours| is_below(mount.point(), ours) || is_below(ours, mount.point())) {
            let text = format!("{} is needed for {LOGS} and {TOOLS}; mount it elsewhere", mount.at);
            findings.push(Finding::new(format!("{}.mountPath", mount.path), text));
        }
    }
    let mut ours = vec![job_spec::VARIABLE];
    if matches!(decoration.build, Build::Field(_)) {
        ours.push("BUILD_ID");
    }
    for name in &ours {
        if let Some(variable) = container.variable(name) {
            let text =
                format!("{name} is ours to set; take it out, and say what it should be with --job-spec");
            findings.push(Finding::new(&variable.path, text));
        }
    }
    if container.restart_rules {
        let text =
            "these rules run the test again in the same container, over its own results; take them out";
        findings.push(Finding::new(container.field("restartPolicyRules"), text));
    }
    findings.extend(super::expand::lost(container, &[job_spec::VARIABLE]).surely);
}

/// Returns what may be a mistake in a container that is wrapped.
pub(super) fn doubts(container: &Container) -> Option<Finding> {
    let artifacts = container.variable("ARTIFACTS")?;
    let elsewhere = artifacts.value.as_deref().is_none_or(|value| !is_below(value, ARTIFACTS));
    let text = format!("ARTIFACTS is not {ARTIFACTS}: what the test leaves there is not delivered");
    elsewhere.then(|| Finding::new(&artifacts.path, text))
}

/// Paths at which sidecar mounts volumes of ours.
pub(super) fn taken(decoration: &Decoration) -> Vec<&'static str> {
    let mut taken = vec![LOGS];
    taken.extend(containers::shared(decoration).iter().map(|shared| shared.at));
    taken
}
