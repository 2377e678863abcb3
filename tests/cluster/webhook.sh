#!/usr/bin/env bash
# `podutils webhook` in front of a real API server: which pods it decorates, what it refuses, a second
# webhook behind it, 50 pods a second, a certificate that is replaced meanwhile, certificates that are no good, its
# absence; and one of its pods on a real kubelet to the delivered result. The manifests of deploy/kubernetes/webhook go
# through a dry run; webhook-deployed.sh runs what they deploy.
#
# Not part of the continuous integration: it needs a cluster whose one node is this machine and has the images,
# jq, openssl and python3. It makes the namespaces webhook-e2e, webhook-plain and pod-utils-webhook and removes them.
#
#   tests/cluster/webhook.sh ENTRYPOINT_IMAGE SIDECAR_IMAGE SHELL_IMAGE
#
# Environment:
#
#   KUBECTL     the command to reach the cluster as its administrator (kubectl)
#   PODUTILS    the program (target/debug/podutils)
#   BESIDE      what runs a program where the API server reaches its 127.0.0.1
#   API_HOST, API_PORT   where the API server listens for such a program (127.0.0.1, 6443)
#   POD_SPEC    YAML lines, indented by two spaces, that every pod needs to run here, such as `  nodeName: NODE`
#   LOAD_ONLY   1: ends behind the 50 pods a second
#   ACCOUNTS    what makes a namespace's ServiceAccount `default` and ConfigMap kube-root-ca.crt, where no
#               controller does; gets the namespace
set -euo pipefail
usage='usage: tests/cluster/webhook.sh ENTRYPOINT_IMAGE SIDECAR_IMAGE SHELL_IMAGE'
entrypoint=${1:?$usage} sidecar=${2:?$usage} shell=${3:?$usage}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
podutils=${PODUTILS:-$root/target/debug/podutils}
namespace=webhook-e2e
port=18443
# shellcheck source=tests/cluster/lib.sh
. "$here/lib.sh"
read -ra beside <<<"${BESIDE:-}"
work=$(mktemp -d) && chmod 0755 "$work" && mkdir -m 0777 "$work/out" && mkdir "$work/tls" "$work/account"
servers=()
finish() {
  [ ${#servers[@]} = 0 ] || kill "${servers[@]}" 2>/dev/null || true
  cluster delete mutatingwebhookconfiguration pod-utils-webhook zz-adds --ignore-not-found >/dev/null 2>&1 || true
  cluster delete clusterrole,clusterrolebinding pod-utils-webhook-certificate --ignore-not-found >/dev/null 2>&1 || true
  cluster delete namespace webhook-e2e webhook-plain pod-utils-webhook --ignore-not-found --wait=false >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap finish EXIT

for name in webhook-e2e webhook-plain pod-utils-webhook kube-system; do
  cluster get namespace "$name" >/dev/null 2>&1 || cluster create namespace "$name" >/dev/null
  [ -z "${ACCOUNTS:-}" ] || $ACCOUNTS "$name" >/dev/null
done
cluster label --overwrite namespace webhook-e2e pod-utils.dev/inject=true >/dev/null

step 'the manifests, as a dry run'
manifests=$(cluster kustomize "$root/deploy/kubernetes/webhook")
taken=$(cluster apply --dry-run=server --validate=strict -o name -f - <<<"$manifests" | wc -l)
same 'objects that the API server takes' "$taken" "$(grep -c '^kind:' <<<"$manifests")"

step 'the certificate, by the account of the Job'
# The configuration as it is shipped, but for where the webhook is.
configuration() { # failurePolicy
  cluster create --dry-run=client -o json -f - <<<"$manifests" |
    jq --arg url "https://127.0.0.1:$port/mutate" --arg policy "$1" \
      'if .kind == "List" then .items[] else . end | select(.kind == "MutatingWebhookConfiguration")
       | .webhooks[].clientConfig = {url: $url} | .webhooks[].failurePolicy = $policy'
}
configuration Ignore | cluster apply -f - >/dev/null
cluster apply -f "$root/deploy/kubernetes/webhook/certificate-job/access.yaml" >/dev/null
cluster create token webhook-certificate --namespace pod-utils-webhook >"$work/account/token"
cluster config view --raw --minify --flatten -o json >"$work/kubeconfig"
jq -r '.clusters[0].cluster."certificate-authority-data"' "$work/kubeconfig" | base64 -d >"$work/account/ca.crt"
certificate() { # options...
  "${beside[@]}" env KUBERNETES_SERVICE_HOST="${API_HOST:-127.0.0.1}" KUBERNETES_SERVICE_PORT="${API_PORT:-6443}" \
    "$podutils" webhook certificate --namespace pod-utils-webhook --service webhook --secret webhook-certificate \
    --configuration pod-utils-webhook --service-account-dir "$work/account" --host 127.0.0.1 "$@"
}
secret() { cluster -n pod-utils-webhook get secret webhook-certificate -o json; }
# What the kubelet does with a Secret that has changed.
place_certificate() {
  for file in tls.crt tls.key; do
    secret | jq -r --arg file "$file" '.data[$file]' | base64 -d >"$work/tls/$file.new"
  done
  for file in tls.crt tls.key; do mv "$work/tls/$file.new" "$work/tls/$file"; done
}
bundle() { cluster get mutatingwebhookconfiguration pod-utils-webhook -o jsonpath="{.webhooks[$1].clientConfig.caBundle}"; }
check 'made' certificate
same 'the caBundle of both webhooks' "$(bundle 0)$(bundle 1)" "$(secret | jq -r '.data["ca.crt"] + .data["ca.crt"]')"
before=$(secret | jq -r .metadata.resourceVersion)
check 'made once' certificate
same 'nothing was written again' "$(secret | jq -r .metadata.resourceVersion)" "$before"
as() { cluster auth can-i "$@" --as system:serviceaccount:pod-utils-webhook:webhook-certificate || true; }
same 'the Job may not read other Secrets' "$(as get secrets/other -n pod-utils-webhook)" no
same 'nor those of other namespaces' "$(as get secrets/webhook-certificate -n default)" no
same 'nor change other configurations' "$(as patch mutatingwebhookconfigurations/other)" no
same 'the webhook itself may nothing' "$(cluster auth can-i get pods -A --as system:serviceaccount:pod-utils-webhook:webhook || true)" no

printf 'out: file://%s/out\nimage: [entrypoint=%s, sidecar=%s]\n' "$work" "$entrypoint" "$sidecar" >"$work/options.yaml"
place_certificate
start_webhook() { # options...
  "${beside[@]}" "$podutils" webhook --listen "127.0.0.1:$port" --options "$work/options.yaml" \
    --tls-cert "$work/tls/tls.crt" --tls-key "$work/tls/tls.key" --drain 1s "$@" 2>>"$work/log" &
  webhook=$!
  servers+=("$webhook")
  until_true 'the webhook to serve' get healthz
}
stop_webhook() { kill "$webhook"; wait "$webhook" || failed "the webhook ended with $?"; }
# The API server looks at the certificate; this does not, so that it also asks when that one is no good.
get() { "${beside[@]}" curl --silent --fail --insecure "https://127.0.0.1:$port/$1"; }
start_webhook
check 'ready' get readyz
load() { "${beside[@]}" python3 "$here/create_pods.py" --namespace "$1" --image "$shell" <"$work/kubeconfig"; }
bucket() { sed -n "s/^pod_utils_webhook_request_duration_seconds_bucket{le=\"$1\"} //p" <<<"$metrics"; }
fifty_a_second() {
  local bare with metrics
  step '50 pods a second'
  load webhook-plain >/dev/null # warms the API server up
  bare=$(load webhook-plain) with=$(load webhook-e2e)
  printf 'bare:    %s\nwebhook: %s\n' "$bare" "$with"
  same 'pods without an error' "$(jq -r '.count - .errors' <<<"$with")" 1000
  same 'decorated' "$(jq -r .decorated <<<"$with")" 1000
  # On a machine that is busy with other things these two say nothing.
  check 'the median creation takes at most 20 ms more' test "$(jq -n --argjson a "$bare" --argjson b "$with" '$b.p50_ms - $a.p50_ms <= 20')" = true
  metrics=$(get metrics)
  check "99 % of the webhook's own answers take at most 5 ms ($(bucket 0.005) of $(bucket +Inf))" test "$(($(bucket 0.005) * 100))" -ge "$(($(bucket +Inf) * 99))"
}
if [ -n "${LOAD_ONLY:-}" ]; then fifty_a_second; end_of_checks; exit; fi

pod() { # namespace, name, metadata as JSON, container as JSON
  jq -n --arg namespace "$1" --arg name "$2" --argjson metadata "${3:-{\}}" --arg image "$shell" --argjson container "${4:-{\}}" '{
    apiVersion: "v1", kind: "Pod", metadata: ({$namespace, $name} + $metadata),
    spec: {nodeSelector: {nobody: "here"}, containers: [{name: "test", image: $image, command: ["true"]} + $container]}}'
}
# The names of the containers that a pod would have.
containers() { pod "$@" | cluster create --dry-run=server -o json -f - 2>&1 | jq -r '[.spec.containers[].name] | join(" ")' 2>/dev/null || echo refused; }

step 'which pods'
same 'a pod of a labelled namespace' "$(containers webhook-e2e a)" 'test sidecar'
same 'one that says no' "$(containers webhook-e2e a '{"labels": {"pod-utils.dev/inject": "false"}}')" test
same 'a pod of another namespace' "$(containers webhook-plain a)" test
same 'one that says yes' "$(containers webhook-plain a '{"labels": {"pod-utils.dev/inject": "true"}}')" 'test sidecar'
same 'a pod of a ReplicaSet' "$(containers webhook-e2e a '{"ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u", "controller": true}]}')" test
same 'in kube-system' "$(containers kube-system a '{"labels": {"pod-utils.dev/inject": "true"}}')" test
contains 'what cannot be decorated is refused' "$(pod webhook-e2e a '{}' '{"command": null}' | cluster create --dry-run=server -f - 2>&1 || true)" \
  'denied the request: spec.containers[0].command: missing'
contains 'so is a destination of its own' "$(pod webhook-e2e a '{"annotations": {"pod-utils.dev/out": "s3://mine"}}' | cluster create --dry-run=server -f - 2>&1 || true)" \
  'a pod may not set this'
stop_webhook
start_webhook --undecoratable pass
contains 'or let through with a warning' "$(pod webhook-e2e passed '{}' '{"command": null}' | cluster create -f - 2>&1 || true)" 'not decorated: spec.containers[0].command'
check 'and is there' k get pod passed
stop_webhook
start_webhook

step 'another webhook adds a container afterwards'
"${beside[@]}" python3 "$here/add_container.py" 18444 "$work/tls/tls.crt" "$work/tls/tls.key" "$shell" 2>/dev/null &
servers+=("$!")
configuration Fail | jq '.metadata = {name: "zz-adds"} | .webhooks |= [.[1]] | .webhooks[0].name = "adds.example.org"
  | .webhooks[0].clientConfig.url = "https://127.0.0.1:18444/"' |
  jq --arg bundle "$(bundle 0)" '.webhooks[0].clientConfig.caBundle = $bundle' | cluster apply -f - >/dev/null
reinvoked() { test "$(containers webhook-e2e a '{"labels": {"adds": "more"}}')" = 'test sidecar more'; }
until_true 'the other webhook' reinvoked
check 'decorated once, and not again for the added one' reinvoked
cluster delete mutatingwebhookconfiguration zz-adds >/dev/null

fifty_a_second

step 'the certificate is replaced under load'
load webhook-e2e >"$work/rotation" &
loading=$!
sleep 5
old=$(secret | jq -r '.data["tls.crt"]')
certificate --host 127.0.0.2
place_certificate
wait "$loading"
cat "$work/rotation"
check 'it is another one' test "$(secret | jq -r '.data["tls.crt"]')" != "$old"
same 'decorated meanwhile' "$(jq -r .decorated "$work/rotation")" 1000

step 'one of its pods, to its result'
k create secret generic mounted --from-literal=token=a-mounted-secret --dry-run=client -o yaml | k apply -f - >/dev/null
k create -f - >/dev/null <<POD
apiVersion: v1
kind: Pod
metadata: {name: runs, annotations: {pod-utils.dev/timeout: 5m}}
spec:
${POD_SPEC:-}
  containers:
  - name: test
    image: $shell
    command: [/bin/sh, -c, 'cat /mounted/token; echo; echo made >\$ARTIFACTS/made; exit 3']
    volumeMounts: [{name: mounted, mountPath: /mounted}]
  volumes: [{name: mounted, secret: {secretName: mounted}}]
POD
until_true 'the pod to end' has_ended runs
results=$(find "$work/out/logs/runs" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*')
check 'FAILURE' grep -q '"result":"FAILURE"' "$results/finished.json"
check 'the Secret is masked' grep -qx 'XXXXXXXXXXXXXXXX' "$results/build-log.txt"
check 'the artifact' grep -q made "$results/artifacts/made"

step 'a certificate that is over, not valid yet, of another name, or of another CA'
mkdir "$work/ca" && : >"$work/ca/index"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=another-ca -keyout "$work/ca/key" -out "$work/ca/crt" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=webhook -keyout "$work/ca/webhook.key" -out "$work/ca/request" 2>/dev/null
# What the webhook serves from its next start on.
place_dated() { # from, until (for date), address
  local config="[ca]\ndefault_ca=d\n[d]\ndatabase=$work/ca/index\nnew_certs_dir=$work/ca\nrand_serial=yes\ndefault_md=sha256
unique_subject=no\npolicy=p\nx509_extensions=e\n[p]\ncommonName=supplied\n[e]\nsubjectAltName=IP:$3\n"
  openssl ca -batch -notext -config <(printf "%b" "$config") -cert "$work/ca/crt" -keyfile "$work/ca/key" -in "$work/ca/request" \
    -startdate "$(date -u -d "$1" +%Y%m%d%H%M%SZ)" -enddate "$(date -u -d "$2" +%Y%m%d%H%M%SZ)" -out "$work/tls/tls.crt" 2>"$work/ca/log"
  cp "$work/ca/webhook.key" "$work/tls/tls.key"
}
apply_policy() { configuration "$1" | jq --arg bundle "$2" '.webhooks[].clientConfig.caBundle = $bundle' | cluster apply -f - >/dev/null; }
refusal() { pod webhook-e2e a | cluster create --dry-run=server -f - 2>&1 || true; }
refuses_with() { case $(refusal) in *"$1"*) ;; *) false ;; esac; }
decorates() { [ "$(containers webhook-e2e a)" = 'test sidecar' ]; }
passes() { [ "$(containers webhook-e2e a)" = test ]; }
fail_open() {
  cluster get --raw /metrics | sed -n 's/^apiserver_admission_webhook_fail_open_count{name="namespaces.pod-utils.dev",type="admit"} //p'
}
refusals() { get metrics | sed -n 's/^pod_utils_webhook_certificate_refusals_total //p'; }
good=$(bundle 0) own=$(base64 -w 0 <"$work/ca/crt")
no_good() { # what, the API server's reason
  local counted begin
  start_webhook
  apply_policy Fail "$own"
  until_true "the refusal: $1" refuses_with "$2"
  contains "$1, failurePolicy Fail: the pod is refused" "$(refusal)" "$2"
  refusal | tail -n 1
  apply_policy Ignore "$own"
  until_true 'the changed policy' passes
  counted=$(fail_open) begin=$SECONDS
  same "$1, failurePolicy Ignore: the pod is created, undecorated" "$(containers webhook-e2e a)" test
  check "at once ($((SECONDS - begin)) s)" test $((SECONDS - begin)) -le 3
  check "the API server counts it ($counted)" test "$(fail_open)" -gt "$counted"
  check "so does the webhook ($(refusals))" test "$(refusals)" -gt 0
}
stop_webhook
place_dated '-2 days' '-1 day' 127.0.0.1
no_good over 'certificate has expired or is not yet valid'
contains '/readyz' "$("${beside[@]}" curl --silent --insecure "https://127.0.0.1:$port/readyz")" 'validity is over'
stop_webhook
place_dated '+1 day' '+2 days' 127.0.0.1
no_good 'not valid yet' 'certificate has expired or is not yet valid'
contains '/readyz' "$("${beside[@]}" curl --silent --insecure "https://127.0.0.1:$port/readyz")" 'not valid yet'
stop_webhook
place_dated '-1 day' '+1 day' 127.0.0.2
no_good 'of another name' 'certificate is valid for 127.0.0.2, not 127.0.0.1'
stop_webhook
place_certificate
no_good 'of another CA' 'certificate signed by unknown authority'
stop_webhook
place_dated '-1 day' '+20 seconds' 127.0.0.1
start_webhook
until_true 'a decorated pod' decorates
is_over() { decorates && ! get readyz; }
until_true 'the end of the certificate' is_over
check 'over while the API server has an open connection: it goes on decorating' decorates
stop_webhook
place_certificate
apply_policy Ignore "$good"
start_webhook
until_true 'a decorated pod' decorates

step 'the webhook is away'
stop_webhook
same 'a pod is created undecorated' "$(containers webhook-e2e a)" test
apply_policy Fail "$good"
refuses() { containers webhook-e2e a | grep -q '^refused$\|^$'; }
until_true 'the changed policy' refuses
check 'or not at all with failurePolicy: Fail' refuses
# It accepts, and answers nothing.
"${beside[@]}" python3 -c "import socket, time
s = socket.create_server(('127.0.0.1', $port)); time.sleep(600)" &
servers+=("$!")
apply_policy Ignore "$good"
until_true 'the changed policy' passes
begin=$SECONDS
check 'one that hangs is given up after timeoutSeconds' passes
check "in time ($((SECONDS - begin)) s)" test $((SECONDS - begin)) -le 8

end_of_checks
