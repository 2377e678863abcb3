//! The files each program must find: volumes, logs, markers, secrets.

use super::{Decorated, Delivery, Wrapped};
use crate::inject::field_path::Finding;
use crate::inject::model::{Container, Mount, VolumePath};
use common::entry::Entry;
use std::collections::{HashMap, HashSet};

pub(super) fn check(decorated: &Decorated<'_>, found: &mut Vec<Finding>) {
    for container in decorated.pod.all() {
        mounts(decorated, container, found);
    }
    for wrapped in &decorated.wrapped {
        program(decorated, wrapped, found);
        own_files(decorated, wrapped, found);
        previous(decorated, wrapped, found);
    }
    collisions(decorated, found);
    match &decorated.delivery {
        // Files that cannot be read were reported; nothing is known of what they say.
        None if decorated.unread => {}
        None => {
            let text = "no container has SIDECAR_OPTIONS: nothing delivers what the tests leave";
            found.push(Finding::new(decorated.pod.field("containers"), text));
        }
        Some(delivery) => {
            entries(decorated, delivery, found);
            inputs(delivery, found);
        }
    }
}

/// Finds mounts that the API server refuses, and volumes that do not exist.
fn mounts(decorated: &Decorated<'_>, container: &Container, found: &mut Vec<Finding>) {
    let mut seen = HashSet::new();
    for mount in &container.mounts {
        if decorated.pod.volume(&mount.volume).is_none() && !is_claimed(decorated, &mount.volume) {
            found.push(Finding::new(
                format!("{}.name", mount.path),
                format!("there is no volume {}", mount.volume),
            ));
        }
        if !seen.insert(mount.point()) {
            let text = format!("{} is there twice; Kubernetes refuses the pod", mount.at);
            found.push(Finding::new(format!("{}.mountPath", mount.path), text));
        }
    }
}

/// A `StatefulSet` makes volumes beside those of its template.
fn is_claimed(decorated: &Decorated<'_>, volume: &str) -> bool {
    // A list of the wrong form is the API server's to refuse.
    let claims = decorated.object.keys(&["spec", "volumeClaimTemplates"]).items().unwrap_or_default();
    claims
        .iter()
        .any(|claim| claim.keys(&["metadata", "name"]).text().ok().flatten().as_deref() == Some(volume))
}

/// Entrypoint itself, which somebody has to put into its volume.
fn program(decorated: &Decorated<'_>, wrapped: &Wrapped<'_>, found: &mut Vec<Finding>) {
    let container = wrapped.container;
    let words: Vec<&String> = container.command.iter().chain(&container.args).flatten().collect();
    let Some(program) = words.into_iter().find(|word| word.rsplit('/').next() == Some("entrypoint")) else {
        let text = "ENTRYPOINT_OPTIONS is set, but no word of command and args is a path of entrypoint";
        found.push(Finding::new(container.field("command"), text));
        return;
    };
    let Some(mount) = container.mount_of(program) else {
        if program.starts_with("/tools/") {
            let text = format!("{program} is in no volume of this container");
            found.push(Finding::new(container.field("volumeMounts"), text));
        }
        return;
    };
    let is_empty = decorated.pod.volume(&mount.volume).is_some_and(|volume| volume.kind == "emptyDir");
    let place = mount.locate(program);
    let placed =
        |init: &Container| init.mounts.iter().any(|other| other.volume == place.volume && !other.read_only);
    if is_empty && !decorated.pod.inits.iter().any(placed) {
        let text = format!("no init container puts {program} into the volume {}", place.volume);
        found.push(Finding::new(&mount.path, text));
    }
}

/// The files that entrypoint writes.
fn own_files(decorated: &Decorated<'_>, wrapped: &Wrapped<'_>, found: &mut Vec<Finding>) {
    let entry = &wrapped.options.entry;
    let files = [
        ("process_log", &entry.process_log),
        ("marker_file", &entry.marker_file),
        ("artifact_dir", &wrapped.options.artifact_dir),
    ];
    let mut named = HashSet::new();
    for (key, path) in files.into_iter().filter(|(_, path)| !path.is_empty()) {
        let container = wrapped.container;
        let Some(mount) = container.mount_of(path) else {
            let text = format!("{key} {path} is in no volume of this container, so sidecar never sees it");
            found.push(Finding::new(container.field("volumeMounts"), text));
            continue;
        };
        let kind = decorated.pod.volume(&mount.volume).filter(|volume| !volume.is_writable());
        let why = match kind {
            _ if mount.read_only => "the volume is mounted read-only".to_owned(),
            Some(volume) => format!("a volume of type {} cannot be written", volume.kind),
            None => continue,
        };
        if named.insert(&mount.path) {
            found.push(Finding::new(&mount.path, format!("{key} {path}: {why}")));
        }
    }
}

fn location(container: &Container, path: &str) -> Option<VolumePath> {
    container.mount_of(path).map(|mount| mount.locate(path))
}

