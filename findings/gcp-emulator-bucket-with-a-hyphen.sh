#!/usr/bin/env bash
# gcp-storage-emulator does not find a bucket whose name is percent-encoded.
#
# Guess: "-" written as %2D is the same path (RFC 3986, 2.3: percent-encoded unreserved characters are equivalent), so a client that encodes
# every character but letters and digits, as some Rust libraries do, reaches the same bucket.
# Seen (gcp-storage-emulator 2026.7.19): the object's name is decoded, the bucket's is not: PUT /ci-results/a%2Db is taken, PUT
# /ci%2Dresults/a-b is not.
set -euo pipefail
dir=$(mktemp -d); server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv tools
tools/bin/pip install --quiet --disable-pip-version-check gcp-storage-emulator==2026.7.19
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
tools/bin/gcp-storage-emulator start --host 127.0.0.1 --port "$port" --in-memory --default-bucket ci-results >log 2>&1 & server=$!
for _ in $(seq 100); do curl -s -o /dev/null "http://127.0.0.1:$port/" && break; sleep 0.1; done
put() { curl -s -o /dev/null -w '%{http_code}' --path-as-is -X PUT --data-binary x "http://127.0.0.1:$port$1"; }
plain=$(put /ci-results/a-b) object=$(put /ci-results/a%2Db) bucket=$(put /ci%2Dresults/a-b)
echo "plain $plain, object encoded $object, bucket encoded $bucket"
[ "$plain" = 200 ] && [ "$object" = 200 ] && [ "$bucket" -ge 400 ] || { echo 'changed: expected 200, 200 and an error'; exit 1; }
