#!/usr/bin/env bash
# gcp-storage-emulator ignores generation conditions without a word.
#
# Guess: a server that numbers generations refuses `if_generation_match=0` for an object that is there, or says that it knows no conditions.
# Seen (gcp-storage-emulator 2026.7.19, google-cloud-storage 3.17.1): every object has a generation, and each upload a new one, but the
# condition 0 (create only), a wrong number, and a deletion with a wrong number all succeed. "Create once" and "replace what I read"
# can't be tested with it: both sides of a race win.
set -euo pipefail
dir=$(mktemp -d); server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv tools
tools/bin/pip install --quiet --disable-pip-version-check gcp-storage-emulator==2026.7.19 google-cloud-storage==3.17.1
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
tools/bin/gcp-storage-emulator start --host 127.0.0.1 --port "$port" --in-memory --default-bucket results >log 2>&1 & server=$!
for _ in $(seq 200); do curl -s -o /dev/null "http://127.0.0.1:$port/" && break; sleep 0.1; done
STORAGE_EMULATOR_HOST=http://127.0.0.1:$port tools/bin/python - <<'P'
import sys
from google.api_core.exceptions import PreconditionFailed
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
bucket = storage.Client(project='sample', credentials=AnonymousCredentials()).bucket('results')
def outcome(call, *arguments, **condition):
    try:
        call(*arguments, **condition)
    except PreconditionFailed:
        return 'refused'
    return 'done'
bucket.blob('latest-build.txt').upload_from_string('41')
first = bucket.get_blob('latest-build.txt').generation
create = outcome(bucket.blob('latest-build.txt').upload_from_string, '42', if_generation_match=0)
second = bucket.get_blob('latest-build.txt').generation
replace = outcome(bucket.blob('latest-build.txt').upload_from_string, '43', if_generation_match=first)
content = bucket.blob('latest-build.txt').download_as_bytes()
delete = outcome(bucket.blob('latest-build.txt').delete, if_generation_match=first)
print(f'generations differ: {first != second}; create only {create}, replace an old one {replace} ({content}), delete an old one {delete}')
sys.exit(0 if first != second and (create, replace, delete, content) == ('done', 'done', 'done', b'43')
         else 'changed: expected different generations and three conditions that do nothing')
P
