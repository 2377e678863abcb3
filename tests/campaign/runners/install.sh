#!/usr/bin/env bash
# Installs the test runners of the campaign into a directory: those that .ci/run
# tries, or with `full` all of the table. The versions are pinned in tools/.
#
#   tests/campaign/runners/install.sh DIRECTORY [full]
#
# What is there already is not installed again.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
full=${2:-}

SUDO=; [ "$(id -u)" = 0 ] || SUDO=sudo
need=()
want() { command -v "$1" >/dev/null || need+=("$2"); }
want make make; want ninja ninja-build; want ctest cmake; want mvn maven
if [ "$full" = full ]; then want mksh mksh; want rspec ruby-rspec-core; want phpunit phpunit; fi
if [ "${#need[@]}" -gt 0 ]; then
  $SUDO apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $SUDO apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
fi

python() {
  python3 -m venv "$dir/py"
  "$dir/py/bin/pip" install --quiet --disable-pip-version-check -r "$here/tools/requirements.txt"
  [ "$full" != full ] || "$dir/py/bin/pip" install --quiet -r "$here/tools/requirements-full.txt"
}

node() {
  cp "$here/tools/package.json" "$dir/"
  cd "$dir"
  # Browsers are not needed, and cannot be had everywhere.
  export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1
  npm install --silent --no-audit --no-fund --no-package-lock
  [ "$full" = full ] || return 0
  npm install --silent --no-audit --no-fund --no-package-lock --no-save \
    yarn@1.22.22 pnpm@12.21.0 @yarnpkg/cli-dist@4.18.1
  # Both versions of yarn are called yarn.
  mkdir -p bin
  printf '#!/bin/sh\nexec node %s/node_modules/@yarnpkg/cli-dist/bin/yarn.js "$@"\n' "$dir" >bin/berry
  printf '#!/bin/sh\nexec node %s/node_modules/yarn/bin/yarn.js "$@"\n' "$dir" >bin/yarn
  chmod +x bin/berry bin/yarn
}

golang() {
  cp "$here"/tools/go.{mod,sum} "$dir/"
  cd "$dir"
  mkdir -p bin
  go build -o bin/ github.com/onsi/ginkgo/v2/ginkgo gotest.tools/gotestsum
  # What each run compiles, once.
  mkdir -p warm && cp -r "$here/samples/ginkgo/suite" warm/
  go test -c -o warm/own.test ./warm/suite
  [ "$full" != full ] || GOBIN="$dir/bin" go install go.k6.io/k6@v1.8.1
}

java() {
  cp -r "$here/samples/surefire" "$dir/"
  cd "$dir/surefire"
  # The provider for JUnit is looked up by the first test only.
  mvn -q --batch-mode "-Dmaven.repo.local=$dir/m2" -Dtest=FirstTest test
  rm -rf reports
}

parts=(python node java)
# Without Go the campaign says which runners it leaves out.
if command -v go >/dev/null; then parts+=(golang); fi
pids=()
for part in "${parts[@]}"; do
  [ -e "$dir/.$part$full" ] && continue
  ( set -e; "$part"; touch "$dir/.$part$full" ) & pids+=($!)
done
failed=0
for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
exit "$failed"
