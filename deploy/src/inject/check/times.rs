//! Grace periods and deadlines.

use super::Decorated;
use crate::inject::field_path::Finding;
use common::duration::GoDuration;
use std::time::Duration;

/// Kubernetes' default `terminationGracePeriodSeconds`.
const DEFAULT_GRACE: i64 = 30;

/// Upper bound on entrypoint's wait for the last output of a killed test.
const DRAIN: Duration = Duration::from_secs(5);

pub(super) fn check(decorated: &Decorated<'_>, found: &mut Vec<Finding>) {
    let pod = decorated.pod;
    let seconds = pod.grace.unwrap_or(DEFAULT_GRACE);
    let pod_grace = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let grace_path = pod.field("terminationGracePeriodSeconds");
    let is_default = if pod.grace.is_none() { " (Kubernetes' default)" } else { "" };
    let waits = decorated.delivery.as_ref().is_some_and(|delivery| delivery.options.ignore_interrupts);
    for wrapped in &decorated.wrapped {
        let ending = wrapped.grace();
        let name = &wrapped.container.name;
        let shown = |time| GoDuration::from_std(time).to_string();
        if ending >= pod_grace {
            let text = format!(
                "{seconds}{is_default}: container {name} may take {} to end, and is killed before",
                shown(ending)
            );
            found.push(Finding::new(&grace_path, text));
        } else if waits && ending + DRAIN > pod_grace {
            let text = format!(
                "{seconds}{is_default}: sidecar waits (ignore_interrupts) for container {name}, which may take {} and 5s \
                 for its last output; nothing is left for uploads",
                shown(ending)
            );
            found.push(Finding::new(&grace_path, text));
        }
        for rung in &wrapped.options.supervision.escalation {
            if rung.after.as_std() >= ending {
                let text = format!(
                    "supervision.escalation: {} after {} never comes, SIGKILL does after {}",
                    rung.signal,
                    rung.after,
                    shown(ending)
                );
                found.push(Finding::new(wrapped.container.field("env"), text));
            }
        }
        if let Some(signal) = wrapped.container.stop_signal
            && !wrapped.options.policy(None).stop_signals.contains(signal)
        {
            let text = format!(
                "{signal} ends nothing: supervision.stop_signals does not name it, so it is passed on to the command"
            );
            found.push(Finding::new(wrapped.container.field("lifecycle.stopSignal"), text));
        }
        if wrapped.container.pre_stop {
            let text = "preStop runs before SIGTERM and takes its time from the same grace period; do it in the test";
            found.push(Finding::new(wrapped.container.field("lifecycle.preStop"), text));
        }
        deadline(decorated, wrapped.timeout(), name, found);
    }
    let delivery = decorated.delivery.as_ref();
    let given = delivery.and_then(|delivery| delivery.options.delivery().grace_period);
    if let (Some(delivery), Some(given)) = (delivery, given)
        && given.as_std() > pod_grace
    {
        let text =
            format!("delivery.grace_period is {given}, but the pod is killed after {seconds}s{is_default}");
        found.push(Finding::new(delivery.container.field("env"), text));
    }
}

/// Deadlines of Kubernetes that come before the test's own.
fn deadline(decorated: &Decorated<'_>, timeout: Duration, name: &str, found: &mut Vec<Finding>) {
    let job = decorated.object.keys(&["spec", "activeDeadlineSeconds"]);
    let of_cron = decorated.object.keys(&["spec", "jobTemplate", "spec", "activeDeadlineSeconds"]);
    let mut deadlines = vec![(decorated.pod.field("activeDeadlineSeconds"), decorated.pod.deadline)];
    for at in [job, of_cron] {
        if at.path() != deadlines[0].0 {
            // A number of the wrong form is the API server's to refuse.
            deadlines.push((at.path().to_owned(), at.number().ok().flatten()));
        }
    }
    for (path, seconds) in deadlines {
        let Some(seconds) = seconds else { continue };
        if Duration::from_secs(u64::try_from(seconds).unwrap_or(0)) <= timeout {
            let timeout = GoDuration::from_std(timeout);
            let text = format!(
                "{seconds}: the pod is ended before the timeout of container {name} ({timeout}) can strike"
            );
            found.push(Finding::new(path, text));
        }
    }
}
