//! A pod as far as decoration and its check have to know it.

use super::amounts::Amounts;
use super::field_path::{FieldPath, Finding};
use common::signal::Signal;

/// A pod, or the template of one.
#[derive(Clone, Debug)]
pub(super) struct Pod {
    /// The path of its `spec`.
    pub(super) path: String,
    pub(super) containers: Vec<Container>,
    pub(super) inits: Vec<Container>,
    pub(super) volumes: Vec<Volume>,
    pub(super) restart_policy: Option<String>,
    /// `terminationGracePeriodSeconds`.
    pub(super) grace: Option<i64>,
    /// `activeDeadlineSeconds`.
    pub(super) deadline: Option<i64>,
    pub(super) user: User,
    pub(super) host_pid: bool,
    /// The path of the field that makes it a Windows pod.
    pub(super) windows: Option<String>,
}

/// One container, ordinary or init.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the container that is there or not")]
pub(super) struct Container {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) image: Option<String>,
    pub(super) command: Option<Vec<String>>,
    pub(super) args: Option<Vec<String>>,
    pub(super) env: Vec<Variable>,
    /// The Secrets that `envFrom` names.
    pub(super) env_from_secrets: Vec<SecretRef>,
    /// Set if there is any `envFrom`.
    pub(super) env_from: bool,
    pub(super) mounts: Vec<Mount>,
    pub(super) user: User,
    pub(super) amounts: Amounts,
    pub(super) restart_policy: Option<String>,
    /// There are `restartPolicyRules`, which may start it again.
    pub(super) restart_rules: bool,
    pub(super) pre_stop: bool,
    /// `lifecycle.stopSignal`.
    pub(super) stop_signal: Option<Signal>,
    /// A key that looks like `command` with a mistake in it.
    pub(super) mistyped_command: Option<String>,
    pub(super) message_path: Option<String>,
    pub(super) message_policy: bool,
}

/// A variable of a container.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    pub(super) path: String,
    pub(super) name: String,
    /// The value; `None` when it comes from elsewhere.
    pub(super) value: Option<String>,
    /// The Secret that it comes from.
    pub(super) secret: Option<SecretRef>,
}

/// A Secret, or one key of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SecretRef {
    pub(super) name: String,
    pub(super) optional: bool,
}

/// A volume in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) path: String,
    pub(super) volume: String,
    pub(super) at: String,
    pub(super) read_only: bool,
    /// `subPath` or `subPathExpr`.
    pub(super) sub_path: Option<String>,
}

/// A volume of the pod.
#[derive(Clone, Debug)]
pub(super) struct Volume {
    pub(super) path: String,
    pub(super) name: String,
    /// The key beside the name: `emptyDir`, `secret`.
    pub(super) kind: String,
    /// The Secret that it shows whole.
    pub(super) secret: Option<String>,
    /// The Secrets that it shows among other things (`projected`).
    pub(super) projected: Vec<SecretRef>,
}

/// The user that a security context names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct User {
    /// `runAsUser`.
    pub(super) id: Option<i64>,
    /// `runAsGroup`.
    pub(super) group: Option<i64>,
    pub(super) fs_group: Option<i64>,
    /// `runAsNonRoot`.
    pub(super) non_root: Option<bool>,
}

/// Volumes that nobody can write.
const READ_ONLY_KINDS: [&str; 5] = ["secret", "configMap", "projected", "downwardAPI", "image"];

/// Upper bound on the parts of a pod that are compared with each other; a pod that an
/// API server can store has some hundred.
const MAX_PARTS: usize = 10_000;

impl Pod {
    /// Reads a pod from the mapping with `metadata` and `spec`.
    pub(super) fn read(template: &FieldPath<'_>) -> Result<Self, Finding> {
        let spec = template.key("spec");
        spec.mapping()?;
        let list = |key| spec.key(key).items()?.iter().map(Container::read).collect::<Result<Vec<_>, _>>();
        let pod = Self {
            path: spec.path().to_owned(),
            containers: list("containers")?,
            inits: list("initContainers")?,
            volumes: spec.key("volumes").items()?.iter().map(Volume::read).collect::<Result<_, _>>()?,
            restart_policy: spec.key("restartPolicy").text()?,
            grace: spec.key("terminationGracePeriodSeconds").number()?,
            deadline: spec.key("activeDeadlineSeconds").number()?,
            user: User::read(&spec)?,
            host_pid: spec.key("hostPID").is_true()?,
            windows: windows(&spec)?,
        };
        if pod.containers.is_empty() {
            return Err(spec.key("containers").finding("there is no container"));
        }
        let parts =
            pod.all().map(|container| 1 + container.env.len() + container.mounts.len()).sum::<usize>();
        if parts + pod.volumes.len() > MAX_PARTS {
            return Err(spec.finding(format!(
                "more than {MAX_PARTS} containers, volumes, mounts and variables; what is added to a pod is not meant for that many"
            )));
        }
        unique(pod.all().map(|container| (&container.path, container.name.as_str())), "name", "containers")?;
        unique(pod.volumes.iter().map(|volume| (&volume.path, volume.name.as_str())), "name", "volumes")?;
        Ok(pod)
    }

