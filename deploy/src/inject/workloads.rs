//! Finds the pods in a document.

use super::field_path::{FieldPath, Finding, Step, join};
use super::selection::Selection;
use super::template_path::TemplatePath;
use crate::yaml::Node;

/// A part of a document from which pods are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    /// The kind of the object.
    pub(super) kind: String,
    /// The object that holds it, as steps from the root: an item of a list.
    pub(super) object: Vec<Step>,
    /// The mapping with `metadata` and `spec`, as steps from the object.
    pub(super) pod: Vec<Step>,
    /// The reaction of its controller to the end of a pod.
    pub(super) restarts: RestartBehavior,
    /// The object's name.
    pub(super) name: String,
}

/// The reaction of a controller to the end of its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RestartBehavior {
    /// None: the pod runs once.
    Once,
    /// Makes another one when it failed.
    Job,
    /// The kubelet starts its containers again for ever, because `restartPolicy:
    /// Always` is the only one allowed.
    Restarted,
    /// The kind is not known.
    Unknown,
}

/// The content of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Templates(Vec<Template>),
    /// Nothing to decorate, and nothing to say.
    NoPods,
    /// Objects whose controller builds the pods itself: the kind, and who builds.
    BuiltElsewhere(String, &'static str),
}

/// How documents are searched for pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Search {
    /// Leave kinds alone that are not known, and documents that are no objects.
    pub(super) pass_unknown: bool,
    /// Where kinds that are not known keep their templates.
    pub(super) paths: Vec<TemplatePath>,
    pub(super) selection: Selection,
}

/// A kind that keeps pod templates: its API group, empty for Kubernetes' own, and
/// the path of the templates, empty where the object itself is the pod.
struct Workload(&'static str, &'static str, &'static str, RestartBehavior);

const WORKLOADS: [Workload; 18] = [
    Workload("", "Pod", "", RestartBehavior::Once),
    Workload("", "PodTemplate", "template", RestartBehavior::Unknown),
    Workload("", "Job", TEMPLATE, RestartBehavior::Job),
    Workload("", "CronJob", CRON, RestartBehavior::Job),
    Workload("", "Deployment", TEMPLATE, RestartBehavior::Restarted),
    Workload("", "ReplicaSet", TEMPLATE, RestartBehavior::Restarted),
    Workload("", "StatefulSet", TEMPLATE, RestartBehavior::Restarted),
    Workload("", "DaemonSet", TEMPLATE, RestartBehavior::Restarted),
    Workload("", "ReplicationController", TEMPLATE, RestartBehavior::Restarted),
    Workload(
        "jobset.x-k8s.io",
        "JobSet",
        "spec.replicatedJobs[*].template.spec.template",
        RestartBehavior::Job,
    ),
    Workload("batch.volcano.sh", "Job", "spec.tasks[*].template", RestartBehavior::Once),
    Workload("serving.knative.dev", "Service", TEMPLATE, RestartBehavior::Restarted),
    Workload("serving.knative.dev", "Configuration", TEMPLATE, RestartBehavior::Restarted),
    Workload("kubeflow.org", "PyTorchJob", "spec.pytorchReplicaSpecs.*.template", RestartBehavior::Unknown),
    Workload("kubeflow.org", "TFJob", "spec.tfReplicaSpecs.*.template", RestartBehavior::Unknown),
    Workload("kubeflow.org", "MPIJob", "spec.mpiReplicaSpecs.*.template", RestartBehavior::Unknown),
    Workload("kubeflow.org", "XGBoostJob", "spec.xgbReplicaSpecs.*.template", RestartBehavior::Unknown),
    Workload("kubeflow.org", "PaddleJob", "spec.paddleReplicaSpecs.*.template", RestartBehavior::Unknown),
];

/// API groups whose controllers build pods from other things than templates.
const BUILT_ELSEWHERE: [(&str, &str, &[&str]); 2] = [
    (
        "argoproj.io",
        "Argo Workflows",
        &["Workflow", "CronWorkflow", "WorkflowTemplate", "ClusterWorkflowTemplate"],
    ),
    ("tekton.dev", "Tekton", &["Task", "ClusterTask", "TaskRun", "Pipeline", "PipelineRun", "StepAction"]),
];

const TEMPLATE: &str = "spec.template";
const CRON: &str = "spec.jobTemplate.spec.template";

/// Kinds of Kubernetes and its usual neighbours that make no pods.
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

/// Finds the pods of a document.
pub(super) fn content(root: &Node, search: &Search) -> Result<Content, Finding> {
    let at = FieldPath::root(root, "");
    let is_object = matches!(root, Node::Map(_));
    if search.pass_unknown && (!is_object || !at.key("kind").exists()) {
        return Ok(Content::NoPods);
    }
    if !is_object {
        return Err(Finding::new("", format!("{} where an object of Kubernetes belongs", root.describe())));
    }
    let kind = kind(&at)?;
    if !kind.ends_with("List") || !at.key("items").exists() {
        return object(&at, &kind, &[], search);
    }
    let mut templates = Vec::new();
    let mut elsewhere = None;
    for (index, item) in at.key("items").items()?.iter().enumerate() {
        item.mapping()?;
        // The items of a typed list, a PodList for example, need not name their kind.
        let of_list = kind.strip_suffix("List").filter(|kind| !kind.is_empty());
        let kind = match of_list {
            Some(kind) if !item.key("kind").exists() => kind.to_owned(),
            Some(_) | None => self::kind(item)?,
        };
        let steps = [Step::Key("items".to_owned()), Step::Item(index)];
        match object(item, &kind, &steps, search)? {
            Content::Templates(found) => templates.extend(found),
            Content::NoPods => {}
            found @ Content::BuiltElsewhere(..) => elsewhere = Some(found),
        }
    }
    Ok(if templates.is_empty() {
        elsewhere.unwrap_or(Content::NoPods)
    } else {
        Content::Templates(templates)
    })
}

fn kind(at: &FieldPath<'_>) -> Result<String, Finding> {
    at.key("kind").text()?.ok_or_else(|| at.key("kind").finding("missing; what kind of object is it?"))
}

/// The API group of an object; empty for those of Kubernetes, and without `apiVersion`.
fn group(at: &FieldPath<'_>) -> Result<String, Finding> {
    let version = at.key("apiVersion").text()?.unwrap_or_default();
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let is_builtin = ["", "apps", "batch", "extensions"].contains(&group);
    Ok(if is_builtin { String::new() } else { group.to_owned() })
}

fn object(at: &FieldPath<'_>, kind: &str, object: &[Step], search: &Search) -> Result<Content, Finding> {
    if !search.selection.takes(at, kind)? {
        return Ok(Content::NoPods);
    }
    let group = group(at)?;
    let known = WORKLOADS.iter().find(|Workload(known, of, ..)| *known == group && *of == kind);
    let (pods, restarts) = match known {
        Some(Workload(_, _, "", restarts)) => (vec![Vec::new()], *restarts),
        Some(Workload(_, _, path, restarts)) => (templates_at(at, path), *restarts),
        None if group.is_empty() && NO_PODS.contains(&kind) => return Ok(Content::NoPods),
        None => match elsewhere(&group, kind) {
            Some(owner) => return Ok(Content::BuiltElsewhere(kind.to_owned(), owner)),
            None => (of_unknown_kind(at, search), RestartBehavior::Unknown),
        },
    };
    if pods.is_empty() {
        let passes = search.pass_unknown || known.is_some() || NO_PODS.contains(&kind);
        return if passes { Ok(Content::NoPods) } else { Err(unknown(at, kind)) };
    }
    let name = at.keys(&["metadata", "name"]).text()?;
    let generated = at.keys(&["metadata", "generateName"]).text()?;
    let name = name.or_else(|| generated.map(|name| name.trim_end_matches('-').to_owned()));
    let template = |pod| Template {
        kind: kind.to_owned(),
        object: object.to_vec(),
        pod,
        restarts,
        name: name.clone().unwrap_or_default(),
    };
    Ok(Content::Templates(pods.into_iter().map(template).collect()))
}

fn elsewhere(group: &str, kind: &str) -> Option<&'static str> {
    let found = BUILT_ELSEWHERE.iter().find(|(known, _, kinds)| *known == group && kinds.contains(&kind));
    found.map(|(_, owner, _)| *owner)
}

