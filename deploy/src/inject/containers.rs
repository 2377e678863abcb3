//! The containers and volumes that decoration adds, with names, paths and order
//! of Prow's (contract 9.1).

use super::decoration::{Build, Decoration, Out};
use super::expand::literal;
use super::field_path::Finding;
use super::fragments::{env_from, field_of_pod, mount, variable};
use super::model::{Container, Pod};
use super::resources::PodClass;
use super::secrets::Censored;
use super::user::Users;
use crate::terminal::Problem;
use crate::yaml::Node;
use common::duration::GoDuration;
use common::entry::Entry;
use common::job_spec::{self, JobSpec};
use common::json::to_go_string;
use entrypoint::options::{EntrypointOptions, SupervisionOptions};
use sidecar::censor::CensoringOptions;
use sidecar::initupload::InitUploadOptions;
use sidecar::options::{DeliveryOptions, SidecarOptions, UploadOptions};

pub(super) const LOGS: &str = "/logs";
pub(super) const TOOLS: &str = "/tools";
pub(super) const ENTRYPOINT: &str = "/tools/entrypoint";
pub(super) const ARTIFACTS: &str = "/logs/artifacts";
pub(super) const SIDECAR: &str = "sidecar";
pub(super) const PLACE: &str = "place-entrypoint";
pub(super) const INITUPLOAD: &str = "initupload";
const OUTPUT: &str = "/output";
const BUILD_ID: &str = "BUILD_ID";

/// The volume of the home directory.
pub(super) const HOME_VOLUME: &str = "pod-utils-home";

/// Stands for the build id until it is known that nothing else is replaced.
const BUILD_ID_HERE: &str = "pod-utils-build-id-here";

/// A volume that our containers share with nobody else.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) name: &'static str,
    pub(super) at: &'static str,
    pub(super) volume: Node,
}

/// Everything from which the additions to one pod are made.
#[derive(Debug)]
pub(super) struct Additions<'a> {
    pub(super) decoration: &'a Decoration,
    pub(super) job: JobSpec,
    pub(super) entries: Vec<Entry>,
    pub(super) censored: Censored,
    pub(super) users: Users,
    pub(super) class: PodClass,
    pub(super) grace: i64,
}

/// The entries of the wrapped containers (P-7).
pub(super) fn entries(wrapped: &[&Container]) -> Vec<Entry> {
    let single = wrapped.len() == 1;
    let entry = |container: &&Container| {
        let words = container.command.iter().chain(&container.args).flatten();
        let name = &container.name;
        let file = |kind: &str| if single { kind.to_owned() } else { format!("{name}-{kind}") };
        let (log, marker) =
            if single { ("process-log.txt", "marker-file.txt") } else { ("log.txt", "marker.txt") };
        Entry {
            args: words.cloned().collect(),
            container_name: name.clone(),
            process_log: format!("{LOGS}/{}", file(log)),
            marker_file: format!("{LOGS}/{}", file(marker)),
            metadata_file: format!("{ARTIFACTS}/{}", file("metadata.json")),
        }
    };
    wrapped.iter().map(entry).collect()
}

/// Volumes for credentials and output, in the order of P-9, as mounted by
/// initupload and sidecar.
pub(super) fn shared(decoration: &Decoration) -> Vec<Shared> {
    let secret = |name: &str| Node::map([("secretName", Node::text(name))]);
    let mut shared = Vec::new();
    let mut add = |name: &'static str, at: &'static str, kind: &str, source: Node| {
        let volume = Node::map([("name", Node::text(name)), (kind, source)]);
        shared.push(Shared { name, at, volume });
    };
    if let Some(name) = &decoration.gcs_secret {
        add("gcs-credentials", "/secrets/gcs", "secret", secret(name));
    }
    if let Some(name) = &decoration.s3_secret {
        add("s3-credentials", "/secrets/s3-storage", "secret", secret(name));
    }
    match &decoration.out {
        Out::Bucket(_) => {}
        Out::Directory(path) | Out::Folders(path) => {
            let source = [("path", Node::text(path)), ("type", Node::text("DirectoryOrCreate"))];
            add("output", OUTPUT, "hostPath", Node::map(source));
        }
    }
    shared
}

