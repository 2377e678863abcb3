//! What decoration makes of pods, by golden files, vectors and properties.

use super::flags::VERB;
use super::*;
use crate::yaml::Meaning;
use proptest::prelude::*;
use std::path::Path;

const USUAL: &str = "--out s3://ci --image-prefix reg --build-id 7";

fn decoration(flags: &str) -> Decoration {
    let words = std::iter::once(VERB).chain(flags.split_whitespace());
    let matches = command().try_get_matches_from(words).unwrap_or_else(|error| panic!("{error}"));
    match Options::from_matches(&matches).unwrap_or_else(|problem| panic!("{problem:?}")).mode {
        Mode::Inject { decoration, .. } => *decoration,
        Mode::Check => panic!("a decoration was wanted"),
    }
}

fn run_with(text: &str, decoration: &Decoration) -> Result<Output, Vec<String>> {
    let (format, chunks) = yaml::documents(text)
        .map_err(|syntax| vec![format!("document {}, {}", syntax.document, syntax.text)])?;
    super::decorated(format, chunks, decoration).map_err(|problem| vec![problem.text])?
}

fn run(text: &str, flags: &str) -> Result<Output, Vec<String>> {
    run_with(text, &decoration(flags))
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
         --path-strategy legacy --default-org kubernetes --default-repo kubernetes {more}"
    ).replace("my-scheme://x", "gs://my-bucket"));
    let words = [VERB, "--job-spec", VECTOR_JOB, "--out", "gs://b", "--image-prefix", "reg"];
    let matches = command().try_get_matches_from(words).expect("well-formed");
    let Mode::Inject { decoration: of_job, .. } = Options::from_matches(&matches).expect("valid").mode else {
        panic!("a decoration was wanted")
    };
    decoration.job = of_job.job;
    decoration.build = of_job.build;
    decoration
}

fn vector(pod: &str, flags: &str) -> Node {
    let output = run_with(pod, &vector_flags(flags)).unwrap_or_else(|errors| panic!("{errors:#?}"));
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
    assert_eq!(names(at(&done, "spec.volumes"), "name"), ["s", "logs", "tools", "censor-0", "censor-1"]);
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
    assert!(unset.1.starts_with("allow") && unset.2, "{unset:?}");
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
    assert_eq!(text_at(&done, "spec.volumes.1.image.reference"), "reg/pod-utils:latest");
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
    let words = [VERB, "--out", "gs://b", "--image-prefix", "reg", "--job-spec", json];
    let matches = command().try_get_matches_from(words).expect("well-formed");
    let Mode::Inject { decoration, .. } = Options::from_matches(&matches).expect("valid").mode else {
        panic!()
    };
    let text =
        run_with(&pod("  containers: [{name: t, command: [sh, -c, \"echo $(date) $$\"]}]\n"), &decoration)
            .expect("done")
            .text;
    assert!(text.contains("j$$(HOME)"), "{text}");
    let done = node(&text);
    assert!(variable(at(&done, "spec.containers.0"), "ENTRYPOINT_OPTIONS").contains("echo $(date) $$"));
    assert!(variable(at(&done, "spec.containers.1"), "SIDECAR_OPTIONS").contains("echo $$(date) $$$$"));
}