fn unknown(at: &FieldPath<'_>, kind: &str) -> Finding {
    at.key("kind").finding(format!(
        "{kind} is not known, and there is no pod template at {TEMPLATE}; known are Pod, Job, CronJob, PodTemplate, \
         Deployment and its like, and lists of them; --path names the template's place, --unknown-kinds pass leaves \
         such objects alone"
    ))
}

/// The templates at a path of ours, which has no wildcard where a key may be missing.
fn templates_at(at: &FieldPath<'_>, path: &str) -> Vec<Vec<Step>> {
    if path.contains('*') {
        return TemplatePath::parse(path).map(|path| path.find(at)).unwrap_or_default();
    }
    // A template that is missing is told as one without containers.
    vec![path.split('.').map(|key| Step::Key(key.to_owned())).collect()]
}

/// The templates of a kind that is not known: at the paths that were given, else at
/// the usual places if there are containers.
fn of_unknown_kind(at: &FieldPath<'_>, search: &Search) -> Vec<Vec<Step>> {
    let given: Vec<_> = search.paths.iter().flat_map(|path| path.find(at)).collect();
    if !given.is_empty() {
        return given;
    }
    let usual = [TEMPLATE, CRON].into_iter().flat_map(|path| templates_at(at, path));
    usual.filter(|steps| has_containers(at, steps)).take(1).collect()
}

fn has_containers(at: &FieldPath<'_>, steps: &[Step]) -> bool {
    let template = down(at.clone(), steps);
    template.keys(&["spec", "containers"]).exists()
}

/// Returns the field some steps down.
pub(super) fn down<'a>(at: FieldPath<'a>, steps: &[Step]) -> FieldPath<'a> {
    steps.iter().fold(at, |at, step| step.down(&at))
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
