#!/usr/bin/env bash
# An object of gcp-storage-emulator whose name has a "#" is listed, and Google's own client cannot download it.
#
# Guess: what the list gives the client is enough to download each object of it, whatever its name, as from Google's own store.
# Seen (gcp-storage-emulator 2026.7.19, google-cloud-storage 3.4.1): the emulator's mediaLink holds the name as it is, not percent-encoded; the
# client downloads what it has listed from that link, whose path ends at "#" or "?": 404 Not Found. The same client reads the object where it
# is given the name and makes the address itself. So who tests artifacts with this pair finds them lost though they were stored.
set -euo pipefail
dir=$(mktemp -d); server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv tools
tools/bin/pip install --quiet --disable-pip-version-check gcp-storage-emulator==2026.7.19 google-cloud-storage==3.4.1
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
tools/bin/gcp-storage-emulator start --host 127.0.0.1 --port "$port" --in-memory --default-bucket ci-results >log 2>&1 & server=$!
for _ in $(seq 100); do curl -s -o /dev/null "http://127.0.0.1:$port/" && break; sleep 0.1; done
cat >client.py <<'P'
from google.api_core.exceptions import NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

client = storage.Client(project="ci", credentials=AnonymousCredentials())
bucket = client.bucket("ci-results")
seen = []
for name in ["run-1.txt", "run #1.txt"]:
    bucket.blob(name).upload_from_string("passed")
    listed = next(blob for blob in client.list_blobs(bucket) if blob.name == name)
    for blob in (listed, bucket.blob(name)):
        try:
            seen.append(blob.download_as_bytes(retry=None).decode())
        except NotFound:
            seen.append("404")
print(*seen)
P
seen=$(STORAGE_EMULATOR_HOST="http://127.0.0.1:$port" timeout 60 tools/bin/python client.py 2>&1 | tail -1)
echo "plain name: listed, by name; name with #: listed, by name: $seen"
[ "$seen" = 'passed passed 404 passed' ] || { echo 'changed: expected passed passed 404 passed'; exit 1; }
