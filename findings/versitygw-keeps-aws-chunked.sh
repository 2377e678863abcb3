#!/usr/bin/env bash
# versitygw keeps the framing of an upload as the object's Content-Encoding: what an SDK streams is "aws-chunked" for every reader.
#
# Guess: "aws-chunked" says how the body of one request is framed, so a store that takes the frames away takes the word away too, as S3 says it does,
# and an object has the Content-Encoding that its writer gave it.
# Seen (versitygw 1.8.0, AWS SDK for JavaScript 3.1000.0): the SDK frames a stream and appends its checksum, and the bytes arrive right; but HEAD of
# the object says Content-Encoding "aws-chunked", and "gzip,aws-chunked" of one that was put with "gzip". The same object put from memory, which the
# SDK does not frame, has none. A comparison of metadata finds a difference, and who unpacks by this header finds an encoding that nobody knows.
set -euo pipefail
dir=$(mktemp -d); server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT; cd "$dir"
export GOPATH=$dir/go GOCACHE=$dir/cache GOFLAGS=-modcacherw GOBIN=$dir/bin npm_config_cache=$dir/npm
go install github.com/versity/versitygw/cmd/versitygw@v1.8.0 2>/dev/null
npm install --silent --no-audit --no-fund @aws-sdk/client-s3@3.1000.0 >/dev/null 2>&1
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir -p data/ci-results
ROOT_ACCESS_KEY=ciuser ROOT_SECRET_KEY=cisecretkey bin/versitygw --port "127.0.0.1:$port" posix data >log 2>&1 & server=$!
for _ in $(seq 100); do curl -s -o /dev/null "http://127.0.0.1:$port/" && break; sleep 0.1; done
printf 'passed\n' >build-log.txt
cat >put.mjs <<'J'
import { createReadStream } from "node:fs";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";

const credentials = { accessKeyId: "ciuser", secretAccessKey: "cisecretkey" };
const client = new S3Client({ region: "us-east-1", endpoint: process.argv[2], forcePathStyle: true, credentials });
const seen = [];
for (const [Key, how] of Object.entries({
  memory: { Body: "passed\n" },
  stream: { Body: createReadStream("build-log.txt"), ContentLength: 7 },
  encoded: { Body: createReadStream("build-log.txt"), ContentLength: 7, ContentEncoding: "gzip" },
})) {
  const object = { Bucket: "ci-results", Key };
  await client.send(new PutObjectCommand({ ...object, ...how }));
  const got = await client.send(new GetObjectCommand(object));
  const content = (await got.Body.transformToString()) === "passed\n" ? "right" : "wrong";
  seen.push(`${Key} ${got.ContentEncoding ?? "none"} ${content}`);
}
console.log(seen.join("; "));
J
seen=$(timeout 60 node put.mjs "http://127.0.0.1:$port" 2>/dev/null)
echo "Content-Encoding, and the bytes: $seen"
[ "$seen" = 'memory none right; stream aws-chunked right; encoded gzip,aws-chunked right' ] ||
  { echo 'changed: expected none, aws-chunked, and gzip,aws-chunked'; exit 1; }
