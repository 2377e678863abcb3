use crate::inject::field_path::Finding;
use crate::inject::workloads::{Content, Search, content};
use crate::yaml;

mod options;

fn findings(text: &str) -> Vec<Finding> {
    let chunks = yaml::documents(text).unwrap_or_else(|error| panic!("{error:?} in {text}")).1;
    match content(&chunks[0].node, &Search::default()) {
        Ok(Content::Templates(templates)) => {
            templates.iter().flat_map(|template| super::findings(&chunks[0].node, template)).collect()
        }
        other => panic!("{other:?}"),
    }
}

const PRESUBMIT: &str = include_str!("../../golden/prow-presubmit.yaml");
const TWO: &str = include_str!("../../golden/prow-two-containers.yaml");
const STEP: &str = include_str!("../../golden/ci-operator-step.yaml");
const OURS: &str = include_str!("../../golden/unit-test.out.yaml");
const NATIVE: &str = include_str!("../../golden/image-volume.out.yaml");
const IN_ORDER: &str = include_str!("../../golden/build-lint-push.out.yaml");
const JOB: &str = include_str!("../../golden/nightly-cronjob.out.yaml");

#[test]
fn pods_that_prow_ci_operator_and_this_tool_make_are_sound() {
    for text in [PRESUBMIT, TWO, STEP, OURS, NATIVE, IN_ORDER, JOB] {
        assert_eq!(findings(text), [], "{text}");
    }
}

/// A sound pod with one thing changed, the place of the finding, and a part of
/// its text.
#[track_caller]
fn finds(sound: &str, from: &str, to: &str, place: &str, part: &str) {
    assert!(sound.contains(from), "{from} is not in the pod");
    let broken = sound.replace(from, to);
    let found = findings(&broken);
    let hit = found.iter().any(|finding| finding.path == place && finding.text.contains(part));
    assert!(hit, "{from} -> {to}: {place}: {part} is not among {found:#?}");
    assert!(found.iter().all(|finding| finding.to_string().lines().count() == 1));
}

#[test]
fn times_that_do_not_add_up() {
    let grace = "spec.terminationGracePeriodSeconds";
    let own = "terminationGracePeriodSeconds: 18";
    finds(PRESUBMIT, own, "terminationGracePeriodSeconds: 15", grace, "is killed before");
    finds(
        TWO,
        "terminationGracePeriodSeconds: 750",
        "terminationGracePeriodSeconds: 604",
        grace,
        "ignore_interrupts",
    );
    finds(TWO, "  terminationGracePeriodSeconds: 750\n", "", grace, "30 (Kubernetes' default)");
    finds(
        OURS,
        "terminationGracePeriodSeconds: 85",
        "terminationGracePeriodSeconds: 80",
        "spec.containers[1].env",
        "killed after 80s",
    );
    finds(OURS, "\"after\":10000000000", "\"after\":15000000000", "spec.containers[0].env", "never comes");
    finds(
        PRESUBMIT,
        own,
        "activeDeadlineSeconds: 7200\n  terminationGracePeriodSeconds: 18",
        "spec.activeDeadlineSeconds",
        "2h0m0s",
    );
    finds(
        JOB,
        "activeDeadlineSeconds: 43200",
        "activeDeadlineSeconds: 3600",
        "spec.jobTemplate.spec.activeDeadlineSeconds",
        "6h0m0s",
    );
    finds(
        OURS,
        "image: registry.example/golang:1.26",
        "lifecycle: {preStop: {sleep: {seconds: 5}}}",
        "spec.containers[0].lifecycle.preStop",
        "same grace period",
    );
    finds(
        OURS,
        "image: registry.example/golang:1.26",
        "lifecycle: {stopSignal: SIGWINCH}",
        "spec.containers[0].lifecycle.stopSignal",
        "SIGWINCH ends nothing",
    );
}

