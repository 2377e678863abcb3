#!/usr/bin/env bash
# Installs what the campaign of encoders writes with into a directory: packages of
# Python and Node, and a program of Go; with `full` those of no `.ci/run`, too. The
# versions are pinned in tools/.
#
#   tests/campaign/encoders/install.sh DIRECTORY [full]
#
# A package that is there is not installed again. Small programs of the system (jq, xxd,
# zip) are installed, languages only with `full`: the campaign says which it leaves out.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
full=${2:-}

SUDO=; [ "$(id -u)" = 0 ] || SUDO=sudo
need=()
want() { command -v "$1" >/dev/null || need+=("$2"); }
want jq jq; want xxd xxd; want hexdump bsdextrautils; want zip zip; want bzip2 bzip2; want xz xz-utils
if [ "$full" = full ]; then want mksh mksh; want ruby ruby; want php php-cli; fi
if [ "${#need[@]}" -gt 0 ]; then
  $SUDO apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $SUDO apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
fi

python() {
  python3 -m venv "$dir/py"
  "$dir/py/bin/pip" install --quiet --disable-pip-version-check -r "$here/tools/requirements.txt"
  [ "$full" != full ] || "$dir/py/bin/pip" install --quiet --disable-pip-version-check -r "$here/tools/requirements-full.txt"
}

node() {
  cp "$here/tools/package.json" "$dir/"
  cd "$dir"
  npm install --silent --no-audit --no-fund --no-package-lock
}

golang() {
  mkdir -p "$dir/go"
  cp "$here"/tools/go.{mod,sum} "$here/writers/go/main.go" "$dir/go/"
  go build -C "$dir/go" -o "$dir/go-writers" .
}

parts=(python)
if command -v npm >/dev/null; then parts+=(node); fi
if command -v go >/dev/null; then parts+=(golang); fi
pids=()
for part in "${parts[@]}"; do
  # Other versions or another program are installed again.
  state=$(cat "$here"/tools/* "$here/writers/go/main.go" | sha256sum | cut -c1-16)
  [ -e "$dir/.$part$full-$state" ] && continue
  ( set -e; "$part"; touch "$dir/.$part$full-$state" ) & pids+=($!)
done
failed=0
for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
exit "$failed"
