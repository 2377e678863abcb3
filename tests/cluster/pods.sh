#!/usr/bin/env bash
# The manifests of deploy/kubernetes on a real kubelet: a pod, a Job's native
# sidecar to its end and under deletion, `kubectl delete pod` with and without
# ignore_interrupts, a Secret volume, an entrypoint that is killed from outside,
# and a step of ci-operator with its RBAC.
#
# Not part of the continuous integration: it needs a cluster with one node that
# has the images, and jq. It makes a namespace of its own and removes it at the end.
#
#   tests/cluster/pods.sh PREFIX TEST_IMAGE
#
# PREFIX/entrypoint:VERSION and so on are the images of deploy/images, s3-server among
# them; TEST_IMAGE has a shell. Environment:
#
#   KUBECTL     the command to reach the cluster as its administrator (kubectl)
#   NAMESPACE   the namespace to make (pods-e2e)
#   POD_PATCH   JSON laid over every pod's spec, such as {"nodeName":"NODE"} where
#               there is no scheduler
#   API_HOST, API_PORT   where pods reach the API server, when the variables that
#               the kubelet sets do not say
#   ACCOUNTS    what makes the namespace's ServiceAccount `default` and ConfigMap
#               kube-root-ca.crt, where no controller does; gets the namespace
set -euo pipefail

prefix=${1:?usage: tests/cluster/pods.sh PREFIX TEST_IMAGE} test_image=${2:?usage: tests/cluster/pods.sh PREFIX TEST_IMAGE}
namespace=${NAMESPACE:-pods-e2e}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$(dirname "${BASH_SOURCE[0]}")/../../Cargo.toml" | head -n 1)
manifests=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../deploy/kubernetes" && pwd)
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The exit code of a container of a pod that has ended.
code() {
  k get pod "$1" -o json | jq -r --arg name "$2" \
    '.status | (.containerStatuses + .initContainerStatuses)[] | select(.name == $name).state.terminated.exitCode'
}
# Objects of a run, as the store holds them.
object() { k exec store -c reader -- cat "/data/ci-results/logs/example/$1"; }
is_there() { object "$1"; }

# An example as a pod of this name: our images, the store as its destination, the
# pod's name as its build id, and changes as a jq program.
run_example() { # example, name, script of the test, jq program
  local all
  all=$(cluster kustomize "$manifests/$1" | cluster create --dry-run=client -o json -f - | jq -c '(if .kind == "List" then .items[] else . end) | del(.metadata.namespace)')
  # Everything but the pod itself, once per namespace.
  jq -c 'select(.kind != "Pod" and .kind != "Job" and .kind != "ConfigMap")' <<<"$all" | k apply -f - >/dev/null
  jq -c --arg name "$2" --arg script "$3" --arg prefix "$prefix" --arg image "$test_image" \
    --argjson patch "${POD_PATCH:-{\}}" --argjson api "$(api_variables)" '
    select(.kind == "Pod" or .kind == "Job") | {
      apiVersion: "v1", kind: "Pod", metadata: {name: $name},
      spec: ((if .kind == "Job" then .spec.template.spec else .spec end) * $patch)
    }
    | (.spec.initContainers[], .spec.containers[]) |= (
        .imagePullPolicy = "Never"
        | .image |= if startswith("registry.example/pod-utils") then sub("registry.example/pod-utils"; $prefix) else $image end
        | if .env then .env |= map(
            if .name == "BUILD_ID" then {name, value: $name}
            elif .name == "ENTRYPOINT_OPTIONS" then .value |= (fromjson | .args = ["/bin/sh", "-c", $script] | tojson)
            else . end) else . end)
    | (.spec.containers[] | select(.name == "test").env) += $api
    | '"${4:-.}" <<<"$all" | k apply -f - >/dev/null
}
api_variables() {
  if [ -z "${API_HOST:-}" ]; then echo '[]'; return; fi
  jq -n --arg host "$API_HOST" --arg port "$API_PORT" \
    '[{name: "KUBERNETES_SERVICE_HOST", value: $host}, {name: "KUBERNETES_SERVICE_PORT", value: $port}]'
}
# The result of a run, its last object.
result() { object "$1/finished.json" | jq -r "$2"; }

cleanup() { k delete pods --all --now >/dev/null 2>&1 || true; cluster delete namespace "$namespace" --wait=false >/dev/null 2>&1 || true; }
trap cleanup EXIT

step 'the namespace, a store, and real Secrets'
cluster create namespace "$namespace"
if [ -n "${ACCOUNTS:-}" ]; then $ACCOUNTS "$namespace"; fi
until_true 'the ServiceAccount' k get serviceaccount default
jq -n --arg prefix "$prefix" --arg image "$test_image" --argjson patch "${POD_PATCH:-{\}}" '{
  apiVersion: "v1", kind: "Pod", metadata: {name: "store"},
  spec: ({
    automountServiceAccountToken: false, terminationGracePeriodSeconds: 1, volumes: [{name: "data", emptyDir: {}}],
    containers: [
      {name: "s3", image: ($prefix + "/s3-server:'"$version"'"), imagePullPolicy: "Never", args: ["/data"],
       env: [{name: "S3_BUCKETS", value: "ci-results"}, {name: "AWS_ACCESS_KEY_ID", value: "example"},
             {name: "AWS_SECRET_ACCESS_KEY", value: "example-secret-key"}],
       volumeMounts: [{name: "data", mountPath: "/data"}]},
      {name: "reader", image: $image, imagePullPolicy: "Never", command: ["/bin/sh", "-c", "sleep 100000"],
       volumeMounts: [{name: "data", mountPath: "/data"}]}
    ]} * $patch)}' | k apply -f -