    /// All containers, init containers first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Container> {
        self.inits.iter().chain(&self.containers)
    }

    pub(super) fn volume(&self, name: &str) -> Option<&Volume> {
        self.volumes.iter().find(|volume| volume.name == name)
    }

    /// The user of a container, as far as the document says.
    pub(super) fn user_of(&self, container: &Container) -> Option<i64> {
        container.user.id.or(self.user.id)
    }

    /// Returns whether the kubelet refuses to run a container as root.
    pub(super) fn is_non_root(&self, container: &Container) -> bool {
        container.user.non_root.or(self.user.non_root).unwrap_or(false)
    }

    /// Returns whether the kubelet refuses to run any of the pod's own containers as
    /// root, as the Pod Security level "restricted" demands.
    pub(super) fn is_all_non_root(&self) -> bool {
        self.all().all(|container| self.is_non_root(container))
    }

    /// The path of a field of the pod's `spec`.
    pub(super) fn field(&self, key: &str) -> String {
        super::field_path::join(&self.path, key)
    }
}

fn unique<'a>(
    names: impl Iterator<Item = (&'a String, &'a str)>,
    key: &str,
    what: &str,
) -> Result<(), Finding> {
    let mut seen = std::collections::HashSet::new();
    for (path, name) in names {
        if !seen.insert(name) {
            return Err(Finding::new(
                format!("{path}.{key}"),
                format!("there are two {what} named {name:?}"),
            ));
        }
    }
    Ok(())
}

/// Windows runs none of our programs.
fn windows(spec: &FieldPath<'_>) -> Result<Option<String>, Finding> {
    const SELECTORS: [&str; 2] = ["kubernetes.io/os", "beta.kubernetes.io/os"];
    let os = spec.keys(&["os", "name"]);
    if os.text()?.as_deref() == Some("windows") {
        return Ok(Some(os.path().to_owned()));
    }
    for label in SELECTORS {
        let selector = spec.keys(&["nodeSelector", label]);
        if selector.text()?.as_deref() == Some("windows") {
            return Ok(Some(format!("{}.nodeSelector[{label}]", spec.path())));
        }
    }
    let options = spec.keys(&["securityContext", "windowsOptions"]);
    Ok(options.exists().then(|| options.path().to_owned()))
}

/// Reads `lifecycle.stopSignal`.
fn stop_signal(container: &FieldPath<'_>) -> Result<Option<Signal>, Finding> {
    let at = container.keys(&["lifecycle", "stopSignal"]);
    let name = at.text()?;
    let parsed = name.map(|name| {
        name.parse()
            .map_err(|_| at.finding(format!("{name:?}; allowed are names of signals such as SIGUSR1")))
    });
    parsed.transpose()
}

impl Container {
    fn read(at: &FieldPath<'_>) -> Result<Self, Finding> {
        at.mapping()?;
        let name = at.key("name").text()?.ok_or_else(|| at.key("name").finding("missing"))?;
        let image = at.key("image").text()?;
        for (key, value) in [("name", Some(&name)), ("image", image.as_ref())] {
            if value.is_some_and(|value| value.contains("{{")) {
                return Err(at.key(key).finding("this is a template ({{ }}): render it first"));
            }
        }
        let env_from = at.key("envFrom").items()?;
        let secrets = env_from.iter().map(|from| SecretRef::read(&from.key("secretRef")));
        Ok(Self {
            path: at.path().to_owned(),
            name,
            image,
            command: at.key("command").texts()?,
            args: at.key("args").texts()?,
            env: at.key("env").items()?.iter().map(Variable::read).collect::<Result<_, _>>()?,
            env_from_secrets: secrets.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect(),
            env_from: !env_from.is_empty(),
            mounts: at.key("volumeMounts").items()?.iter().map(Mount::read).collect::<Result<_, _>>()?,
            user: User::read(at)?,
            amounts: Amounts::read(&at.key("resources"))?,
            restart_policy: at.key("restartPolicy").text()?,
            restart_rules: !at.key("restartPolicyRules").items()?.is_empty(),
            pre_stop: at.keys(&["lifecycle", "preStop"]).exists(),
            stop_signal: stop_signal(at)?,
            mistyped_command: mistyped(at, "command"),
            message_path: at.key("terminationMessagePath").text()?,
            message_policy: at.key("terminationMessagePolicy").exists(),
        })
    }

