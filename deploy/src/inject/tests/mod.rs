//! Decorated pods, by golden files, vectors and properties.

use super::flags::SUBCOMMAND;
use super::*;
use crate::yaml::Meaning;
use std::path::Path;

mod credentials;
mod documents;
mod mistakes;
mod pods;
mod properties;

const USUAL: &str = "--out s3://ci --image-prefix reg --build-id 7";

fn options(flags: &str) -> Options {
    let words = std::iter::once(SUBCOMMAND).chain(flags.split_whitespace());
    let matches = command().try_get_matches_from(words).unwrap_or_else(|error| panic!("{error}"));
    Options::from_matches(&matches).unwrap_or_else(|problem| panic!("{problem:?}"))
}

fn decoration(flags: &str) -> Decoration {
    match options(flags).mode {
        Mode::Inject { decoration, .. } => *decoration,
        Mode::Check | Mode::Krm => panic!("a decoration was wanted"),
    }
}

fn run_with(text: &str, decoration: &Decoration, search: &Search) -> Result<Output, Vec<String>> {
    let (format, documents) = yaml::documents(text)
        .map_err(|syntax| vec![format!("document {}, {}", syntax.document, syntax.text)])?;
    super::decorated(format, documents, decoration, search).map_err(|problem| vec![problem.text])?
}

fn run(text: &str, flags: &str) -> Result<Output, Vec<String>> {
    run_with(text, &decoration(flags), &options(flags).search)
}

#[track_caller]
fn done(text: &str, flags: &str) -> String {
    run(text, flags).unwrap_or_else(|errors| panic!("{errors:#?}")).text
}

#[track_caller]
fn node(text: &str) -> Node {
    yaml::documents(text).unwrap_or_else(|error| panic!("{error:?}\n{text}")).1.remove(0).node
}

/// A node by its path: keys and indexes with points between them.
#[track_caller]
fn at<'a>(node: &'a Node, path: &str) -> &'a Node {
    path.split('.').fold(node, |node, step| {
        let found = match (node, step.parse::<usize>()) {
            (Node::List(list), Ok(index)) => list.get(index),
            (other, _) => other.get(step),
        };
        found.unwrap_or_else(|| panic!("no {step} of {path} in {}", yaml::to_yaml(node)))
    })
}

fn text_at(node: &Node, path: &str) -> String {
    match at(node, path).meaning() {
        Some(Meaning::Text(text)) => text.to_owned(),
        Some(Meaning::Int(number)) => number.to_string(),
        other => panic!("{path}: {other:?}"),
    }
}

fn names(list: &Node, key: &str) -> Vec<String> {
    let Node::List(items) = list else { panic!("{list:?}") };
    items.iter().map(|item| text_at(item, key)).collect()
}

/// The value of a variable of a container.
fn variable(container: &Node, name: &str) -> String {
    let Node::List(list) = at(container, "env") else { panic!("no list") };
    let found = list.iter().find(|variable| text_at(variable, "name") == name);
    text_at(found.unwrap_or_else(|| panic!("no {name}")), "value")
}

#[test]
fn golden_files() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/inject/golden");
    let mut inputs: Vec<_> = std::fs::read_dir(&dir)
        .expect("the golden files")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().contains(".in."))
        .collect();
    inputs.sort();
    assert!(inputs.len() >= 12, "{inputs:?}");
    for input in inputs {
        let text = std::fs::read_to_string(&input).expect("readable");
        // The flags stand beside the document, so that JSON can be one, too.
        let flags_file =
            dir.join(input.file_name().expect("named").to_string_lossy().split('.').next().expect("a name"));
        let flags = std::fs::read_to_string(flags_file.with_extension("flags")).expect("its flags");
        let output = run(&text, &flags).unwrap_or_else(|errors| panic!("{}: {errors:#?}", input.display()));
        let golden = input.to_string_lossy().replace(".in.", ".out.");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &output.text).expect("written");
        }
        let expected = std::fs::read_to_string(&golden).expect("the golden file");
        assert!(output.text == expected, "{golden} differs; UPDATE_GOLDEN=1 writes it anew\n{}", output.text);
        let again = run(&output.text, &flags).expect_err("decorated twice");
        assert!(again.iter().all(|error| error.contains("already decorated")), "{again:?}");
    }
}