#[test]
fn what_cannot_be_decorated_is_one_line_each_with_its_place() {
    let good = "  containers: [{name: t, command: [a]}]\n";
    let with = |more: &str| pod(&format!("{more}{good}"));
    let container = |more: &str| pod(&format!("  containers: [{{name: t, command: [a], {more}}}]\n"));
    for (text, flags, place, part) in [
        ("just words\n".to_owned(), "", "", "a text where an object"),
        ("a: [\n".to_owned(), "", "line ", "not YAML"),
        ("kind: Widget\n".to_owned(), "", "kind", "Widget is not known"),
        ("metadata: {name: x}\n".to_owned(), "", "kind", "missing"),
        (pod("  containers: []\n"), "", "spec.containers", "no container"),
        ("kind: Pod\n".to_owned(), "", "spec.containers", "no container"),
        (pod("  containers: [{name: t}]\n"), "", "spec.containers[0].command", "add the command"),
        (pod("  containers: [{name: t, args: [x]}]\n"), "", "spec.containers[0].command", "add the command"),
        (pod("  containers: [{name: t, command: [sleep, 5]}]\n"), "", "spec.containers[0].command[1]", "put it in quotes"),
        (pod("  containers: [{name: t, command: [echo, yes]}]\n"), "", "spec.containers[0].command[1]", "a bool (yes)"),
        (pod("  containers: [{name: t, command: sleep 5}]\n"), "", "spec.containers[0].command", "a list belongs"),
        (pod("  containers: [{command: [a]}]\n"), "", "spec.containers[0].name", "missing"),
        (pod("  containers: [{name: t, command: [a]}, {name: t, command: [a]}]\n"), "", "spec.containers[1].name", "two containers"),
        (pod("  containers: [{name: t, image: '{{ .x }}', command: [a]}]\n"), "", "spec.containers[0].image", "template"),
        (with(""), "--container u", "spec.containers", "allowed are t"),
        (with("  hostPID: true\n"), "", "spec.hostPID", "hostPID"),
        (with("  os: {name: windows}\n"), "", "spec.os.name", "Windows"),
        (with("  nodeSelector: {kubernetes.io/os: windows}\n"), "", "spec.nodeSelector[kubernetes.io/os]", "Windows"),
        (with("  restartPolicy: Always\n"), "", "spec.restartPolicy", "allowed is Never"),
        (with("  terminationGracePeriodSeconds: 29\n"), "", "spec.terminationGracePeriodSeconds", "need 30"),
        (with("  terminationGracePeriodSeconds: 60\n"), "--upload-budget 1m", "spec.terminationGracePeriodSeconds", "need 85"),
        (with("  volumes: [{name: logs, emptyDir: {}}]\n"), "", "spec.volumes[0].name", "rename"),
        (with("  volumes: [{name: s3-credentials, emptyDir: {}}]\n"), "--s3-credentials-secret x", "spec.volumes[0].name", "rename"),
        (with("  initContainers: [{name: sidecar}]\n"), "", "spec.initContainers[0].name", "rename"),
        (with("  initContainers: [{name: place-entrypoint}]\n"), "", "spec.initContainers[0].name", "already decorated"),
        (container("volumeMounts: [{name: v, mountPath: /logs/x}]"), "", "spec.containers[0].volumeMounts[0].mountPath", "elsewhere"),
        (container("env: [{name: ENTRYPOINT_OPTIONS, value: x}]"), "", "spec.containers[0].env[0]", "already decorated"),
        (container("env: [{name: JOB_SPEC, value: x}]"), "", "spec.containers[0].env[0]", "--job-spec"),
        (container("args: ['$(A)'], env: [{name: A, value: 'say \"hi\"'}]"), "", "spec.containers[0].args[0]", "$(A)"),
        (container("args: ['$(A)'], env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]"), "", "spec.containers[0].args[0]", "Secret"),
        (container("args: ['$(JOB_SPEC)']"), "", "spec.containers[0].args[0]", "JSON"),
        (with(""), "--secrets /nowhere", "spec.containers", "no container has a volume there"),
        ("kind: Pod\nspec: {containers: [{name: t, command: [a]}]}\n".to_owned(), "", "metadata.name", "--job"),
        ("kind: Pod\nmetadata: {name: x}\nspec: 7\n".to_owned(), "", "spec", "a mapping belongs"),
        ("kind: Job\nmetadata: {name: x}\nspec: {template: {spec: {restartPolicy: OnFailure, containers: [{name: t, command: [a]}]}}}\n".to_owned(), "", "spec.template.spec.restartPolicy", "OnFailure"),
        ("kind: List\nitems:\n- {kind: ConfigMap}\n- {kind: Pod, spec: {containers: []}}\n".to_owned(), "", "items[1].spec.containers", "no container"),
    ] {
        let document = format!("kind: ConfigMap\n---\n{text}");
        let errors = run(&document, &format!("{USUAL} {flags}")).expect_err(&text);
        let expected = format!("document 2, {place}");
        assert_eq!(errors.len(), 1, "{text}: {errors:#?}");
        assert!(errors[0].starts_with(&expected) && errors[0].contains(part), "{text}: {errors:#?}");
        assert_eq!(errors[0].lines().count(), 1);
    }
}

