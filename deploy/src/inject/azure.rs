//! Azure Blob Storage: its programs take no file with credentials, so what a
//! Secret holds becomes variables of the containers that upload, and of no others.
//!
//! With workload identity the webhook of the cluster gives tokens to all
//! containers of a labelled pod. The annotation keeps them from the test's.

use super::field_path::{FieldPath, Finding};
use super::model::Pod;
use crate::yaml::{Map, Node};

const LABEL: &str = "azure.workload.identity/use";
const SKIP: &str = "azure.workload.identity/skip-containers";

/// The variable with the account's name.
const ACCOUNT: &str = "AZURE_STORAGE_ACCOUNT";

/// Variables; one of them has to name the account.
const NAME_IT: [&str; 3] = [ACCOUNT, "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_CONNECTION_STRING"];

/// The storage account and the identity that uploads to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Azure {
    pub(super) account: Option<String>,
    pub(super) secret: Option<String>,
    pub(super) identity: bool,
}

impl Azure {
    /// Variables of a container that uploads.
    pub(super) fn variables(&self) -> Vec<Node> {
        let account = self.account.as_ref();
        account
            .map(|name| super::fragments::variable(ACCOUNT, &super::expand::literal(name)))
            .into_iter()
            .collect()
    }

    /// Returns a finding if the template's own label contradicts the option.
    pub(super) fn finding(&self, template: &FieldPath<'_>) -> Result<(), Finding> {
        let label = template.keys(&["metadata", "labels", LABEL]);
        match label.text()? {
            Some(value) if self.identity && value != "true" => {
                Err(label.finding(format!("{value}, but --azure-workload-identity needs true")))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Labels a pod for the webhook; says what was changed. A pod that has the
    /// label already wants the tokens in its own containers.
    pub(super) fn label(&self, template: &mut Map, pod: &Pod) -> Option<&'static str> {
        if !self.identity {
            return None;
        }
        let metadata = template.slot("metadata").as_map_mut()?;
        if !metadata.slot("labels").as_map_mut()?.fill(LABEL, Node::text("true")) {
            return None;
        }
        let own: Vec<_> = pod.all().map(|container| container.name.as_str()).collect();
        metadata.slot("annotations").as_map_mut()?.fill(SKIP, Node::text(own.join(";")));
        Some("labelled for Azure's workload identity; the pod's own containers get no token of it")
    }
}

pub(super) fn is_azure(bucket: &str) -> bool {
    bucket.starts_with("az://")
}

/// Returns a finding if a container that uploads to `az://` has no account.
pub(super) fn missing(bucket: &str, container: &super::model::Container) -> Option<Finding> {
    let named = container.env_from || NAME_IT.iter().any(|name| container.variable(name).is_some());
    let text =
        format!("{ACCOUNT} is missing: set it to the storage account that holds the container {bucket}");
    (is_azure(bucket) && !named).then(|| Finding::new(container.field("env"), text))
}