/// Entries that wait for another one.
fn previous(decorated: &Decorated<'_>, wrapped: &Wrapped<'_>, found: &mut Vec<Finding>) {
    let marker = &wrapped.options.previous_marker;
    if marker.is_empty() {
        return;
    }
    let own = location(wrapped.container, marker);
    let path = || wrapped.container.field("env");
    let owner = decorated
        .wrapped
        .iter()
        .find(|other| own.is_some() && own == location(other.container, &other.options.entry.marker_file));
    let Some(owner) = owner else {
        let text =
            format!("previous_marker {marker}: no container leaves that marker, so the command never starts");
        return found.push(Finding::new(path(), text));
    };
    // As many steps as there are containers lead out of every chain but a circle.
    let mut at = Some(owner);
    for _ in &decorated.wrapped {
        at = at
            .filter(|other| !other.options.previous_marker.is_empty())
            .and_then(|other| decorated.owner(&other.options.previous_marker));
    }
    if at.is_some() {
        let text = format!("previous_marker {marker}: the containers wait for each other in a circle");
        found.push(Finding::new(path(), text));
    }
}

/// The files of an entry that nobody else may write.
fn files_of(entry: &Entry) -> [(&'static str, String); 4] {
    let marker = &entry.marker_file;
    [
        ("process_log", entry.process_log.clone()),
        ("marker_file", marker.clone()),
        ("marker_file's lock", format!("{marker}.lock")),
        ("marker_file's report", format!("{marker}.report.json")),
    ]
}

fn collisions(decorated: &Decorated<'_>, found: &mut Vec<Finding>) {
    let mut owners: HashMap<VolumePath, (&str, &str)> = HashMap::new();
    for wrapped in &decorated.wrapped {
        for (key, path) in files_of(&wrapped.options.entry) {
            let Some(place) = location(wrapped.container, &path) else { continue };
            let name = wrapped.container.name.as_str();
            if let Some((other, other_key)) = owners.get(&place) {
                let text = format!(
                    "{key} {path} is the {other_key} of container {other}, too: one overwrites the other"
                );
                found.push(Finding::new(wrapped.container.field("env"), text));
            } else {
                owners.insert(place, (name, key));
            }
        }
    }
}

/// Compares the files that sidecar waits for with those that entrypoint leaves.
fn entries(decorated: &Decorated<'_>, delivery: &Delivery<'_>, found: &mut Vec<Finding>) {
    let container = delivery.container;
    for wrapped in decorated.wrapped.iter().filter(|wrapped| !decorated.is_known(wrapped)) {
        let marker = &wrapped.options.entry.marker_file;
        let text = format!(
            "marker_file {marker} is no entry of sidecar's: this container's result is not delivered"
        );
        found.push(Finding::new(wrapped.container.field("env"), text));
    }
    for entry in delivery.options.all_entries() {
        let Some(owner) = decorated.owner(&entry.marker_file) else {
            if decorated.unread {
                continue;
            }
            let text = format!(
                "entry {}: no container leaves that marker, so sidecar waits for ever",
                entry.marker_file
            );
            found.push(Finding::new(container.field("env"), text));
            continue;
        };
        for (key, path, of_owner) in [
            ("marker_file", &entry.marker_file, &owner.options.entry.marker_file),
            ("process_log", &entry.process_log, &owner.options.entry.process_log),
        ] {
            if path != of_owner {
                let text = format!("{key} {path}: container {} has {of_owner}", owner.container.name);
                found.push(Finding::new(container.field("env"), text));
                continue;
            }
            let theirs = location(owner.container, path);
            let text = match (container.mount_of(path), &theirs) {
                (None, _) => format!("{key} {path} is in no volume of sidecar's"),
                (Some(mount), Some(theirs)) if mount.locate(path) != *theirs => {
                    format!(
                        "{key} {path}: sidecar has another volume there than container {}",
                        owner.container.name
                    )
                }
                (Some(_), _) => continue,
            };
            found.push(Finding::new(container.field("volumeMounts"), text));
        }
    }
}

/// Items, credentials and secrets that sidecar reads.
fn inputs(delivery: &Delivery<'_>, found: &mut Vec<Finding>) {
    let container = delivery.container;
    let options = &delivery.options;
    let upload = &options.gcs_options;
    if upload.local_output_dir.is_empty() {
        found.extend(crate::inject::azure::missing(&upload.bucket, container));
    }
    let mut paths: Vec<(&str, &str)> = upload.items.iter().map(|item| ("item", item.as_str())).collect();
    paths.push(("gcs_credentials_file", &upload.gcs_credentials_file));
    paths.push(("s3_credentials_file", &upload.s3_credentials_file));
    paths.push(("local_output_dir", &upload.local_output_dir));
    // What is wrong with the options was said when they were validated.
    let censoring = options.censoring().ok().flatten().unwrap_or_default();
    paths.extend(censoring.secret_directories.iter().map(|dir| ("secret directory", dir.as_str())));
    for (what, path) in paths.into_iter().filter(|(_, path)| path.starts_with('/')) {
        // A volume may also be mounted below a directory of secrets.
        let below = |mount: &Mount| crate::inject::model::is_below(mount.point(), path);
        if container.mount_of(path).is_none() && !container.mounts.iter().any(below) {
            let text = format!("{what} {path} is in no volume of sidecar's");
            found.push(Finding::new(container.field("volumeMounts"), text));
        }
    }
}
