//! Secrets that are masked, and those that sidecar delivers with.

use super::*;

#[test]
fn secrets_of_init_containers_and_of_projected_volumes_are_censored_too() {
    let spec = "  initContainers:\n  - name: clone\n    volumeMounts: [{name: key, mountPath: /key}]\n    env: [{name: A, valueFrom: {secretKeyRef: {name: in-env, key: k}}}]\n  containers:\n  - name: t\n    command: [a]\n    volumeMounts: [{name: all, mountPath: /all}]\n  volumes:\n  - {name: key, secret: {secretName: deploy-key}}\n  - name: all\n    projected: {sources: [{configMap: {name: c}}, {secret: {name: in-all, optional: true}}]}\n  - {name: unused, projected: {sources: [{secret: {name: of-nobody}}]}}\n";
    let done = node(&done(&pod(spec), USUAL));
    let options = variable(at(&done, "spec.containers.1"), "SIDECAR_OPTIONS");
    assert!(
        options.contains(r#"["/key","/secrets/censor/in-all","/secrets/censor/in-env"]"#),
        "the Secret alone, not what else is in the volume: {options}"
    );
    assert_eq!(
        names(at(&done, "spec.volumes"), "name"),
        ["key", "all", "unused", "logs", "tools", "censor-0", "censor-1", "pod-utils-home"]
    );
    assert_eq!(at(&done, "spec.volumes.5.secret.optional").meaning(), Some(Meaning::Bool(true)));
}

#[test]
fn azure_tokens_and_keys_are_for_what_uploads_only() {
    let spec = "  containers: [{name: t, command: [a]}, {name: u, command: [a]}]\n";
    let flags = format!("{USUAL} --azure-account ci --azure-workload-identity").replace("s3://", "az://");
    let labelled = node(&done(&pod(spec), &flags));
    let label = at(&labelled, "metadata.labels").get("azure.workload.identity/use");
    assert_eq!(label.and_then(Node::meaning), Some(Meaning::Text("true")));
    let skip = at(&labelled, "metadata.annotations").get("azure.workload.identity/skip-containers");
    assert_eq!(skip.and_then(Node::meaning), Some(Meaning::Text("t;u")));
    // A pod that asked for the tokens itself gets them.
    let own = pod(spec).replace("{name: p}", "{name: p, labels: {azure.workload.identity/use: 'true'}}");
    let kept = node(&done(&own, &flags));
    assert!(at(&kept, "metadata").get("annotations").is_none());
    let key = flags.replace("--azure-workload-identity", "--azure-credentials-secret az --initupload");
    let with_key = node(&done(&pod(spec), &key));
    for (container, uploads) in [("initContainers.0", true), ("containers.0", false), ("containers.2", true)]
    {
        let container = at(&with_key, &format!("spec.{container}"));
        assert_eq!(container.get("envFrom").is_some(), uploads, "{container:?}");
    }
}

#[test]
fn the_collector_and_its_headers_are_sidecars_alone() {
    let spec = "  containers: [{name: t, command: [a]}]\n";
    let flags =
        "--azure-account ci --azure-credentials-secret az --initupload --otlp-secret otel --otlp-endpoint";
    let flags = format!("{USUAL} {flags} http://$(X):4318").replace("s3://", "az://");
    let done = node(&done(&pod(spec), &flags));
    let sidecar = at(&done, "spec.containers.1");
    assert_eq!(variable(sidecar, "OTEL_EXPORTER_OTLP_ENDPOINT"), "http://$$(X):4318");
    assert_eq!(
        variable(sidecar, "OTEL_RESOURCE_ATTRIBUTES"),
        "k8s.namespace.name=$(K8S_NAMESPACE_NAME),k8s.node.name=$(K8S_NODE_NAME)"
    );
    let of = |container: &str| {
        let container = at(&done, &format!("spec.{container}"));
        let names = |node: &Node| names(node, "secretRef.name");
        (container.get("envFrom").map(names), format!("{container:?}").contains("OTEL_"))
    };
    assert_eq!(of("initContainers.0"), (Some(vec!["az".to_owned()]), false));
    assert_eq!(of("containers.0"), (None, false));
    assert_eq!(of("containers.1"), (Some(vec!["az".to_owned(), "otel".to_owned()]), true));
}