    /// The variable with this name; the last one counts.
    pub(super) fn variable(&self, name: &str) -> Option<&Variable> {
        self.env.iter().rev().find(|variable| variable.name == name)
    }

    /// The mount that holds a path: the one with the longest path.
    pub(super) fn mount_of(&self, path: &str) -> Option<&Mount> {
        self.mounts.iter().filter(|mount| mount.holds(path)).max_by_key(|mount| mount.at.len())
    }

    /// The path of a field.
    pub(super) fn field(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }
}

impl Variable {
    fn read(at: &FieldPath<'_>) -> Result<Self, Finding> {
        at.mapping()?;
        let from = at.key("valueFrom");
        let value = at.key("value").text()?;
        Ok(Self {
            path: at.path().to_owned(),
            name: at.key("name").text()?.ok_or_else(|| at.key("name").finding("missing"))?,
            value: if from.exists() { None } else { Some(value.unwrap_or_default()) },
            secret: SecretRef::read(&from.key("secretKeyRef"))?,
        })
    }
}

impl SecretRef {
    fn read(at: &FieldPath<'_>) -> Result<Option<Self>, Finding> {
        let Some(name) = at.key("name").text()? else { return Ok(None) };
        Ok(Some(Self { name, optional: at.key("optional").is_true()? }))
    }
}

impl Mount {
    fn read(at: &FieldPath<'_>) -> Result<Self, Finding> {
        at.mapping()?;
        let text = |key: &str| at.key(key).text();
        Ok(Self {
            path: at.path().to_owned(),
            volume: text("name")?.ok_or_else(|| at.key("name").finding("missing"))?,
            at: text("mountPath")?.ok_or_else(|| at.key("mountPath").finding("missing"))?,
            read_only: at.key("readOnly").is_true()?,
            sub_path: text("subPath")?.or(text("subPathExpr")?),
        })
    }

    /// The mount point without a slash at its end.
    pub(super) fn point(&self) -> &str {
        self.at.trim_end_matches('/')
    }

    /// Returns whether a path is at the mount point or below it.
    pub(super) fn holds(&self, path: &str) -> bool {
        is_below(path, self.point())
    }

    /// Translates a path of the container into one of the volume.
    pub(super) fn locate(&self, path: &str) -> VolumePath {
        let inside = path.strip_prefix(self.point()).unwrap_or_default().trim_start_matches('/');
        let sub = self.sub_path.as_deref().unwrap_or_default().trim_matches('/');
        let whole = if sub.is_empty() { inside.to_owned() } else { format!("{sub}/{inside}") };
        VolumePath { volume: self.volume.clone(), path: whole }
    }
}

/// A file or directory of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct VolumePath {
    pub(super) volume: String,
    pub(super) path: String,
}

/// Returns whether `path` is `dir` or something below it.
pub(super) fn is_below(path: &str, dir: &str) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Volume {
    fn read(at: &FieldPath<'_>) -> Result<Self, Finding> {
        at.mapping()?;
        let sources = at.keys(&["projected", "sources"]).items()?;
        let projected = sources.iter().map(|source| SecretRef::read(&source.key("secret")));
        Ok(Self {
            path: at.path().to_owned(),
            projected: projected.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect(),
            name: at.key("name").text()?.ok_or_else(|| at.key("name").finding("missing"))?,
            kind: at.other_key("name").unwrap_or_else(|| "emptyDir".to_owned()),
            secret: if at.keys(&["secret", "items"]).exists() {
                None
            } else {
                at.keys(&["secret", "secretName"]).text()?
            },
        })
    }

    pub(super) fn is_writable(&self) -> bool {
        !READ_ONLY_KINDS.contains(&self.kind.as_str())
    }
}

impl User {
    fn read(holder: &FieldPath<'_>) -> Result<Self, Finding> {
        let at = holder.key("securityContext");
        at.mapping()?;
        Ok(Self {
            id: at.key("runAsUser").number()?,
            group: at.key("runAsGroup").number()?,
            fs_group: at.key("fsGroup").number()?,
            non_root: at.key("runAsNonRoot").flag()?,
        })
    }
}

/// The key of a mapping that looks like `key` with a mistake in it, where `key`
/// itself is missing.
fn mistyped(at: &FieldPath<'_>, key: &str) -> Option<String> {
    /// At least as much alike as `comand` and `command`, less than `command` and `content`.
    const MIN_SIMILARITY: f64 = 0.88;
    if at.key(key).exists() {
        return None;
    }
    let found = at.member_names().find(|name| strsim::jaro(&name.to_lowercase(), key) >= MIN_SIMILARITY);
    found.map(str::to_owned)
}
