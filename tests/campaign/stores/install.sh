#!/usr/bin/env bash
# Installs the object stores of the campaign into a directory, with the clients that
# read back: those of every .ci/run, or with `full` all that packages have. Versions are
# pinned here and in tools/. Ceph's gateway is rgw.sh's affair.
#
#   tests/campaign/stores/install.sh DIRECTORY [full]
#
# What is there already is not installed again.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$1/bin" "$1/jars"
dir=$(cd "$1" && pwd)
full=${2:-}

SUDO=; [ "$(id -u)" = 0 ] || SUDO=sudo
need=()
want() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || need+=("$2"); }
want nginx nginx-light
if [ "$full" = full ]; then want mvn maven; fi
if [ "${#need[@]}" -gt 0 ]; then
  $SUDO apt-get update -qq
  # In that runlevel the package does not start a server of its own.
  $SUDO env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
fi

python() {
  python3 -m venv "$dir/py"
  "$dir/py/bin/pip" install --quiet --disable-pip-version-check -r "$here/tools/requirements.txt"
}

node() {
  cd "$dir"
  npm install --silent --no-audit --no-fund --no-package-lock azurite@3.35.0
  [ "$full" != full ] || npm install --silent --no-audit --no-fund --no-package-lock --no-save s3rver@3.7.1
}

golang() {
  export GOBIN=$dir/bin
  go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
  go install github.com/fsouza/fake-gcs-server@v1.56.1
  [ "$full" != full ] || go install github.com/rclone/rclone@v1.76.0
}

java() {
  local get=(mvn -q --batch-mode dependency:copy -Dmdep.stripVersion=true "-DoutputDirectory=$dir/jars")
  "${get[@]}" -Dartifact=com.adobe.testing:s3mock:4.11.0:jar:exec
  "${get[@]}" -Dartifact=org.gaul:s3proxy:4.1.0:jar:jar-with-dependencies
  mv "$dir/jars/s3mock-exec.jar" "$dir/jars/s3mock.jar"
  mv "$dir/jars/s3proxy-jar-with-dependencies.jar" "$dir/jars/s3proxy.jar"
}

parts=(python node)
# Without Go the campaign says which stores it leaves out.
if command -v go >/dev/null; then parts+=(golang); fi
if [ "$full" = full ]; then parts+=(java); fi
pids=()
for part in "${parts[@]}"; do
  [ -e "$dir/.$part$full" ] && continue
  ( set -e; "$part"; touch "$dir/.$part$full" ) & pids+=($!)
done
failed=0
for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
exit "$failed"
