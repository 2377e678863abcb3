//! Users and groups: the test has to write into the log volume, sidecar has to read what
//! the test wrote.

use super::decoration::RunAs;
use super::field_path::Finding;
use super::model::{Container, Pod};
use crate::yaml::Node;
use std::collections::BTreeSet;

/// Fields of the security contexts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Users {
    /// Fields for the pod's security context, where they are not set.
    pub(super) pod: Vec<(&'static str, i64)>,
    /// Set if the pod gets `runAsNonRoot`.
    pub(super) non_root: bool,
    /// Fields for the wrapped containers, where they are not set.
    pub(super) wrapped: Vec<(&'static str, i64)>,
    /// The user given to containers that name none.
    pub(super) given: Option<i64>,
    /// The user of our containers, where the pod's is not the right one.
    pub(super) ours: Option<i64>,
    /// The user that our containers have in the end; `None` if their images decide.
    pub(super) effective: Option<i64>,
    /// Our containers must be able to read the files of any user.
    pub(super) reads_all: bool,
}

/// Decides for a pod; `wrapped` are the containers that are wrapped.
pub(super) fn resolve(pod: &Pod, wrapped: &[&Container], run_as: RunAs) -> Users {
    let known: BTreeSet<i64> = wrapped.iter().filter_map(|container| pod.user_of(container)).collect();
    let some_unknown = wrapped.iter().any(|container| pod.user_of(container).is_none());
    let fill = match (known.len(), run_as) {
        (1, _) if some_unknown => known.first().copied(),
        (0, RunAs::User(user)) => Some(user),
        _ => None,
    };
    let mut users = Users { given: fill, ..Users::default() };
    if let Some(user) = fill {
        let fields = [("runAsUser", user), ("runAsGroup", user)];
        // The other containers keep the user that their image has.
        let all = wrapped.len() == pod.containers.len();
        if all {
            users.pod.extend(fields);
            users.non_root = user != 0;
        } else {
            users.wrapped.extend(fields);
            users.ours = Some(user);
        }
    }
    let everyone: BTreeSet<i64> = known.iter().copied().chain(fill).collect();
    match (everyone.len(), everyone.first()) {
        (1, Some(user)) if fill.is_none() && pod.user.id != Some(*user) => users.ours = Some(*user),
        (1, Some(_)) => {}
        // Nobody knows, or they differ: root reads everything, where it may.
        _ if pod.is_all_non_root() => users.ours = everyone.first().copied(),
        _ => {
            users.ours = Some(0);
            users.reads_all = true;
        }
    }
    users.effective = users.ours.or(pod.user.id).or(fill);
    let owner = everyone.iter().copied().find(|user| *user != 0);
    if let Some(user) = owner {
        users.pod.push(("fsGroup", pod.user.group.unwrap_or(user)));
    }
    users
}

impl Users {
    /// Our images name no user, so that the kubelet would refuse to start them in a
    /// pod that must not run as root.
    pub(super) fn finding(&self, pod: &Pod) -> Option<Finding> {
        if self.effective.is_some() || !pod.is_all_non_root() {
            return None;
        }
        let of_pod = pod.user.non_root == Some(true);
        let holder = if of_pod { &pod.path } else { &pod.containers[0].path };
        let text = "true, and no user is named: the kubelet refuses our images, which run as root unless told otherwise; add \
                    runAsUser, or use --run-as with a user id";
        Some(Finding::new(format!("{holder}.securityContext.runAsNonRoot"), text))
    }

    /// The security context of our containers, which need nothing: Pod Security admits
    /// them at the level "restricted" unless they are root.
    pub(super) fn context(&self) -> Node {
        let mut fields = Vec::new();
        if let Some(user) = self.ours {
            fields.push(("runAsUser", Node::number(user)));
            fields.push(("runAsGroup", Node::number(user)));
        }
        if let Some(user) = self.effective {
            fields.push(("runAsNonRoot", Node::bool(user != 0)));
        }
        fields.push(("allowPrivilegeEscalation", Node::bool(false)));
        fields.push(("readOnlyRootFilesystem", Node::bool(true)));
        // Reading the files of others is a capability of root's.
        if !self.reads_all {
            fields.push(("capabilities", Node::map([("drop", Node::texts(["ALL"]))])));
        }
        fields.push(("seccompProfile", Node::map([("type", Node::text("RuntimeDefault"))])));
        Node::map(fields)
    }
}