#[test]
fn every_mistake_of_every_document_is_told_at_once() {
    let text =
        "kind: Pod\nmetadata: {name: a}\nspec: {hostPID: true, containers: [{name: t}]}\n---\nkind: Widget\n";
    let errors = run(text, USUAL).expect_err("refused");
    let places: Vec<_> = errors.iter().map(|error| error.split(':').next().unwrap_or_default()).collect();
    assert_eq!(
        places,
        ["document 1, spec.hostPID", "document 1, spec.containers[0].command", "document 2, kind"]
    );
    assert_eq!(run("kind: ConfigMap\n", USUAL).expect_err("refused"), ["there is no pod in any document"]);
}

#[test]
fn flags_that_cannot_work_are_named() {
    for (flags, part) in [
        ("--image-prefix r", "--out is missing"),
        ("--out x --image-prefix r", "--out x"),
        ("--out ftp://x --image-prefix r", "--out"),
        ("--out s3://b --job-type nightly", "--job-type"),
        ("--out s3://b --job-type presubmit", "--job-spec"),
        ("--out s3://b --job a/b", "--job"),
        ("--out s3://b --build-id $(X)", "--build-id"),
        ("--out s3://b --image foo=bar", "--image"),
        ("--out s3://b --secrets relative", "--secrets"),
        ("--out s3://b --path-strategy legacy", "default_org"),
        ("--out s3://b --media-type x", "--media-type"),
        ("--out s3://b --job-spec {", "--job-spec"),
    ] {
        let words = std::iter::once(VERB).chain(flags.split_whitespace());
        let matches = command().try_get_matches_from(words).expect("well-formed");
        let problem = Options::from_matches(&matches).expect_err(flags);
        assert!(problem.text.contains(part) && problem.text.lines().count() == 1, "{flags}: {problem:?}");
    }
    let errors =
        run(&pod("  containers: [{name: t, command: [a]}]\n"), "--out s3://b").expect_err("no image");
    assert!(errors[0].contains("--image-prefix"), "{errors:?}");
}

/// A pod of some shape that can be decorated.
fn pods() -> impl Strategy<Value = String> {
    let word =
        prop::sample::select(vec!["make", "yes", "0123", "a: b", "$(date)", "it's", "\"q\"", "ü", "x\ny"]);
    let words = prop::collection::vec(word, 1..4);
    let container = (words.clone(), prop::option::of(words), any::<[bool; 6]>());
    let kind = prop::sample::select(vec!["Pod", "Job", "CronJob", "Deployment", "Rollout"]);
    (prop::collection::vec(container, 1..4), kind, any::<[bool; 6]>()).prop_map(|(containers, kind, flags)| {
        let quoted = |words: &[&str]| serde_json::to_string(words).expect("JSON");
        let list = containers.iter().enumerate().map(|(index, (command, args, with))| {
            let mut text = format!("{{\"name\": \"c{index}\", \"command\": {}", quoted(command));
            if let Some(args) = args {
                text.extend([", \"args\": ", &quoted(args)]);
            }
            for (part, with) in [
                (", \"env\": [{\"name\": \"X\", \"value\": \"yes\"}]", with[0]),
                (", \"volumeMounts\": [{\"name\": \"s\", \"mountPath\": \"/s\"}]", with[1]),
                (", \"terminationMessagePolicy\": \"File\"", with[2]),
                (", \"securityContext\": {\"runAsUser\": 5}", with[3]),
                (", \"env\": []", with[4] && !with[0]),
                (", \"resources\": {\"limits\": {\"cpu\": 1}}", with[5]),
            ] {
                if with {
                    text += part;
                }
            }
            text + "}"
        });
        let mut spec = format!("{{\"containers\": [{}], \"volumes\": [{{\"name\": \"s\", \"secret\": {{\"secretName\": \"s\"}}}}]", list.collect::<Vec<_>>().join(", "));
        for (part, with) in [
            (", \"terminationGracePeriodSeconds\": 300", flags[0]),
            (", \"restartPolicy\": \"Never\"", flags[1]),
            (", \"securityContext\": {\"runAsUser\": 9, \"fsGroup\": 9}", flags[2]),
            (", \"initContainers\": [{\"name\": \"i\", \"image\": \"1\"}]", flags[3]),
            (", \"nodeSelector\": {\"a\": \"b\"}", flags[4]),
        ] {
            if with {
                spec += part;
            }
        }
        spec += "}";
        let template = format!("{{\"spec\": {spec}}}");
        let body = match kind {
            "Pod" => spec,
            "CronJob" => format!("{{\"jobTemplate\": {{\"spec\": {{\"template\": {template}}}}}}}"),
            "Job" if flags[5] => format!("{{\"backoffLimit\": 0, \"template\": {template}}}"),
            _ => format!("{{\"template\": {template}}}"),
        };
        format!("{{\"kind\": \"{kind}\", \"metadata\": {{\"name\": \"n\", \"labels\": {{\"on\": \"0x1\"}}}}, \"spec\": {body}}}")
    })
}

