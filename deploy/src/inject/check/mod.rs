//! `podutils inject --check`: what cannot work in a decorated pod.
//!
//! It judges what is there, whoever made it: this tool, Prow or ci-operator. A
//! finding is something that loses results or never ends, not a matter of taste.
//!
//! | module | what it looks at |
//! | --- | --- |
//! | [`files`] | mounts, logs, markers, secrets: what each program must find |
//! | [`times`] | grace periods and deadlines |
//! | [`restarts`] | what starts again, what never ends |
//! | [`users`] | who writes and who reads |

mod files;
mod restarts;
mod times;
mod users;

use super::expand;
use super::field_path::{FieldPath, Finding};
use super::model::{Container, Pod};
use super::workloads::{self, Template};
use common::job_spec::{self, JobSpec};
use common::json::Document;
use common::paths::PathStrategy;
use entrypoint::options::EntrypointOptions;
use sidecar::initupload::InitUploadOptions;
use sidecar::options::{SidecarOptions, UploadOptions};

/// A pod as its decoration is understood.
struct Decorated<'a> {
    pod: &'a Pod,
    template: &'a Template,
    /// The object that holds the pod.
    object: FieldPath<'a>,
    wrapped: Vec<Wrapped<'a>>,
    delivery: Option<Delivery<'a>>,
    /// Options of some program could not be read.
    unread: bool,
}

/// A container with entrypoint in it.
struct Wrapped<'a> {
    container: &'a Container,
    options: EntrypointOptions,
}

/// The container with sidecar in it.
struct Delivery<'a> {
    container: &'a Container,
    options: SidecarOptions,
    /// It is an init container.
    is_init: bool,
    /// The job, when its specification is there and can be read.
    job: Option<JobSpec>,
}

/// Everything that cannot work in one pod.
pub(super) fn findings(document: &crate::yaml::Node, template: &Template) -> Vec<Finding> {
    let object = workloads::down(FieldPath::root(document, ""), &template.object);
    let pod = match Pod::read(&workloads::down(object.clone(), &template.pod)) {
        Ok(pod) => pod,
        Err(finding) => return vec![finding],
    };
    let mut found = Vec::new();
    let wrapped = wrapped(&pod, &mut found);
    let delivery = delivery(&pod, &mut found);
    if wrapped.is_empty() && delivery.is_none() && found.is_empty() {
        let text = "no container is wrapped: there is no ENTRYPOINT_OPTIONS and no SIDECAR_OPTIONS";
        return vec![Finding::new(pod.field("containers"), text)];
    }
    let unread = !found.is_empty();
    mistyped(&pod, &mut found);
    let decorated = Decorated { pod: &pod, template, object, wrapped, delivery, unread };
    files::check(&decorated, &mut found);
    times::check(&decorated, &mut found);
    restarts::check(&decorated, &mut found);
    users::check(&decorated, &mut found);
    found
}

/// The options in a container's variable, when they are there as text.
fn options<T: Document + Default>(
    container: &Container,
    name: &str,
    found: &mut Vec<Finding>,
) -> Option<Read<T>> {
    let variable = container.variable(name)?;
    let decoded = |unknown| {
        let text = expand::expanded(container, variable, unknown)?;
        let mut options = T::default();
        Some(common::json::decode(&mut options, &text).map(|_| options).map_err(|error| error.to_string()))
    };
    let [one, other] = expand::UNKNOWN.map(decoded);
    match (one?, other?) {
        (Ok(options), Ok(other)) => Some(Read { options, other, path: variable.path.clone() }),
        (Err(error), Err(other)) if error == other => {
            found.push(Finding::new(&variable.path, format!("{name}: {error}")));
            None
        }
        _ => None,
    }
}

/// Options of a program as its variable has them, with two values for what comes
/// from elsewhere, a `ConfigMap` for example.
struct Read<T> {
    options: T,
    other: T,
    path: String,
}

impl<T> Read<T> {
    /// Notes what the program refuses, unless it depends on unknown values; returns
    /// whether it refuses nothing.
    fn note<E: std::fmt::Display>(
        &self,
        name: &str,
        check: impl Fn(&T) -> Result<(), E>,
        found: &mut Vec<Finding>,
    ) -> bool {
        let Err(error) = check(&self.options) else { return true };
        let error = error.to_string();
        if check(&self.other).is_err_and(|other| other.to_string() == error) {
            found.push(Finding::new(&self.path, format!("{name}: {error}")));
        }
        false
    }
}

