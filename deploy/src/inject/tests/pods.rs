//! Pods that start: security levels, home directories, resources, several pods of
//! one object, options of the programs.

use super::*;

const ONE: &str = "  containers: [{name: t, command: [a]}]\n";

fn decorated(spec: &str, flags: &str) -> Node {
    node(&done(&pod(spec), &format!("{USUAL} {flags}")))
}

#[test]
fn a_pod_that_must_not_run_as_root_stays_one() {
    let each = "securityContext: {runAsNonRoot: true, allowPrivilegeEscalation: false, seccompProfile: {type: RuntimeDefault}, capabilities: {drop: [ALL]}";
    for (spec, user) in [
        (format!("  containers: [{{name: t, command: [a], {each}}}}}]\n"), None),
        (format!("  containers: [{{name: t, command: [a], {each}, runAsUser: 7}}}}]\n"), Some("7")),
        (
            format!(
                "  containers: [{{name: t, command: [a], {each}, runAsUser: 7}}}}, {{name: u, command: [a], {each}, runAsUser: 8}}}}]\n"
            ),
            Some("7"),
        ),
    ] {
        let done = decorated(&spec, "--initupload");
        let Node::List(inits) = at(&done, "spec.initContainers") else { panic!("no list") };
        let Node::List(containers) = at(&done, "spec.containers") else { panic!("no list") };
        for ours in inits.iter().chain(containers.last()) {
            let context = at(ours, "securityContext");
            assert_eq!(at(context, "runAsNonRoot").meaning(), Some(Meaning::Bool(true)), "{spec}");
            assert_eq!(text_at(context, "seccompProfile.type"), "RuntimeDefault");
            assert_eq!(text_at(context, "capabilities.drop.0"), "ALL");
            assert_eq!(
                context.get("runAsUser").map(|_| text_at(context, "runAsUser")).as_deref(),
                user,
                "{spec}"
            );
        }
    }
}

#[test]
fn a_user_that_was_given_has_a_home() {
    let home = |spec: &str, flags: &str| {
        let done = decorated(spec, flags);
        let Node::List(env) = at(&done, "spec.containers.0.env") else { panic!("no list") };
        let found = env.iter().find(|variable| text_at(variable, "name") == "HOME");
        found.map(|variable| text_at(variable, "value"))
    };
    assert_eq!(home(ONE, "").as_deref(), Some("/home/pod-utils"));
    let own = "  containers: [{name: t, command: [a], env: [{name: HOME, value: /me}]}]\n";
    assert_eq!(home(own, "").as_deref(), Some("/me"));
    let user = "  securityContext: {runAsUser: 7}\n  containers: [{name: t, command: [a]}]\n";
    assert_eq!(home(user, ""), None, "its author has thought of it");
    assert_eq!(home(user, "--home /work/home").as_deref(), Some("/work/home"));
    assert_eq!(home(ONE, "--home image"), None);
    assert_eq!(home(ONE, "--run-as 0"), None);
    let done = decorated(ONE, "");
    assert!(names(at(&done, "spec.volumes"), "name").contains(&"pod-utils-home".to_owned()));
    assert!(
        names(at(&done, "spec.containers.0.volumeMounts"), "mountPath")
            .contains(&"/home/pod-utils".to_owned())
    );
}

#[test]
fn our_containers_have_the_resources_that_the_pods_have() {
    let resources = |spec: &str, flags: &str| {
        let done = decorated(spec, flags);
        let sidecar = at(&done, "spec.containers.1");
        sidecar.get("resources").map(|_| yaml::to_yaml(at(sidecar, "resources")).replace('\n', " "))
    };
    let with =
        |resources: &str| format!("  containers: [{{name: t, command: [a], resources: {resources}}}]\n");
    let usual = resources(ONE, "").expect("resources");
    assert!(usual.contains("cpu: \"50m\"") && !usual.contains("cpu: \"500m\""), "{usual}");
    let limited = resources(&with("{limits: {cpu: 2}}"), "").expect("resources");
    assert!(limited.contains("cpu: \"50m\"") && limited.contains("cpu: \"500m\""), "{limited}");
    let guaranteed = with("{requests: {cpu: 1000m, memory: 1Gi}, limits: {cpu: 1, memory: 1024Mi}}");
    let guaranteed = resources(&guaranteed, "").expect("resources");
    assert_eq!(guaranteed.matches("cpu: \"500m\"").count(), 2, "{guaranteed}");
    assert_eq!(resources(ONE, "--resources none"), None);
    let given = resources(ONE, "--resources sidecar:cpu=1,memory=1Gi").expect("resources");
    assert!(given.contains("memory: \"1Gi\""), "{given}");
}

