#!/usr/bin/env python3
"""Makes a corpus for the target `webhook`: AdmissionReviews of each pod and pod template in YAML files.

    tests/fuzz/pods.py OUTPUT [DIRECTORY...]

Without directories it downloads the Go modules below, which carry manifests, through Go's module proxy: 1,200 pods. Those
that are equal are written once. A pod whose containers leave out their `command`, so that it is refused, is written once
more with one. `POD_UTILS_PODS=OUTPUT cargo test -p podutils --test fuzz_corpus` checks them all. Needs PyYAML.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

import yaml

MODULES = [
    "github.com/argoproj/argo-cd/v3@v3.1.0",
    "github.com/cert-manager/cert-manager@v1.18.2",
    "github.com/kyverno/kyverno@v1.13.4",
    "github.com/tektoncd/pipeline@v1.3.0",
    "istio.io/istio@v0.0.0-20260827124520-eed52ebb66ad",
    "k8s.io/kubernetes@v1.34.4",
    "knative.dev/serving@v0.46.0",
    "sigs.k8s.io/prow@v0.0.0-20240619181241-cfb8754e0459",
]

loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def modules():
    """The directories of the modules, downloaded where they are not there."""
    with tempfile.TemporaryDirectory() as directory:
        pathlib.Path(directory, "go.mod").write_text("module pods\n")
        for module in MODULES:
            command = ["go", "mod", "download", "-json", module]
            found = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, check=True)
            yield json.loads(found.stdout)["Dir"]


def pods(node):
    """Every mapping with a `spec` that has containers with names, wherever it is."""
    if isinstance(node, dict):
        spec = node.get("spec")
        containers = spec.get("containers") if isinstance(spec, dict) else None
        # Without names they are patterns of policies, or templates of something else.
        if isinstance(containers, list) and all(isinstance(one, dict) and "name" in one for one in containers):
            metadata = dict(node.get("metadata") or {})
            metadata.setdefault("generateName", "pod-")  # as controllers name the pods of a template
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        for value in node.values():
            yield from pods(value)
    elif isinstance(node, list):
        for value in node:
            yield from pods(value)


def review(pod):
    request = {
        "uid": "u",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "operation": "CREATE",
        "namespace": "ns",
        "object": pod,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def with_commands(pod):
    containers = [{"command": ["run"], **one} for one in pod["spec"]["containers"]]
    return {**pod, "spec": {**pod["spec"], "containers": containers}}


output = pathlib.Path(sys.argv[1])
output.mkdir(parents=True, exist_ok=True)
read, found, completed = 0, set(), set()
for directory in sys.argv[2:] or modules():
    for path in sorted(pathlib.Path(directory).rglob("*.y*ml")):
        try:
            text = path.read_text()
            if "containers:" not in text or len(text) > 1_000_000:
                continue  # definitions of CRDs have megabytes and no pods
            documents = list(yaml.load_all(text, loader))
        except (OSError, ValueError, yaml.YAMLError, RecursionError):
            continue  # a template, or no text
        for pod in pods(documents):
            read += 1
            for names, form in (found, pod), (completed, with_commands(pod)):
                text = json.dumps(review(form), default=str)
                name = hashlib.sha256(text.encode()).hexdigest()[:16]
                (output / name).write_text(text)
                names.add(name)
print(f"{read} pods in files, {len(found)} different ones, {len(completed - found)} completed by a command, in {output}")
