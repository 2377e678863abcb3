"""Creates pods at a rate and says how long that took and what became of them.

    kubectl config view --raw --minify --flatten -o json |
        create_pods.py --namespace NAMESPACE --rate 50 --seconds 20 --image IMAGE

The pods name no node that exists, so that nothing runs them. One line of JSON:
count, errors, decorated, and mean, p50 and p99 of a creation in milliseconds.
"""

import argparse
import base64
import concurrent.futures
import http.client
import json
import ssl
import sys
import tempfile
import threading
import time
import urllib.parse

parser = argparse.ArgumentParser()
parser.add_argument("--namespace", required=True)
parser.add_argument("--image", required=True)
parser.add_argument("--rate", type=int, default=50)
parser.add_argument("--seconds", type=int, default=20)
options = parser.parse_args()

config = json.load(sys.stdin)
cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
server = urllib.parse.urlsplit(cluster["server"])
context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
headers = {"Content-Type": "application/json"}
if "token" in user:
    headers["Authorization"] = f"Bearer {user['token']}"
else:
    with tempfile.NamedTemporaryFile() as pem:
        pem.write(base64.b64decode(user["client-certificate-data"]) + b"\n" + base64.b64decode(user["client-key-data"]))
        pem.flush()
        context.load_cert_chain(pem.name)

path = f"/api/v1/namespaces/{options.namespace}/pods"
pod = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"generateName": "load-"},
    "spec": {
        "nodeSelector": {"nobody": "here"},
        "containers": [{"name": "test", "image": options.image, "command": ["true"]}],
    },
}
body = json.dumps(pod)
local = threading.local()


def create(due):
    time.sleep(max(0, due - time.monotonic()))
    begin = time.monotonic()
    for attempt in range(2):
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPSConnection(server.hostname, server.port, context=context, timeout=30)
        try:
            local.connection.request("POST", path, body, headers)
            answer = local.connection.getresponse()
            text = answer.read()
            break
        except (OSError, http.client.HTTPException) as error:
            del local.connection
            text, answer = str(error).encode(), None
    took = time.monotonic() - begin
    if answer is None or answer.status != 201:
        return took, text.decode(errors="replace")[:300], False
    names = [container["name"] for container in json.loads(text)["spec"]["containers"]]
    return took, None, "sidecar" in names


count = options.rate * options.seconds
start = time.monotonic() + 0.5
with concurrent.futures.ThreadPoolExecutor(16) as pool:
    results = list(pool.map(create, [start + number / options.rate for number in range(count)]))
times = sorted(1000 * took for took, _, _ in results)
errors = [error for _, error, _ in results if error]
print(json.dumps({
    "count": count,
    "errors": len(errors),
    "decorated": sum(decorated for _, _, decorated in results),
    "mean_ms": round(sum(times) / count, 1),
    "p50_ms": round(times[count // 2], 1),
    "p99_ms": round(times[count * 99 // 100], 1),
    "first_error": errors[0] if errors else None,
}))
