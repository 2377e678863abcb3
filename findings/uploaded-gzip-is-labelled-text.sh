#!/usr/bin/env bash
# `aws s3 cp` and google-cloud-storage label build-log.txt.gz as plain text, and not as packed.
#
# Guess: the client that guesses the type of build-log.txt.gz stores application/gzip, or text/plain together with Content-Encoding: gzip.
# Seen (awscli 1.46.3, google-cloud-storage 3.17.1, boto3 1.44.8): both keep the type that Python's mimetypes guesses and drop the encoding that
# it returns beside it, so the object is text/plain (and t.tar.gz application/x-tar) with gzip bytes and no encoding: a browser shows
# binary, and nothing that goes by the labels unpacks it. boto3 stores binary/octet-stream.
set -euo pipefail
dir=$(mktemp -d); aws= gcp=
trap 'kill $aws $gcp 2>/dev/null || true; wait 2>/dev/null; rm -rf "$dir"' EXIT; cd "$dir"
for set in 'aws awscli==1.46.3' 's3 moto[s3]==5.2.5 flask==3.1.3 flask-cors==6.0.5 boto3==1.44.8' 'gcp gcp-storage-emulator==2026.7.19 google-cloud-storage==3.17.1'; do
  read -ra words <<<"$set"
  python3 -m venv "${words[0]}"
  "${words[0]}/bin/pip" install --quiet --disable-pip-version-check "${words[@]:1}"
done
free() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free); s3/bin/moto_server -H 127.0.0.1 -p "$port" >aws.log 2>&1 & aws=$!
export AWS_ENDPOINT_URL=http://127.0.0.1:$port AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION=us-east-1
export AWS_CONFIG_FILE=$dir/none AWS_SHARED_CREDENTIALS_FILE=$dir/none
port=$(free); gcp/bin/gcp-storage-emulator start --host 127.0.0.1 --port "$port" --in-memory --default-bucket results >gcp.log 2>&1 & gcp=$!
export STORAGE_EMULATOR_HOST=http://127.0.0.1:$port
for url in "$AWS_ENDPOINT_URL" "$STORAGE_EMULATOR_HOST"; do
  for _ in $(seq 300); do curl -s -o /dev/null "$url/" && break; sleep 0.1; done
done
echo hello | gzip >build-log.txt.gz
tar -czf t.tar.gz build-log.txt.gz
s3/bin/python -c 'import boto3; boto3.client("s3").create_bucket(Bucket="results")'
for name in build-log.txt.gz t.tar.gz; do aws/bin/aws s3 cp --only-show-errors "$name" s3://results/; done
s3/bin/python - <<'P' >seen
import boto3
s3 = boto3.client('s3')
s3.upload_file('build-log.txt.gz', 'results', 'by-boto3/build-log.txt.gz')
for client, key in (('aws', 'build-log.txt.gz'), ('aws', 't.tar.gz'), ('boto3', 'by-boto3/build-log.txt.gz')):
    head = s3.head_object(Bucket='results', Key=key)
    print(client, key, head['ContentType'], head.get('ContentEncoding'))
P
gcp/bin/python - <<'P' >>seen
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
bucket = storage.Client(project='sample', credentials=AnonymousCredentials()).bucket('results')
for name in ('build-log.txt.gz', 't.tar.gz'):
    bucket.blob(name).upload_from_filename(name)
    blob = bucket.get_blob(name)
    print('google', name, blob.content_type, blob.content_encoding)
P
cat seen
diff seen - <<'E' || { echo 'changed: see the difference'; exit 1; }
aws build-log.txt.gz text/plain None
aws t.tar.gz application/x-tar None
boto3 by-boto3/build-log.txt.gz binary/octet-stream None
google build-log.txt.gz text/plain None
google t.tar.gz application/x-tar None
E
