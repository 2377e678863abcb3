#!/usr/bin/env bash
# Installs the test runners of the campaign into a directory: those that .ci/run
# tries, or with `full` all of the table. The versions are pinned in tools/.
#
#   tests/campaign/runners/install.sh DIRECTORY [full]
#
# What is there with the same pins is not installed again.
source "$(dirname "${BASH_SOURCE[0]}")/../install.sh"
begin "$@"

want make make; want ninja ninja-build; want ctest cmake; want mvn maven
if [ "$full" = full ]; then want mksh mksh; want rspec ruby-rspec-core; want phpunit phpunit; fi
install_packages

node() {
  cp "$here/tools/package.json" "$dir/"
  cd "$dir"
  # Browsers are not needed, and cannot be had everywhere.
  export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1
  npm_install
  [ "$full" = full ] || return 0
  npm_install --no-save yarn@1.22.22 pnpm@12.21.0 @yarnpkg/cli-dist@4.18.1
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

sources=("$here/samples/ginkgo" "$here/samples/surefire")
parts=(python node java)
# Without Go the campaign says which runners it leaves out.
if command -v go >/dev/null; then parts+=(golang); fi
run_parts "${parts[@]}"
