//! Requests and limits of our containers.
//!
//! A namespace with a `ResourceQuota` refuses a pod in which a container has none,
//! and a pod is of the class Guaranteed only if all its containers are. So each of
//! ours has what the pod's own containers have.

use super::amounts::{self, Amounts};
use super::model::Pod;
use crate::terminal::Problem;
use crate::yaml::Node;
use std::collections::BTreeMap;

/// The requests and limits of one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Quantities {
    cpu_request: String,
    cpu_limit: String,
    memory_request: String,
    memory_limit: String,
}

/// Value of `--resources`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Resources {
    is_off: bool,
    each: BTreeMap<String, Given>,
}

/// The amounts given for one program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Given {
    cpu: Option<String>,
    memory: Option<String>,
}

/// The kind of limits that the pod's own containers have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PodClass {
    /// Requests are limits, for all of CPU and memory.
    Guaranteed,
    /// All containers have a CPU limit, which a quota may demand.
    CpuLimited,
    /// Some container has no CPU limit.
    Unlimited,
}

impl PodClass {
    pub(super) fn of(pod: &Pod) -> Self {
        let all = |is: fn(&Amounts) -> bool| pod.all().all(|container| is(&container.amounts));
        if all(Amounts::is_guaranteed) {
            Self::Guaranteed
        } else if all(|amounts| amounts.cpu_limit.is_some()) {
            Self::CpuLimited
        } else {
            Self::Unlimited
        }
    }
}

impl Resources {
    /// Parses the values of `--resources`: `none`, or `PROGRAM:cpu=AMOUNT,memory=AMOUNT`.
    pub(super) fn parse(values: &[String]) -> Result<Self, Problem> {
        let mut resources = Self::default();
        for text in values {
            if text == "none" {
                resources.is_off = true;
                continue;
            }
            let (program, amounts) = one(text).ok_or_else(|| {
                Problem::new(format!(
                    "--resources {text}: allowed are none, and PROGRAM:cpu=AMOUNT,memory=AMOUNT, where PROGRAM is sidecar, \
                     initupload or entrypoint, such as sidecar:cpu=100m,memory=256Mi"
                ))
            })?;
            resources.each.insert(program, amounts);
        }
        Ok(resources)
    }

    /// Returns the field `resources` of a container of ours.
    pub(super) fn of(&self, program: &str, class: PodClass) -> Option<Node> {
        if self.is_off {
            return None;
        }
        let mut quantities = default_of(program);
        if let Some(Given { cpu, memory }) = self.each.get(program) {
            if let Some(cpu) = cpu {
                quantities.cpu_request.clone_from(cpu);
                quantities.cpu_limit.clone_from(cpu);
            }
            if let Some(memory) = memory {
                quantities.memory_request.clone_from(memory);
                quantities.memory_limit.clone_from(memory);
            }
        }
        Some(quantities.node(class))
    }
}

impl Quantities {
    fn node(&self, class: PodClass) -> Node {
        let amounts = |cpu: Option<&String>, memory: &String| {
            let cpu = cpu.map(|cpu| ("cpu", Node::text(cpu)));
            Node::map(cpu.into_iter().chain([("memory", Node::text(memory))]))
        };
        let limits = amounts(Some(&self.cpu_limit), &self.memory_limit);
        let requests = amounts(Some(&self.cpu_request), &self.memory_request);
        match class {
            PodClass::Guaranteed => Node::map([("requests", limits.clone()), ("limits", limits)]),
            PodClass::CpuLimited => Node::map([("requests", requests), ("limits", limits)]),
            PodClass::Unlimited => {
                Node::map([("requests", requests), ("limits", amounts(None, &self.memory_limit))])
            }
        }
    }
}

/// Defaults: sidecar holds `delivery.memory` (64 MiB) and 20 MiB of its own at most;
/// the others copy a file, or send one object, in under 20 MiB.
fn default_of(program: &str) -> Quantities {
    let [cpu_request, cpu_limit, memory_request, memory_limit] =
        if program == "sidecar" { ["50m", "500m", "96Mi", "128Mi"] } else { ["10m", "100m", "16Mi", "64Mi"] }
            .map(str::to_owned);
    Quantities { cpu_request, cpu_limit, memory_request, memory_limit }
}

fn one(text: &str) -> Option<(String, Given)> {
    let (program, amounts) = text.split_once(':')?;
    if !["sidecar", "initupload", "entrypoint"].contains(&program) {
        return None;
    }
    let mut given = Given::default();
    for amount in amounts.split(',') {
        let (name, value) = amount.split_once('=')?;
        amounts::milli(value)?;
        match name {
            "cpu" => given.cpu = Some(value.to_owned()),
            "memory" => given.memory = Some(value.to_owned()),
            _ => return None,
        }
    }
    Some((program.to_owned(), given))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn shown(values: &[&str], class: PodClass) -> Option<String> {
        let values: Vec<String> = values.iter().map(|text| (*text).to_owned()).collect();
        let resources = Resources::parse(&values).expect("valid");
        resources.of("sidecar", class).map(|node| yaml::to_yaml(&node))
    }

    #[test]
    fn each_class_of_pod_has_limits_of_its_kind() {
        let unlimited = shown(&[], PodClass::Unlimited).expect("resources");
        assert_eq!(
            unlimited,
            "requests:\n  cpu: \"50m\"\n  memory: \"96Mi\"\nlimits:\n  memory: \"128Mi\"\n"
        );
        let limited = shown(&[], PodClass::CpuLimited).expect("resources");
        assert!(limited.contains("limits:\n  cpu: \"500m\""), "{limited}");
        let guaranteed = shown(&["sidecar:cpu=1,memory=1Gi"], PodClass::Guaranteed).expect("resources");
        assert_eq!(guaranteed.matches("cpu: \"1\"\n  memory: \"1Gi\"").count(), 2, "{guaranteed}");
        assert_eq!(shown(&["none"], PodClass::Guaranteed), None);
    }

    #[test]
    fn malformed_amounts_are_refused() {
        for text in [
            "",
            "sidecar",
            "sidecar:cpu",
            "sidecar:cpu=x",
            "test:cpu=1",
            "sidecar:gpu=1",
            "sidecar:memory=1 Gi",
        ] {
            let problem = Resources::parse(&[text.to_owned()]).expect_err(text);
            assert!(problem.text.contains("allowed are none"), "{problem:?}");
        }
    }
}
