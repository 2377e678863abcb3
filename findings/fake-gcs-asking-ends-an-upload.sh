#!/usr/bin/env bash
# fake-gcs-server takes the question how far an upload is for its end: half a log becomes the object.
#
# Guess: a PUT without content and with "Content-Range: bytes */SIZE" asks a resumable upload of Google's JSON API for its state. The answer is 308 with
# what has arrived while something is missing, the object (200) once all is there, and the question changes nothing. So a client whose connection broke
# asks, and sends the rest.
# Seen (fake-gcs-server 1.56.1): asked after the first of two pieces it answers 200, the object is there with half of its bytes, and the second piece
# gets 404. The same with a SIZE of "*", and before any byte was sent: then the object is empty. Asked after the last piece it answers 404, as if nothing
# had been stored. A client that believes the 200 has lost half of the log; only size or checksum in the answer tell.
set -euo pipefail
dir=$(mktemp -d); server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT; cd "$dir"
export GOPATH=$dir/go GOCACHE=$dir/cache GOFLAGS=-modcacherw GOBIN=$dir/bin
go install github.com/fsouza/fake-gcs-server@v1.56.1 2>/dev/null
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
bin/fake-gcs-server -scheme http -host 127.0.0.1 -port "$port" -backend memory >log 2>&1 & server=$!
store=http://127.0.0.1:$port
for _ in $(seq 600); do curl -s -o /dev/null "$store/" && break; sleep 0.1; done
json() { curl -s -H 'Content-Type: application/json' "$@"; }
json -o /dev/null -d '{"name": "ci-results"}' "$store/storage/v1/b"
begin() { # name; prints the upload's address
  json -o /dev/null -D - -d '{}' "$store/upload/storage/v1/b/ci-results/o?uploadType=resumable&name=$1" |
    tr -d '\r' | awk 'tolower($1) == "location:" { print $2 }'
}
put() { # address, range, further options of curl; prints the status
  curl -s -o /dev/null -w '%{http_code}' -X PUT -H "Content-Range: bytes $2" "${@:3}" "$1"
}
size() { curl -s "$store/storage/v1/b/ci-results/o/$1?alt=media" | wc -c; }
head -c 262144 /dev/zero | tr '\0' 'a' >piece

log=$(begin build-log.txt)
first=$(put "$log" 0-262143/524288 --data-binary @piece)
asked=$(put "$log" '*/524288' -H 'Content-Length: 0')
second=$(put "$log" 262144-524287/524288 --data-binary @piece)
cut="first piece $first, asked $asked, second piece $second; stored: $(size build-log.txt) of 524288 bytes"
echo "$cut"
result=$(begin finished.json)
whole=$(put "$result" 0-262143/262144 --data-binary @piece)
asked=$(put "$result" '*/262144' -H 'Content-Length: 0')
done="whole object $whole, asked $asked; stored: $(size finished.json) of 262144 bytes"
echo "$done"
[ "$cut" = 'first piece 308, asked 200, second piece 404; stored: 262144 of 524288 bytes' ] || { echo 'changed: asking'; exit 1; }
[ "$done" = 'whole object 200, asked 404; stored: 262144 of 262144 bytes' ] || { echo 'changed: asking after the end'; exit 1; }