/// Takes out of `after` what is not in `before`, by the names that are ours, and
/// puts the commands back.
fn stripped(before: &Node, after: &Node) -> Node {
    match (before, after) {
        (Node::Map(old), Node::Map(new)) => {
            let mut kept = yaml::Map::default();
            for (key, node) in new.entries() {
                match old.get(key.key()) {
                    Some(old) if key.key() != "command" => kept.set(key.key(), stripped(old, node)),
                    Some(_) | None => {}
                }
            }
            if old.get("command").is_some() {
                let json: serde_json::Value =
                    serde_json::from_str(&variable(after, "ENTRYPOINT_OPTIONS")).expect("JSON");
                let words: Vec<_> =
                    json["args"].as_array().expect("words").iter().filter_map(|word| word.as_str()).collect();
                kept.set("command", Node::texts(words));
            }
            Node::Map(kept)
        }
        (Node::List(old), Node::List(new)) => {
            // What is added comes behind what was there.
            Node::List(old.iter().zip(new).map(|(old, new)| stripped(old, new)).collect())
        }
        (_, other) => other.clone(),
    }
}

/// The document with `command` and `args` as one list, as entrypoint gets them.
fn joined(node: &Node) -> Node {
    match node {
        Node::Map(map) => {
            let mut kept = yaml::Map::default();
            for (key, node) in map.entries() {
                match (key.key(), map.get("args"), node) {
                    ("command", Some(Node::List(args)), Node::List(words)) => {
                        kept.set("command", Node::List(words.iter().chain(args).cloned().collect()));
                    }
                    ("args", _, _) => {}
                    (name, _, node) => kept.set(name, joined(node)),
                }
            }
            Node::Map(kept)
        }
        Node::List(list) => Node::List(list.iter().map(joined).collect()),
        Node::Scalar(_) => node.clone(),
    }
}

/// A document with every mapping sorted, to compare without regard to order and
/// style.
fn normal(node: &Node) -> serde_json::Value {
    serde_json::from_str(&yaml::to_json(node)).expect("JSON")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn removing_what_was_added_gives_what_was_there(text in pods(), native: bool, image: bool, initupload: bool) {
        let mut flags = USUAL.to_owned();
        for (flag, with) in [(" --native-sidecar", native), (" --run-as image", image), (" --initupload", initupload)] {
            if with {
                flags += flag;
            }
        }
        let before = node(&text);
        let output = run(&text, &flags).map_err(|errors| TestCaseError::fail(format!("{errors:?}")))?;
        let after = node(&output.text);
        prop_assert_eq!(normal(&stripped(&before, &after)), normal(&joined(&before)));
        let order = |node: &Node| yaml::to_yaml(node).lines().filter(|line| !line.trim_start().starts_with(['-', 'c', 'a'])).map(str::to_owned).collect::<Vec<_>>();
        prop_assert_eq!(order(&joined(&stripped(&before, &after))).len(), order(&joined(&before)).len());
        let again = run(&output.text, &flags).expect_err("decorated twice");
        prop_assert!(again.len() == 1 && again[0].contains("already decorated"), "{:?}", again);
    }

    #[test]
    fn what_inject_makes_passes_the_check(text in pods(), native: bool, waits: bool) {
        let mut flags = USUAL.to_owned();
        for (flag, with) in [(" --native-sidecar", native), (" --ignore-interrupts", waits)] {
            if with {
                flags += flag;
            }
        }
        let output = run(&text, &flags).map_err(|errors| TestCaseError::fail(format!("{errors:?}")))?;
        // Only what the document itself says can be wrong: its kind and its users.
        let ours = |warning: &&String| !warning.contains("restartPolicy") && !warning.contains("runAsUser");
        prop_assert_eq!(output.warnings.iter().find(ours), None);
    }
}
