#!/usr/bin/env bash
# The webhook as deploy/kubernetes/webhook deploys it: its image on a real kubelet, in a namespace that enforces
# Pod Security "restricted", with the Service, the Secret and the configuration of the manifests, asked by a real API server.
# The certificate comes from the Job, or from cert-manager's own controllers; it is replaced while pods are created.
#
# Not part of the continuous integration: it needs a cluster whose one node is this machine and has the images,
# jq and python3. The script makes the pods of the Deployment and of the Job from their templates, so that the cluster
# needs no controllers. It makes the namespaces webhook-e2e and pod-utils-webhook and removes them.
#
#   tests/cluster/webhook-deployed.sh POD_UTILS_IMAGE
#
# Environment:
#
#   KUBECTL     the command to reach the cluster as its administrator (kubectl)
#   BESIDE      what runs a program where the API server reaches its addresses
#   API_HOST, API_PORT   where the API server listens for such a program (127.0.0.1, 6443)
#   POD_SPEC    YAML lines, indented by two spaces, that every pod needs to run here, such as `  nodeName: NODE`
#   ACCOUNTS    what makes a namespace's ServiceAccount `default` and ConfigMap kube-root-ca.crt, where no
#               controller does; gets the namespace
#   PLAY_PROXY  1: there is no kube-proxy, and the script plays it with the loopback device beside the API server; the
#               pods need a route to the addresses of Services (CNI's ptp: `"routes": [{"dst": "10.96.0.0/24"}]` in `ipam`)
#   CERT_MANAGER, CERT_MANAGER_CRDS   the program of tests/cluster/cert-manager, and deploy/crds of the module
#               github.com/cert-manager/cert-manager: takes the component cert-manager/ instead of the Job
set -euo pipefail
image=${1:?usage: tests/cluster/webhook-deployed.sh POD_UTILS_IMAGE}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
namespace=pod-utils-webhook
# shellcheck source=tests/cluster/lib.sh
. "$here/lib.sh"
read -ra beside <<<"${BESIDE:-}"
work=$(mktemp -d)
servers=() addresses=()
finish() {
  [ ${#servers[@]} = 0 ] || kill "${servers[@]}" 2>/dev/null || true
  for address in "${addresses[@]}"; do "${beside[@]}" ip addr del "$address/32" dev lo || true; done
  cluster delete mutatingwebhookconfiguration pod-utils-webhook --ignore-not-found >/dev/null 2>&1 || true
  cluster delete clusterrole,clusterrolebinding pod-utils-webhook-certificate --ignore-not-found >/dev/null 2>&1 || true
  k delete pods,secrets,configmaps --all --grace-period=1 >/dev/null 2>&1 || true
  [ -z "${CERT_MANAGER:-}" ] || cluster delete crd -l app.kubernetes.io/name=cert-manager --ignore-not-found --wait=false >/dev/null 2>&1 || true
  cluster delete namespace webhook-e2e "$namespace" --ignore-not-found --wait=false >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap finish EXIT

# What reaches one address and port reaches one of the others.
forward() { # address:port, target:port...
  local address=${1%:*}
  "${beside[@]}" ip addr add "$address/32" dev lo
  addresses+=("$address")
  "${beside[@]}" python3 "$here/forward.py" "$@" &
  servers+=("$!")
}

step 'an overlay, as the document has it'
webhook=$(realpath --relative-to="$work" "$here/../../deploy/kubernetes/webhook")
if [ -n "${CERT_MANAGER:-}" ]; then
  printf 'resources: [%s/base]\ncomponents: [%s/cert-manager]\n' "$webhook" "$webhook"
else
  printf 'resources: [%s]\n' "$webhook"
fi >"$work/kustomization.yaml"
cat >>"$work/kustomization.yaml" <<OVERLAY
images:
- {name: registry.example/pod-utils/pod-utils, newName: ${image%:*}, newTag: ${image##*:}}
patches:
- patch: |-
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: options, namespace: pod-utils-webhook}
    data:
      options.yaml: |
        out: s3://ci-results
        s3-credentials-secret: ci-s3
        image-prefix: registry.example/pod-utils
OVERLAY
cluster kustomize "$work" >"$work/all.yaml"
if [ -n "${CERT_MANAGER:-}" ]; then
  # Helm's templates in them are labels only.
  for crd in certificates certificaterequests issuers clusterissuers challenges orders; do
    sed -e 's|{{ template "cert-manager.name" . }}|cert-manager|' -e 's|{{ .Release.Name }}|cert-manager|' \
      "$CERT_MANAGER_CRDS/crd-$crd.yaml" | cluster apply --server-side -f - >/dev/null
  done
  check 'the definitions are there' cluster wait --for=condition=Established crd -l app.kubernetes.io/name=cert-manager --timeout=60s
  cluster config view --raw --minify --flatten -o json >"$work/kubeconfig"
  "${beside[@]}" "$CERT_MANAGER" "$work/kubeconfig" >"$work/cert-manager.log" 2>&1 &
  servers+=("$!")
fi

for name in webhook-e2e "$namespace"; do
  cluster get namespace "$name" >/dev/null 2>&1 || cluster create namespace "$name" >/dev/null
  [ -z "${ACCOUNTS:-}" ] || $ACCOUNTS "$name" >/dev/null
done
cluster label --overwrite namespace webhook-e2e pod-utils.dev/inject=true >/dev/null
cluster create --dry-run=client -o json -f "$work/all.yaml" | jq 'if .kind == "List" then .items[] else . end' >"$work/all.json"
workloads() { jq "select(.kind | IN(\"Deployment\", \"Job\", \"CronJob\") $1)" "$work/all.json"; }
check 'the API server takes it' cluster apply -f - < <(workloads '| not')
check 'and its workloads' cluster apply --dry-run=server -f - < <(workloads '')

# A pod as a controller would make it from the object's template.
template() { # kind, object, name of the pod
  { printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n%s\n  containers: []\n' "${POD_SPEC:-}" |
      cluster create --dry-run=client --validate=false -o json -f -
    cat "$work/all.json"; } |
    jq -s --arg kind "$1" --arg object "$2" --arg name "$3" '.[0].spec as $more | .[1:][]
      | select(.kind == $kind and .metadata.name == $object) | .spec.template
      | .metadata += {name: $name, namespace: "pod-utils-webhook"} | .apiVersion = "v1" | .kind = "Pod"
      | .spec += ($more | del(.containers))' | cluster create -f - >/dev/null
}
secret() { k get secret webhook-certificate -o json; }
bundle() { cluster get mutatingwebhookconfiguration pod-utils-webhook -o json | jq -r '[.webhooks[].clientConfig.caBundle // "none"] | unique | join(" ")'; }
is_trusted() { [ "$(bundle)" = "$(secret | jq -r '.data["ca.crt"]')" ]; }
is_issued() { [ "$(secret | jq -r '.data["tls.crt"]')" != "${1:-}" ]; }

step 'the certificate'
if [ -n "${PLAY_PROXY:-}" ]; then
  forward "$(cluster -n default get service kubernetes -o 'jsonpath={.spec.clusterIP}:{.spec.ports[0].port}')" \
    "${API_HOST:-127.0.0.1}:${API_PORT:-6443}"
fi
if [ -n "${CERT_MANAGER:-}" ]; then
  until_true 'cert-manager to issue' is_issued
  check 'Ready' k wait --for=condition=Ready certificate/webhook certificate/webhook-ca --timeout=60s
  until_true 'cainjector to fill the caBundle' is_trusted
else
  template Job webhook-certificate first
  until_true 'the Job' has_ended first
  same 'the Job' "$(phase first)" Succeeded
  k logs first
fi
check 'the caBundle of both webhooks is the CA of the Secret' is_trusted

step 'two replicas'
for name in one two; do template Deployment webhook "$name"; done
check 'the kubelet finds them ready' k wait --for=condition=Ready pod/one pod/two --timeout=120s
for process in $(pgrep -fx '/podutils webhook'); do
  status() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$process/status" | tr '\t' ' '; }
  same 'its users' "$(status Uid)" '65532 65532 65532 65532'
  same 'its capabilities' "$(status CapBnd) $(status CapEff)" '0000000000000000 0000000000000000'
  same 'no new privileges, seccomp' "$(status NoNewPrivs) $(status Seccomp)" '1 2'
  same 'the root file system' "$(awk '$5 == "/" {sub(/,.*/, "", $6); print $6}' "/proc/$process/mountinfo")" ro
  same 'its token' "$(grep -c serviceaccount "/proc/$process/mountinfo" || true)" 0
  printf 'memory: %s, image: %s\n' "$(status VmRSS)" "$(readlink "/proc/$process/exe")"
done
ip() { k get pod "$1" -o 'jsonpath={.status.podIP}'; }
if [ -n "${PLAY_PROXY:-}" ]; then
  forward "$(k get service webhook -o 'jsonpath={.spec.clusterIP}:{.spec.ports[0].port}')" "$(ip one):8443" "$(ip two):8443"
fi

# The names of the containers that a pod would have.
containers() {
  printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: webhook-e2e}\nspec: {containers: [{name: test, image: i, command: ["true"]}]}' |
    cluster create --dry-run=server -o 'jsonpath={.spec.containers[*].name}' -f - 2>&1
}
decorates() { [ "$(containers)" = 'test sidecar' ]; }
until_true 'a decorated pod' decorates
same 'a pod, through the Service' "$(containers)" 'test sidecar'
metric() { # pod, name
  "${beside[@]}" curl --silent --insecure "https://$(ip "$1"):8443/metrics" | sed -n "s/^$2 //p"
}

step 'the certificate is replaced, and pods are created meanwhile'
end_of() { metric "$1" pod_utils_webhook_certificate_not_after_seconds; }
served=$(secret | jq -r '.data["tls.crt"]') ends=$(end_of one) trusted=$(bundle) begin=$SECONDS
if [ -n "${CERT_MANAGER:-}" ]; then
  # As `cmctl renew` does.
  k get certificate webhook -o json | jq --arg now "$(date -u +%FT%TZ)" '.status.conditions += [{type: "Issuing", status: "True",
    reason: "ManuallyTriggered", message: "renewed by hand", lastTransitionTime: $now}]' |
    cluster replace --subresource=status -f - >/dev/null
else
  k annotate --overwrite secret webhook-certificate pod-utils.dev/hosts=others >/dev/null # what makes it due
  template Job webhook-certificate second
fi
until_true 'the next certificate' is_issued "$served"
printf 'issued after %s s\n' $((SECONDS - begin))
asked=0 undecorated=0
is_served() {
  asked=$((asked + 1))
  decorates || undecorated=$((undecorated + 1))
  [ "$(end_of one)" -gt "$ends" ] && [ "$(end_of two)" -gt "$ends" ]
}
until_true 'both replicas to serve with it' is_served
printf 'served after %s s\n' $((SECONDS - begin))
same "undecorated of $asked pods" "$undecorated" 0
same 'refused connections' "$(metric one pod_utils_webhook_certificate_refusals_total) $(metric two pod_utils_webhook_certificate_refusals_total)" '0 0'
if [ -n "${CERT_MANAGER:-}" ]; then
  check 'the CA is the same one' test "$(bundle)" = "$trusted"
else
  same 'the CA before it is still trusted' "$(bundle | base64 -d | grep -c BEGIN)" 2
fi

step 'a replica goes'
k get pod one --watch-only -o json >"$work/end" 2>/dev/null &
servers+=("$!")
k delete pod one --wait=false >/dev/null
asked=0 undecorated=0
one_is_gone() { asked=$((asked + 1)); decorates || undecorated=$((undecorated + 1)); is_gone one; }
until_true 'the replica to end' one_is_gone
same "undecorated of $asked pods" "$undecorated" 0
same 'its exit code' "$(jq -s '[.[].status.containerStatuses[0].state.terminated.exitCode // empty] | last' "$work/end")" 0

end_of_checks
