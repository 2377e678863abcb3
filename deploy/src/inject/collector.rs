//! The OpenTelemetry collector that sidecar sends each job to, as a trace.

use super::expand::literal;
use super::fragments::{field_of_pod, variable};
use crate::terminal::Problem;
use crate::yaml::Node;

/// Attributes of the pod that it cannot see itself: variable, attribute, field.
const ATTRIBUTES: [(&str, &str, &str); 2] = [
    ("K8S_NAMESPACE_NAME", "k8s.namespace.name", "metadata.namespace"),
    ("K8S_NODE_NAME", "k8s.node.name", "spec.nodeName"),
];

/// Address and credentials of a collector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Collector {
    endpoint: Option<String>,
    /// Secret whose keys become variables of sidecar.
    pub(super) secret: Option<String>,
}

impl Collector {
    /// Makes a collector of the flags' values.
    pub(super) fn new(endpoint: Option<String>, secret: Option<String>) -> Result<Self, Problem> {
        if let Some(endpoint) = &endpoint {
            let host = ["http://", "https://"].iter().find_map(|scheme| endpoint.strip_prefix(scheme));
            if host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
                return Err(Problem::new(format!(
                    "--otlp-endpoint {endpoint}: allowed is http://HOST[:PORT][/PATH] or https://…"
                )));
            }
        }
        Ok(Self { endpoint, secret })
    }

    /// Returns sidecar's variables.
    pub(super) fn variables(&self) -> Vec<Node> {
        let mut all = Vec::new();
        if let Some(endpoint) = &self.endpoint {
            all.push(variable("OTEL_EXPORTER_OTLP_ENDPOINT", &literal(endpoint)));
        }
        if self.endpoint.is_some() || self.secret.is_some() {
            all.extend(ATTRIBUTES.map(|(name, _, field)| field_of_pod(name, field)));
            let attributes = ATTRIBUTES.map(|(name, attribute, _)| format!("{attribute}=$({name})"));
            all.push(variable("OTEL_RESOURCE_ATTRIBUTES", &attributes.join(",")));
        }
        all
    }
}
