//! Finds the pods in a document.

use super::field_path::{FieldPath, Finding, join};
use crate::yaml::Node;

/// A part of a document from which pods are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    /// The object that holds it, as steps from the root: an item of a list.
    pub(super) object: Vec<Step>,
    /// The mapping with `metadata` and `spec`, as steps from the object.
    pub(super) pod: Vec<Step>,
    /// What its controller does with ended pods.
    pub(super) restarts: RestartBehavior,
    /// The object's name.
    pub(super) name: String,
}

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(&'static str),
    Item(usize),
}

/// The reaction of a controller to the end of its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RestartBehavior {
    /// Nothing: it has had its life.
    Once,
    /// Makes another one when it failed.
    Job,
    /// Its containers are started again for ever, because nothing else is allowed.
    Restarted,
    /// Nobody knows.
    Unknown,
}

/// The content of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Templates(Vec<Template>),
    /// A known kind that makes no pods.
    NoPods,
}

const NO_PODS: [&str; 34] = [
    "APIService",
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "CustomResourceDefinition",
    "Endpoints",
    "EndpointSlice",
    "Event",
    "HorizontalPodAutoscaler",
    "Ingress",
    "IngressClass",
    "Lease",
    "LimitRange",
    "MutatingWebhookConfiguration",
    "Namespace",
    "NetworkPolicy",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "PodMonitor",
    "PriorityClass",
    "ResourceQuota",
    "Role",
    "RoleBinding",
    "RuntimeClass",
    "Secret",
    "SecretProviderClass",
    "Service",
    "ServiceAccount",
    "ServiceMonitor",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingWebhookConfiguration",
    "VolumeSnapshot",
];

const TEMPLATE: &[Step] = &[Step::Key("spec"), Step::Key("template")];
const CRON: &[Step] =
    &[Step::Key("spec"), Step::Key("jobTemplate"), Step::Key("spec"), Step::Key("template")];

/// Finds the pods of a document.
pub(super) fn content(root: &Node) -> Result<Content, Finding> {
    let at = FieldPath::root(root, "");
    let Node::Map(_) = root else {
        return Err(Finding::new("", format!("{} where an object of Kubernetes belongs", root.describe())));
    };
    let kind = kind(&at)?;
    if !kind.ends_with("List") || !at.key("items").exists() {
        return object(&at, &kind, Vec::new());
    }
    let mut templates = Vec::new();
    for (index, item) in at.key("items").items()?.iter().enumerate() {
        item.mapping()?;
        // The items of a typed list, a PodList for example, need not say what they are.
        let of_list = kind.strip_suffix("List").filter(|kind| !kind.is_empty());
        let kind = match of_list {
            Some(kind) if !item.key("kind").exists() => kind.to_owned(),
            Some(_) | None => self::kind(item)?,
        };
        if let Content::Templates(found) = object(item, &kind, vec![Step::Key("items"), Step::Item(index)])? {
            templates.extend(found);
        }
    }
    Ok(if templates.is_empty() { Content::NoPods } else { Content::Templates(templates) })
}

fn kind(at: &FieldPath<'_>) -> Result<String, Finding> {
    at.key("kind").text()?.ok_or_else(|| at.key("kind").finding("missing; what kind of object is it?"))
}

fn object(at: &FieldPath<'_>, kind: &str, object: Vec<Step>) -> Result<Content, Finding> {
    let (pod, restarts): (&[Step], _) = match kind {
        "Pod" => (&[], RestartBehavior::Once),
        "PodTemplate" => (&[Step::Key("template")], RestartBehavior::Unknown),
        "Job" => (TEMPLATE, RestartBehavior::Job),
        "CronJob" => (CRON, RestartBehavior::Job),
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "ReplicationController" => {
            (TEMPLATE, RestartBehavior::Restarted)
        }
        _ if NO_PODS.contains(&kind) => return Ok(Content::NoPods),
        _ => match [TEMPLATE, CRON].into_iter().find(|steps| has_containers(at, steps)) {
            Some(steps) => (steps, RestartBehavior::Unknown),
            None => {
                return Err(at.key("kind").finding(format!(
                    "{kind} is not known, and there is no pod template at spec.template; known are Pod, Job, CronJob, \
                     PodTemplate, Deployment and its like, and lists of them"
                )));
            }
        },
    };
    let name = at.keys(&["metadata", "name"]).text()?;
    let generated = at.keys(&["metadata", "generateName"]).text()?;
    let name = name.or_else(|| generated.map(|name| name.trim_end_matches('-').to_owned()));
    Ok(Content::Templates(vec![Template {
        object,
        pod: pod.to_vec(),
        restarts,
        name: name.unwrap_or_default(),
    }]))
}

fn has_containers(at: &FieldPath<'_>, steps: &[Step]) -> bool {
    let template = down(at.clone(), steps);
    template.keys(&["spec", "containers"]).exists()
}

/// A place some steps down.
pub(super) fn down<'a>(at: FieldPath<'a>, steps: &[Step]) -> FieldPath<'a> {
    steps.iter().fold(at, |at, step| match step {
        Step::Key(key) => at.key(key),
        Step::Item(index) => at.item(*index),
    })
}

/// The node some steps down, to be changed.
pub(super) fn down_mut<'a>(node: &'a mut Node, steps: &[Step]) -> Option<&'a mut Node> {
    steps.iter().try_fold(node, |node, step| match step {
        Step::Key(key) => node.as_map_mut().map(|map| map.slot(key)),
        Step::Item(index) => node.as_list_mut().and_then(|list| list.get_mut(*index)),
    })
}

/// The path of a template's field for messages.
pub(super) fn path(steps: &[Step], key: &str) -> String {
    let path = steps.iter().fold(String::new(), |path, step| match step {
        Step::Key(key) => join(&path, key),
        Step::Item(index) => format!("{path}[{index}]"),
    });
    if key.is_empty() { path } else { join(&path, key) }
}
