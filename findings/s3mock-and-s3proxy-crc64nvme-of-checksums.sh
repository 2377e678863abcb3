#!/usr/bin/env bash
# S3Mock and s3proxy give an object in parts a CRC64NVME that is none of its bytes: a checksum of the parts' checksums, with "-2" behind it.
#
# Guess: CRC64NVME of an object in parts is that of the whole object, whatever the parts were, since AWS has no other for this algorithm ("Full object
# only" in its user guide), and its completion and HeadObject say FULL_OBJECT. So whoever keeps the CRC of a file can compare it with the store's.
# Seen (S3Mock 4.11.0, s3proxy 4.1.0, boto3 1.44.8): for parts of 5 MiB and 7 bytes both answer the completion with ChecksumType COMPOSITE and
# FEKR8yBBg08=-2; the object's own is dsAOcfTzliA=. An object in one piece has its own. A comparison must leave values with a dash out.
set -euo pipefail
command -v mvn >/dev/null || { echo 'needs Maven and a JDK'; exit 2; }
dir=$(mktemp -d); servers=()
trap '[ "${#servers[@]}" = 0 ] || kill "${servers[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv py
py/bin/pip -q --disable-pip-version-check --no-cache-dir install boto3==1.44.8
copy() {
  mvn -q -B -Dmaven.repo.local="$dir/repository" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -Dartifact="$1" -DoutputDirectory="$dir/jars"
}
copy com.adobe.testing:s3mock:4.11.0:jar:exec
copy org.gaul:s3proxy:4.1.0:jar:jar-with-dependencies
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
mock=$(port)
java -jar jars/s3mock-4.11.0-exec.jar --com.adobe.testing.s3mock.httpPort="$mock" --server.port=0 >mock.log 2>&1 & servers+=($!)
proxy=$(port); mkdir objects
cat >s3proxy.properties <<P
s3proxy.authorization=aws-v2-or-v4
s3proxy.identity=ciuser
s3proxy.credential=cisecretkey
s3proxy.endpoint=http://127.0.0.1:$proxy
jclouds.provider=filesystem-nio2
jclouds.filesystem.basedir=$dir/objects
P
java -jar jars/s3proxy-4.1.0-jar-with-dependencies.jar --properties s3proxy.properties >proxy.log 2>&1 & servers+=($!)
cat >parts.py <<'P'
import base64
import sys

import boto3
from botocore.config import Config

POLYNOMIAL = 0x9A6C9329AC4BC9B5  # of CRC-64/NVME, reflected
TABLE = []
for entry in range(256):
    for _ in range(8):
        entry = entry >> 1 ^ (POLYNOMIAL if entry & 1 else 0)
    TABLE.append(entry)


def checksum(content):
    state = 2**64 - 1
    for byte in content:
        state = TABLE[(state ^ byte) & 255] ^ state >> 8
    return base64.b64encode((state ^ 2**64 - 1).to_bytes(8, "big")).decode()


config = Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required")
client = boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="ciuser",
                      aws_secret_access_key="cisecretkey", config=config)
client.create_bucket(Bucket="ci-results")
place = {"Bucket": "ci-results", "Key": "build-log.txt"}
upload = {"UploadId": client.create_multipart_upload(**place, ChecksumAlgorithm="CRC64NVME")["UploadId"]}
contents, parts = [bytes(range(256)) * 20480, b"content"], []
for number, content in enumerate(contents, 1):
    own = checksum(content)
    part = client.upload_part(**place, **upload, PartNumber=number, Body=content, ChecksumCRC64NVME=own)
    parts.append({"PartNumber": number, "ETag": part["ETag"], "ChecksumCRC64NVME": own})
done = client.complete_multipart_upload(**place, **upload, MultipartUpload={"Parts": parts})
whole = client.put_object(Bucket="ci-results", Key="whole", Body=contents[1], ChecksumCRC64NVME=checksum(contents[1]))
is_own = whole["ChecksumCRC64NVME"] == checksum(contents[1])
print(done["ChecksumType"], done["ChecksumCRC64NVME"], "instead of", checksum(b"".join(contents)), "in one piece", is_own)
P
for name in mock proxy; do
  address=http://127.0.0.1:${!name}
  for _ in $(seq 1200); do curl -s -o /dev/null "$address/" && break; sleep 0.1; done
  seen=$(timeout 120 py/bin/python parts.py "$address")
  echo "s3$name: $seen"
  [ "$seen" = 'COMPOSITE FEKR8yBBg08=-2 instead of dsAOcfTzliA= in one piece True' ] || { echo 'changed: expected COMPOSITE'; exit 1; }
done
