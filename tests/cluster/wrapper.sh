#!/usr/bin/env bash
# entrypoint-wrapper against a real API server and kubelet: a ServiceAccount's
# token, RBAC that allows only `get` and `update` of one Secret, a Secret volume
# as Kubernetes mounts it, `kubectl delete` with its signals.
#
# Not part of the continuous integration: it needs a cluster with one node that
# has the image. It makes a namespace of its own and removes it at the end.
#
#   tests/cluster/wrapper.sh IMAGE
#
# IMAGE holds the static programs as /bin/entrypoint and /bin/entrypoint-wrapper
# and a shell as /bin/sh (busybox), and is on the node already. Environment:
#
#   KUBECTL     the command to reach the cluster as its administrator (kubectl)
#   NAMESPACE   the namespace to make (wrapper-e2e)
#   POD_SPEC    YAML lines, indented by two spaces, that every pod needs here, such
#               as `  nodeName: NODE` where there is no scheduler
#   API_HOST, API_PORT   where pods reach the API server, when the variables that
#               the kubelet sets do not say
#   ACCOUNTS    what makes the namespace's ServiceAccount `default` and ConfigMap
#               kube-root-ca.crt, where no controller does; gets the namespace
set -euo pipefail

image=${1:?usage: tests/cluster/wrapper.sh IMAGE}
namespace=${NAMESPACE:-wrapper-e2e}
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The value of one key of the Secret `e2e` as text; empty when it is not there.
value() { k get secret e2e -o "jsonpath={.data.$1}" | base64 -d; }
keys() { k get secret e2e -o 'go-template={{range $name, $_ := .data}}{{$name}} {{end}}'; }
state() { k get pod "$1" -o "jsonpath={.status.containerStatuses[?(@.name==\"test\")].state.terminated.$2}"; }
ended() { [ -n "$(state "$1" finishedAt)" ]; }
has_key() { [ -n "$(value "$1")" ]; }

# A step as ci-operator makes it (contract 8.12): name, ServiceAccount, flags of
# the wrapper as a YAML list, the commands.
run_step() {
  local name=$1 account=$2 flags=$3 commands=$4 options address=
  options=$(printf '%s' "$commands" | awk 'BEGIN { ORS = "" } { gsub(/\\/, "\\\\"); gsub(/"/, "\\\""); gsub(/\t/, "\\t"); print (NR > 1 ? "\\n" : "") $0 }')
  options="{\"timeout\":7200000000000,\"grace_period\":4000000000,\"artifact_dir\":\"/logs/artifacts\",\"args\":[\"/bin/sh\",\"-c\",\"$options\"],\"container_name\":\"test\",\"process_log\":\"/logs/process-log.txt\",\"marker_file\":\"/logs/marker-file.txt\",\"metadata_file\":\"/logs/artifacts/metadata.json\"}"
  if [ -n "${API_HOST:-}" ]; then
    address="    - {name: KUBERNETES_SERVICE_HOST, value: \"$API_HOST\"}
    - {name: KUBERNETES_SERVICE_PORT, value: \"$API_PORT\"}"
  fi
  k apply -f - >/dev/null <<POD
apiVersion: v1
kind: Pod
metadata: {name: $name}
spec:
${POD_SPEC:-}
  serviceAccountName: $account
  restartPolicy: Never
  # As OpenShift gives them: a user without an entry in /etc/passwd.
  securityContext: {runAsUser: 1000760000, runAsGroup: 0, fsGroup: 1000760000}
  terminationGracePeriodSeconds: 10
  volumes:
  - {name: logs, emptyDir: {}}
  - {name: tools, emptyDir: {}}
  - {name: home, emptyDir: {}}
  - {name: entrypoint-wrapper, emptyDir: {}}
  - {name: e2e, secret: {secretName: e2e}}
  initContainers:
  - name: place-entrypoint
    image: $image
    imagePullPolicy: Never
    command: [/bin/entrypoint, --copy-mode-only]
    volumeMounts: [{name: tools, mountPath: /tools}]
  - name: cp-entrypoint-wrapper
    image: $image
    imagePullPolicy: Never
    command: [/bin/entrypoint-wrapper, --copy-mode-only]
    volumeMounts: [{name: entrypoint-wrapper, mountPath: /tmp/entrypoint-wrapper}]
  containers:
  - name: test
    image: $image
    imagePullPolicy: Never
    command: [/tmp/entrypoint-wrapper/entrypoint-wrapper]
    args: [${flags:+$flags, }/tools/entrypoint]
    env:
    - name: ENTRYPOINT_OPTIONS
      value: '${options//\'/\'\'}'
    - {name: ARTIFACT_DIR, value: /logs/artifacts}
    - {name: NAMESPACE, value: $namespace}
    - {name: JOB_NAME_SAFE, value: e2e}
    - {name: SHARED_DIR, value: /var/run/secrets/ci.openshift.io/multi-stage}
$address
    volumeMounts:
    - {name: logs, mountPath: /logs}
    - {name: tools, mountPath: /tools}
    - {name: home, mountPath: /alabama}
    - {name: entrypoint-wrapper, mountPath: /tmp/entrypoint-wrapper}
    - {name: e2e, mountPath: /var/run/secrets/ci.openshift.io/multi-stage}
  - name: marker
    image: $image
    imagePullPolicy: Never
    command: [/bin/sh, -c, "until [ -e /logs/marker-file.txt ]; do sleep 0.1; done; cat /logs/marker-file.txt"]
    volumeMounts: [{name: logs, mountPath: /logs}]
POD
}
# Waits for the end of a step and checks its exit code and its marker.
expect() { # name, exit code, marker
  until_true "the end of $1" ended "$1"
  same "exit code of $1" "$(state "$1" exitCode)" "$2"
  if [ -n "$3" ]; then same "marker of $1" "$(k logs "$1" -c marker)" "$3"; fi
}

cleanup() { k delete pods --all --now >/dev/null 2>&1 || true; cluster delete namespace "$namespace" --wait=false >/dev/null 2>&1 || true; }
trap cleanup EXIT

step 'the namespace, the Secret as ci-operator makes it, and who may do what'
cluster create namespace "$namespace"
if [ -n "${ACCOUNTS:-}" ]; then $ACCOUNTS "$namespace"; fi
until_true 'the ServiceAccount' k get serviceaccount default
k apply -f - <<OBJECTS
apiVersion: v1
kind: Secret
metadata: {name: e2e, labels: {ci.openshift.io/skip-censoring: "true"}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: stranger}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: e2e}
rules:
- {apiGroups: [""], resources: [secrets], resourceNames: [e2e], verbs: [get, update]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: e2e}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: e2e}
subjects: [{kind: ServiceAccount, name: default}]
OBJECTS

