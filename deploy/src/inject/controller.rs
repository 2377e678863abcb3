//! The controller that makes the pod: how many of them there are, and when.

use super::decoration::{Build, Decoration};
use super::field_path::{FieldPath, Finding};
use super::workloads::{self, Template};
use crate::yaml::Node;

/// The controller of a pod template.
#[derive(Clone, Debug)]
pub(super) struct Controller<'a> {
    kind: &'a str,
    /// The path of the object.
    object: String,
    /// The mapping around the template: the `spec` of a Job, for example.
    around: FieldPath<'a>,
}

impl<'a> Controller<'a> {
    pub(super) fn of(document: &'a Node, template: &'a Template) -> Self {
        let object = workloads::down(FieldPath::root(document, ""), &template.object);
        let path = object.path().to_owned();
        let steps = template.pod.split_last().map(|(_, steps)| steps).unwrap_or_default();
        Self { kind: &template.kind, object: path, around: workloads::down(object, steps) }
    }

    /// A time is known only for a pod that is made at once, and once.
    pub(super) fn refuses_time(&self) -> Option<Finding> {
        if self.kind == "Pod" {
            return None;
        }
        let text = format!(
            "--build-id-from time: the pods of a {} are made later, and all with the same time; allowed for it is a field such \
             as metadata.uid",
            self.kind
        );
        Some(Finding::new(&self.object, text))
    }

    /// Several pods with one build id overwrite each other's results.
    pub(super) fn doubts(&self, decoration: &Decoration) -> Vec<Finding> {
        if decoration.build != Build::Fixed || self.kind == "Pod" {
            return Vec::new();
        }
        let same = "each pod has the same --build-id, and overwrites the results of the others; leave it out";
        if self.kind == "CronJob" {
            return vec![Finding::new(
                self.around.path(),
                format!("a CronJob makes a pod each time: {same}"),
            )];
        }
        let mut doubts = Vec::new();
        for key in ["completions", "parallelism", "replicas"] {
            let field = self.around.key(key);
            // A number of the wrong form is the API server's to refuse.
            if let Some(count) = field.number().ok().flatten().filter(|count| *count > 1) {
                doubts.push(field.finding(format!("{count}: {same}")));
            }
        }
        let per_index = self.around.key("backoffLimitPerIndex");
        if per_index.exists() {
            doubts.push(per_index.finding(same));
        }
        doubts
    }
}