fn job(spec: &str) -> String {
    format!(
        "kind: Job\nmetadata: {{name: j}}\nspec:\n  template: {{spec: {{containers: [{{name: t, command: [a]}}]}}}}\n{spec}"
    )
}

#[test]
fn several_pods_with_one_build_id_are_warned_of() {
    let warned = |text: &str, part: &str| {
        let output = run(text, USUAL).unwrap_or_else(|errors| panic!("{errors:?}"));
        let found =
            output.warnings.iter().filter(|warning| warning.contains(part) && warning.contains("--build-id"));
        assert_eq!(found.count(), 1, "{:?}", output.warnings);
    };
    warned(&job("  completions: 3\n"), "spec.completions: 3");
    warned(&job("  parallelism: 2\n"), "spec.parallelism: 2");
    warned(&job("  completionMode: Indexed\n  backoffLimitPerIndex: 1\n"), "spec.backoffLimitPerIndex");
    let cron = "kind: CronJob\nmetadata: {name: c}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: t, command: [a]}]}}}}}\n";
    warned(cron, "spec.jobTemplate.spec: a CronJob");
    let own = USUAL.replace("--build-id 7", "--build-id-from metadata.uid");
    assert_eq!(run(&job("  completions: 3\n"), &own).expect("decorated").warnings, Vec::<String>::new());
}

#[test]
fn an_indexed_job_keeps_its_own_limit() {
    let limited = node(&done(&job("  completions: 2\n"), USUAL));
    assert_eq!(text_at(&limited, "spec.backoffLimit"), "0");
    let per_index = node(&done(&job("  backoffLimitPerIndex: 1\n"), USUAL));
    assert!(at(&per_index, "spec").get("backoffLimit").is_none());
}

#[test]
fn what_may_be_a_mistake_is_warned_of() {
    let warnings =
        |spec: &str, flags: &str| run(&pod(spec), &format!("{USUAL} {flags}")).expect("decorated").warnings;
    let elsewhere = "  containers: [{name: t, command: [a], env: [{name: ARTIFACTS, value: /tmp/a}]}]\n";
    assert!(warnings(elsewhere, "")[0].contains("ARTIFACTS is not /logs/artifacts"));
    let below = elsewhere.replace("/tmp/a", "/logs/artifacts/a");
    assert_eq!(warnings(&below, ""), Vec::<String>::new());
    let untidy =
        run(&pod(ONE), "--out s3://ci//a/./b --image-prefix reg --build-id 7").expect("decorated").warnings;
    assert!(untidy[0].contains("is \"a/b\" in keys"), "{untidy:?}");
    let service = "  containers: [{name: t, command: [a]}, {name: db, image: i}]\n";
    let warned = warnings(service, "--container t");
    assert!(warned[0].contains("spec.containers[1]: left alone"), "{warned:?}");
}

#[test]
fn options_of_the_programs_reach_them() {
    let flags = "--initupload --signal-scope child --escalation SIGINT=1s --escalation SIGTERM=2s --strict \
                 --structured-filename x.yaml --option upload.path_prefix=a/b --option sidecar.delivery.memory=33554432";
    let done = decorated(ONE, flags);
    let entrypoint = variable(at(&done, "spec.containers.0"), "ENTRYPOINT_OPTIONS");
    for part in [
        r#""signal_scope":"child""#,
        r#"{"signal":"SIGINT","after":1000000000}"#,
        r#"{"signal":"SIGTERM","after":2000000000}]"#,
    ] {
        assert!(entrypoint.contains(part), "{entrypoint}");
    }
    let sidecar = variable(at(&done, "spec.containers.1"), "SIDECAR_OPTIONS");
    for part in
        [r#""path_prefix":"a/b""#, r#""memory":33554432"#, r#""strict":true"#, "x.yaml", r#""grace_period""#]
    {
        assert!(sidecar.contains(part), "{sidecar}");
    }
    let initupload = variable(at(&done, "spec.initContainers.0"), "INITUPLOAD_OPTIONS");
    assert!(initupload.contains(r#""path_prefix":"a/b""#), "{initupload}");
}
