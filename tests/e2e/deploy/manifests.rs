//! Pins: deploy/kubernetes/README.md, "Times".
//!
//! Checks of `deploy/` that run nothing: options that the programs
//! take, names that agree, and overlays that kustomize accepts.

use harness::{images, kube, skip};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const PODS: [&str; 3] =
    ["kubernetes/pod/pod.yaml", "kubernetes/job/job.yaml", "kubernetes/ci-operator-step/pod.yaml"];

fn spec(path: &str) -> Value {
    let mut document = kube::file(path).remove(0);
    match document["kind"].as_str() {
        Some("Job") => document["spec"]["template"]["spec"].take(),
        Some(_) | None => document["spec"].take(),
    }
}

fn containers(spec: &Value) -> Vec<Value> {
    let of = |kind: &str| spec[kind].as_array().cloned().unwrap_or_default();
    [of("initContainers"), of("containers")].concat()
}

fn options(container: &Value, variable: &str) -> Option<Value> {
    let env = container["env"].as_array()?;
    let entry = env.iter().find(|entry| entry["name"] == variable)?;
    Some(serde_json::from_str(entry["value"].as_str()?).expect("JSON"))
}

#[test]
fn grace_period_of_each_pod_covers_test_and_delivery() {
    for path in PODS {
        let spec = spec(path);
        let outer = spec["terminationGracePeriodSeconds"].as_u64().expect("seconds");
        let all = containers(&spec);
        let entrypoint = all.iter().find_map(|c| options(c, "ENTRYPOINT_OPTIONS")).expect("options");
        let sidecar = all.iter().find_map(|c| options(c, "SIDECAR_OPTIONS")).expect("options");
        assert_eq!(entrypoint["grace_period"], "30s", "{path}");
        assert_eq!(sidecar["delivery"]["grace_period"], format!("{outer}s"), "{path}");
        assert!(outer >= 30 + 10 + 60, "{path}");
        for key in ["process_log", "marker_file", "metadata_file", "container_name"] {
            assert_eq!(entrypoint[key], sidecar["entries"][0][key], "{path}: {key}");
        }
    }
}

#[test]
fn mounts_have_volumes_and_nothing_runs_as_root() {
    for path in PODS {
        let spec = spec(path);
        assert_eq!(spec["securityContext"]["runAsNonRoot"], true, "{path}");
        assert_eq!(spec["restartPolicy"], "Never", "{path}");
        let volumes = spec["volumes"].as_array().expect("volumes");
        for container in containers(&spec) {
            assert_eq!(container["securityContext"]["capabilities"]["drop"][0], "ALL", "{path}: {container}");
            assert_eq!(
                container["securityContext"]["allowPrivilegeEscalation"], false,
                "{path}: {container}"
            );
            for mount in container["volumeMounts"].as_array().expect("mounts") {
                assert!(volumes.iter().any(|volume| volume["name"] == mount["name"]), "{path}: {mount}");
            }
        }
    }
}

#[test]
fn image_names_match_the_build_script() {
    let mut seen = 0;
    let decoration = kube::file("prow/decoration.yaml").remove(0);
    let entry = &decoration["plank"]["default_decoration_config_entries"][0]["config"]["utility_images"];
    let prow = entry.as_object().expect("images").values().cloned();
    let pods =
        PODS.iter().flat_map(|path| containers(&spec(path))).map(|container| container["image"].clone());
    for image in prow.chain(pods) {
        let image = image.as_str().expect("a name");
        let Some(ours) = image.strip_prefix("registry.example/pod-utils/") else { continue };
        let known = images::NAMES.iter().any(|name| ours == format!("{name}:{}", env!("CARGO_PKG_VERSION")));
        assert!(known, "{image}");
        seen += 1;
    }
    assert_eq!(seen, 3 + 3 + 3 + 3);
    let plugin = kube::file("helm/plugin.yaml").remove(0);
    assert_eq!(plugin["version"], env!("CARGO_PKG_VERSION"));
    for file in ["docker-compose.yml", "docker-compose.s3.yml"] {
        let text = std::fs::read_to_string(images::deploy().join("compose").join(file)).expect("readable");
        let defaults: Vec<_> = text.split("${POD_UTILS_TAG:-").skip(1).collect();
        assert!(!defaults.is_empty(), "{file}");
        for default in defaults {
            assert!(default.starts_with(concat!(env!("CARGO_PKG_VERSION"), "}")), "{file}: {default}");
        }
    }
}