/// Keys that the programs ignore, where another one may have been meant.
fn mistyped(pod: &Pod, found: &mut Vec<Finding>) {
    for container in pod.all() {
        mistyped_in::<EntrypointOptions>(container, entrypoint::options::VARIABLE, found);
        mistyped_in::<SidecarOptions>(container, sidecar::options::VARIABLE, found);
        mistyped_in::<InitUploadOptions>(container, sidecar::initupload::VARIABLE, found);
    }
}

fn mistyped_in<T: Document + Default>(container: &Container, name: &str, found: &mut Vec<Finding>) {
    let Some(variable) = container.variable(name) else { return };
    // What cannot be decoded at all was told.
    let Ok(notes) = common::json::decode(&mut T::default(), variable.value.as_deref().unwrap_or_default())
    else {
        return;
    };
    let mistyped = notes.unknown().filter(|key| key.meant.is_some());
    found.extend(mistyped.map(|key| Finding::new(&variable.path, format!("{name}: there is no key {key}"))));
}

fn wrapped<'a>(pod: &'a Pod, found: &mut Vec<Finding>) -> Vec<Wrapped<'a>> {
    let mut wrapped = Vec::new();
    for container in &pod.containers {
        let name = entrypoint::options::VARIABLE;
        let Some(read) = options::<EntrypointOptions>(container, name, found) else { continue };
        if read.note(name, EntrypointOptions::validate, found) {
            wrapped.push(Wrapped { container, options: read.options });
        }
    }
    wrapped
}

fn delivery<'a>(pod: &'a Pod, found: &mut Vec<Finding>) -> Option<Delivery<'a>> {
    let name = sidecar::options::VARIABLE;
    let container = pod.all().find(|container| container.variable(name).is_some())?;
    let read = options::<SidecarOptions>(container, name, found)?;
    if !read.note(name, SidecarOptions::validate, found) {
        return None;
    }
    let options = read.options;
    let job = options_of_job(container, &options.gcs_options, found);
    let is_init = pod.inits.iter().any(|init| init.name == container.name);
    Some(Delivery { container, options, is_init, job })
}

fn options_of_job(
    container: &Container,
    upload: &UploadOptions,
    found: &mut Vec<Finding>,
) -> Option<JobSpec> {
    let local = !upload.local_output_dir.is_empty();
    let missing = container.variable(job_spec::VARIABLE).is_none() && !container.env_from && !local;
    if missing {
        let text = "JOB_SPEC is missing: sidecar cannot know where results belong, and ends at once";
        found.push(Finding::new(container.field("env"), text));
    }
    let mut ignored = Vec::new();
    let list = if local { &mut ignored } else { found };
    let mut read = options::<JobSpec>(container, job_spec::VARIABLE, list)?;
    // What is wrong with the strategy was said when the options were validated.
    let strategy =
        PathStrategy::new(&upload.path_strategy, &upload.default_org, &upload.default_repo).ok()?;
    let path = |job: &JobSpec| common::paths::job_path(job, &strategy).map(drop);
    read.note(job_spec::VARIABLE, path, list);
    if read.options.build_id != read.other.build_id {
        // The kubelet fills it in, for each pod anew.
        read.options.build_id.clear();
    }
    Some(read.options)
}

impl Decorated<'_> {
    /// Returns whether sidecar knows an entry with the marker of this container.
    fn is_known(&self, wrapped: &Wrapped<'_>) -> bool {
        self.delivery.as_ref().is_none_or(|delivery| {
            let mut entries = delivery.options.all_entries();
            entries.any(|entry| entry.marker_file == wrapped.options.entry.marker_file)
        })
    }

    /// The wrapped container that leaves this marker.
    fn owner(&self, marker: &str) -> Option<&Wrapped<'_>> {
        self.wrapped.iter().find(|wrapped| wrapped.options.entry.marker_file == marker)
    }
}

impl Wrapped<'_> {
    /// The test's grace period.
    fn grace(&self) -> std::time::Duration {
        let given = self.options.grace_period;
        if given.is_zero() { entrypoint::options::DEFAULT_GRACE_PERIOD.as_std() } else { given.as_std() }
    }

    /// The test's timeout.
    fn timeout(&self) -> std::time::Duration {
        let given = self.options.timeout;
        if given.is_zero() { entrypoint::options::DEFAULT_TIMEOUT.as_std() } else { given.as_std() }
    }
}

#[cfg(test)]
mod tests;