/// The common part of the vectors of decoration (contract 10.8).
const VECTOR_JOB: &str = r#"{"type":"periodic","job":"job-name","buildid":"blabla","prowjobid":"pod"}"#;

fn vector_flags(more: &str) -> Decoration {
    let mut decoration = decoration(&format!(
        "--out my-scheme://x --image-prefix reg --timeout 2h --gcs-credentials-secret secret-name --initupload \
         --path-strategy legacy --default-org kubernetes --default-repo kubernetes --home image --resources none {more}"
    ).replace("my-scheme://x", "gs://my-bucket"));
    let words = [SUBCOMMAND, "--job-spec", VECTOR_JOB, "--out", "gs://b", "--image-prefix", "reg"];
    let matches = command().try_get_matches_from(words).expect("well-formed");
    let Mode::Inject { decoration: of_job, .. } = Options::from_matches(&matches).expect("valid").mode else {
        panic!("a decoration was wanted")
    };
    decoration.job = of_job.job;
    decoration.build = of_job.build;
    decoration
}

fn vector(pod: &str, flags: &str) -> Node {
    let output = run_with(pod, &vector_flags(flags), &Search::default())
        .unwrap_or_else(|errors| panic!("{errors:#?}"));
    node(&output.text)
}

fn pod(spec: &str) -> String {
    format!("kind: Pod\nmetadata: {{name: p}}\nspec:\n{spec}")
}