#[test]
fn kustomize_accepts_each_example_with_each_credentials() {
    if !Command::new("kubectl")
        .args(["kustomize", "--help"])
        .output()
        .is_ok_and(|output| output.status.success())
    {
        skip!("there is no kubectl");
    }
    for example in ["pod", "job", "ci-operator-step"] {
        for credentials in ["gcs", "s3", "azure", "keys"] {
            let built = overlay(example, credentials);
            let documents = kube::documents(&built);
            let of = |kind: &str| documents.iter().find(|document| document["kind"] == kind);
            let bucket = &of("ConfigMap").expect("a ConfigMap")["data"]["BUCKET"];
            let account = &of("ServiceAccount").expect("an account")["metadata"]["annotations"];
            let scheme = match credentials {
                "gcs" => "gs://",
                "azure" => "az://",
                _ => "s3://",
            };
            assert!(
                bucket.as_str().is_some_and(|name| name.starts_with(scheme)),
                "{example} {credentials}: {bucket}"
            );
            assert_eq!(account.is_object(), credentials != "keys", "{example} {credentials}");
            assert_eq!(
                of("Secret").is_some_and(|secret| secret["metadata"]["name"] == "ci-results"),
                credentials == "keys"
            );
        }
    }
}

/// An overlay as a user would write it, built.
fn overlay(example: &str, credentials: &str) -> String {
    built(&format!("resources: [../{example}]\ncomponents: [../credentials/{credentials}]\n"))
}

/// A kustomization beside the examples, built.
fn built(text: &str) -> String {
    // Kustomize takes relative paths only, and follows no links out of a copy.
    let dir = tempfile::tempdir().expect("a directory");
    let copy = Command::new("cp").arg("-r").arg(images::deploy().join("kubernetes")).arg(dir.path()).status();
    assert!(copy.expect("cp starts").success());
    let own = dir.path().join("kubernetes/own");
    std::fs::create_dir(&own).expect("a directory");
    std::fs::write(own.join("kustomization.yaml"), text).expect("written");
    images::succeed(Command::new("kubectl").arg("kustomize").arg(Path::new(&own)))
}

#[test]
fn webhook_has_the_same_names_everywhere() {
    if !Command::new("kubectl")
        .args(["kustomize", "--help"])
        .output()
        .is_ok_and(|output| output.status.success())
    {
        skip!("there is no kubectl");
    }
    for text in
        ["resources: [../webhook]\n", "resources: [../webhook/base]\ncomponents: [../webhook/cert-manager]\n"]
    {
        let documents = kube::documents(&built(text));
        let of = |kind: &str| {
            documents.iter().find(|document| document["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
        };
        let configuration = of("MutatingWebhookConfiguration");
        let service = of("Service");
        let namespace = of("Namespace")["metadata"]["name"].as_str().expect("a name");
        for webhook in configuration["webhooks"].as_array().expect("webhooks") {
            let client = &webhook["clientConfig"]["service"];
            assert_eq!(
                (&client["name"], &client["namespace"]),
                (&service["metadata"]["name"], &namespace.into())
            );
            assert_eq!(client["path"], "/mutate");
            let excluded = &webhook["namespaceSelector"]["matchExpressions"][0]["values"];
            assert!(excluded.as_array().is_some_and(|names| names.contains(&namespace.into())), "{webhook}");
            assert_eq!(
                (&webhook["failurePolicy"], &webhook["sideEffects"]),
                (&"Ignore".into(), &"None".into())
            );
        }
        let pod = &of("Deployment")["spec"]["template"];
        assert_eq!(service["spec"]["selector"], pod["metadata"]["labels"]);
        assert_eq!(of("PodDisruptionBudget")["spec"]["selector"]["matchLabels"], pod["metadata"]["labels"]);
        let secret = pod["spec"]["volumes"][1]["secret"]["secretName"].as_str().expect("a Secret");
        if text.contains("cert-manager") {
            assert!(documents.iter().any(|document| document["spec"]["secretName"] == secret));
            continue;
        }
        let job = &of("Job")["spec"]["template"]["spec"];
        let again = &of("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"];
        assert_eq!(job, again);
        let args = job["containers"][0]["args"].as_array().expect("words");
        for word in [
            format!("--namespace={namespace}"),
            format!("--service={}", service["metadata"]["name"].as_str().expect("a name")),
            format!("--secret={secret}"),
            format!("--configuration={}", configuration["metadata"]["name"].as_str().expect("a name")),
        ] {
            assert!(args.contains(&word.as_str().into()), "{word}: {args:?}");
        }
        for spec in [job, &pod["spec"]] {
            assert_eq!(spec["securityContext"]["runAsNonRoot"], true);
            let container = &spec["containers"][0];
            assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
            let image = concat!("registry.example/pod-utils/pod-utils:", env!("CARGO_PKG_VERSION"));
            assert_eq!(container["image"], image);
        }
    }
}
