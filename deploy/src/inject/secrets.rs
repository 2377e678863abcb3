//! Which Secrets of a pod sidecar must know to mask them (P-15).

use super::field_path::Finding;
use super::model::{Container, Mount, Pod, SecretRef};

/// The mount point of Secrets that only sidecar has.
const OWN_PLACE: &str = "/secrets/censor";

/// The volumes that sidecar mounts, and the directories that it reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Censored {
    /// In the order of the containers; no path occurs twice.
    pub(super) mounts: Vec<OwnMount>,
    /// The paths that hold secrets.
    pub(super) directories: Vec<String>,
    /// Volumes for Secrets that no volume shows whole.
    pub(super) volumes: Vec<(String, SecretRef)>,
}

/// A mount of sidecar's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OwnMount {
    pub(super) volume: String,
    pub(super) at: String,
    pub(super) sub_path: Option<String>,
    /// Some drivers refuse everything else.
    pub(super) read_only: bool,
}

/// Finds the Secrets; `taken` are paths at which sidecar mounts other things.
pub(super) fn find(pod: &Pod, more: &[String], taken: &[&str]) -> Result<Censored, Finding> {
    let mut found = Censored::default();
    let mounts = || everyone(pod).flat_map(|container| &container.mounts);
    for mount in mounts() {
        if pod.volume(&mount.volume).is_some_and(|volume| volume.kind == "secret") {
            found.mirror(mount, taken);
        }
    }
    for path in more {
        let holders = mounts().filter(|mount| mount.holds(path));
        let Some(mount) = holders.max_by_key(|mount| mount.at.len()) else {
            let text = format!("--secrets {path}: no container has a volume there");
            return Err(Finding::new(pod.field("containers"), text));
        };
        found.share(mount, path, taken)?;
    }
    found.parts(pod);
    Ok(found)
}

/// All containers: an init container may leave a Secret where the test finds it.
fn everyone(pod: &Pod) -> impl Iterator<Item = &Container> {
    pod.containers.iter().chain(&pod.inits)
}

impl Censored {
    fn has_path(&self, at: &str) -> bool {
        self.mounts.iter().any(|mount| mount.at == at)
    }

    fn list(&mut self, path: &str) {
        if !self.directories.iter().any(|listed| listed == path) {
            self.directories.push(path.to_owned());
        }
    }

    /// A Secret at the path that it has in a container. One that is
    /// mounted there only in part, and one whose path is taken, get a place of their own
    /// with all they have.
    fn mirror(&mut self, mount: &Mount, taken: &[&str]) {
        let own = format!("{OWN_PLACE}/{}", mount.volume);
        let known = |at: &str| self.mounts.iter().any(|own| own.volume == mount.volume && own.at == at);
        if known(mount.point()) || known(&own) {
            return;
        }
        let free =
            mount.sub_path.is_none() && !self.has_path(mount.point()) && !taken.contains(&mount.point());
        let at = if free { mount.point().to_owned() } else { own };
        self.list(&at);
        self.mounts.push(OwnMount { volume: mount.volume.clone(), at, sub_path: None, read_only: false });
    }

    /// A path of any volume, where the container has it.
    fn share(&mut self, mount: &Mount, path: &str, taken: &[&str]) -> Result<(), Finding> {
        let sub_path = mount.sub_path.clone();
        let at = mount.point().to_owned();
        let own = OwnMount { volume: mount.volume.clone(), at, sub_path, read_only: true };
        let is_there = |other: &OwnMount| {
            (&other.volume, &other.at, &other.sub_path) == (&own.volume, &own.at, &own.sub_path)
        };
        if !self.mounts.iter().any(is_there) {
            if self.has_path(&own.at) || taken.contains(&own.at.as_str()) {
                let text = format!("--secrets {path}: sidecar has another volume at {}", own.at);
                return Err(Finding::new(&mount.path, text));
            }
            self.mounts.push(own);
        }
        self.list(path);
        Ok(())
    }

    /// Secrets that containers know by variables, or see among other things.
    fn parts(&mut self, pod: &Pod) {
        let of_container = |container: &Container| {
            let single = container.env.iter().filter_map(|variable| variable.secret.clone());
            let volumes = container.mounts.iter().filter_map(|mount| pod.volume(&mount.volume));
            let projected = volumes.flat_map(|volume| volume.projected.clone());
            container.env_from_secrets.iter().cloned().chain(single).chain(projected).collect::<Vec<_>>()
        };
        for secret in everyone(pod).flat_map(of_container) {
            let mounted = |volume: &str| {
                pod.volume(volume).is_some_and(|volume| volume.secret.as_deref() == Some(&secret.name))
            };
            let known = self.mounts.iter().any(|mount| mounted(&mount.volume))
                || self.volumes.iter().any(|(_, own)| own.name == secret.name);
            if known {
                continue;
            }
            let volume = format!("censor-{}", self.volumes.len());
            let at = format!("{OWN_PLACE}/{}", secret.name);
            self.list(&at);
            self.mounts.push(OwnMount { volume: volume.clone(), at, sub_path: None, read_only: false });
            self.volumes.push((volume, secret));
        }
    }
}
