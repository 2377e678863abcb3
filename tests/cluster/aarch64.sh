#!/usr/bin/env bash
# The programs and images for aarch64, cross-built on another machine and run by
# qemu-user: a supervised job, a timeout, delivery to a directory and to an S3
# server, a step of ci-operator, `podutils run`, `show` and `verify`, and the
# images as containers. At last each image is built twice and must come out the
# same, for this machine's architecture too when its programs are named.
#
# Not part of the continuous integration, because it builds everything once more
# (about ten minutes on two cores). As root it installs what is missing; else it
# says what that is.
#
#   tests/cluster/aarch64.sh
#
# Environment:
#
#   PROGRAMS        a directory of aarch64 programs that were built before, s3-server
#                   among them
#   HOST_PROGRAMS   the same of this machine's architecture
#   ENGINES         which engines build the images (those of docker and podman that answer)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$root/deploy/images/build.sh
images=(entrypoint sidecar initupload gcsupload entrypoint-wrapper pod-utils s3-server)
binfmt=/proc/sys/fs/binfmt_misc
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
work=$(mktemp -d) && chmod 0755 "$work"
server='' registered='' mounted=''

fail() { printf 'aarch64.sh: %s\n' "$1" >&2; exit 1; }
code() { local status=0; "$@" || status=$?; printf '%s' "$status"; }
quiet() { "$@" >"$work/said.log" 2>&1; }
# The exit status of a process in the background, as `status`.
join() { status=0; wait "$1" || status=$?; }
finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  [ -z "$registered" ] || echo -1 >"$binfmt/pod-utils-aarch64" || true
  [ -z "$mounted" ] || umount "$binfmt" || true
  rm -rf "$work"
}
trap finish EXIT

step 'tools'
packages=()
command -v qemu-aarch64-static >/dev/null || packages+=(qemu-user-static)
command -v readelf >/dev/null || packages+=(binutils)
if [ -z "${PROGRAMS:-}" ] && [ "$(uname -m)" != aarch64 ]; then
  command -v aarch64-linux-gnu-gcc >/dev/null || packages+=(gcc-aarch64-linux-gnu)
  [ -d /usr/aarch64-linux-gnu/include ] || packages+=(libc6-dev-arm64-cross)
fi
if [ "${#packages[@]}" -gt 0 ]; then
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "missing: ${packages[*]} (names of Debian's packages)"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi
target=aarch64-unknown-linux-musl
if [ -z "${PROGRAMS:-}" ] && ! rustup target list --installed | grep -qx "$target"; then rustup target add "$target"; fi
# Programs start each other, and containers start them: the kernel has to know
# who runs them. F: the interpreter is opened now, and found in containers, too.
if [ "$(uname -m)" != aarch64 ] && ! grep -qs aarch64 "$binfmt"/*aarch64*; then
  [ "$(id -u)" = 0 ] || fail 'binfmt_misc does not know aarch64, and only root may register it'
  if ! [ -e "$binfmt/register" ]; then
    mount -t binfmt_misc binfmt_misc "$binfmt" || fail 'binfmt_misc cannot be mounted'
    mounted=yes
  fi
  magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
  mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
  printf '%s' ":pod-utils-aarch64:M::$magic:$mask:$(command -v qemu-aarch64-static):F" >"$binfmt/register"
  registered=yes
fi
engines=()
for engine in ${ENGINES-docker podman}; do
  if "$engine" info >/dev/null 2>&1; then engines+=("$engine"); else printf 'SKIPPED images with %s: it does not answer\n' "$engine"; fi
done

step 'programs'
bin=${PROGRAMS:-$("$build" --arch aarch64 --programs-only s3-server)}
for program in entrypoint sidecar entrypoint-wrapper podutils s3-server; do
  contains "$program" "$(readelf --file-header "$bin/$program")" AArch64
  same "$program needs shared libraries" "$(readelf --dynamic "$bin/$program" | grep -c NEEDED)" 0
done
for program in entrypoint sidecar entrypoint-wrapper podutils; do
  contains "$program --version" "$("$bin/$program" --version)" "$program "
done

step 'entrypoint and sidecar'
# options of entrypoint, and of sidecar with a destination, for a pod of two directories.
pod() { mkdir -p "$work/$1/logs/artifacts"; }
entry() { printf '"container_name":"test","process_log":"%s/log.txt","marker_file":"%s/marker.txt","metadata_file":"%s/artifacts/metadata.json"' "$1" "$1" "$1"; }
run_entrypoint() { # pod, more options, script
  local logs=$work/$1/logs
  ENTRYPOINT_OPTIONS="{\"args\":[\"/bin/sh\",\"-c\",\"$3\"],\"artifact_dir\":\"$logs/artifacts\",$(entry "$logs")$2}" \
    "$bin/entrypoint" >"$work/$1/stdout"
}
run_sidecar() { # pod, options of the upload
  local logs=$work/$1/logs
  JOB_SPEC='{"type":"periodic","job":"arm","buildid":"1"}' \
    SIDECAR_OPTIONS="{\"gcs_options\":{\"items\":[\"$logs/artifacts\"],\"dry_run\":false,$2},\"entries\":[{$(entry "$logs")}],\"censoring_options\":{\"secret_directories\":[\"$work/secrets\"]},\"delivery\":{\"fail_on_error\":true}}" \
    "$bin/sidecar" 2>"$work/$1/sidecar.log"
}
result() { sed -n 's/.*"result":"\([A-Z]*\)".*/\1/p' "$1"; }
mkdir "$work/secrets" && printf 'a-token-nobody-may-see' >"$work/secrets/token"