#[test]
fn volumes_that_are_missing_or_cannot_be_written() {
    let logs =
        "    - {name: logs, mountPath: /logs}\n    - {name: tools, mountPath: /tools}\n    - {name: code";
    let without = "    - {name: tools, mountPath: /tools}\n    - {name: code";
    finds(
        PRESUBMIT,
        logs,
        without,
        "spec.containers[0].volumeMounts",
        "marker_file /logs/marker-file.txt is in no volume",
    );
    finds(
        PRESUBMIT,
        "  - {name: logs, emptyDir: {}}\n",
        "",
        "spec.containers[0].volumeMounts[1].name",
        "there is no volume logs",
    );
    finds(
        PRESUBMIT,
        "{name: logs, emptyDir: {}}",
        "{name: logs, secret: {secretName: x}}",
        "spec.containers[0].volumeMounts[1]",
        "type secret",
    );
    let read_only = "    - {name: logs, mountPath: /logs, readOnly: true}\n    - {name: tools, mountPath: /tools}\n    - {name: code";
    finds(PRESUBMIT, logs, read_only, "spec.containers[0].volumeMounts[1]", "read-only");
    finds(
        PRESUBMIT,
        "args: [\"--copy-mode-only\"]\n    volumeMounts:\n    - {name: tools, mountPath: /tools}",
        "args: []",
        "spec.containers[0].volumeMounts[2]",
        "no init container",
    );
    finds(
        STEP,
        "    - {name: tools, mountPath: /tools}\n    - {name: entry",
        "    - {name: entry",
        "spec.containers[0].volumeMounts",
        "/tools/entrypoint is in no volume",
    );
    finds(
        PRESUBMIT,
        "    - {name: logs, mountPath: /logs}\n    - {name: gcs-credentials, mountPath: /secrets/gcs}\n    - {name: api",
        "    - {name: api",
        "spec.containers[1].volumeMounts",
        "gcs_credentials_file",
    );
    finds(
        PRESUBMIT,
        "    - {name: api-token, mountPath: /var/run/api-token}\n    terminationM",
        "    terminationM",
        "spec.containers[1].volumeMounts",
        "secret directory /var/run/api-token",
    );
    let twice = "    - {name: api-token, mountPath: /var/run/api-token}\n    - {name: code, mountPath: /var/run/api-token/}\n    terminationM";
    finds(
        PRESUBMIT,
        "    - {name: api-token, mountPath: /var/run/api-token}\n    terminationM",
        twice,
        "spec.containers[1].volumeMounts[3].mountPath",
        "is there twice",
    );
}

#[test]
fn markers_that_collide_or_meet_nobody() {
    finds(
        TWO,
        "/logs/lint-marker.txt",
        "/logs/build-marker.txt",
        "spec.containers[1].env",
        "marker_file of container build",
    );
    finds(
        TWO,
        "/logs/lint-log.txt",
        "/logs/build-marker.txt.lock",
        "spec.containers[1].env",
        "marker_file's lock of container build",
    );
    let of_test = "\"container_name\":\"lint\",\"process_log\":\"/logs/lint-log.txt\",\"marker_file\":\"/logs/lint-marker.txt\",\"metadata_file\":\"/logs/artifacts/lint-metadata.json\"}'\n    volumeMounts";
    let other = of_test.replace("lint-marker", "odd-marker");
    finds(TWO, of_test, &other, "spec.containers[1].env", "is no entry of sidecar's");
    finds(TWO, of_test, &other, "spec.containers[2].env", "waits for ever");
    finds(
        TWO,
        of_test,
        &of_test.replace("lint-log", "odd-log"),
        "spec.containers[2].env",
        "container lint has /logs/odd-log.txt",
    );
    finds(
        IN_ORDER,
        "\"previous_marker\":\"/logs/lint-marker.txt\"",
        "\"previous_marker\":\"/logs/x\"",
        "spec.containers[0].env",
        "never starts",
    );
    finds(
        IN_ORDER,
        "\"previous_marker\":\"/logs/lint-marker.txt\"",
        "\"previous_marker\":\"/logs/push-marker.txt\"",
        "spec.containers[0].env",
        "circle",
    );
    let sidecar = "    volumeMounts:\n    - {name: logs, mountPath: /logs}\n    - {name: s3-credentials, mountPath: /secrets/s3-storage}\n    terminationMessagePolicy: FallbackToLogsOnError\n  volumes";
    finds(
        TWO,
        sidecar,
        &sidecar.replace("name: logs", "name: tools"),
        "spec.containers[2].volumeMounts",
        "another volume there",
    );
    finds(
        PRESUBMIT,
        "name: SIDECAR_OPTIONS",
        "name: OTHER",
        "spec.containers",
        "no container has SIDECAR_OPTIONS",
    );
    finds(
        PRESUBMIT,
        "command: [\"/tools/entrypoint\"]",
        "command: [make]",
        "spec.containers[0].command",
        "no word",
    );
}

#[test]
fn a_stateful_set_has_volumes_beside_those_of_its_template() {
    let set = "kind: StatefulSet\nmetadata: {name: s}\nspec:\n  volumeClaimTemplates: [{metadata: {name: data}}]\n  template:\n    spec:\n      containers: [{name: t, env: [{name: SIDECAR_OPTIONS, value: '{}'}], volumeMounts: [{name: data, mountPath: /d}, {name: none, mountPath: /n}]}]\n";
    let missing: Vec<_> =
        findings(set).into_iter().filter(|finding| finding.text.contains("there is no volume")).collect();
    assert!(missing.len() == 1 && missing[0].text.contains("none"), "{missing:?}");
}

