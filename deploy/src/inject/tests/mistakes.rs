//! Refusals and their messages.

use super::*;

#[test]
fn what_cannot_be_decorated_is_one_line_each_with_its_place() {
    let good = "  containers: [{name: t, command: [a]}]\n";
    let with = |more: &str| pod(&format!("{more}{good}"));
    let container = |more: &str| pod(&format!("  containers: [{{name: t, command: [a], {more}}}]\n"));
    for (text, flags, place, part) in [
        ("just words\n".to_owned(), "", "", "a text where an object"),
        ("a: [\n".to_owned(), "", "line ", "not YAML"),
        ("kind: Widget\n".to_owned(), "", "kind", "Widget is not known"),
        (pod("  containers: [{name: t, comand: [a]}]\n"), "", "spec.containers[0].command", "is comand meant"),
        (container("restartPolicy: Never, restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [3]}}]"), "", "spec.containers[0].restartPolicyRules", "over its own results"),
        (with("  securityContext: {runAsNonRoot: true}\n"), "--run-as image", "spec.securityContext.runAsNonRoot", "refuses our images"),
        (container("securityContext: {runAsNonRoot: true}"), "--run-as image", "spec.containers[0].securityContext.runAsNonRoot", "refuses our images"),
        (with("  volumes: [{name: pod-utils-home, emptyDir: {}}]\n"), "", "spec.volumes[0].name", "rename"),
        ("metadata: {name: x}\n".to_owned(), "", "kind", "missing"),
        (pod("  containers: []\n"), "", "spec.containers", "no container"),
        ("kind: Pod\n".to_owned(), "", "spec.containers", "no container"),
        (pod("  containers: [{name: t}]\n"), "", "spec.containers[0].command", "add the command"),
        (pod("  containers: [{name: t, args: [x]}]\n"), "", "spec.containers[0].command", "add the command"),
        (pod("  containers: [{name: t, command: [sleep, 5]}]\n"), "", "spec.containers[0].command[1]", "put it in quotes"),
        (pod("  containers: [{name: t, command: [echo, yes]}]\n"), "", "spec.containers[0].command[1]", "a bool (yes)"),
        (pod("  containers: [{name: t, command: sleep 5}]\n"), "", "spec.containers[0].command", "a list belongs"),
        (pod("  containers: [{name: t, command: ['', x]}]\n"), "", "spec.containers[0].command[0]", "empty"),
        (pod("  containers: [{command: [a]}]\n"), "", "spec.containers[0].name", "missing"),
        (pod("  containers: [{name: t, command: [a]}, {name: t, command: [a]}]\n"), "", "spec.containers[1].name", "two containers"),
        (pod("  containers: [{name: t, image: '{{ .x }}', command: [a]}]\n"), "", "spec.containers[0].image", "template"),
        (with(""), "--container u", "spec.containers", "allowed are t"),
        (with("  hostPID: true\n"), "", "spec.hostPID", "hostPID"),
        (with("  os: {name: windows}\n"), "", "spec.os.name", "Windows"),
        (with("  nodeSelector: {kubernetes.io/os: windows}\n"), "", "spec.nodeSelector[kubernetes.io/os]", "Windows"),
        (with("  restartPolicy: Always\n"), "", "spec.restartPolicy", "allowed is Never"),
        (with("  restartPolicy: never\n"), "", "spec.restartPolicy", "no policy of Kubernetes"),
        (with("  terminationGracePeriodSeconds: 29\n"), "", "spec.terminationGracePeriodSeconds", "need 30"),
        (with("  terminationGracePeriodSeconds: 60\n"), "--upload-budget 1m", "spec.terminationGracePeriodSeconds", "need 85"),
        (with("  volumes: [{name: logs, emptyDir: {}}]\n"), "", "spec.volumes[0].name", "rename"),
        (with("  volumes: [{name: s3-credentials, emptyDir: {}}]\n"), "--s3-credentials-secret x", "spec.volumes[0].name", "rename"),
        (with("  initContainers: [{name: sidecar}]\n"), "", "spec.initContainers[0].name", "rename"),
        (with("  initContainers: [{name: place-entrypoint}]\n"), "", "spec.initContainers[0].name", "already decorated"),
        (container("volumeMounts: [{name: v, mountPath: /logs/x}]"), "", "spec.containers[0].volumeMounts[0].mountPath", "elsewhere"),
        ("kind: Pod\nmetadata: {name: p, labels: {azure.workload.identity/use: 'false'}}\nspec:\n  containers: [{name: t, command: [a]}]\n".to_owned(), "--azure-workload-identity", "metadata.labels.azure.workload.identity/use", "needs true"),
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
        ("--out s3://b --gcs-credentials-secret x", "--gcs-credentials-secret is for gs://"),
        ("--out gs://b --s3-credentials-secret x", "--s3-credentials-secret is for s3://"),
        ("--out gs://b --azure-account x", "is for az://"),
        ("--out s3://b --otlp-endpoint collector:4318", "--otlp-endpoint collector:4318: allowed is http://"),
        ("--out s3://b --otlp-endpoint https:///x", "--otlp-endpoint"),
        ("--out s3://b/a/../c", "a path with .. in it"),
        ("--out s3://b --option upload.path_prefix=../x", "path_prefix"),
        ("--out /out --option upload.sub_dir=../../../../x", "sub_dir"),
        (r#"--out s3://b --job-spec {"type":"periodic","job":"../../.."}"#, "cannot be stored"),
        ("--out s3://b --select /x", "--select"),
        ("--out s3://b --selector a(b", "--selector"),
        ("--out s3://b --path .a[", "--path"),
        ("--out s3://b --resources all", "--resources"),
        ("--out s3://b --signal-scope all", "--signal-scope: supervision.signal_scope"),
        ("--out s3://b --escalation SIGNOW=1s", "--escalation: supervision.escalation[0].signal"),
        ("--out s3://b --escalation SIGTERM", "--escalation SIGTERM"),
        ("--out s3://b --option sidecar.x=1", "no key x"),
        ("--out s3://b --job-type presubmit", "--job-spec"),
        ("--out s3://b --job a/b", "--job"),
        ("--out s3://b --build-id $(X)", "--build-id"),
        ("--out s3://b --image foo=bar", "--image"),
        ("--out s3://b --secrets relative", "--secrets"),
        ("--out s3://b --path-strategy legacy", "default_org"),
        ("--out s3://b --media-type x", "--media-type"),
        ("--out s3://b --job-spec {", "--job-spec"),
        ("--out az://c/results", "--azure-account"),
        ("--out az://c --azure-workload-identity", "--azure-account"),
    ] {
        let words = std::iter::once(SUBCOMMAND).chain(flags.split_whitespace());
        let matches = command().try_get_matches_from(words).expect("well-formed");
        let problem = Options::from_matches(&matches).expect_err(flags);
        assert!(problem.text.contains(part) && problem.text.lines().count() == 1, "{flags}: {problem:?}");
    }
    let errors =
        run(&pod("  containers: [{name: t, command: [a]}]\n"), "--out s3://b").expect_err("no image");
    assert!(errors[0].contains("--image-prefix"), "{errors:?}");
}

#[test]
fn directories_of_the_node_are_clean_or_refused() {
    let decorated = |out: &str| {
        let out = format!("--out={out}");
        let words = ["inject", "--image-prefix=reg", "--build-id=7", &out];
        let matches = command().try_get_matches_from(words).expect("flags");
        Options::from_matches(&matches).map(|options| match options.mode {
            Mode::Inject { decoration, .. } => format!("{:?}", decoration.out),
            mode @ (Mode::Check | Mode::Krm) => panic!("{mode:?}"),
        })
    };
    for (out, clean) in [
        ("file:///a//./b/", "Folders(\"/a/b\")"),
        ("/a//./b/", "Directory(\"/a/b\")"),
        ("file:///a/..b", "Folders(\"/a/..b\")"),
    ] {
        assert_eq!(decorated(out).expect(out), clean);
    }
    for out in ["file:///a/../b", "file:///..", "/a/../b", "/a/..", "file:///a\n", "/a\u{1b}b"] {
        let problem = decorated(out).expect_err(out).text;
        assert!(problem.starts_with("--out ") && problem.lines().count() == 1, "{problem}");
    }
}
