#!/usr/bin/env python3
"""Makes a corpus for the target `webhook`: one AdmissionReview for each pod and pod template in YAML files.

    tests/fuzz/pods.py OUTPUT DIRECTORY...

The directories are those of Go modules with manifests, as `go mod download` leaves them: Kubernetes' own examples, Argo CD,
cert-manager, Istio, Knative, Tekton, Prow. Pods that are equal are written once. `POD_UTILS_PODS=OUTPUT cargo test -p podutils
--test fuzz_corpus` checks them all. Needs PyYAML.
"""

import hashlib
import json
import pathlib
import sys

import yaml

loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def pods(node):
    """Every mapping with a `spec` that has containers, wherever it is."""
    if isinstance(node, dict):
        spec = node.get("spec")
        if isinstance(spec, dict) and isinstance(spec.get("containers"), list):
            metadata = dict(node.get("metadata") or {})
            metadata.setdefault("generateName", "pod-")  # as controllers name the pods of a template
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        for value in node.values():
            yield from pods(value)
    elif isinstance(node, list):
        for value in node:
            yield from pods(value)


output = pathlib.Path(sys.argv[1])
output.mkdir(parents=True, exist_ok=True)
read = written = 0
for directory in sys.argv[2:]:
    for path in pathlib.Path(directory).rglob("*.y*ml"):
        try:
            text = path.read_text()
            if "containers:" not in text or len(text) > 1_000_000:
                continue  # definitions of CRDs have megabytes and no pods
            documents = list(yaml.load_all(text, loader))
        except (OSError, ValueError, yaml.YAMLError, RecursionError):
            continue  # a template, or no text
        for pod in pods(documents):
            read += 1
            request = {
                "uid": "u",
                "kind": {"group": "", "version": "v1", "kind": "Pod"},
                "operation": "CREATE",
                "namespace": "ns",
                "object": pod,
            }
            review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
            text = json.dumps(review, default=str)
            name = output / hashlib.sha256(text.encode()).hexdigest()[:16]
            written += not name.exists()
            name.write_text(text)
print(f"{read} pods, {written} new ones in {output}")
