//! Users that write into the log volume, and the one that reads from it.

use super::{Decorated, Wrapped};
use crate::inject::containers::PLACE;
use crate::inject::field_path::Finding;

/// Volumes whose directory belongs to somebody, without regard to `fsGroup`.
const OWNED_KINDS: [&str; 2] = ["hostPath", "nfs"];

pub(super) fn check(decorated: &Decorated<'_>, found: &mut Vec<Finding>) {
    for wrapped in &decorated.wrapped {
        volume(decorated, wrapped, found);
    }
    refused(decorated, found);
    artifacts(decorated, found);
    reader(decorated, found);
}

fn known(decorated: &Decorated<'_>, wrapped: &Wrapped<'_>) -> Option<i64> {
    decorated.pod.user_of(wrapped.container)
}

/// An emptyDir can be written by everybody; other volumes belong to root unless
/// the kubelet gives them to `fsGroup`.
fn volume(decorated: &Decorated<'_>, wrapped: &Wrapped<'_>, found: &mut Vec<Finding>) {
    let Some(user) = known(decorated, wrapped).filter(|user| *user != 0) else { return };
    let log = &wrapped.options.entry.process_log;
    let Some(mount) = wrapped.container.mount_of(log) else { return };
    let Some(volume) = decorated.pod.volume(&mount.volume).filter(|volume| volume.is_writable()) else {
        return;
    };
    let owned = OWNED_KINDS.contains(&volume.kind.as_str());
    if volume.kind != "emptyDir" && (owned || decorated.pod.user.fs_group.is_none()) {
        let text = format!(
            "container {} runs as {user}, which cannot write a volume of type {}{}; take an emptyDir",
            wrapped.container.name,
            volume.kind,
            if owned { "" } else { " without fsGroup" }
        );
        found.push(Finding::new(&mount.path, text));
    }
}

/// Containers that the kubelet refuses to start: those of the programs whose images
/// name no user, and whoever is root, where root is not allowed.
fn refused(decorated: &Decorated<'_>, found: &mut Vec<Finding>) {
    let pod = decorated.pod;
    for container in pod.all().filter(|container| pod.is_non_root(container)) {
        let is_ours = container.name == PLACE
            || [sidecar::options::VARIABLE, sidecar::initupload::VARIABLE]
                .iter()
                .any(|name| container.variable(name).is_some());
        let text = match pod.user_of(container) {
            Some(0) => "true, but the user is root: the kubelet refuses to start the container",
            None if is_ours => {
                "true, and no user is named: the kubelet refuses an image of pod-utils, which runs as root unless told otherwise"
            }
            Some(_) | None => continue,
        };
        found.push(Finding::new(container.field("securityContext.runAsNonRoot"), text));
    }
}

/// The first container makes the artifact directory; it alone can write there.
fn artifacts(decorated: &Decorated<'_>, found: &mut Vec<Finding>) {
    let dir = |wrapped: &Wrapped<'_>| {
        let dir = &wrapped.options.artifact_dir;
        wrapped.container.mount_of(dir).map(|mount| mount.locate(dir))
    };
    let writers: Vec<_> =
        decorated.wrapped.iter().filter_map(|wrapped| Some((wrapped, dir(wrapped)?))).collect();
    for (index, (wrapped, place)) in writers.iter().enumerate() {
        let user = known(decorated, wrapped);
        let other = writers[..index].iter().find(|(other, other_place)| {
            let theirs = known(decorated, other);
            other_place == place && user.is_some() && theirs.is_some() && theirs != user
        });
        if let (Some((other, _)), Some(user)) = (other, user.filter(|user| *user != 0)) {
            let text = format!(
                "{user}: container {} runs as another user, and who comes first owns {}: the other cannot write there",
                other.container.name, wrapped.options.artifact_dir
            );
            found.push(Finding::new(wrapped.container.field("securityContext.runAsUser"), text));
        }
    }
}

/// Sidecar reads what the tests wrote, perhaps for themselves only.
fn reader(decorated: &Decorated<'_>, found: &mut Vec<Finding>) {
    let Some(delivery) = &decorated.delivery else { return };
    let Some(reader) = decorated.pod.user_of(delivery.container).filter(|user| *user != 0) else { return };
    for wrapped in &decorated.wrapped {
        if let Some(writer) = known(decorated, wrapped).filter(|writer| *writer != reader) {
            let text = format!(
                "sidecar runs as {reader} and container {} as {writer}: files that are for their owner only stay unread",
                wrapped.container.name
            );
            found.push(Finding::new(delivery.container.field("securityContext.runAsUser"), text));
        }
    }
}
