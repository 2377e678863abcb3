//! Containers that are started again, and pods that never end.

use super::{Decorated, Delivery};
use crate::inject::field_path::Finding;
use crate::inject::workloads::{self, RestartBehavior};

pub(super) fn check(decorated: &Decorated<'_>, found: &mut Vec<Finding>) {
    restarts(decorated, found);
    rules(decorated, found);
    retries(decorated, found);
    if decorated.pod.host_pid {
        let text = "entrypoint must see only the processes of its own container";
        found.push(Finding::new(decorated.pod.field("hostPID"), text));
    }
    if let Some(path) = &decorated.pod.windows {
        found.push(Finding::new(path, "this is a Windows pod; the programs run on Linux only"));
    }
    if let Some(delivery) = &decorated.delivery {
        native(delivery, found);
    }
}

/// A test that is started again overwrites its own results.
fn restarts(decorated: &Decorated<'_>, found: &mut Vec<Finding>) {
    let pod = decorated.pod;
    let policy = pod.restart_policy.as_deref();
    let shown = policy.unwrap_or("Always (Kubernetes' default)");
    let path = pod.field("restartPolicy");
    match (policy, decorated.template.restarts) {
        (Some("Never"), _) | (None, RestartBehavior::Unknown) => {}
        (_, RestartBehavior::Restarted) => {
            let text = "a pod of this kind is started again for ever: a test that ends runs again, over its own results";
            found.push(Finding::new(path, text));
        }
        (Some(_) | None, RestartBehavior::Once | RestartBehavior::Job | RestartBehavior::Unknown) => {
            let text = format!(
                "{shown} runs the test again after it has ended, over its own results; allowed is Never"
            );
            found.push(Finding::new(path, text));
        }
    }
    for wrapped in &decorated.wrapped {
        let policy = wrapped.container.restart_policy.as_deref().filter(|policy| *policy != "Never");
        if let Some(policy) = policy {
            let text = format!("{policy} runs the test again after it has ended, over its own results");
            found.push(Finding::new(wrapped.container.field("restartPolicy"), text));
        }
    }
}

/// Rules of Kubernetes 1.34 that start one container again.
fn rules(decorated: &Decorated<'_>, found: &mut Vec<Finding>) {
    for wrapped in decorated.wrapped.iter().filter(|wrapped| wrapped.container.restart_rules) {
        let text = "these rules run the test again in the same container, over its own results";
        found.push(Finding::new(wrapped.container.field("restartPolicyRules"), text));
    }
}

/// A Job makes a second pod for a test that failed; with the same build id it
/// overwrites the first one's results.
fn retries(decorated: &Decorated<'_>, found: &mut Vec<Finding>) {
    if decorated.template.restarts != RestartBehavior::Job {
        return;
    }
    let steps = decorated.template.pod.split_last().map(|(_, steps)| steps).unwrap_or_default();
    let limit = workloads::down(decorated.object.clone(), steps).key("backoffLimit");
    // A number of the wrong form is the API server's to refuse.
    let times = limit.number().ok().flatten();
    let job = decorated.delivery.as_ref().and_then(|delivery| delivery.job.as_ref());
    let counts_per_index =
        workloads::down(decorated.object.clone(), steps).key("backoffLimitPerIndex").exists();
    let is_fixed = !counts_per_index && job.is_some_and(|job| !job.build_id.is_empty());
    if is_fixed && times != Some(0) {
        let shown = times.map_or("6 (Kubernetes' default)".to_owned(), |times| times.to_string());
        let text = format!(
            "{shown}: a test that failed runs again in a new pod with the same build id, over its results"
        );
        found.push(Finding::new(limit.path(), text));
    }
}

fn native(delivery: &Delivery<'_>, found: &mut Vec<Finding>) {
    let container = delivery.container;
    let is_native = delivery.is_init && container.restart_policy.as_deref() == Some("Always");
    let told = delivery.options.delivery().native_sidecar;
    let (path, text) = match (delivery.is_init, is_native, told) {
        (true, false, _) => (
            container.field("restartPolicy"),
            "sidecar is an init container that waits for containers which start only when it has ended; allowed is Always",
        ),
        (_, true, false) => (
            container.field("env"),
            "sidecar is a native sidecar and does not know it: without delivery.native_sidecar it is restarted when it \
             has ended, and takes the end of an ordinary run for an abort",
        ),
        (false, _, true) => (
            container.field("env"),
            "delivery.native_sidecar, but sidecar is an ordinary container: it waits for a SIGTERM that never comes, \
             and the pod does not end",
        ),
        (true, true, true) | (false, _, false) => return,
    };
    found.push(Finding::new(path, text));
}