#[test]
fn vector_v_pd_4_without_refs_there_is_no_clone_log() {
    let done = vector(
        &pod(
            "  containers: [{name: t, command: [/bin/thing], args: [some, args], env: [{name: MY_ENV, value: rocks}]}]\n",
        ),
        "--grace-period 10s",
    );
    assert_eq!(names(at(&done, "spec.initContainers"), "name"), ["initupload", "place-entrypoint"], "P-4");
    let initupload = at(&done, "spec.initContainers.0");
    assert_eq!(
        variable(initupload, "INITUPLOAD_OPTIONS"),
        r#"{"bucket":"gs://my-bucket","path_strategy":"legacy","default_org":"kubernetes","default_repo":"kubernetes","gcs_credentials_file":"/secrets/gcs/service-account.json","dry_run":false}"#
    );
    assert_eq!(names(at(initupload, "volumeMounts"), "name"), ["gcs-credentials"], "P-12");
    assert_eq!(names(at(initupload, "env"), "name"), ["INITUPLOAD_OPTIONS", "JOB_SPEC"], "P-12");
    let test = at(&done, "spec.containers.0");
    assert!(test.get("workingDir").is_none());
    assert_eq!(names(at(test, "volumeMounts"), "mountPath"), ["/logs", "/tools"], "P-6");
    assert_eq!(text_at(test, "command.0"), "/tools/entrypoint", "P-6");
    assert!(test.get("args").is_none(), "P-6");
    assert_eq!(
        names(at(test, "env"), "name"),
        [
            "MY_ENV",
            "ARTIFACTS",
            "BUILD_ID",
            "BUILD_NUMBER",
            "CI",
            "JOB_NAME",
            "JOB_SPEC",
            "JOB_TYPE",
            "PROW_JOB_ID",
            "ENTRYPOINT_OPTIONS"
        ],
        "P-22, without GOPATH: nothing is cloned"
    );
    let options = variable(test, "ENTRYPOINT_OPTIONS");
    let upstream = r#"{"timeout":7200000000000,"grace_period":10000000000,"artifact_dir":"/logs/artifacts","args":["/bin/thing","some","args"],"container_name":"t","process_log":"/logs/process-log.txt","marker_file":"/logs/marker-file.txt","metadata_file":"/logs/artifacts/metadata.json","#;
    assert!(options.starts_with(upstream), "P-7, P-8: {options}");
    assert!(options.contains(r#""escalation":[{"signal":"SIGTERM","after":5000000000}]"#), "{options}");
    assert!(options.contains(r#""signal_scope":"group","interrupt":"int_then_escalation""#), "{options}");
    assert_eq!(names(at(&done, "spec.volumes"), "name"), ["logs", "tools", "gcs-credentials"], "P-9");
    assert_eq!(text_at(&done, "spec.volumes.2.secret.secretName"), "secret-name", "P-11");
    let place = at(&done, "spec.initContainers.1");
    assert_eq!(text_at(place, "args.0"), "--copy-mode-only", "P-13");
    assert_eq!(names(at(place, "volumeMounts"), "mountPath"), ["/tools"], "P-13");
    assert!(place.get("env").is_none(), "P-13");
}

#[test]
fn vector_v_pd_5_several_containers_have_files_of_their_own() {
    let done = vector(
        &pod("  containers:\n  - {name: test-0, command: [a]}\n  - {name: test-1, command: [b]}\n"),
        "",
    );
    assert_eq!(names(at(&done, "spec.containers"), "name"), ["test-0", "test-1", "sidecar"], "P-5");
    let options = variable(at(&done, "spec.containers.2"), "SIDECAR_OPTIONS");
    let entries = r#""entries":[{"args":["a"],"container_name":"test-0","process_log":"/logs/test-0-log.txt","marker_file":"/logs/test-0-marker.txt","metadata_file":"/logs/artifacts/test-0-metadata.json"},{"args":["b"],"container_name":"test-1","process_log":"/logs/test-1-log.txt","marker_file":"/logs/test-1-marker.txt","metadata_file":"/logs/artifacts/test-1-metadata.json"}]"#;
    assert!(options.contains(entries), "{options}");
}

const WITH_SECRET: &str = "  serviceAccountName: tester\n  containers:\n  - name: test\n    command: [/bin/ls, -l, -a]\n    volumeMounts: [{name: s, mountPath: /secret}]\n  volumes: [{name: s, secret: {secretName: s}}]\n";

#[test]
fn vectors_v_pd_8_and_9_secrets_of_the_test_are_censored_unless_told_not_to() {
    let done = vector(&pod(WITH_SECRET), "--grace-period 1h --no-censor");
    let sidecar = at(&done, "spec.containers.1");
    assert_eq!(names(at(sidecar, "volumeMounts"), "mountPath"), ["/logs", "/secrets/gcs"], "V-PD-8");
    let options = variable(sidecar, "SIDECAR_OPTIONS");
    assert!(options.contains(r#""censoring_options":{}"#), "V-PD-8, P-14: {options}");
    assert_eq!(text_at(&done, "spec.terminationGracePeriodSeconds"), "4500", "V-PD-8, P-18");
    assert_eq!(text_at(&done, "spec.serviceAccountName"), "tester", "V-PD-8");

    let done = vector(&pod(WITH_SECRET), "--grace-period 1h");
    let sidecar = at(&done, "spec.containers.1");
    assert_eq!(
        names(at(sidecar, "volumeMounts"), "mountPath"),
        ["/logs", "/secrets/gcs", "/secret"],
        "V-PD-9"
    );
    let options = variable(sidecar, "SIDECAR_OPTIONS");
    assert!(
        options.contains(r#""censoring_options":{"secret_directories":["/secret"]}"#),
        "V-PD-9: {options}"
    );
    assert!(
        options.starts_with(r#"{"gcs_options":{"items":["/logs/artifacts"],"bucket":"gs://my-bucket","#),
        "P-14"
    );
}

#[test]
fn vector_v_pd_12_the_grace_period_is_at_least_upstreams() {
    let done = vector(&pod("  containers: [{name: t, command: [a]}]\n"), "--grace-period 10s");
    // Upstream's 12 leave 2 s for uploads; ours are 10 + 10 + 60.
    assert_eq!(text_at(&done, "spec.terminationGracePeriodSeconds"), "80");
}

#[test]
fn p_15_one_mount_for_each_path() {
    let two = "  containers:\n  - {name: a, command: [a], volumeMounts: [{name: x, mountPath: /s}, {name: part, mountPath: /etc/key, subPath: key}]}\n  - {name: b, command: [b], volumeMounts: [{name: x, mountPath: /s/}, {name: w, mountPath: /t}]}\n  - {name: c, command: [c], volumeMounts: [{name: w, mountPath: /s}]}\n  volumes: [{name: x, secret: {secretName: x}}, {name: w, secret: {secretName: w}}, {name: part, secret: {secretName: z}}]\n";
    let done = node(&done(&pod(two), USUAL));
    let sidecar = at(&done, "spec.containers.3");
    assert_eq!(
        names(at(sidecar, "volumeMounts"), "mountPath"),
        ["/logs", "/s", "/secrets/censor/part", "/t", "/secrets/censor/w"]
    );
    let options = variable(sidecar, "SIDECAR_OPTIONS");
    assert!(options.contains(r#"["/s","/secrets/censor/part","/t","/secrets/censor/w"]"#), "{options}");
}

#[test]
fn secrets_in_variables_are_censored_too() {
    let spec = "  containers:\n  - name: t\n    command: [a]\n    env:\n    - {name: A, valueFrom: {secretKeyRef: {name: one.two, key: k, optional: true}}}\n    - {name: B, valueFrom: {secretKeyRef: {name: s, key: k}}}\n    envFrom: [{secretRef: {name: three}}, {configMapRef: {name: c}}]\n    volumeMounts: [{name: s, mountPath: /s}]\n  volumes: [{name: s, secret: {secretName: s}}]\n";
    let done = node(&done(&pod(spec), USUAL));
    assert_eq!(
        names(at(&done, "spec.volumes"), "name"),
        ["s", "logs", "tools", "censor-0", "censor-1", "pod-utils-home"]
    );
    assert_eq!(text_at(&done, "spec.volumes.3.secret.secretName"), "three");
    assert_eq!(text_at(&done, "spec.volumes.4.secret.secretName"), "one.two");
    assert_eq!(at(&done, "spec.volumes.4.secret.optional").meaning(), Some(Meaning::Bool(true)));
    let options = variable(at(&done, "spec.containers.1"), "SIDECAR_OPTIONS");
    assert!(options.contains(r#"["/s","/secrets/censor/three","/secrets/censor/one.two"]"#), "{options}");
}

#[test]
fn containers_run_in_order_when_asked() {
    let spec =
        "  containers: [{name: a, command: [a]}, {name: b, command: [b]}, {name: db, image: postgres}]\n";
    let flags = format!("{USUAL} --container b --container a --in-order");
    let done = node(&done(&pod(spec), &flags));
    let options =
        |index: usize| variable(at(&done, &format!("spec.containers.{index}")), "ENTRYPOINT_OPTIONS");
    assert!(options(0).contains(r#""previous_marker":"/logs/b-marker.txt""#), "{}", options(0));
    assert!(!options(1).contains("previous_marker"));
    assert!(at(&done, "spec.containers.2").get("env").is_none(), "db is left alone");
    let sidecar = variable(at(&done, "spec.containers.3"), "SIDECAR_OPTIONS");
    assert!(sidecar.find("b-marker") < sidecar.find("a-marker"), "{sidecar}");
    assert!(
        done.get("spec")
            .and_then(|spec| spec.get("securityContext"))
            .is_some_and(|context| context.get("runAsUser").is_none())
    );
    assert_eq!(text_at(&done, "spec.containers.0.securityContext.runAsUser"), "1000");
    assert_eq!(text_at(&done, "spec.containers.3.securityContext.runAsUser"), "1000");
}

#[test]
fn users_fit_each_other() {
    let users = |spec: &str, flags: &str| {
        let done = node(&done(&pod(spec), &format!("{USUAL} {flags}")));
        let context = yaml::to_yaml(at(&done, "spec.securityContext")).replace('\n', " ");
        let sidecar = yaml::to_yaml(at(&done, "spec.containers.1.securityContext")).replace('\n', " ");
        (
            context.trim().to_owned(),
            sidecar.split(" allow").next().unwrap_or_default().to_owned(),
            sidecar.contains("drop"),
        )
    };
    let one = "  containers: [{name: t, command: [a]}]\n";
    let unset = users(one, "");
    assert_eq!(unset.0, "runAsNonRoot: true runAsUser: 1000 runAsGroup: 1000 fsGroup: 1000");
    assert_eq!((unset.1.as_str(), unset.2), ("runAsNonRoot: true", true));
    let other = users(one, "--run-as 65532");
    assert!(other.0.contains("runAsUser: 65532") && other.0.contains("fsGroup: 65532"));
    let of_pod = users(
        "  securityContext: {runAsUser: 7, runAsGroup: 8}\n  containers: [{name: t, command: [a]}]\n",
        "",
    );
    assert_eq!(of_pod.0, "runAsUser: 7 runAsGroup: 8 fsGroup: 8");
    let root = users("  containers: [{name: t, command: [a], securityContext: {runAsUser: 0}}]\n", "");
    assert_eq!(
        (root.0.as_str(), root.1.as_str(), root.2),
        ("{}", "runAsUser: 0 runAsGroup: 0 runAsNonRoot: false", true)
    );
    let image = users(one, "--run-as image");
    assert_eq!(
        (image.0.as_str(), image.1.as_str(), image.2),
        ("{}", "runAsUser: 0 runAsGroup: 0 runAsNonRoot: false", false)
    );
}

#[test]
fn native_sidecars_and_image_volumes() {
    let done = node(&done(
        &pod("  initContainers: [{name: mine, image: i}]\n  containers: [{name: t, command: [a]}]\n"),
        &format!("{USUAL} --native-sidecar --image-volume"),
    ));
    assert_eq!(names(at(&done, "spec.initContainers"), "name"), ["mine", "sidecar"], "P-4");
    assert_eq!(text_at(&done, "spec.initContainers.1.restartPolicy"), "Always");
    assert!(
        variable(at(&done, "spec.initContainers.1"), "SIDECAR_OPTIONS").contains("\"native_sidecar\":true")
    );
    assert_eq!(
        text_at(&done, "spec.volumes.1.image.reference"),
        concat!("reg/pod-utils:", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(names(at(&done, "spec.containers"), "name"), ["t"]);
}

#[test]
fn build_ids_come_from_the_pod_unless_they_are_given() {
    let text = pod("  containers: [{name: t, command: [a]}]\n");
    let done = node(&done(&text, "--out gs://b --image-prefix reg"));
    for container in ["spec.containers.0", "spec.containers.1"] {
        let container = at(&done, container);
        assert!(variable(container, "JOB_SPEC").contains(r#""buildid":"$(BUILD_ID)""#));
        let Node::List(env) = at(container, "env") else { panic!("a list") };
        let place = |name: &str| env.iter().position(|variable| text_at(variable, "name") == name);
        assert!(place("BUILD_ID") < place("JOB_SPEC"), "the kubelet knows only what stands in front");
    }
    assert!(super::tests::done(&text, USUAL).contains(r#""buildid":"7""#));
}

#[test]
fn dollars_in_the_job_are_not_expanded() {
    let json = r#"{"type":"periodic","job":"j$(HOME)","buildid":"7"}"#;
    let words = [SUBCOMMAND, "--out", "gs://b", "--image-prefix", "reg", "--job-spec", json];
    let matches = command().try_get_matches_from(words).expect("well-formed");
    let Mode::Inject { decoration, .. } = Options::from_matches(&matches).expect("valid").mode else {
        panic!()
    };
    let text = run_with(
        &pod("  containers: [{name: t, command: [sh, -c, \"echo $(date) $$\"]}]\n"),
        &decoration,
        &Search::default(),
    )
    .expect("done")
    .text;
    assert!(text.contains("j$$(HOME)"), "{text}");
    let done = node(&text);
    assert!(variable(at(&done, "spec.containers.0"), "ENTRYPOINT_OPTIONS").contains("echo $(date) $$"));
    assert!(variable(at(&done, "spec.containers.1"), "SIDECAR_OPTIONS").contains("echo $$(date) $$$$"));
}
