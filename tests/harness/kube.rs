//! The manifests of `deploy/kubernetes` as pods of `podman kube play`.
//!
//! Podman runs containers, init containers, volumes and stops of a pod for real.
//! Does, as the kubelet would, what only a cluster has: variables from
//! `ConfigMap`s, Secrets and the pod's own fields, `$(NAME)` in values, Secret
//! volumes (as directories), the pod template of a Job. A native sidecar becomes
//! an ordinary container; the test stops it when the others have ended.

use crate::images::{self, SHELL_IMAGE, succeed};
use crate::process::{self, Ended, Running};
use crate::tree::Tree;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Starting, running and stopping several containers on a busy machine.
const PATIENCE: Duration = Duration::from_mins(5);

/// The documents of a YAML text.
#[track_caller]
pub fn documents(text: &str) -> Vec<Value> {
    let documents = serde_norway::Deserializer::from_str(text);
    documents.map(|document| Value::deserialize(document).expect("a manifest")).collect()
}

/// The documents of a file in `deploy/`.
#[track_caller]
pub fn file(path: &str) -> Vec<Value> {
    let path = images::deploy().join(path);
    documents(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// A pod that is to be started.
#[derive(Debug)]
pub struct Manifest {
    spec: Value,
    /// The data of the `ConfigMap`s and Secrets, by name.
    data: BTreeMap<String, BTreeMap<String, String>>,
    dir: tempfile::TempDir,
    name: String,
}

/// A pod; it is removed with the value.
#[derive(Debug)]
pub struct Pod {
    name: String,
    volumes: Vec<String>,
    tree: Tree,
    dir: tempfile::TempDir,
}

impl Manifest {
    /// The Pod, or the pod template of the Job, among these documents.
    #[track_caller]
    pub fn of(documents: &[Value]) -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let spec = documents.iter().find_map(|document| match document["kind"].as_str() {
            Some("Pod") => Some(&document["spec"]),
            Some("Job") => Some(&document["spec"]["template"]["spec"]),
            Some(_) | None => None,
        });
        let dir = tempfile::Builder::new().prefix("pod-utils-kube-").tempdir().expect("a directory");
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).expect("its mode");
        let name = format!("e2e-{}-{number}", std::process::id());
        Self { spec: spec.expect("a Pod or a Job").clone(), data: BTreeMap::new(), dir, name }
    }

    /// Adds data to the `ConfigMap` or Secret of this name.
    #[must_use]
    pub fn data(mut self, name: &str, data: &[(&str, &str)]) -> Self {
        let of_name = self.data.entry(name.to_owned()).or_default();
        of_name.extend(data.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        self
    }

    /// Gives the container `test` another command, in `ENTRYPOINT_OPTIONS`, and
    /// another grace period.
    #[must_use]
    #[track_caller]
    pub fn test_runs(mut self, script: &str, grace_period: &str) -> Self {
        self.options("test", "ENTRYPOINT_OPTIONS", |options| {
            options["args"] = json!(["/bin/sh", "-c", script]);
            options["grace_period"] = json!(grace_period);
        });
        self
    }

    /// Changes the JSON of a container's variable.
    #[track_caller]
    pub fn options(&mut self, container: &str, variable: &str, change: impl FnOnce(&mut Value)) {
        let env = self.container(container)["env"].as_array_mut().expect("variables");
        let variable = env.iter_mut().find(|entry| entry["name"] == variable).expect("the variable");
        let mut options: Value =
            serde_json::from_str(variable["value"].as_str().expect("a text")).expect("JSON");
        change(&mut options);
        variable["value"] = options.to_string().into();
    }

    /// A container by its name.
    #[track_caller]
    pub fn container(&mut self, name: &str) -> &mut Value {
        let spec = self.spec.as_object_mut().expect("a spec");
        let kinds =
            spec.iter_mut().filter(|(key, _)| matches!(key.as_str(), "containers" | "initContainers"));
        let mut all = kinds.filter_map(|(_, containers)| containers.as_array_mut()).flatten();
        all.find(|container| container["name"] == name).unwrap_or_else(|| panic!("no container {name}"))
    }

    /// Mounts a directory of this machine into a container.
    #[track_caller]
    pub fn mount_directory(&mut self, container: &str, dir: &Path, path: &str) {
        let name = format!("mount-{}", list(&self.spec["volumes"]).len());
        let mount = json!({"name": name, "mountPath": path, "readOnly": true});
        self.container(container)["volumeMounts"].as_array_mut().expect("mounts").push(mount);
        let volume = json!({"name": name, "hostPath": {"path": dir, "type": "Directory"}});
        self.spec["volumes"].as_array_mut().expect("volumes").push(volume);
    }

    /// The pod's name and uid, which the examples put into the paths of results.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Plays it.
    #[track_caller]
    pub fn start(mut self) -> Pod {
        let init = list(&self.spec["initContainers"]);
        let (native, init): (Vec<_>, Vec<_>) =
            init.into_iter().partition(|container| container["restartPolicy"] == "Always");
        let containers = native.into_iter().chain(list(&self.spec["containers"]));
        let containers: Value = containers.map(|container| self.translated(container)).collect();
        let init: Value = init.into_iter().map(|container| self.translated(container)).collect();
        let volumes: Value = list(&self.spec["volumes"]).iter().map(|volume| self.volume(volume)).collect();
        let of_pod = list(&volumes);
        let named = of_pod.iter().filter(|volume| volume["emptyDir"].is_object());
        let named = named.map(|volume| text(&volume["name"])).collect();
        self.spec["containers"] = containers;
        self.spec["initContainers"] = init;
        self.spec["volumes"] = volumes;
        let document = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": self.name}, "spec": self.spec,
        });
        let document = document.to_string().replace("registry.example/", "localhost/");
        let document = document.replace("docker.io/library/busybox:stable", SHELL_IMAGE);
        let file = self.dir.path().join("pod.yaml");
        std::fs::write(&file, document).expect("written");
        let pod = Pod { name: self.name, volumes: named, tree: Tree::new(), dir: self.dir };
        // The monitor of a container leaves a file `oom` where it was started.
        let mut podman = Command::new("podman");
        podman.args(["kube", "play", "--quiet", "--network=host"]).arg(&file).current_dir(pod.dir.path());
        succeed(&mut podman);
        pod
    }

    /// A container without what podman does not know.
    fn translated(&self, mut container: Value) -> Value {
        let env = self.environment(&container);
        let container_fields = container.as_object_mut().expect("a container");
        container_fields.remove("envFrom");
        container_fields.remove("restartPolicy");
        container["env"] =
            env.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        let mounts = list(&container["volumeMounts"]).into_iter().map(|mut mount| {
            mount["name"] = self.volume_name(&text(&mount["name"])).into();
            mount
        });
        container["volumeMounts"] = mounts.collect();
        container
    }

    /// As the kubelet makes it: `envFrom` first, then `env`, whose values may
    /// refer to those before them.
    fn environment(&self, container: &Value) -> Vec<(String, String)> {
        let mut env = Vec::new();
        for source in list(&container["envFrom"]) {
            let name = [&source["configMapRef"]["name"], &source["secretRef"]["name"]];
            let data = name.iter().find_map(|name| self.data.get(name.as_str()?));
            env.extend(data.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
        }
        for entry in list(&container["env"]) {
            let from = &entry["valueFrom"];
            let value = if let Some(value) = entry["value"].as_str() {
                env.iter().fold(value.to_owned(), |value, (name, of_name)| {
                    value.replace(&format!("$({name})"), of_name)
                })
            } else if from["fieldRef"].is_object() {
                match from["fieldRef"]["fieldPath"].as_str() {
                    Some("metadata.namespace") => "default".to_owned(),
                    Some(_) | None => self.name.clone(),
                }
            } else {
                let (map, key) =
                    (text(&from["configMapKeyRef"]["name"]), text(&from["configMapKeyRef"]["key"]));
                self.data[&map][&key].clone()
            };
            env.retain(|(name, _)| entry["name"] != **name);
            env.push((text(&entry["name"]), value));
        }
        env
    }

    /// A Secret becomes a directory; one that is not there an empty one.
    fn volume(&self, volume: &Value) -> Value {
        let name = text(&volume["name"]);
        if volume["secret"].is_object() {
            let path = self.dir.path().join(&name);
            std::fs::create_dir_all(&path).expect("a directory");
            for (key, value) in self.data.get(&text(&volume["secret"]["secretName"])).into_iter().flatten() {
                std::fs::write(path.join(key), value).expect("written");
            }
            return json!({"name": self.volume_name(&name), "hostPath": {"path": path, "type": "Directory"}});
        }
        if volume["hostPath"].is_object() {
            return json!({"name": self.volume_name(&name), "hostPath": volume["hostPath"]});
        }
        json!({"name": self.volume_name(&name), "emptyDir": {}})
    }

    /// Podman's volumes belong to the machine, not to a pod.
    fn volume_name(&self, name: &str) -> String {
        format!("{}-{name}", self.name)
    }
}