pod passing
# Sidecar is there first, as in a pod, and is woken by the marker.
run_sidecar passing "\"local_output_dir\":\"$work/passing/out\"" & sidecar=$!
same 'a job that passes' "$(code run_entrypoint passing '' "echo testing a-token-nobody-may-see; echo made >$work/passing/logs/artifacts/made.txt")" 0
join "$sidecar"
same 'sidecar beside it' "$status" 0
same 'its result' "$(result "$work/passing/out/finished.json")" SUCCESS
same 'its log' "$(cat "$work/passing/out/build-log.txt")" 'testing XXXXXXXXXXXXXXXXXXXXXX'
same 'its artifact' "$(cat "$work/passing/out/artifacts/made.txt")" made

pod timeout
same 'a job that is out of time' "$(code run_entrypoint timeout ',"timeout":"1s","grace_period":"1s"' 'trap : INT; while :; do sleep 0.1; done')" 127
same 'its marker' "$(cat "$work/timeout/logs/marker.txt")" 127
contains 'its report' "$(cat "$work/timeout/logs/marker.txt.report.json")" '"reason":"timed_out"'
same 'sidecar beside it' "$(code run_sidecar timeout "\"local_output_dir\":\"$work/timeout/out\"")" 0
contains 'its cause' "$(cat "$work/timeout/out/finished.json")" 'timed out after 1s; did not exit within 1s; killed'

pod interrupted
run_entrypoint interrupted '' "trap : INT; trap 'echo got TERM; exit 0' TERM; echo ready; while :; do sleep 0.1; done" & supervisor=$!
for _ in $(seq 100); do grep -qs ready "$work/interrupted/logs/log.txt" && break; sleep 0.1; done
# The subshell of `&` is entrypoint's parent.
kill -TERM "$(pgrep -P "$supervisor" || echo "$supervisor")"
join "$supervisor"
same 'a job that is interrupted' "$status" 130
contains 'its log' "$(cat "$work/interrupted/logs/log.txt")" 'got TERM'

