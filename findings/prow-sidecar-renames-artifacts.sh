#!/usr/bin/env bash
# Prow's sidecar stores artifacts with %, ? or .gz in their names under other names, or not at all, and ends with 0.
#
# Guess: a file artifacts/NAME is the object artifacts/NAME; one that cannot be stored makes the upload fail visibly.
# Seen (Prow's sidecar at 2024-06-19, the newest on the Go module proxy; moto 5.2.5 as the store): the key is read as a URL. "a%20b.txt" becomes
# "a b.txt", "case[x?y].txt" (pytest and Playwright name files after parameters) "case[x", "cpu 100%.txt" is missing, and t.tar.gz is
# "t.tar". The exit status is 0, finished.json says SUCCESS; an error stands in sidecar's own log. The build takes some minutes.
set -euo pipefail
dir=$(mktemp -d); server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait 2>/dev/null; chmod -R u+w "$dir"; rm -rf "$dir"' EXIT; cd "$dir"
export GOPATH=$dir/go GOCACHE=$dir/cache GOFLAGS=-modcacherw GOBIN=$dir/bin
go install sigs.k8s.io/prow/cmd/sidecar@v0.0.0-20240619181241-cfb8754e0459 >/dev/null 2>&1
python3 -m venv tools
tools/bin/pip install --quiet --disable-pip-version-check 'moto[s3]==5.2.5' flask==3.1.3 flask-cors==6.0.5 boto3==1.44.8
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
tools/bin/moto_server -H 127.0.0.1 -p "$port" >log 2>&1 & server=$!
for _ in $(seq 300); do curl -s -o /dev/null "http://127.0.0.1:$port/" && break; sleep 0.1; done
tools/bin/python - "$port" <<'P'
import json, os, subprocess, sys
import boto3
here, endpoint = os.getcwd(), f'http://127.0.0.1:{sys.argv[1]}'
os.mkdir('artifacts')
for name in ('plain.txt', 'a%20b.txt', 'case[x?y].txt', 'cpu 100%.txt', 't.tar.gz'):
    open(f'artifacts/{name}', 'w').write(name)
for name, content in (('marker', '0'), ('process-log', 'hello\n'), ('metadata', '{}')):
    open(name, 'w').write(content)
json.dump({'region': 'us-east-1', 'endpoint': endpoint, 'insecure': True, 's3_force_path_style': True, 'access_key': 'any',
           'secret_key': 'any'}, open('s3.json', 'w'))
s3 = boto3.client('s3', endpoint_url=endpoint, aws_access_key_id='any', aws_secret_access_key='any', region_name='us-east-1')
s3.create_bucket(Bucket='results')
options = {'gcs_options': {'items': [f'{here}/artifacts'], 'bucket': 's3://results', 'path_strategy': 'explicit',
                           's3_credentials_file': f'{here}/s3.json'},
           'entries': [{'args': ['true'], 'container_name': 'test', 'process_log': f'{here}/process-log',
                        'marker_file': f'{here}/marker', 'metadata_file': f'{here}/metadata'}]}
job = {'type': 'periodic', 'job': 'nightly', 'buildid': '1', 'prowjobid': 'sample'}
status = subprocess.run(['bin/sidecar'], env={**os.environ, 'JOB_SPEC': json.dumps(job), 'SIDECAR_OPTIONS': json.dumps(options)},
                        timeout=300, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
start = 'logs/nightly/1/'
result = json.load(s3.get_object(Bucket='results', Key=start + 'finished.json')['Body'])['result']
keys = [entry['Key'].removeprefix(start + 'artifacts/') for entry in s3.list_objects_v2(Bucket='results')['Contents']
        if entry['Key'].startswith(start + 'artifacts/')]
print(f'exit status {status}, {result}, artifacts {keys}')
sys.exit(0 if (status, result) == (0, 'SUCCESS') and sorted(keys) == ['a b.txt', 'case[x', 'plain.txt', 't.tar']
         else 'changed: expected three other names, one artifact missing, and success')
P
