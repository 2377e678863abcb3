#!/usr/bin/env bash
# azure-storage-blob for Python unpacks a blob with Content-Encoding: gzip up to 32 MiB, and raises above.
#
# Guess: a client treats the header the same way at every size: it returns the bytes as stored, or it unpacks them.
# Seen (azure-storage-blob 12.31.1, azurite 3.35.0): the first request is for 32 MiB, and what comes is unpacked piece by piece. A blob that fits
# is returned unpacked; of a larger one the second piece is no gzip stream by itself: "failed to decode". `decompress=False` returns the
# bytes as stored at every size. Scripts that fetch packed logs work until a log is large.
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
import gzip, os, sys
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient, ContentSettings
# The account and key that Azurite documents for everybody.
account = 'devstoreaccount1'
key = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='
service = BlobServiceClient(f'http://127.0.0.1:{sys.argv[1]}/{account}', credential={'account_name': account, 'account_key': key})
container = service.create_container('results')
def read(name, packed, unpacked, **options):
    try:
        content = container.download_blob(name, **options).readall()
    except HttpResponseError as error:
        return 'failed to decode' if 'failed to decode' in str(error) else f'another error: {error}'
    return 'unpacked' if content == unpacked else 'as stored' if content == packed else 'other'
seen = {}
for size in (31, 33):
    unpacked = os.urandom(size << 20)
    packed = gzip.compress(unpacked, 1)
    container.upload_blob(f'{size}', packed, content_settings=ContentSettings(content_encoding='gzip'))
    seen[size] = read(f'{size}', packed, unpacked), read(f'{size}', packed, unpacked, decompress=False)
print(f'MiB: (by default, with decompress=False): {seen}')
sys.exit(0 if seen[31] == ('unpacked', 'as stored') and seen[33] == ('failed to decode', 'as stored')
         else 'changed: expected the smaller one unpacked, an error for the larger, and both as stored with decompress=False')
P