step 'a step shares files, its kubeconfig early'
run_step first default '' 'set -eu
echo first >$SHARED_DIR/first
printf "kind: Config\nclusters: []\n" >$SHARED_DIR/kubeconfig
echo "home $HOME, shared $SHARED_DIR"
until [ -e /logs/go-on ]; do sleep 0.1; done
echo late >$SHARED_DIR/late'
until_true 'the early upload' has_key kubeconfig
same 'keys while the step runs' "$(keys)" 'first kubeconfig '
k exec first -c test -- /bin/sh -c 'touch /logs/go-on'
expect first 0 0
same 'keys after the step' "$(keys)" 'first kubeconfig late '
contains 'what the step saw' "$(k logs first -c test)" 'home /alabama, shared /tmp/secret'
same 'the label stays' "$(k get secret e2e -o 'jsonpath={.metadata.labels.ci\.openshift\.io/skip-censoring}')" true

step 'the next step finds them in its Secret volume, removes one, and fails'
run_step second default '' 'ls -A $SHARED_DIR | tr "\n" " "; rm $SHARED_DIR/late; echo second >$SHARED_DIR/second; exit 3'
expect second 3 3
contains 'files of the second step' "$(k logs second -c test)" 'first kubeconfig late '
same 'keys after the second step' "$(keys)" 'first kubeconfig second '

step 'a deletion reaches the step as INT, then TERM, and its files are shared'
run_step deleted default '' 'trap "echo got INT >>$SHARED_DIR/got" INT
trap "echo got TERM >>$SHARED_DIR/got; exit 7" TERM
echo ready; while :; do sleep 0.05; done'
until_true 'the step to be ready' says deleted ready
k delete pod deleted --wait=false
until_true 'the files of the deleted step' has_key got
same 'signals in order' "$(value got | tr '\n' ' ')" 'got INT got TERM '
until_true 'the pod to be gone' is_gone deleted

step 'a ServiceAccount without the right: one line that names it and the verb'
run_step forbidden stranger '' 'echo ran'
expect forbidden 1 0
log=$(k logs forbidden -c test)
printf '%s\n' "$log"
contains 'the answer' "$log" 'error: secret update failed: Secret e2e in namespace'
contains 'the answer' "$log" "403 Forbidden: secrets \"e2e\" is forbidden: User \"system:serviceaccount:$namespace:stranger\" cannot update resource \"secrets\""
same 'lines of error' "$(printf '%s\n' "$log" | grep -c '^error:')" 1
same 'keys are as before' "$(keys)" 'first got kubeconfig second '

step 'a failed step keeps its code when the update is refused'
run_step both stranger '' 'exit 5'
expect both 5 5

step 'modes that leave the Secret alone'
run_step skipping stranger '"--mode=skip-kubeconfig"' 'echo x >$SHARED_DIR/x; exit 6'
run_step observing stranger '"--mode=observer"' 'echo x >$SHARED_DIR/x; exit 0'
expect skipping 6 6
expect observing 0 0
same 'keys are as before' "$(keys)" 'first got kubeconfig second '

step 'what a Secret cannot hold is found before it is sent'
run_step large default '' 'head -c 1048577 /dev/zero >$SHARED_DIR/dump'
expect large 1 0
contains 'the largest file is named' "$(k logs large -c test)" 'dump (1048577 bytes)'

step 'the largest Secret that Kubernetes takes'
run_step largest default '' 'rm $SHARED_DIR/*; head -c 1048576 /dev/zero >$SHARED_DIR/dump'
expect largest 0 0
same 'keys after the largest step' "$(keys)" 'dump '

step 'a Secret that is gone'
run_step gone default '' 'until [ -e /logs/go-on ]; do sleep 0.1; done; exit 0'
until_true 'the step to run' k exec gone -c test -- /bin/sh -c true
k delete secret e2e
k exec gone -c test -- /bin/sh -c 'touch /logs/go-on'
expect gone 1 0
contains 'the answer' "$(k logs gone -c test)" '404 Not Found: secrets "e2e" not found'

end_of_checks
