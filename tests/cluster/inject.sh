#!/usr/bin/env bash
# What `podutils inject` makes of pods, against a real API server and kubelet: the
# server takes every golden file, and an injected pod runs, with the build id from
# the downward API, Secrets from a volume and a variable, a native sidecar, and
# `kubectl delete` in the middle.
#
# Not part of the continuous integration: it needs a cluster whose one node is this
# machine and has the images. It makes two namespaces and removes them at the end.
#
#   tests/cluster/inject.sh ENTRYPOINT_IMAGE SIDECAR_IMAGE SHELL_IMAGE
#
# Environment:
#
#   KUBECTL     the command to reach the cluster as its administrator (kubectl)
#   PODUTILS    the program (target/debug/podutils)
#   POD_SPEC    YAML lines, indented by two spaces, that every pod needs here, such
#               as `  nodeName: NODE` where there is no scheduler
#   ACCOUNTS    what makes a namespace's ServiceAccount `default` and ConfigMap
#               kube-root-ca.crt, where no controller does; gets the namespace
set -euo pipefail
usage='usage: tests/cluster/inject.sh ENTRYPOINT_IMAGE SIDECAR_IMAGE SHELL_IMAGE'
entrypoint=${1:?$usage} sidecar=${2:?$usage} shell=${3:?$usage}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
podutils=${PODUTILS:-$root/target/debug/podutils}
namespace=inject-e2e
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
work=$(mktemp -d) && chmod 0755 "$work" && mkdir -m 0777 "$work/out"

finish() {
  cluster delete namespace "$namespace" ci --ignore-not-found --wait=false >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap finish EXIT

for name in "$namespace" ci; do
  cluster get namespace "$name" >/dev/null 2>&1 || cluster create namespace "$name" >/dev/null
  [ -z "${ACCOUNTS:-}" ] || $ACCOUNTS "$name" >/dev/null
done
cluster -n ci get serviceaccount e2e-runner >/dev/null 2>&1 || cluster -n ci create serviceaccount e2e-runner >/dev/null

# `anchors` has a key for its anchors, and nobody knows a Rollout here.
for golden in "$root"/deploy/src/inject/golden/*.out.*; do
  case $golden in */anchors.* | */rollout.*) continue ;; esac
  if said=$(cluster create --dry-run=server --validate=strict -f "$golden" 2>&1); then
    ok "the API server takes $(basename "$golden")"
  else
    failed "$(basename "$golden"): $said"
  fi
done

k delete secret mounted named --ignore-not-found >/dev/null
k create secret generic mounted --from-literal=token=a-mounted-secret >/dev/null
k create secret generic named --from-literal=token=a-named-secret >/dev/null

inject() { # name, commands, flags...
  local name=$1 commands=$2; shift 2
  "$podutils" inject --out "file://$work/out" --image "entrypoint=$entrypoint" --image "sidecar=$sidecar" "$@" <<POD |
apiVersion: v1
kind: Pod
metadata: {name: $name, namespace: $namespace}
spec:
${POD_SPEC:-}
  containers:
  - name: test
    image: $shell
    command: [/bin/sh, -c]
    args:
    - |
      $commands
    env:
    - {name: NAMED, valueFrom: {secretKeyRef: {name: named, key: token}}}
    volumeMounts:
    - {name: mounted, mountPath: /mounted}
  volumes:
  - {name: mounted, secret: {secretName: mounted}}
POD
    tee "$work/$name.yaml" | k create -f - >/dev/null
  "$podutils" inject --check "$work/$name.yaml"
}
uid() { k get pod "$1" -o 'jsonpath={.metadata.uid}'; }

for flags in '' '--native-sidecar'; do
  name=run${flags:+-native}
  # shellcheck disable=SC2086 # no flag or one
  inject "$name" "id -u; cat /mounted/token; echo; echo \"\$NAMED\"; (umask 077; echo made >\$ARTIFACTS/made); exit 3" $flags
  id=$(uid "$name")
  until_true "$name to end" has_ended "$name"
  results=$work/out/logs/$name/$id
  check "$name: the build id is the pod's uid" test -f "$results/finished.json"
  check "$name: FAILURE" grep -q '"result":"FAILURE"' "$results/finished.json"
  check "$name: both Secrets are masked" grep -qx 'XXXXXXXXXXXXXXXX' "$results/build-log.txt"
  check "$name: no Secret is left" sh -c "! grep -rq 'a-mounted-secret\|a-named-secret' '$results'"
  check "$name: what only its owner may read" grep -q made "$results/artifacts/made"
done

for flags in '' '--ignore-interrupts' '--native-sidecar'; do
  name=stop${flags:+-${flags#--}}
  # shellcheck disable=SC2086 # no flag or one
  inject "$name" 'trap "echo interrupted" INT; trap "echo cleaned; exit 0" TERM; echo ready; while :; do sleep 0.1; done' $flags
  id=$(uid "$name")
  until_true "$name to run" says "$name" ready
  k delete pod "$name" --wait=false >/dev/null
  until_true "$name to go" is_gone "$name"
  results=$work/out/logs/$name/$id
  check "$name: ABORTED" grep -q '"result":"ABORTED"' "$results/finished.json"
  check "$name: it could clean up" grep -q cleaned "$results/build-log.txt"
done

end_of_checks
