#!/usr/bin/env bash
# Installs what the campaign of encoders writes with into a directory: packages of
# Python and Node, and a program of Go; with `full` those of no `.ci/run`, too, such as
# libraries of Java. The versions are pinned in tools/.
#
#   tests/campaign/encoders/install.sh DIRECTORY [full]
#
# What is there with the same pins is not installed again. Small programs of the system
# (jq, xxd, zip) are installed, languages only with `full`: the campaign says which it
# leaves out.
source "$(dirname "${BASH_SOURCE[0]}")/../install.sh"
begin "$@"

want jq jq; want xxd xxd; want hexdump bsdextrautils; want zip zip; want bzip2 bzip2; want xz xz-utils
if [ "$full" = full ]; then want mksh mksh; want ruby ruby; want php php-cli; fi
install_packages

node() {
  cp "$here/tools/package.json" "$dir/"
  cd "$dir"
  npm_install
}

golang() {
  mkdir -p "$dir/go"
  cp "$here"/tools/go.{mod,sum} "$here/writers/go/main.go" "$dir/go/"
  go build -C "$dir/go" -o "$dir/go-writers" .
}

java() {
  mvn -q --batch-mode -f "$here/tools/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$dir/jars"
}

sources=("$here/writers/go/main.go")
parts=(python)
if command -v npm >/dev/null; then parts+=(node); fi
if command -v go >/dev/null; then parts+=(golang); fi
if [ "$full" = full ] && command -v mvn >/dev/null; then parts+=(java); fi
run_parts "${parts[@]}"
