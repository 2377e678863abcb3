#!/usr/bin/env bash
# moto checks If-Match when an object is put at once, and not when it is completed in parts.
#
# Guess: a server that answers 412 to PutObject with a wrong If-Match does the same to CompleteMultipartUpload, where S3 takes the same two headers.
# Seen (moto 5.2.5, boto3 1.44.8): PutObject with a wrong If-Match and CompleteMultipartUpload with If-None-Match: * are refused with 412;
# CompleteMultipartUpload with a wrong If-Match returns 200 and replaces the object. A writer that guards its objects so passes its
# tests here however it treats a lost race, as soon as the object is large.
set -euo pipefail
dir=$(mktemp -d); server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv tools
tools/bin/pip install --quiet --disable-pip-version-check 'moto[s3]==5.2.5' flask==3.1.3 flask-cors==6.0.5 boto3==1.44.8
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
tools/bin/moto_server -H 127.0.0.1 -p "$port" >log 2>&1 & server=$!
for _ in $(seq 300); do curl -s -o /dev/null "http://127.0.0.1:$port/" && break; sleep 0.1; done
tools/bin/python - "$port" <<'P'
import sys
import boto3
from botocore.exceptions import ClientError
s3 = boto3.client('s3', endpoint_url=f'http://127.0.0.1:{sys.argv[1]}', aws_access_key_id='any', aws_secret_access_key='any',
                  region_name='us-east-1')
s3.create_bucket(Bucket='results')
where = {'Bucket': 'results', 'Key': 'log.txt'}
s3.put_object(**where, Body=b'theirs')
def status(call, **arguments):
    try:
        return call(**where, **arguments)['ResponseMetadata']['HTTPStatusCode']
    except ClientError as error:
        return error.response['ResponseMetadata']['HTTPStatusCode']
def in_parts(**condition):
    upload = s3.create_multipart_upload(**where)['UploadId']
    part = s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=b'ours')
    return status(s3.complete_multipart_upload, UploadId=upload, MultipartUpload={'Parts': [{'ETag': part['ETag'], 'PartNumber': 1}]},
                  **condition)
other = '"0123456789abcdef0123456789abcdef"'
put, absent, parts = status(s3.put_object, Body=b'ours', IfMatch=other), in_parts(IfNoneMatch='*'), in_parts(IfMatch=other)
content = s3.get_object(**where)['Body'].read()
print(f'wrong If-Match: put {put}, completed {parts}; completed with If-None-Match {absent}; content {content}')
sys.exit(0 if (put, absent, parts, content) == (412, 412, 200, b'ours') else 'changed: expected 412, 200 and 412, and the new content')
P
