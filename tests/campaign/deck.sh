#!/usr/bin/env bash
# Runs the real Deck over a bucket that our programs filled, and checks its pages: the
# result, our sentence in the metadata, the log, test reports, links, the job's history.
#
#   tests/campaign/deck.sh [DIRECTORY OF OUR PROGRAMS]
#
# Deck is built from the Go module proxy (some minutes), which has no newer version of it.
# fake-gcs-server holds the bucket. Deck listens on fixed ports, so that everything runs
# in a network of its own, which needs root.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
programs=${1:-$here/../../target/debug}
prow=v0.0.0-20240619181241-cfb8754e0459
tools=${XDG_CACHE_HOME:-$HOME/.cache}/pod-utils-ci/deck

if [ -z "${POD_UTILS_DECK_NETWORK:-}" ]; then
  [ -x "$tools/deck" ] || GOBIN=$tools go install "sigs.k8s.io/prow/cmd/deck@$prow"
  [ -x "$tools/fake-gcs-server" ] || GOBIN=$tools go install github.com/fsouza/fake-gcs-server@v1.56.1
  POD_UTILS_DECK_NETWORK=1 POD_UTILS_DECK_SOURCE=$(go env GOMODCACHE)/sigs.k8s.io/prow@$prow \
    exec unshare --net "${BASH_SOURCE[0]}" "$programs"
fi
ip link set lo up

dir=$(mktemp -d)
pids=()
# The servers end with the script; one that has ended already is no failure.
trap 'kill "${pids[@]}" 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
source=$POD_UTILS_DECK_SOURCE
export STORAGE_EMULATOR_HOST=127.0.0.1:4443
unset HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy

until_answers() { # URL
  for _ in $(seq 300); do curl -s -o "$dir/answer" "$1" && return; sleep 0.1; done
  echo "$1 does not answer"; tail -n 20 "$dir"/*.log; exit 1
}

"$tools/fake-gcs-server" -scheme http -host 127.0.0.1 -port 4443 -public-host "$STORAGE_EMULATOR_HOST" -backend memory \
  -log-level error >"$dir/store.log" 2>&1 & pids+=($!)
until_answers "http://$STORAGE_EMULATOR_HOST/storage/v1/b"
curl -sf -o /dev/null -H 'content-type: application/json' -d '{"name":"ci-results"}' "http://$STORAGE_EMULATOR_HOST/storage/v1/b"

deliver() { # BUILD, entrypoint's options, COMMAND
  local pod=$dir/pod-$1
  mkdir -p "$pod/logs/artifacts"
  export JOB_SPEC='{"type":"periodic","job":"nightly","buildid":"'$1'","refs":{"org":"o","repo":"r","base_ref":"main"}}'
  local gcs='"bucket":"gs://ci-results","path_strategy":"explicit","dry_run":false'
  local files='"process_log":"'$pod/logs/log.txt'","marker_file":"'$pod/logs/marker.txt'","metadata_file":"'$pod/logs/artifacts/metadata.json'"'
  ln -s "$(realpath "$programs/sidecar")" "$pod/initupload"
  INITUPLOAD_OPTIONS="{$gcs}" "$pod/initupload" 2>"$pod/initupload.log"
  ARTIFACTS=$pod/logs/artifacts ENTRYPOINT_OPTIONS='{'$2'"args":["sh","-c","'$3'"],'$files'}' \
    "$programs/entrypoint" >"$pod/output.log" 2>&1 || true
  SIDECAR_OPTIONS='{"gcs_options":{'$gcs',"items":["'$pod/logs/artifacts'"]},"entries":[{"container_name":"test",'$files'}],"delivery":{"fail_on_error":true}}' \
    "$programs/sidecar" 2>"$pod/sidecar.log" || { tail "$pod/sidecar.log"; exit 1; }
}

junit='<testsuite name=\"s\" tests=\"2\" failures=\"1\"><testcase name=\"TestPasses\" time=\"1\"/><testcase name=\"TestBreaks\" time=\"2\"><failure message=\"it broke\">at line 7</failure></testcase></testsuite>'
deliver 101 '' 'echo all is well'
deliver 102 '' "echo '$junit' >\$ARTIFACTS/junit_1.xml; echo something broke; exit 3"
deliver 103 '"timeout":"1s","grace_period":"2s",' 'seq 40; sleep 60'

mkdir "$dir/data"
echo '{"items":[]}' >"$dir/data/prowjobs.json"
cat >"$dir/config.yaml" <<'Y'
prowjob_namespace: default
pod_namespace: test-pods
deck:
  spyglass:
    size_limit: 100000000
    gcs_browser_prefix: https://browser.example/gcs/
    lenses:
    - {lens: {name: metadata}, required_files: ['^(?:started|finished)\.json$']}
    # Without regexes of its own this Deck takes no line for one that is worth to be shown.
    - {lens: {name: buildlog, config: {highlight_regexes: ['ERROR:']}}, required_files: ['^build-log\.txt$']}
    - {lens: {name: junit}, required_files: ['^artifacts/junit.*\.xml$']}
    - {lens: {name: links}, required_files: ['^artifacts/.*\.link\.txt$']}
Y
cd "$dir"
"$tools/deck" --pregenerated-data "$dir/data" --config-path "$dir/config.yaml" --spyglass --allow-insecure \
  --static-files-location "$source/cmd/deck/static" --template-files-location "$source/cmd/deck/template" \
  --spyglass-files-location "$source/pkg/spyglass/lenses" >"$dir/deck.log" 2>&1 & pids+=($!)
until_answers http://127.0.0.1:8080/

failures=0
# Pages escape quotes and break lines, which is not what is looked for.
shows() { # NAME, FILE, TEXT
  if tr -d '\n' <"$2" | grep -qF -- "$3"; then
    echo "ok: $1 shows $3"
  else
    echo "MISSING: $1 does not show $3"; failures=$((failures + 1)); cp "$2" "/tmp/deck-$failures.html"
  fi
}
page() { curl -sf --compressed -o "$dir/page" "http://127.0.0.1:8080/$1" || { echo "FAILED: $1"; failures=$((failures + 1)); : >"$dir/page"; }; }
lens() { # LENS, BUILD, ARTIFACTS
  # Deck takes the lens's configuration by its place.
  local -A place=([metadata]=0 [buildlog]=1 [junit]=2)
  curl -sf --compressed -o "$dir/page" -G "http://127.0.0.1:8080/spyglass/lens/$1/iframe" \
    --data-urlencode "req={\"artifacts\":[$3],\"index\":${place[$1]},\"src\":\"gs/ci-results/logs/nightly/$2\"}" ||
    { echo "FAILED: $1 of $2"; failures=$((failures + 1)); : >"$dir/page"; }
}

for build in 101 102 103; do
  page "view/gs/ci-results/logs/nightly/$build"
  for text in nightly metadata buildlog "https://browser.example/gcs/ci-results/logs/nightly/$build" '/job-history/gs/ci-results/logs/nightly'; do
    shows "the page of $build" "$dir/page" "$text"
  done
done
page view/gs/ci-results/logs/nightly/102; shows 'the page of 102' "$dir/page" junit

both='"started.json","finished.json"'
lens metadata 101 "$both"; shows 'metadata of 101' "$dir/page" 'Test started'
shows 'metadata of 101' "$dir/page" passed
lens metadata 102 "$both"
for text in failed 'pod-utils.cause' 'exited with code 3; 1 of 2 tests failed: TestBreaks' 'pod-utils.entries.test.code' 'pod-utils-cause'; do
  shows 'metadata of 102' "$dir/page" "$text"
done
lens metadata 103 "$both"; shows 'metadata of 103' "$dir/page" 'timed out after 1s'
lens buildlog 102 '"build-log.txt"'; shows 'the log of 102' "$dir/page" 'something broke'
# The line is unfolded, and what came long before it is not.
lens buildlog 103 '"build-log.txt"'
shows 'the log of 103' "$dir/page" '<span class="match-highlighted">ERROR:</span><span > sh timed out after 1s'
shows 'the log of 103' "$dir/page" ' skipped lines...'
lens junit 102 '"artifacts/junit_1.xml"'
for text in TestBreaks 'it broke' TestPasses; do shows 'the tests of 102' "$dir/page" "$text"; done

page job-history/gs/ci-results/logs/nightly
for text in '"ID":"101"' '"ID":"102"' '"ID":"103"' SUCCESS FAILURE; do shows 'the history' "$dir/page" "$text"; done

[ "$failures" = 0 ] || { echo "$failures failures"; tail -n 5 "$dir/deck.log"; exit 1; }
echo 'Deck shows everything'