impl Pod {
    /// Waits for the end of a container and returns its exit status.
    #[track_caller]
    pub fn wait(&self, container: &str) -> i32 {
        let mut podman = Command::new("podman");
        let ended =
            process::start(&self.tree, podman.args(["wait", &self.container(container)])).wait_for(PATIENCE);
        ended.stdout.trim().parse().unwrap_or_else(|_| panic!("{ended:?}: {}", self.logs(container)))
    }

    /// Returns a container's output so far.
    pub fn logs(&self, container: &str) -> String {
        let output = Command::new("podman")
            .args(["logs", &self.container(container)])
            .output()
            .expect("podman starts");
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }

    /// Waits until a container's output contains `text`.
    #[track_caller]
    pub fn until_logs(&self, container: &str, text: &str) {
        let mut podman = Command::new("podman");
        podman.args(["logs", "--follow", &self.container(container)]);
        process::start(&self.tree, &mut podman).until_stdout(text);
    }

    /// Stops all containers as a kubelet does: TERM to each at once, and KILL
    /// after `grace` seconds.
    #[track_caller]
    pub fn stop(&self, grace: u32) -> Ended {
        self.stopping(&["pod", "stop", "--time", &grace.to_string(), &self.name]).wait_for(PATIENCE)
    }

    /// Stops one container.
    #[track_caller]
    pub fn stop_container(&self, container: &str, grace: u32) -> Ended {
        self.stopping(&["stop", "--time", &grace.to_string(), &self.container(container)]).wait_for(PATIENCE)
    }

    /// Kills a container from outside, as for lack of memory.
    pub fn kill(&self, container: &str) {
        succeed(Command::new("podman").args(["kill", "--signal=KILL", &self.container(container)]));
    }

    fn stopping(&self, words: &[&str]) -> Running {
        process::start(&self.tree, Command::new("podman").args(words))
    }

    fn container(&self, name: &str) -> String {
        format!("{}-{name}", self.name)
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        // Without a check: a test that fails says why by itself.
        let _ = Command::new("podman").args(["pod", "rm", "--force", "--time=0", &self.name]).output();
        let _ = Command::new("podman").args(["volume", "rm", "--force"]).args(&self.volumes).output();
    }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
