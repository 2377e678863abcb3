//! Streams as Helm, Kustomize and people send them: kinds, selections, paths.

use super::*;

const POD: &str =
    "kind: Pod\nmetadata: {name: p, labels: {app: ci}}\nspec: {containers: [{name: t, command: [a]}]}\n";

#[track_caller]
fn wrapped(text: &str, flags: &str, path: &str) {
    let done = node(&done(text, &format!("{USUAL} {flags}")));
    assert_eq!(text_at(at(&done, path), "containers.0.command.0"), "/tools/entrypoint", "{text}");
}

#[test]
fn templates_of_known_controllers_are_found() {
    let template = "template: {spec: {containers: [{name: t, command: [a]}]}}";
    let group = |group: &str, kind: &str, spec: &str| {
        format!("apiVersion: {group}/v1\nkind: {kind}\nmetadata: {{name: unit}}\nspec: {spec}\n")
    };
    let jobs = format!("{{replicatedJobs: [{{name: a, template: {{spec: {{{template}}}}}}}]}}");
    wrapped(
        &group("jobset.x-k8s.io", "JobSet", &jobs),
        "",
        "spec.replicatedJobs.0.template.spec.template.spec",
    );
    let tasks = format!("{{tasks: [{{{template}}}]}}");
    wrapped(&group("batch.volcano.sh", "Job", &tasks), "", "spec.tasks.0.template.spec");
    wrapped(&group("serving.knative.dev", "Service", &format!("{{{template}}}")), "", "spec.template.spec");
    let replicas = format!("{{pytorchReplicaSpecs: {{Worker: {{{template}}}}}}}");
    wrapped(
        &group("kubeflow.org", "PyTorchJob", &replicas),
        "",
        "spec.pytorchReplicaSpecs.Worker.template.spec",
    );
    let deep = group("example.org", "Odd", &format!("{{parts: [{{{template}}}]}}"));
    wrapped(&deep, "--path .spec.parts[*].template", "spec.parts.0.template.spec");
    let error = run(&deep, USUAL).expect_err("not known");
    assert!(error[0].contains("Odd is not known") && error[0].contains("--path"), "{error:?}");
}

#[test]
fn a_job_set_gets_what_a_job_gets() {
    let text = "apiVersion: jobset.x-k8s.io/v1alpha2\nkind: JobSet\nmetadata: {name: unit}\nspec: {replicatedJobs: [{name: a, replicas: 2, template: {spec: {template: {spec: {containers: [{name: t, command: [a]}]}}}}}]}\n";
    let output = run(text, USUAL).expect("decorated");
    let spec = node(&output.text);
    assert_eq!(text_at(&spec, "spec.replicatedJobs.0.template.spec.backoffLimit"), "0");
}

#[test]
fn what_others_build_is_left_alone_with_a_warning() {
    for (version, kind, owner) in
        [("argoproj.io/v1alpha1", "Workflow", "Argo Workflows"), ("tekton.dev/v1", "Task", "Tekton")]
    {
        let text = format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: w}}\n---\n{POD}");
        let output = run(&text, USUAL).expect("decorated");
        assert!(output.warnings[0].contains(owner), "{:?}", output.warnings);
        assert!(
            output.text.starts_with(&format!("---\napiVersion: {version}\nkind: {kind}\n")),
            "{}",
            output.text
        );
    }
}

#[test]
fn unknown_kinds_pass_when_they_may() {
    let others = "kind: Widget\nspec: {a: 1}\n---\njust words\n---\na: b\n";
    let pass = format!("{USUAL} --unknown-kinds pass");
    let output = run(&format!("{others}---\n{POD}"), &pass).expect("decorated");
    assert!(output.text.starts_with("---\nkind: Widget\nspec: {a: 1}\n---\njust words\n"), "{}", output.text);
    assert!(output.text.contains("/tools/entrypoint"));
    let output = run(others, &pass).expect("nothing to decorate");
    assert_eq!(output.warnings, ["warning: there is no pod in any document"]);
    let errors = run(others, USUAL).expect_err("refused");
    assert_eq!(errors.len(), 3, "{errors:?}");
    let errors = run(&format!("kind: Widget\nkind: Widget\n---\n{POD}"), &pass).expect_err("refused");
    assert!(errors[0].contains("there twice"), "{errors:?}");
}

#[test]
fn documents_that_are_not_selected_are_none_of_our_business() {
    let without_command =
        "kind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: w}]}}}\n";
    let text = format!("{without_command}---\nkind: Widget\n---\n{POD}");
    for selection in ["--select Pod/p", "--select pod", "--selector app=ci"] {
        let output = run(&text, &format!("{USUAL} {selection}")).expect("decorated");
        assert!(
            output.text.starts_with(&format!("---\n{without_command}---\nkind: Widget\n")),
            "{}",
            output.text
        );
        assert!(output.text.contains("/tools/entrypoint"));
    }
    let errors = run(&text, &format!("{USUAL} --select Job/x")).expect_err("none selected");
    assert!(errors[0].contains("no document with a pod in it is selected"), "{errors:?}");
}

#[test]
fn a_time_is_the_build_id_of_a_bare_pod_only() {
    let flags = USUAL.replace("--build-id 7", "--build-id-from time");
    let pod = node(&done(POD, &flags));
    let id = variable(at(&pod, "spec.containers.0"), "BUILD_ID");
    assert!(id.len() == 19 && id.parse::<i64>().is_ok(), "{id}");
    let job =
        "kind: Job\nmetadata: {name: j}\nspec: {template: {spec: {containers: [{name: t, command: [a]}]}}}\n";
    let errors = run(job, &flags).expect_err("made later");
    assert!(errors[0].contains("the pods of a Job are made later"), "{errors:?}");
    let output = run(POD, "--out s3://ci --image-prefix reg").expect("decorated");
    assert!(output.warnings.iter().any(|warning| warning.contains("Deck")), "{:?}", output.warnings);
}
