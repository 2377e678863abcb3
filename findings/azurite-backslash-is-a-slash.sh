#!/usr/bin/env bash
# Azurite stores the blob `a\b` as `a/b`.
#
# Guess: a blob's name is any text of up to 1,024 characters; `a\b` and `a/b` are two blobs, and a listing gives the names that were written.
# Seen (azurite 3.35.0, azure-storage-blob 12.31.1 for Python): writing `log\x.txt` after `log/x.txt` replaces it; the listing shows `log/x.txt`
# alone. Two files of a job whose names differ so overwrite each other, and a check of names against the listing misses one.
set -euo pipefail
dir=$(mktemp -d); server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund azurite@3.35.0 >/dev/null
python3 -m venv tools
tools/bin/pip install --quiet --disable-pip-version-check azure-storage-blob==12.31.1
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
node_modules/.bin/azurite-blob --silent --inMemoryPersistence --skipApiVersionCheck --blobPort "$port" >log 2>&1 & server=$!
for _ in $(seq 200); do curl -s -o /dev/null "http://127.0.0.1:$port/" && break; sleep 0.1; done
tools/bin/python - "$port" <<'P'
import sys
from azure.storage.blob import BlobServiceClient
# The account and key that Azurite documents for everybody.
account = 'devstoreaccount1'
key = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='
service = BlobServiceClient(f'http://127.0.0.1:{sys.argv[1]}/{account}', credential={'account_name': account, 'account_key': key})
container = service.create_container('results')
container.upload_blob('log/x.txt', b'first')
container.upload_blob('log\\x.txt', b'second', overwrite=True)
names = [blob.name for blob in container.list_blobs()]
content = container.download_blob('log/x.txt').readall()
print(names, content)
sys.exit(0 if names == ['log/x.txt'] and content == b'second' else 'changed: expected one blob log/x.txt with the second content')
P