step 'an S3 server'
export AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret-key AWS_REGION=us-east-1
S3_BUCKETS=ci-results "$bin/s3-server" "$work/s3" 127.0.0.1:0 >"$work/server.log" & server=$!
for _ in $(seq 100); do grep -qs listening "$work/server.log" && break; sleep 0.1; done
export AWS_ENDPOINT_URL
AWS_ENDPOINT_URL=http://$(grep -o '127\.0\.0\.1:[0-9]*' "$work/server.log" | head -n 1)
cp -r "$work/passing" "$work/bucket"
sed -i "s|$work/passing/|$work/bucket/|g" "$work"/bucket/logs/*.json
# More than a part, so that it is uploaded in parts.
head -c 20000000 /dev/urandom >"$work/bucket/logs/artifacts/large.bin"
same 'delivery to a bucket' "$(code run_sidecar bucket '"bucket":"s3://ci-results/arm","path_strategy":"explicit"')" 0
stored=$work/s3/ci-results/arm/logs/arm/1
same 'its result' "$(result "$stored/finished.json")" SUCCESS
same 'what was sent in parts' "$(code cmp "$stored/artifacts/large.bin" "$work/bucket/logs/artifacts/large.bin")" 0
same 'the same without its secret' "$(cat "$stored/build-log.txt")" 'testing XXXXXXXXXXXXXXXXXXXXXX'

step 'entrypoint-wrapper'
mkdir "$work/shared" "$work/tmp" && echo before >"$work/shared/before"
secret=$(SHARED_DIR=$work/shared NAMESPACE=ci JOB_NAME_SAFE=e2e TMPDIR=$work/tmp \
  "$bin/entrypoint-wrapper" --dry-run /bin/sh -c 'cat "$SHARED_DIR/before" >"$SHARED_DIR/after"')
contains 'the Secret of a step' "$secret" "$(printf 'before\n' | base64)"
contains 'the Secret of a step' "$secret" after
same "a command's code" "$(code "$bin/entrypoint-wrapper" /bin/sh -c 'exit 7')" 7

step 'podutils'
same 'podutils run' "$(code quiet "$bin/podutils" run --job arm --out "$work/run" -- \
  /bin/sh -c 'echo testing; echo made >"$ARTIFACTS/made.txt"; exit 3')" 3
run=$(echo "$work"/run/arm/*)
same 'its result' "$(result "$run/finished.json")" FAILURE
contains 'podutils show' "$("$bin/podutils" show "$run")" FAILURE
same 'podutils verify' "$(code quiet "$bin/podutils" verify "$run")" 0
contains 'podutils show, a bucket' "$("$bin/podutils" show s3://ci-results/arm/logs/arm/1)" SUCCESS
same 'podutils verify, a bucket' "$(code quiet "$bin/podutils" verify s3://ci-results/arm/logs/arm/1)" 0
printf 'bit rot' >>"$stored/artifacts/made.txt"
same 'podutils verify, a changed object' "$(code quiet "$bin/podutils" verify s3://ci-results/arm/logs/arm/1)" 1

# All images twice, every layer made anew.
repeats() { # engine, architecture, programs
  local build_twice=("$build" --engine "$1" --arch "$2" --programs "$3" --tag "again-$2" "${images[@]}")
  "${build_twice[@]}" | tee "$work/first"
  "${build_twice[@]}" >"$work/second"
  same "$1, $2: layers that differ the second time" "$(diff "$work/first" "$work/second" | wc -l)" 0
}
for engine in "${engines[@]}"; do
  step "images with $engine"
  repeats "$engine" aarch64 "$bin"
  [ -z "${HOST_PROGRAMS:-}" ] || repeats "$engine" "$(uname -m)" "$HOST_PROGRAMS"
  name() { printf 'localhost/pod-utils/%s:again-aarch64' "$1"; }
  for image in "${images[@]}"; do
    same "$image's architecture" "$("$engine" image inspect --format '{{.Architecture}}' "$(name "$image")")" arm64
  done
  container=("$engine" run --rm --network=none --read-only --user=1000:1000 --platform=linux/arm64)
  for image in entrypoint sidecar initupload gcsupload entrypoint-wrapper; do
    contains "a container of $image" "$("${container[@]}" "$(name "$image")" --help)" "Usage: $image"
  done
  mkdir -p -m 0777 "$work/$engine"
  same 'a container that copies entrypoint' "$(code "${container[@]}" --volume "$work/$engine:/tools" "$(name entrypoint)" --copy-mode-only)" 0
  same 'the copy' "$(code cmp "$work/$engine/entrypoint" "$bin/entrypoint")" 0
  mapfile -t made < <("$engine" images --format '{{.Repository}}:{{.Tag}}' | grep ':again-\(aarch64\|x86_64\)$')
  "$engine" image rm "${made[@]}" >/dev/null
done

end_of_checks