#[test]
fn an_azure_container_without_an_account() {
    let (key, env) = (
        include_str!("../../golden/azure-key.out.yaml"),
        "    envFrom:\n    - secretRef:\n        name: ci-azure\n",
    );
    assert_eq!(findings(key), []);
    finds(key, env, "", "spec.containers[1].env", "AZURE_STORAGE_ACCOUNT is missing");
    assert_eq!(findings(include_str!("../../golden/azure-identity.out.yaml")), []);
}

#[test]
fn what_starts_again_or_never_ends() {
    let path = "spec.restartPolicy";
    finds(
        PRESUBMIT,
        "restartPolicy: Never",
        "restartPolicy: OnFailure",
        path,
        "OnFailure runs the test again",
    );
    finds(PRESUBMIT, "  restartPolicy: Never\n", "", path, "Always (Kubernetes' default)");
    finds(
        OURS,
        "image: registry.example/golang:1.26",
        "restartPolicy: OnFailure",
        "spec.containers[0].restartPolicy",
        "again",
    );
    let fixed = JOB.replace("$(BUILD_ID)", "7");
    finds(
        &fixed,
        "backoffLimit: 0",
        "backoffLimit: 3",
        "spec.jobTemplate.spec.backoffLimit",
        "same build id",
    );
    finds(
        &fixed,
        "      backoffLimit: 0\n",
        "",
        "spec.jobTemplate.spec.backoffLimit",
        "6 (Kubernetes' default)",
    );
    assert_eq!(
        findings(&JOB.replace("backoffLimit: 0", "backoffLimit: 3")),
        [],
        "each pod has an id of its own"
    );
    finds(
        NATIVE,
        "    restartPolicy: Always\n",
        "",
        "spec.initContainers[0].restartPolicy",
        "allowed is Always",
    );
    finds(NATIVE, ",\"native_sidecar\":true", "", "spec.initContainers[0].env", "does not know it");
    finds(
        OURS,
        "\"delivery\":{",
        "\"delivery\":{\"native_sidecar\":true,",
        "spec.containers[1].env",
        "does not end",
    );
    let deployment = "kind: Deployment\nmetadata: {name: d}\nspec:\n  template:\n".to_owned()
        + &OURS
            .split_once("spec:\n")
            .expect("a spec")
            .1
            .lines()
            .fold("    spec:\n".to_owned(), |text, line| text + "    " + line + "\n");
    finds(
        &deployment,
        "restartPolicy: Never",
        "restartPolicy: Always",
        "spec.template.spec.restartPolicy",
        "for ever",
    );
    finds(
        PRESUBMIT,
        "restartPolicy: Never",
        "restartPolicy: Never\n  hostPID: true",
        "spec.hostPID",
        "own container",
    );
    finds(
        PRESUBMIT,
        "restartPolicy: Never",
        "restartPolicy: Never\n  os: {name: windows}",
        "spec.os.name",
        "Windows",
    );
}

#[test]
fn users_who_cannot_write_or_read() {
    let context = "securityContext: {runAsUser: 1000, fsGroup: 2000}";
    let volume = "{name: logs, emptyDir: {}}";
    finds(
        TWO,
        volume,
        "{name: logs, hostPath: {path: /x}}",
        "spec.containers[0].volumeMounts[0]",
        "type hostPath",
    );
    let claim = "{name: logs, persistentVolumeClaim: {claimName: x}}";
    assert_eq!(findings(&TWO.replace(volume, claim)), [], "the kubelet gives it to fsGroup");
    let without = TWO.replace(context, "securityContext: {runAsUser: 1000}");
    finds(&without, volume, claim, "spec.containers[0].volumeMounts[0]", "without fsGroup");
    finds(
        TWO,
        "image: registry.example/linter:1",
        "securityContext: {runAsUser: 7}",
        "spec.containers[1].securityContext.runAsUser",
        "cannot write there",
    );
    finds(
        TWO,
        "image: registry.example/linter:1",
        "securityContext: {runAsUser: 7}",
        "spec.containers[2].securityContext.runAsUser",
        "stay unread",
    );
}

#[test]
fn a_pod_that_nobody_decorated() {
    let found = findings("kind: Pod\nspec: {restartPolicy: Never, containers: [{name: t, command: [a]}]}\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].text.contains("no container is wrapped"));
}