until_true 'the store' bash -c "${kubectl[*]} --namespace $namespace logs store -c s3 | grep -q listening"
address=$(k get pod store -o 'jsonpath={.status.podIP}')
k create configmap ci-results --from-literal=BUCKET=s3://ci-results --from-literal=AWS_REGION=us-east-1 \
  --from-literal="AWS_ENDPOINT_URL=http://$address:9000"
k create secret generic ci-results --from-literal=AWS_ACCESS_KEY_ID=example --from-literal=AWS_SECRET_ACCESS_KEY=example-secret-key
k create secret generic test-secrets --from-literal=token=a-token-nobody-may-see

polite='trap "echo got INT" INT; trap "echo got TERM; exit 0" TERM; echo ready; while :; do sleep 0.1; done'

step 'a pod, with a real Secret volume that it prints'
run_example pod plain 'cat /secrets/test/token; echo; echo made >$ARTIFACTS/made'
until_true 'the end of plain' has_ended plain
same 'codes of test and sidecar' "$(code plain test) $(code plain sidecar)" '0 0'
same 'result' "$(result plain .result)" SUCCESS
same 'log' "$(object plain/build-log.txt)" "$(printf 'X%.0s' $(seq 22))"
same 'artifact' "$(object plain/artifacts/made)" made
until_true 'started.json' is_there plain/started.json

step 'a native sidecar to the end of an ordinary run'
run_example job native 'echo testing; exit 4'
until_true 'the end of native' has_ended native
same 'codes of test and sidecar' "$(code native test) $(code native sidecar)" '4 0'
same 'phase, as the Job sees it' "$(phase native)" Failed
same 'result' "$(result native .result)" FAILURE
same 'log' "$(object native/build-log.txt)" testing

step 'a native sidecar whose pod is deleted'
run_example job native-deleted "$polite"
until_true 'native-deleted to be ready' says native-deleted ready
k delete pod native-deleted --timeout=120s
same 'result' "$(result native-deleted .result)" ABORTED
contains 'log' "$(object native-deleted/build-log.txt | tr '\n' ' ')" 'got INT'
contains 'log' "$(object native-deleted/build-log.txt | tr '\n' ' ')" 'got TERM'

for ignore in true false; do
  step "a deleted pod with ignore_interrupts: $ignore"
  name=deleted-$ignore
  run_example pod "$name" "$polite" '(.spec.containers[] | select(.name == "sidecar").env[] | select(.name == "SIDECAR_OPTIONS").value)
    |= (fromjson | .ignore_interrupts = '"$ignore"' | tojson)'
  until_true "$name to be ready" says "$name" ready
  k delete pod "$name" --timeout=120s
  same 'result' "$(result "$name" .result)" ABORTED
  same 'cause' "$(result "$name" '.metadata["pod-utils"].entries[0].reason')" aborted
  contains 'log' "$(object "$name/build-log.txt" | tr '\n' ' ')" 'got TERM'
done

step 'an entrypoint that is killed from outside'
# In one process namespace it is no PID 1, and another process may kill it.
run_example pod killed 'echo ready; sleep 1000' '.spec.shareProcessNamespace = true'
until_true 'killed to be ready' says killed ready
k exec killed -c test -- /bin/sh -c 'for dir in /proc/[0-9]*; do read -r name <$dir/comm; [ "$name" != entrypoint ] || kill -9 "${dir#/proc/}"; done' || true
until_true 'the end of killed' has_ended killed
same 'codes of test and sidecar' "$(code killed test) $(code killed sidecar)" '137 0'
same 'result' "$(result killed .result)" FAILURE
same 'reason' "$(result killed '.metadata["pod-utils"].entries[0].reason')" lost
same 'log' "$(object killed/build-log.txt)" ready

step "a step of ci-operator, its Secret under the example's RBAC"
run_example ci-operator-step e2e-first 'echo made by the step >$SHARED_DIR/made; echo testing'
until_true 'the end of e2e-first' has_ended e2e-first
same 'codes of test and sidecar' "$(code e2e-first test) $(code e2e-first sidecar)" '0 0'
same 'the shared file' "$(k get secret e2e -o 'jsonpath={.data.made}' | base64 -d)" 'made by the step'
run_example ci-operator-step e2e-second 'cat $SHARED_DIR/made'
until_true 'the end of e2e-second' has_ended e2e-second
same 'log, what steps share masked' "$(object e2e-second/artifacts/e2e/example/build-log.txt)" "$(printf 'X%.0s' $(seq 16))"

end_of_checks