impl Additions<'_> {
    /// The variable with the build id, where it is a field of the pod.
    fn build_id(&self) -> Option<Node> {
        let Build::Field(field) = &self.decoration.build else { return None };
        Some(field_of_pod(BUILD_ID, field))
    }

    /// The job's variables as the kubelet must get them, sorted by name.
    fn job_variables(&self) -> Vec<(String, String)> {
        let is_field = self.build_id().is_some();
        let mut spec = self.job.clone();
        if is_field {
            BUILD_ID_HERE.clone_into(&mut spec.build_id);
        }
        let value = |text: &str| literal(text).replace(BUILD_ID_HERE, "$(BUILD_ID)");
        let mut variables = job_spec::environment(&spec);
        variables.push(("ARTIFACTS".to_owned(), ARTIFACTS.to_owned()));
        variables.push(("BUILD_NUMBER".to_owned(), spec.build_id.clone()));
        variables.retain(|(name, value)| !(name == "PROW_JOB_ID" && value.is_empty()));
        variables.sort();
        variables.into_iter().map(|(name, text)| (name, value(&text))).collect()
    }

    fn job_spec(&self) -> Node {
        let of_list = self.job_variables().into_iter().find(|(name, _)| name == job_spec::VARIABLE);
        variable(job_spec::VARIABLE, &of_list.map(|(_, value)| value).unwrap_or_default())
    }

    /// Returns the variables appended to those of a test's container (P-22), without those it
    /// has itself.
    pub(super) fn test_variables(
        &self,
        container: &Container,
        entry: usize,
        home: Option<&str>,
    ) -> Vec<Node> {
        let mut nodes = Vec::new();
        for (name, value) in self.job_variables() {
            if container.variable(&name).is_some() {
                continue;
            }
            let by_field = self.build_id().filter(|_| name == BUILD_ID);
            nodes.push(by_field.unwrap_or_else(|| variable(&name, &value)));
        }
        let options = to_go_string(&self.entrypoint_options(container, entry));
        nodes.push(variable(entrypoint::options::VARIABLE, &options));
        nodes.extend(home.map(|path| variable("HOME", path)));
        nodes
    }

    fn entrypoint_options(&self, container: &Container, entry: usize) -> EntrypointOptions {
        let decoration = self.decoration;
        let before = entry.checked_sub(1).filter(|_| decoration.in_order);
        let mut supervision = SupervisionOptions::with_reports(decoration.grace_period);
        supervision.interrupt = decoration.interrupt.unwrap_or(supervision.interrupt);
        for signal in decoration.stop_signals.iter().chain(&container.stop_signal) {
            if !supervision.stop_signals.contains(signal) {
                supervision.stop_signals.push(*signal);
            }
        }
        if let Some(path) = &container.message_path {
            supervision.termination_message_path.clone_from(path);
        }
        self.decoration.overlays.over_entrypoint(EntrypointOptions {
            timeout: decoration.timeout,
            grace_period: decoration.grace_period,
            artifact_dir: ARTIFACTS.to_owned(),
            previous_marker: before.map(|at| self.entries[at].marker_file.clone()).unwrap_or_default(),
            propagate_error_code: decoration.propagate_error_code,
            entry: self.entries[entry].clone(),
            supervision,
            ..EntrypointOptions::default()
        })
    }

    /// Returns the path of the home directory that a wrapped container gets.
    pub(super) fn home(&self, pod: &Pod, container: &Container) -> Option<&str> {
        if container.variable("HOME").is_some() {
            return None;
        }
        self.decoration.home.of(pod.user_of(container), self.users.given)
    }

    /// The options of both uploading programs.
    fn upload(&self) -> UploadOptions {
        let file = |secret: &Option<String>, at: &str| match secret {
            Some(_) => format!("{at}/service-account.json"),
            None => String::new(),
        };
        let mut upload = UploadOptions {
            gcs_credentials_file: file(&self.decoration.gcs_secret, "/secrets/gcs"),
            s3_credentials_file: file(&self.decoration.s3_secret, "/secrets/s3-storage"),
            ..self.decoration.upload.clone()
        };
        match &self.decoration.out {
            Out::Bucket(bucket) => upload.bucket.clone_from(bucket),
            Out::Directory(_) => OUTPUT.clone_into(&mut upload.local_output_dir),
            Out::Folders(_) => upload.bucket = format!("file://{OUTPUT}"),
        }
        self.decoration.overlays.over_upload(upload)
    }

    fn initupload_options(&self) -> InitUploadOptions {
        let options = InitUploadOptions { upload: self.upload(), ..InitUploadOptions::default() };
        self.decoration.overlays.over_initupload(options)
    }

    fn sidecar_options(&self) -> SidecarOptions {
        self.decoration.overlays.over_sidecar(SidecarOptions {
            gcs_options: UploadOptions { items: vec![ARTIFACTS.to_owned()], ..self.upload() },
            entries: self.entries.clone(),
            ignore_interrupts: self.decoration.ignore_interrupts,
            censoring_options: Some(CensoringOptions {
                secret_directories: self.censored.directories.clone(),
                ..CensoringOptions::default()
            }),
            delivery: Some(DeliveryOptions {
                grace_period: Some(GoDuration::from_secs(self.grace)),
                start_timeout: Some(self.decoration.start_timeout),
                native_sidecar: self.decoration.native,
                report_page: self.decoration.report_page,
                ..DeliveryOptions::default()
            }),
            ..SidecarOptions::default()
        })
    }

    /// Checks that each program takes the options that it gets.
    pub(super) fn validate(&self, pod: &Pod, wrapped: &[&Container]) -> Result<(), Finding> {
        let wrong = |text: String| Finding::new(pod.field("containers"), text);
        for (entry, container) in wrapped.iter().enumerate() {
            self.entrypoint_options(container, entry).validate().map_err(|error| wrong(error.to_string()))?;
        }
        self.initupload_options().validate().map_err(|error| wrong(error.to_string()))?;
        self.sidecar_options().validate().map_err(|error| wrong(error.to_string()))?;
        let upload = self.upload();
        let strategy = common::paths::PathStrategy::new(
            &upload.path_strategy,
            &upload.default_org,
            &upload.default_repo,
        );
        let strategy = strategy.map_err(|error| wrong(error.to_string()))?;
        let mut job = self.job.clone();
        if job.build_id.is_empty() {
            // It becomes known in the pod.
            "1".clone_into(&mut job.build_id);
        }
        common::paths::job_path(&job, &strategy).map(|_| ()).map_err(|error| wrong(error.to_string()))
    }

    /// A container of ours.
    fn container(
        &self,
        name: &str,
        program: &str,
        fields: Vec<(&'static str, Node)>,
    ) -> Result<Node, Problem> {
        let image = self.decoration.images.of(program)?;
        let mut all = vec![("name", Node::text(name)), ("image", Node::text(image))];
        all.extend(fields);
        all.extend(
            self.decoration.resources.of(program, self.class).map(|resources| ("resources", resources)),
        );
        all.push(("terminationMessagePolicy", Node::text("FallbackToLogsOnError")));
        all.push(("securityContext", self.users.context()));
        Ok(Node::map(all))
    }

    /// P-13.
    pub(super) fn place_entrypoint(&self) -> Result<Node, Problem> {
        let fields = vec![
            ("args", Node::texts(["--copy-mode-only"])),
            ("volumeMounts", Node::List(vec![mount("tools", TOOLS)])),
        ];
        self.container(PLACE, "entrypoint", fields)
    }

    /// P-12, without a clone log.
    pub(super) fn initupload(&self) -> Result<Node, Problem> {
        let azure = &self.decoration.azure;
        let mut env: Vec<_> = self.build_id().into_iter().chain(azure.variables()).collect();
        env.push(variable(
            sidecar::initupload::VARIABLE,
            &literal(&to_go_string(&self.initupload_options())),
        ));
        env.push(self.job_spec());
        let mut fields = vec![("env", Node::List(env))];
        fields.extend(env_from(&azure.secret));
        let mounts: Vec<_> =
            shared(self.decoration).iter().map(|shared| mount(shared.name, shared.at)).collect();
        if !mounts.is_empty() {
            fields.push(("volumeMounts", Node::List(mounts)));
        }
        self.container(INITUPLOAD, INITUPLOAD, fields)
    }

    /// P-14.
    pub(super) fn sidecar(&self) -> Result<Node, Problem> {
        let (azure, collector) = (&self.decoration.azure, &self.decoration.collector);
        let mut env: Vec<_> = self.build_id().into_iter().chain(azure.variables()).collect();
        env.extend(collector.variables());
        env.push(self.job_spec());
        env.push(variable(sidecar::options::VARIABLE, &literal(&to_go_string(&self.sidecar_options()))));
        let (output, credentials): (Vec<_>, Vec<_>) =
            shared(self.decoration).into_iter().partition(|shared| shared.name == "output");
        let mut mounts = vec![mount("logs", LOGS)];
        mounts.extend(credentials.iter().map(|shared| mount(shared.name, shared.at)));
        mounts.extend(self.censored.mounts.iter().map(|own| {
            let mut node = mount(&own.volume, &own.at);
            if let Some(map) = node.as_map_mut() {
                if let Some(sub_path) = &own.sub_path {
                    map.set("subPath", Node::text(sub_path));
                }
                if own.read_only {
                    map.set("readOnly", Node::bool(true));
                }
            }
            node
        }));
        mounts.extend(output.iter().map(|shared| mount(shared.name, shared.at)));
        let mut fields = vec![("env", Node::List(env))];
        fields.extend(env_from(azure.secret.iter().chain(&collector.secret)));
        fields.push(("volumeMounts", Node::List(mounts)));
        if self.decoration.native {
            fields.insert(0, ("restartPolicy", Node::text("Always")));
        }
        self.container(SIDECAR, SIDECAR, fields)
    }

    /// The volumes behind the pod's own (P-9).
    pub(super) fn volumes(&self, pod: &Pod, wrapped: &[&Container]) -> Result<Vec<Node>, Problem> {
        let empty = |name: &str| Node::map([("name", Node::text(name)), ("emptyDir", Node::map([]))]);
        let tools = if self.decoration.image_volume {
            let source = Node::map([("reference", Node::text(self.decoration.images.of("pod-utils")?))]);
            Node::map([("name", Node::text("tools")), ("image", source)])
        } else {
            empty("tools")
        };
        let mut volumes = vec![empty("logs"), tools];
        volumes.extend(shared(self.decoration).into_iter().map(|shared| shared.volume));
        volumes.extend(self.censored.volumes.iter().map(|(volume, secret)| {
            let mut fields = vec![("secretName", Node::text(&secret.name))];
            if secret.optional {
                fields.push(("optional", Node::bool(true)));
            }
            Node::map([("name", Node::text(volume)), ("secret", Node::map(fields))])
        }));
        if wrapped.iter().any(|container| self.home(pod, container).is_some()) {
            volumes.push(empty(HOME_VOLUME));
        }
        Ok(volumes)
    }
}
