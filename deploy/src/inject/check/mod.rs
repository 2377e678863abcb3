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

use super::field_path::{FieldPath, Finding};
use super::model::{Container, Pod};
use super::workloads::{self, Template};
use common::job_spec::{self, JobSpec};
use common::json::Document;
use entrypoint::options::EntrypointOptions;
use sidecar::initupload::InitUploadOptions;
use sidecar::options::SidecarOptions;

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
) -> Option<(T, String)> {
    let variable = container.variable(name)?;
    let text = variable.value.as_ref()?;
    let mut options = T::default();
    match common::json::decode(&mut options, text) {
        Ok(_) => Some((options, variable.path.clone())),
        Err(error) => {
            found.push(Finding::new(&variable.path, format!("{name}: {error}")));
            None
        }
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
        let Some((options, path)) = options::<EntrypointOptions>(container, name, found) else { continue };
        match options.validate() {
            Ok(()) => wrapped.push(Wrapped { container, options }),
            Err(error) => found.push(Finding::new(path, format!("{name}: {error}"))),
        }
    }
    wrapped
}

fn delivery<'a>(pod: &'a Pod, found: &mut Vec<Finding>) -> Option<Delivery<'a>> {
    let name = sidecar::options::VARIABLE;
    let container = pod.all().find(|container| container.variable(name).is_some())?;
    let (options, path) = options::<SidecarOptions>(container, name, found)?;
    let local = !options.gcs_options.local_output_dir.is_empty();
    if let Err(error) = options.validate() {
        found.push(Finding::new(path, format!("{name}: {error}")));
        return None;
    }
    let job = options_of_job(container, local, found);
    let is_init = pod.inits.iter().any(|init| init.name == container.name);
    Some(Delivery { container, options, is_init, job })
}

fn options_of_job(container: &Container, local: bool, found: &mut Vec<Finding>) -> Option<JobSpec> {
    let missing = container.variable(job_spec::VARIABLE).is_none() && !container.env_from && !local;
    if missing {
        let text = "JOB_SPEC is missing: sidecar cannot know where results belong, and ends at once";
        found.push(Finding::new(container.field("env"), text));
    }
    let mut ignored = Vec::new();
    let list = if local { &mut ignored } else { found };
    options::<JobSpec>(container, job_spec::VARIABLE, list).map(|(job, _)| job)
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
